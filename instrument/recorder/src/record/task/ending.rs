//! A task's end. What becomes of its join handle is in [`tag`](crate::record::tag).

use super::{Outcome, TaskState};
use crate::claims::{CANCELLED, COMPLETED, HANDLE_DROPPED, PANICKED, Word};
use crate::record::thread::{LastRow, Thread};

impl TaskState {
    /// Records that the task and its polls are over. For a holder of a claim. `true` if the drain will not report it:
    /// then the drain's claim is the caller's to [give up](TaskState::give_up).
    #[inline]
    #[must_use]
    pub fn end(&self, thread: &Thread, outcome: Outcome, now: u64) -> bool {
        let flag = match outcome {
            Outcome::Completed | Outcome::Unknown => COMPLETED,
            Outcome::Cancelled => CANCELLED,
            Outcome::Panicked => PANICKED,
        };
        self.poll_start_ns.set(now);
        let keeps = |word: Word| {
            // A panic whose handle exists is not swallowed yet: the drain keeps what it takes to find out.
            word.is_known() || flag == PANICKED && word.is_held()
        };
        let row = if keeps(self.claims.word()) { LastRow::Waits } else { thread.room_for_an_end() };
        let ended = self.claims.end(flag, row != LastRow::Waits);
        if ended.held {
            thread.site(self.site()).outcomes_left.add(1);
        }
        if flag == PANICKED && ended.before & HANDLE_DROPPED != 0 {
            let site = thread.site(self.site());
            site.swallowed_panics.add(1);
            site.detached_failures.add(1);
        }
        if !ended.waived {
            self.mark();
        } else if row == LastRow::Lost {
            thread.site(self.site()).ends_unsaid.add(1);
        }
        ended.waived
    }
}
