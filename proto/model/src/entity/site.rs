//! A spawn site's additive counters over one interval.

use crate::hist::Hist;
use crate::id::SiteId;

/// What happened at one spawn site during one report's interval (in a snapshot: since the process
/// started). Every field adds; maxima take the larger.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SiteDelta {
    /// The site.
    pub site: SiteId,
    /// Tasks spawned.
    pub spawned: u64,
    /// Tasks that returned.
    pub completed: u64,
    /// Tasks dropped before they returned.
    pub cancelled: u64,
    /// Tasks that panicked.
    pub panicked: u64,
    /// Tasks that ended in a way that the mode cannot tell (hooks).
    pub ended: u64,
    /// Panicked tasks whose handle had been dropped or was dropped unawaited.
    pub swallowed_panics: u64,
    /// Tasks whose handle was dropped unawaited and that then panicked.
    pub detached_failures: u64,
    /// Tasks that ended while their join handle existed, in a `JoinSet` or elsewhere.
    pub outcomes_left: u64,
    /// Of those, tasks whose handle is gone since: the outcome was taken, or the handle dropped.
    pub outcomes_taken: u64,
    /// Wakes.
    pub wakes: u64,
    /// Wakes of a task by itself.
    pub self_wakes: u64,
    /// Polls that ended with the cooperative budget used up.
    pub forced_yields: u64,
    /// Polls longer than the process's slow-poll limit.
    pub slow_polls: u64,
    /// Largest future in bytes.
    pub max_future_bytes: u64,
    /// Wall time of polls.
    pub poll: Hist,
    /// Schedule delay.
    pub sched: Hist,
    /// Time from spawn to end.
    pub life: Hist,
}

impl SiteDelta {
    /// Adds another interval of the same site.
    pub fn merge(&mut self, other: &Self) {
        self.spawned = self.spawned.saturating_add(other.spawned);
        self.completed = self.completed.saturating_add(other.completed);
        self.cancelled = self.cancelled.saturating_add(other.cancelled);
        self.panicked = self.panicked.saturating_add(other.panicked);
        self.ended = self.ended.saturating_add(other.ended);
        self.swallowed_panics = self.swallowed_panics.saturating_add(other.swallowed_panics);
        self.detached_failures = self.detached_failures.saturating_add(other.detached_failures);
        self.outcomes_left = self.outcomes_left.saturating_add(other.outcomes_left);
        self.outcomes_taken = self.outcomes_taken.saturating_add(other.outcomes_taken);
        self.wakes = self.wakes.saturating_add(other.wakes);
        self.self_wakes = self.self_wakes.saturating_add(other.self_wakes);
        self.forced_yields = self.forced_yields.saturating_add(other.forced_yields);
        self.slow_polls = self.slow_polls.saturating_add(other.slow_polls);
        self.max_future_bytes = self.max_future_bytes.max(other.max_future_bytes);
        self.poll.merge(&other.poll);
        self.sched.merge(&other.sched);
        self.life.merge(&other.life);
    }

    /// What was added after an earlier state of the same totals; never below zero.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            site: self.site,
            spawned: self.spawned.saturating_sub(earlier.spawned),
            completed: self.completed.saturating_sub(earlier.completed),
            cancelled: self.cancelled.saturating_sub(earlier.cancelled),
            panicked: self.panicked.saturating_sub(earlier.panicked),
            ended: self.ended.saturating_sub(earlier.ended),
            swallowed_panics: self.swallowed_panics.saturating_sub(earlier.swallowed_panics),
            detached_failures: self.detached_failures.saturating_sub(earlier.detached_failures),
            outcomes_left: self.outcomes_left.saturating_sub(earlier.outcomes_left),
            outcomes_taken: self.outcomes_taken.saturating_sub(earlier.outcomes_taken),
            wakes: self.wakes.saturating_sub(earlier.wakes),
            self_wakes: self.self_wakes.saturating_sub(earlier.self_wakes),
            forced_yields: self.forced_yields.saturating_sub(earlier.forced_yields),
            slow_polls: self.slow_polls.saturating_sub(earlier.slow_polls),
            max_future_bytes: if self.spawned > earlier.spawned { self.max_future_bytes } else { 0 },
            poll: self.poll.since(&earlier.poll),
            sched: self.sched.since(&earlier.sched),
            life: self.life.since(&earlier.life),
        }
    }

    /// Whether any of the site's tasks was spawned through pollscope: it has what hooks never tell.
    pub fn is_wrapped(&self) -> bool {
        self.max_future_bytes > 0
            || self.wakes > 0
            || [self.completed, self.cancelled, self.panicked].iter().any(|n| *n > 0)
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.poll.heap_bytes() + self.sched.heap_bytes() + self.life.heap_bytes()
    }

    /// Folds the histograms' buckets, see [`Hist::coarsen`].
    pub(crate) fn coarsen(&mut self, width: usize) {
        for hist in [&mut self.poll, &mut self.sched, &mut self.life] {
            hist.coarsen(width);
        }
    }

    /// Ended tasks whose join handle still exists: their outcome was not taken yet.
    pub fn unread_outcomes(&self) -> u64 {
        self.outcomes_left.saturating_sub(self.outcomes_taken)
    }

    /// Tasks that ended, in whatever way.
    pub fn all_ended(&self) -> u64 {
        self.completed.saturating_add(self.cancelled).saturating_add(self.panicked).saturating_add(self.ended)
    }
}
