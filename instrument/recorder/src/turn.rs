//! Whose turn it is to write the sums of a hooked task.
//!
//! Tokio's hook after a poll runs when the task is free already: another thread may poll it meanwhile, even end
//! that poll first. Both would add to the same sums, and a locked instruction for each would be the dearest part of
//! a poll. So a poll takes the turn when it begins and gives it back when its hook is done; one that finds it taken
//! adds to sums of their own, which any thread may write, and which then are part of the total.
//!
//! **Exact.** Polls of a task begin one after the other, and tokio hands what was written before on to the next. So
//! taking needs no locked instruction: no other poll takes meanwhile, and a turn that was taken before is seen, or
//! seen given back together with all that was written for it.

use super::atomic::{AtomicU16, Ordering};

const FREE: u16 = 0;
const TAKEN: u16 = 1;

/// See the module.
pub(crate) struct Turn(AtomicU16);

impl Turn {
    /// A turn that no poll has.
    pub(crate) fn free() -> Self {
        Self(AtomicU16::new(FREE))
    }

    /// The record is a new task's.
    #[inline]
    pub(crate) fn reset(&self) {
        self.0.store(FREE, Ordering::Relaxed);
    }

    /// Takes the turn, if the poll before has given it back. For the hook before a poll.
    #[inline]
    #[must_use]
    pub(crate) fn take(&self) -> bool {
        let is_free = self.0.load(Ordering::Acquire) == FREE;
        if is_free {
            self.0.store(TAKEN, Ordering::Relaxed);
        }
        is_free
    }

    /// Gives it back, after the sums are written. For the poll that took it.
    #[inline]
    pub(crate) fn give_back(&self) {
        self.0.store(FREE, Ordering::Release);
    }
}

#[cfg(all(test, loom))]
#[path = "turn/loom.rs"]
mod loom_models;
