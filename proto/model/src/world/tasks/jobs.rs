//! The living jobs of blocking pools, those that wait for a thread and those that have one, in the order of time. So
//! that a rule about pools need not walk all rows. Only the counts of all rows write to it.

use std::collections::BTreeSet;

use super::row::TaskRow;
use crate::entity::task::{TaskKind, TaskState};
use crate::id::TaskId;

/// What an entry takes in a tree, about.
const ENTRY_BYTES: usize = 24;

/// One living job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Job {
    /// It has no thread since it was spawned.
    Waits(u64, TaskId),
    /// It has a thread since then.
    Runs(u64, TaskId),
}

impl Job {
    /// What the row is of, if it is a living job. One that has returned and is not told as ended yet is none.
    pub(super) fn of(row: TaskRow<'_>) -> Option<Self> {
        if row.kind() != TaskKind::Blocking || row.state().is_ended() {
            return None;
        }
        match (row.state(), row.poll_start_ns(), row.polls()) {
            (TaskState::Running, 1.., _) => Some(Self::Runs(row.poll_start_ns(), row.id())),
            (TaskState::Idle | TaskState::Scheduled, 0, 0) => Some(Self::Waits(row.spawned_ns(), row.id())),
            _ => None,
        }
    }
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Jobs {
    waiting: BTreeSet<(u64, TaskId)>,
    running: BTreeSet<(u64, TaskId)>,
}

impl Jobs {
    pub(super) fn add(&mut self, job: Job) {
        match job {
            Job::Waits(since_ns, id) => self.waiting.insert((since_ns, id)),
            Job::Runs(since_ns, id) => self.running.insert((since_ns, id)),
        };
    }

    pub(super) fn subtract(&mut self, job: Job) {
        match job {
            Job::Waits(since_ns, id) => self.waiting.remove(&(since_ns, id)),
            Job::Runs(since_ns, id) => self.running.remove(&(since_ns, id)),
        };
    }

    /// With the times of their spawns, the oldest first.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (u64, TaskId)> + '_ {
        self.waiting.iter().copied()
    }

    /// With the times of their starts, the oldest first.
    pub(super) fn running(&self) -> impl Iterator<Item = (u64, TaskId)> + '_ {
        self.running.iter().copied()
    }

    /// Bytes that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        (self.waiting.len() + self.running.len()) * ENTRY_BYTES
    }
}
