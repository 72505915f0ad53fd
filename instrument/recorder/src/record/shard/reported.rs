//! What the drain read of one share at its last visit, and what was counted since. So a site's change is the sum of those
//! shares that changed, and the drain reads no other. For the one drain of the process; those of sessions keep totals of
//! their own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pollscope_model::entity::site::SiteDelta;

/// What was counted at a site, and what of it was lost.
#[derive(Clone, Default)]
pub struct Count {
    /// What was counted.
    pub site: SiteDelta,
    /// What was lost.
    pub lost: Lost,
}

/// Tasks that got no record, ends that had no room for a row, and slow polls without evidence.
#[derive(Clone, Copy, Default)]
pub struct Lost {
    /// Tasks that got no record.
    pub tasks: u64,
    /// Ends that had no room for a row.
    pub ends: u64,
    /// Slow polls without evidence.
    pub slow_polls: u64,
}

/// See the module.
#[derive(Default)]
pub(super) struct Reported(Mutex<Count>);

impl Reported {
    fn lock(&self) -> MutexGuard<'_, Count> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was counted since the last call, up to `now`; all of it if it is the `first` of a drain.
    pub(super) fn replace(&self, now: Count, first: bool) -> Count {
        let mut told = self.lock();
        let change = if first { now.clone() } else { now.since(&told) };
        *told = now;
        change
    }

    /// Adds what was told of a share that is folded into this one.
    pub(super) fn fold(&self, ended: &Self) {
        let (mut told, ended) = (self.lock(), ended.lock());
        told.site.merge(&ended.site);
        told.lost.add(ended.lost);
    }
}

impl Count {
    fn since(&self, before: &Self) -> Self {
        let lost = Lost {
            tasks: self.lost.tasks.saturating_sub(before.lost.tasks),
            ends: self.lost.ends.saturating_sub(before.lost.ends),
            slow_polls: self.lost.slow_polls.saturating_sub(before.lost.slow_polls),
        };
        Self { site: since(&self.site, &before.site), lost }
    }
}

impl Lost {
    /// Adds another's.
    pub fn add(&mut self, other: Self) {
        self.tasks = self.tasks.saturating_add(other.tasks);
        self.ends = self.ends.saturating_add(other.ends);
        self.slow_polls = self.slow_polls.saturating_add(other.slow_polls);
    }
}

/// What was counted between two readings of one share, or of a sum of them.
pub fn since(now: &SiteDelta, before: &SiteDelta) -> SiteDelta {
    // Raised after the spawn is counted: a reading between the two has the spawn, and the next the size alone.
    SiteDelta { max_future_bytes: now.max_future_bytes, ..now.since(before) }
}
