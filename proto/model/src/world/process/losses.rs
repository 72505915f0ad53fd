//! What is missing of a process, by where it went missing.

/// Reports that never arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Gaps {
    /// How often the sequence was broken.
    pub count: u64,
    /// Reports missing in all.
    pub reports: u64,
}

/// What a peer sent and this side had no room for, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Refused {
    /// Task rows.
    pub tasks: u64,
    /// Sites' intervals.
    pub sites: u64,
    /// Workers' intervals.
    pub workers: u64,
    /// Runtimes' states.
    pub runtimes: u64,
    /// Wake edges' intervals, and open polls.
    pub details: u64,
    /// Blocks of single events.
    pub event_blocks: u64,
}

impl Refused {
    pub(in crate::world) fn plus(self, other: Self) -> Self {
        Self {
            tasks: self.tasks.saturating_add(other.tasks),
            sites: self.sites.saturating_add(other.sites),
            workers: self.workers.saturating_add(other.workers),
            runtimes: self.runtimes.saturating_add(other.runtimes),
            details: self.details.saturating_add(other.details),
            event_blocks: self.event_blocks.saturating_add(other.event_blocks),
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        [self.tasks, self.sites, self.workers, self.runtimes, self.details, self.event_blocks]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}
