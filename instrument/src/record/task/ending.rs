//! A task's end, and what becomes of its handle.

use super::{Outcome, TaskState};
use crate::record::claims::{ABORTED, CANCELLED, COMPLETED, HANDLE_DROPPED, JOINED, PANICKED};
use crate::record::hold::Record;
use crate::record::thread::Thread;

impl TaskState {
    /// The task is over, and so are its polls. For whoever has a claim.
    pub(crate) fn end(&'static self, thread: &Thread, outcome: Outcome, now: u64) {
        let flag = match outcome {
            Outcome::Completed | Outcome::Unknown => COMPLETED,
            Outcome::Cancelled => CANCELLED,
            Outcome::Panicked => PANICKED,
        };
        self.poll_start_ns.set(now);
        let waive = !self.claims.is_known() && !thread.has_room_for_an_end();
        let ended = self.claims.end(flag, waive);
        if flag == PANICKED && ended.before & HANDLE_DROPPED != 0 {
            let site = thread.site(self.site());
            site.swallowed_panics.add(1);
            site.detached_failures.add(1);
        }
        if ended.waived {
            thread.ends_unsaid.add(1);
            thread.site(self.site()).ends_unsaid.add(1);
            drop(Record::counted(self));
        } else {
            self.mark();
        }
    }

    /// The handle gave the outcome to somebody, and goes.
    pub(crate) fn joined(&self) {
        self.claims.set(JOINED);
        self.mark();
    }

    /// The handle asked the task to stop.
    pub(crate) fn aborted(&self) {
        self.claims.set(ABORTED);
        self.mark();
    }

    /// The handle is gone.
    pub(crate) fn handle_dropped(&self) {
        if self.claims.flags() & JOINED != 0 {
            return;
        }
        let before = self.claims.set(HANDLE_DROPPED);
        if before & PANICKED != 0 {
            crate::record::thread::here().site(self.site()).swallowed_panics.add(1);
        }
        self.mark();
    }
}
