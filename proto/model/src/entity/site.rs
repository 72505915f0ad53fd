//! A spawn site's additive counters over one interval.

use crate::hist::Hist;
use crate::id::SiteId;

/// Declares the delta with its counters, each listed once: what merges and subtracts them comes from the list.
macro_rules! delta {
    ($($(#[$doc:meta])* $counter:ident,)*) => {
        /// What happened at one spawn site during one report's interval (in a snapshot: since the process
        /// started). Every field adds; maxima take the larger.
        #[derive(Clone, PartialEq, Eq, Debug, Default)]
        pub struct SiteDelta {
            /// The site.
            pub site: SiteId,
            $($(#[$doc])* pub $counter: u64,)*
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
                $(self.$counter = self.$counter.saturating_add(other.$counter);)*
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
                    $($counter: self.$counter.saturating_sub(earlier.$counter),)*
                    max_future_bytes: if self.spawned > earlier.spawned { self.max_future_bytes } else { 0 },
                    poll: self.poll.since(&earlier.poll),
                    sched: self.sched.since(&earlier.sched),
                    life: self.life.since(&earlier.life),
                }
            }
        }
    };
}

delta! {
    /// Tasks spawned.
    spawned,
    /// Tasks that returned.
    completed,
    /// Tasks dropped before they returned.
    cancelled,
    /// Tasks that panicked.
    panicked,
    /// Tasks that ended in a way that the mode cannot tell (hooks).
    ended,
    /// Panicked tasks whose handle had been dropped or was dropped unawaited.
    swallowed_panics,
    /// Tasks whose handle was dropped unawaited and that then panicked.
    detached_failures,
    /// Tasks that ended while their join handle existed, in a `JoinSet` or elsewhere.
    outcomes_left,
    /// Of those, tasks whose handle is gone since: the outcome was taken, or the handle dropped.
    outcomes_taken,
    /// Wakes.
    wakes,
    /// Wakes of a task by itself.
    self_wakes,
    /// Polls that ended with the cooperative budget used up.
    forced_yields,
    /// Polls longer than the process's slow-poll limit.
    slow_polls,
}

impl SiteDelta {
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
