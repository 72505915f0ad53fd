//! The caps of a world: everything in it is bounded by one of these.

use crate::time::SECOND;

/// How much a [`World`](super::World) keeps. Per process where nothing else is said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorldLimits {
    /// Processes, gone ones included.
    pub processes: usize,
    /// Bytes of all processes together. Above it the oldest of those that are gone leave; when none is
    /// gone, the process that holds most gives up its history and task rows, and then leaves.
    pub bytes: usize,
    /// Bytes of one process's sites. From half of it on times are kept coarser; above it no site is added
    /// and the others keep no history.
    pub site_bytes: usize,
    /// Task rows, ended ones included.
    pub tasks: usize,
    /// Ended tasks.
    pub ended_tasks: usize,
    /// Spawn sites.
    pub sites: usize,
    /// Pairs of a site and who wakes its tasks.
    pub edges: usize,
    /// Workers; and open polls above the limit.
    pub workers: usize,
    /// Runtimes.
    pub runtimes: usize,
    /// Single events (see [`Report::events`](crate::report::Report::events)).
    pub events: usize,
    /// Threads that single events are kept of.
    pub event_threads: usize,
    /// How long an ended task stays.
    pub keep_ended_ns: u64,
    /// How long it stays if a finding or a slow poll points at it.
    pub keep_flagged_ns: u64,
    /// How long a living task stays that a sender of [`Detail::Top`](crate::report::Detail::Top) no
    /// longer tells of. Such a sender tells the end of what it told of, as far as it remembers; this
    /// is for the rest. Long enough for every rule about idle tasks.
    pub keep_unreported_ns: u64,
    /// How long a single event stays.
    pub keep_events_ns: u64,
    /// How long a process stays after it is gone.
    pub keep_gone_ns: u64,
}

impl Default for WorldLimits {
    fn default() -> Self {
        Self {
            processes: 256,
            bytes: 1 << 30,
            site_bytes: 32 << 20,
            tasks: 2_000_000,
            ended_tasks: 10_000,
            sites: crate::dict::MAX_ENTRIES + 1,
            edges: 16_384,
            workers: 4_096,
            runtimes: 256,
            events: 262_144,
            event_threads: 512,
            keep_ended_ns: 10 * SECOND,
            keep_flagged_ns: 60 * SECOND,
            keep_unreported_ns: 900 * SECOND,
            keep_events_ns: 900 * SECOND,
            keep_gone_ns: 900 * SECOND,
        }
    }
}
