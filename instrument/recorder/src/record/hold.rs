//! How a task's record is held: by [`Record`]s, one claim each, and by the task's future and wakers,
//! which together have one claim that the last of them gives up.

use std::mem::ManuallyDrop;
use std::ops::Deref;

use super::given_back;
use super::task::{Outcome, TaskState};
use super::thread::{self, Thread};

/// One claim on a record, as an `Arc` would be.
pub struct Record(&'static TaskState);

impl Record {
    /// Takes over a claim that was counted already.
    #[inline]
    pub fn counted(state: &'static TaskState) -> Self {
        Self(state)
    }

    /// Leaves the claim to the caller, to give it up with others.
    #[inline]
    pub fn leave_to_caller(self) {
        std::mem::forget(self);
    }
}

impl Deref for Record {
    type Target = &'static TaskState;

    #[inline]
    fn deref(&self) -> &&'static TaskState {
        &self.0
    }
}

impl Clone for Record {
    fn clone(&self) -> Self {
        self.claims.claim();
        Self(self.0)
    }
}

impl Drop for Record {
    #[inline]
    fn drop(&mut self) {
        self.0.give_up(1);
    }
}

/// The future's own hold on its record: one holder of the executor's waker.
pub(crate) struct Hold(ManuallyDrop<Record>);

impl Hold {
    /// The first hold, which [`InnerWaker::reset`](crate::inner::InnerWaker::reset) counted.
    #[inline]
    pub(crate) fn first(record: Record) -> Self {
        Self(ManuallyDrop::new(record))
    }

    /// The task is over, and so is the hold.
    #[inline]
    pub(crate) fn end(self, thread: &Thread, outcome: Outcome, now: u64) {
        let state = ManuallyDrop::new(self).state();
        let drains = state.end(thread, outcome, now);
        let holders = state.inner.release();
        if drains || holders {
            state.give_up(u16::from(drains) + u16::from(holders));
        }
    }

    /// The record, for as long as the caller knows that this hold lasts.
    #[inline]
    pub(crate) fn state(&self) -> &'static TaskState {
        self.0.0
    }
}

impl Deref for Hold {
    type Target = TaskState;

    #[inline]
    fn deref(&self) -> &TaskState {
        &self.0
    }
}

impl Drop for Hold {
    #[inline]
    fn drop(&mut self) {
        self.0.0.leave();
    }
}

impl TaskState {
    /// Gives one hold back, which the caller has and does not use afterwards; the last one also gives up
    /// the holders' claim.
    #[inline]
    pub fn leave(&'static self) {
        if self.inner.release() {
            self.give_up(1);
        }
    }

    /// Gives up claims that the caller has. The last one frees the slot.
    #[inline]
    pub fn give_up(&'static self, claims: u16) {
        // Before: afterwards the slot may be another task's.
        let drain_left = self.claims.is_waived();
        match self.claims.give_up(claims) {
            0 => {
                given_back::free(self);
                thread::here().slots.give(self);
            }
            // Maybe the drain's, which then has to find out.
            1 if !drain_left => self.mark(),
            _ => {}
        }
    }
}
