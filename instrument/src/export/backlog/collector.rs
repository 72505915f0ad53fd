//! What only a collector asks of its backlog: it goes on where an earlier connection ended, or starts anew.

use pollscope_model::report::ReportKind;

use super::{Backlog, Phase};

impl Backlog {
    /// Whether the next report continues after `seq`: it is a delta that begins right there, or
    /// nothing waits and the newest was `seq`.
    pub(in crate::export) fn continues_after(&self, seq: u64) -> bool {
        let state = self.lock();
        match state.queue.front().filter(|_| state.is_whole()) {
            Some(next) => next.kind == ReportKind::Delta && seq.checked_add(1) == Some(next.first_seq),
            None => {
                matches!(state.phase, Phase::Live | Phase::Closed) && state.is_whole() && state.newest == seq
            }
        }
    }

    /// Drops what waits, for a reader that starts anew; takes nothing until it is restarted.
    pub(in crate::export) fn clear(&self) {
        let mut state = self.lock();
        state.drop_queue();
        // Rows of tasks that ended in the gap belong to the gap, which is counted as such.
        state.ended_rows_lost = 0;
        if state.phase != Phase::Closed {
            state.phase = Phase::Waiting;
        }
    }

    pub(in crate::export) fn is_closed(&self) -> bool {
        self.lock().phase == Phase::Closed
    }

    /// Waits until there is no more to come; what waits may still be read.
    pub(in crate::export) async fn closed(&self) {
        let mut closing = std::pin::pin!(self.closing.notified());
        closing.as_mut().enable();
        if !self.is_closed() {
            closing.await;
        }
    }
}
