//! How a task's record is held: by [`Record`]s, one claim each, and by the task's future and wakers,
//! which together have one claim that the last of them gives up.

use std::mem::ManuallyDrop;
use std::ops::Deref;

use super::task::TaskState;
use super::thread;

/// One claim on a record, as an `Arc` would be.
pub(crate) struct Record(&'static TaskState);

impl Record {
    /// Takes over a claim that was counted already.
    #[inline]
    pub(crate) fn counted(state: &'static TaskState) -> Self {
        Self(state)
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
        match self.claims.give_up() {
            0 => {
                self.claims.free();
                thread::here().slots.give(self.0);
            }
            // Maybe the drain's, which then has to find out. If the slot is another task's by now,
            // it looks once in vain.
            1 => self.mark(),
            _ => {}
        }
    }
}

/// The future's own hold on its record: one holder of the executor's waker.
pub(crate) struct Hold(ManuallyDrop<Record>);

impl Hold {
    /// The first hold, which [`InnerWaker::reset`](super::inner::InnerWaker::reset) counted.
    #[inline]
    pub(crate) fn first(record: Record) -> Self {
        Self(ManuallyDrop::new(record))
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
    pub(crate) fn leave(&'static self) {
        if self.inner.release() {
            drop(Record::counted(self));
        }
    }
}
