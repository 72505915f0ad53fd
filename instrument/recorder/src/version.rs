//! How often a thread has counted, so that a tick of the drain reads the counters of those threads only that counted
//! something since the tick before. The thread itself writes, with plain stores; the drain reads. It never says what
//! was counted.
//!
//! **No count is missed.** The thread raises its version after what it counted; the drain reads the version before the
//! counters. So a count that the drain does not see yet comes with a version that it does not see yet either, and the
//! next tick reads the thread again.
//!
//! What is counted inside of a poll needs no raise, since the poll's end is one: spawns and wakes from tasks write
//! nothing more. While a poll is open the thread is read at every tick, so that they show before its end.

use super::tally::Tally;

/// See the module.
#[derive(Default)]
#[repr(C)]
pub(crate) struct Version {
    /// Outermost polls that ended.
    polls: Tally,
    /// Raises beside them. Two tallies, so that a poll writes one, which is counted in any case.
    raises: Tally,
    /// The drain's own: the version at its last visit.
    seen: Tally,
}

impl Version {
    /// Nothing was counted yet.
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self { polls: Tally::new(), raises: Tally::new(), seen: Tally::new() }
    }

    /// Something was counted just now. Only for the one writer: a load and a store.
    #[inline]
    pub(crate) fn raise(&self) {
        self.raises.publish(1);
    }

    /// An outermost poll has ended, and counted what it did. The same for it.
    #[inline]
    pub(crate) fn end_poll(&self) {
        self.polls.publish(1);
    }

    /// Outermost polls that ended.
    #[inline]
    pub(crate) fn polls(&self) -> u64 {
        self.polls.get()
    }

    /// Whether anything may have been counted since the last call; `is_open` says whether a poll is, and is asked after
    /// the rest. For the drain, before it reads what was counted: three loads beside that where nothing was.
    pub(crate) fn take_change(&self, is_open: impl FnOnce() -> bool) -> bool {
        let now = self.polls.acquire().wrapping_add(self.raises.acquire());
        let is_new = now != self.seen.get();
        if is_new {
            self.seen.set(now);
        }
        is_new || is_open()
    }
}

#[cfg(all(test, loom))]
#[path = "version/loom.rs"]
mod loom_models;
