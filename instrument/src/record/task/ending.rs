//! A task's end, and what becomes of its handle.

use super::{Outcome, TaskState};
use crate::record::claims::{ABORTED, CANCELLED, COMPLETED, HANDLE_DROPPED, JOINED, PANICKED};
use crate::record::thread::{LastRow, Thread};

impl TaskState {
    /// The task is over, and so are its polls. For whoever has a claim. `true` if nobody will say so: then the drain's
    /// claim is the caller's to [give up](TaskState::give_up).
    #[must_use]
    pub(crate) fn end(&self, thread: &Thread, outcome: Outcome, now: u64) -> bool {
        let flag = match outcome {
            Outcome::Completed | Outcome::Unknown => COMPLETED,
            Outcome::Cancelled => CANCELLED,
            Outcome::Panicked => PANICKED,
        };
        self.poll_start_ns.set(now);
        let row = if self.claims.is_known() { LastRow::Waits } else { thread.room_for_an_end() };
        let ended = self.claims.end(flag, row != LastRow::Waits);
        if flag == PANICKED && ended.before & HANDLE_DROPPED != 0 {
            let site = thread.site(self.site());
            site.swallowed_panics.add(1);
            site.detached_failures.add(1);
        }
        if !ended.waived {
            self.mark();
        } else if row == LastRow::Lost {
            thread.ends_unsaid.add(1);
            thread.site(self.site()).ends_unsaid.add(1);
        }
        ended.waived
    }

    /// The handle gave the outcome to somebody, and goes.
    #[inline]
    pub(crate) fn joined(&self) {
        if !self.claims.is_waived() {
            self.claims.set(JOINED);
            self.mark();
        }
    }

    /// The handle asked the task to stop.
    pub(crate) fn aborted(&self) {
        self.claims.set(ABORTED);
        self.mark();
    }

    /// The handle is gone, and the outcome was not taken.
    pub(crate) fn handle_dropped(&self) {
        let before = if self.claims.is_waived() {
            self.claims.flags()
        } else {
            let before = self.claims.set(HANDLE_DROPPED);
            self.mark();
            before
        };
        if before & PANICKED != 0 {
            crate::record::thread::here().site(self.site()).swallowed_panics.add(1);
        }
    }
}
