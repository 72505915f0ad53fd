//! Single polls and wakes, as a process's flight recorder kept them: what happened, one by one, in
//! the last seconds. Never the source of a count: those are exact in tasks and sites, while here the
//! oldest gives way to the newest.

use crate::id::{SiteId, TaskId, WorkerId};

use super::task::WokenBy;

/// The most events of one block.
pub const MAX_BLOCK_EVENTS: usize = 4_096;

/// One thing that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A poll that has ended.
    Poll {
        /// The task.
        task: TaskId,
        /// Its spawn site.
        site: SiteId,
        /// When it began.
        start_ns: u64,
        /// How long it took; a recorder that keeps it in 44 bits says 4 h 53 min of anything longer.
        wall_ns: u64,
        /// The worker that ran it; `None` on a thread that is no worker, or not known to be one yet.
        worker: Option<WorkerId>,
    },
    /// A wake through a wrapped waker.
    Wake {
        /// The task that was woken.
        task: TaskId,
        /// When.
        at_ns: u64,
        /// Who did it.
        by: WokenBy,
    },
}

impl Event {
    /// The task that it happened to.
    pub fn task(&self) -> TaskId {
        match self {
            Self::Poll { task, .. } | Self::Wake { task, .. } => *task,
        }
    }

    /// When it was over: events of one thread are in this order.
    pub fn end_ns(&self) -> u64 {
        match self {
            Self::Poll { start_ns, wall_ns, .. } => start_ns.saturating_add(*wall_ns),
            Self::Wake { at_ns, .. } => *at_ns,
        }
    }
}

/// Events of one recording thread that follow each other without a hole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EventBlock {
    /// The recording thread: a number of the recorder's own, used again when a thread has ended.
    pub thread: u32,
    /// Number of the first event among all that the thread ever recorded, so that a reader knows what
    /// it has already and what it never got.
    pub first: u64,
    /// From here on nothing that ended is missing.
    pub from_ns: u64,
    /// Up to here.
    pub to_ns: u64,
    /// The events, at most [`MAX_BLOCK_EVENTS`], in the order in which they ended. None if nothing
    /// happened, which is told too.
    pub events: Vec<Event>,
}
