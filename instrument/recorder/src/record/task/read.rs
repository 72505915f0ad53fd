//! A task's record as the drain reads it: racy by nature, by at most the poll or wake that is going on.

use std::sync::atomic::Ordering;

use pollscope_model::entity::task::{HandleState, TaskKind, TaskState as State, WokenBy};
use pollscope_model::id::TaskId;
use pollscope_model::measured::Mode;

use super::TaskState;
use super::wakes::{ITSELF, OTHER_THREAD, RUNTIME, TAG_BITS, UNKNOWN};
use crate::claims::{ABORTED, CANCELLED, ENDED, HANDLE_DROPPED, JOINED, LONG_LIVED, PANICKED};

impl TaskState {
    /// Where the task is, and since when it waits if it is scheduled. For the drain: racy by nature.
    pub fn state(&self) -> (State, u64) {
        let flags = self.claims.flags();
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
        if woken != 0 && self.is_wrapped() {
            return (State::Scheduled, woken.max(self.last_poll_end_ns.get()));
        }
        if self.polls.get() == 0 && self.is_scheduled_by_spawn() {
            return (State::Scheduled, self.spawned_ns.get());
        }
        (State::Idle, 0)
    }

    /// What became of the handle.
    pub fn handle(&self) -> HandleState {
        let flags = self.claims.flags();
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
    pub fn is_long_lived(&self) -> bool {
        self.claims.flags() & LONG_LIVED != 0
    }

    /// Who woke it last.
    pub fn woken_by(&self) -> WokenBy {
        who(self.woken_by.load(Ordering::Relaxed))
    }

    /// Runtime of its first poll, if known.
    pub fn runtime(&self) -> Option<u32> {
        self.aside.runtime.get().checked_sub(1).map(u32::from)
    }

    /// Index of the thread that polls it now, if one does.
    pub fn poller(&self) -> Option<u32> {
        let poller = self.poller.get();
        (poller != 0).then_some(poller)
    }

    /// Wakers outside of the task.
    pub fn wakers(&self) -> u32 {
        let own = u32::from(self.claims.flags() & ENDED == 0);
        self.inner.counts().0.saturating_sub(own)
    }

    /// Polls that ended.
    pub fn polls(&self) -> u64 {
        let is_open = !self.is_wrapped() && self.claims.flags() & ENDED == 0 && self.poll_start_ns.get() != 0;
        self.polls.get().saturating_sub(is_open.into())
    }

    /// Wall time of the polls that ended, of a hooked task those out of turn too.
    pub fn busy_ns(&self) -> u64 {
        self.busy_ns.get() + if self.is_wrapped() { 0 } else { self.self_wakes.get() }
    }

    /// The longest of them.
    pub fn max_poll_ns(&self) -> u64 {
        let out_of_turn = if self.is_wrapped() { 0 } else { self.woken_ns.load(Ordering::Relaxed) };
        self.max_poll_ns.get().max(out_of_turn)
    }

    /// Wakes from inside of its own polls; 0 where wakes are not seen.
    pub fn self_wakes(&self) -> u64 {
        if self.is_wrapped() { self.self_wakes.get() } else { 0 }
    }

    /// Schedule delays, all together; 0 where none was told.
    pub fn scheduled_ns(&self) -> u64 {
        self.scheduled_ns.get()
    }

    /// The longest of them.
    pub fn max_sched_ns(&self) -> u64 {
        self.max_sched_ns.get()
    }

    /// What kind of task it is.
    #[inline]
    pub fn kind(&self) -> TaskKind {
        self.what.kind()
    }

    /// Who sees it.
    pub fn mode(&self) -> Mode {
        if self.is_wrapped() { Mode::Wrap } else { Mode::Hooks }
    }

    /// Start of the poll that runs, if one does.
    pub fn poll_start_ns(&self) -> u64 {
        self.poll_start_ns.get()
    }

    /// When it ended, if it has.
    pub fn ended_ns(&self) -> u64 {
        if self.claims.flags() & ENDED == 0 { 0 } else { self.poll_start_ns.get() }
    }

    /// The drain knows the task from now on.
    pub fn meet(&self) {
        self.aside.said.set(0);
        self.aside.clones_above.set(0);
    }

    /// Clones of its wakers ever made. The record has the low 32 bits; the drain, which looks more often
    /// than every two billion clones, keeps those from the 31st on, so that they overlap in one.
    pub fn clones(&self) -> u64 {
        let (_, low) = self.inner.counts();
        let mut above = self.aside.clones_above.get();
        if u32::from(above & 1) != low >> 31 {
            above = above.wrapping_add(1);
            self.aside.clones_above.set(above);
        }
        u64::from(above >> 1) << 32 | u64::from(low)
    }

    /// All that may still change after the end, as one number: handle and wakers, wakes that come too late,
    /// and a hooked poll whose hook does.
    pub fn fate(&self) -> u64 {
        let (holders, clones) = self.inner.counts();
        mix([
            u64::from(self.claims.flags()),
            u64::from(holders) << 32 | u64::from(clones),
            self.inner.wakes().iter().sum(),
            self.polls.get(),
            self.busy_ns(),
        ])
    }

    /// A number that differs whenever the row would.
    pub fn fingerprint(&self) -> u64 {
        let (holders, clones) = self.inner.counts();
        mix([
            self.id(),
            self.polls.get(),
            self.poll_start_ns.get(),
            self.self_wakes.get(),
            self.inner.wakes().iter().sum(),
            self.woken_ns.load(Ordering::Relaxed),
            u64::from(holders) << 32 | u64::from(clones),
            u64::from(self.claims.flags()),
        ])
    }
}

/// Who woke, as it is kept in a word.
pub(crate) fn who(code: u64) -> WokenBy {
    match code {
        UNKNOWN => WokenBy::Unknown,
        ITSELF => WokenBy::Itself,
        RUNTIME => WokenBy::Runtime,
        OTHER_THREAD => WokenBy::OtherThread,
        task => WokenBy::Task(TaskId(task >> TAG_BITS)),
    }
}

/// FNV over words; the constant start keeps a fresh record apart from "never said".
fn mix<const N: usize>(words: [u64; N]) -> u64 {
    words.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, word| {
        (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
    })
}
