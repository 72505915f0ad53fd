//! A task's record as the drain reads it: racy by nature, by at most the poll or wake that is going on.

use std::sync::atomic::Ordering;

use pollscope_model::entity::task::{HandleState, TaskState as State, WokenBy};
use pollscope_model::id::TaskId;

use super::{
    ABORTED, CANCELLED, ENDED, HANDLE_DROPPED, ITSELF, JOINED, LONG_LIVED, NOBODY, OTHER_THREAD, PANICKED,
    RUNTIME, TAG_BITS, TaskState,
};

impl TaskState {
    /// Where the task is, and since when it waits if it is scheduled. For the drain: racy by nature.
    pub(crate) fn state(&self) -> (State, u64) {
        let flags = self.flags.load(Ordering::Acquire);
        if flags & PANICKED != 0 {
            return (State::Panicked, 0);
        }
        if flags & ENDED != 0 {
            return (if flags & CANCELLED != 0 { State::Cancelled } else { State::Completed }, 0);
        }
        if self.poll_start_ns.get() != 0 {
            return (State::Running, 0);
        }
        let woken = self.woken_ns.load(Ordering::Relaxed);
        if woken != 0 {
            return (State::Scheduled, woken.max(self.last_poll_end_ns.get()));
        }
        if self.polls.get() == 0 && self.is_scheduled_by_spawn() {
            return (State::Scheduled, self.spawned_ns);
        }
        (State::Idle, 0)
    }

    /// What became of the handle.
    pub(crate) fn handle(&self) -> HandleState {
        let flags = self.flags.load(Ordering::Relaxed);
        if flags & ABORTED != 0 {
            HandleState::Aborted
        } else if flags & JOINED != 0 {
            HandleState::Joined
        } else if flags & HANDLE_DROPPED != 0 {
            HandleState::Dropped
        } else {
            HandleState::Held
        }
    }

    /// Declared long-lived.
    pub(crate) fn is_long_lived(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & LONG_LIVED != 0
    }

    /// Who woke it last.
    pub(crate) fn woken_by(&self) -> WokenBy {
        match self.woken_by.load(Ordering::Relaxed) {
            NOBODY => WokenBy::Nobody,
            ITSELF => WokenBy::Itself,
            RUNTIME => WokenBy::Runtime,
            OTHER_THREAD => WokenBy::OtherThread,
            task => WokenBy::Task(TaskId(task >> TAG_BITS)),
        }
    }

    /// Runtime of its first poll, if known.
    pub(crate) fn runtime(&self) -> Option<u32> {
        self.runtime.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Index of the thread that polls it now, if one does.
    pub(crate) fn poller(&self) -> Option<u32> {
        let poller = self.poller.load(Ordering::Relaxed);
        (poller != 0).then_some(poller)
    }

    /// Wakers outside of the task.
    pub(crate) fn wakers(&self) -> u32 {
        let own = u32::from(self.flags.load(Ordering::Relaxed) & ENDED == 0);
        self.inner.counts().0.saturating_sub(own)
    }

    /// Outcome and handle as one number: all that may still change after the end.
    pub(crate) fn fate(&self) -> u64 {
        self.flags.load(Ordering::Relaxed).into()
    }

    /// A number that differs whenever the row would.
    pub(crate) fn fingerprint(&self) -> u64 {
        let (holders, clones) = self.inner.counts();
        let words = [
            self.polls.get(),
            self.poll_start_ns.get(),
            self.self_wakes.get(),
            self.inner.wakes().iter().sum(),
            self.woken_ns.load(Ordering::Relaxed),
            u64::from(holders) << 32 | u64::from(clones),
            u64::from(self.flags.load(Ordering::Relaxed)),
        ];
        // FNV over words; the constant start keeps a fresh record apart from "never said".
        words.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, word| {
            (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
        })
    }
}
