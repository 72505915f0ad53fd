//! What the drain read of one share at its last visit, and what was counted since. So a site's change is the sum of those
//! shares that changed, and the drain reads no other. For the one drain of the process; those of sessions keep totals of
//! their own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pollscope_model::entity::site::SiteDelta;
use pollscope_model::hist::{Hist, upper_edge};

/// What was counted at a site, and what of it was lost.
#[derive(Clone, Default)]
pub(crate) struct Count {
    pub(crate) site: SiteDelta,
    pub(crate) lost: Lost,
}

/// Tasks that got no record, ends that had no room for a row, and slow polls without evidence.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lost {
    pub(crate) tasks: u64,
    pub(crate) ends: u64,
    pub(crate) slow_polls: u64,
}

/// See the module.
#[derive(Default)]
pub(super) struct Told(Mutex<Count>);

impl Told {
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
    pub(crate) fn add(&mut self, other: Self) {
        self.tasks = self.tasks.saturating_add(other.tasks);
        self.ends = self.ends.saturating_add(other.ends);
        self.slow_polls = self.slow_polls.saturating_add(other.slow_polls);
    }
}

/// What was counted between two readings of one share, or of a sum of them.
pub(crate) fn since(now: &SiteDelta, before: &SiteDelta) -> SiteDelta {
    SiteDelta {
        site: now.site,
        spawned: now.spawned.saturating_sub(before.spawned),
        completed: now.completed.saturating_sub(before.completed),
        cancelled: now.cancelled.saturating_sub(before.cancelled),
        panicked: now.panicked.saturating_sub(before.panicked),
        ended: now.ended.saturating_sub(before.ended),
        swallowed_panics: now.swallowed_panics.saturating_sub(before.swallowed_panics),
        detached_failures: now.detached_failures.saturating_sub(before.detached_failures),
        outcomes_left: now.outcomes_left.saturating_sub(before.outcomes_left),
        outcomes_taken: now.outcomes_taken.saturating_sub(before.outcomes_taken),
        wakes: now.wakes.saturating_sub(before.wakes),
        self_wakes: now.self_wakes.saturating_sub(before.self_wakes),
        forced_yields: now.forced_yields.saturating_sub(before.forced_yields),
        slow_polls: now.slow_polls.saturating_sub(before.slow_polls),
        max_future_bytes: now.max_future_bytes,
        poll: hist_since(&now.poll, &before.poll),
        sched: hist_since(&now.sched, &before.sched),
        life: hist_since(&now.life, &before.life),
    }
}

/// What was counted between two readings of one histogram.
///
/// The maximum of the interval is exact when it is a new record; else it is the upper edge of the
/// highest bucket that moved, at most 4.4 % above.
fn hist_since(now: &Hist, before: &Hist) -> Hist {
    let mut delta = Hist::new();
    let mut earlier = before.buckets().peekable();
    let mut highest = None;
    for (bucket, count) in now.buckets() {
        while earlier.next_if(|(b, _)| *b < bucket).is_some() {}
        let count = count.saturating_sub(earlier.next_if(|(b, _)| *b == bucket).map_or(0, |(_, n)| n));
        if count > 0 {
            highest = Some(bucket);
            delta.add_bucket(bucket, count);
        }
    }
    let max = match highest {
        Some(_) if now.max() > before.max() => now.max(),
        Some(bucket) => upper_edge(bucket).min(now.max()),
        None => 0,
    };
    delta.add_totals(now.sum().saturating_sub(before.sum()), max);
    delta
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_change_of_a_histogram_is_what_was_recorded_in_between() {
        let mut before = Hist::new();
        for value in [10, 20, 5_000_000] {
            before.record(value);
        }
        let mut now = before.clone();
        for value in [20, 300, 4] {
            now.record(value);
        }
        let delta = hist_since(&now, &before);
        assert_eq!((delta.count(), delta.sum()), (3, 324));
        assert!((300..=313).contains(&delta.max()), "{}", delta.max());
        assert!(hist_since(&now, &now).is_empty());
    }
}
