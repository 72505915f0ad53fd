//! The drop of a task's output, after its last poll: where a hook of tokio's tells when it is over, the task's life goes
//! on until then. Opened by the end of that poll, closed by the hooks, on one thread.

use super::{Life, OpenPoll, Stage};
use crate::clock;
use crate::record::Recorder;
use crate::record::intern::NO_SITE;
use crate::record::session;
use crate::record::task::Outcome;
use crate::record::thread::{self, Label, Outer};

/// Keeps the output that its argument opens until a hook tells of its drop; opens none and returns `false` where no hook
/// does.
pub(crate) type Keep = fn(&mut dyn FnMut() -> OpenOutput) -> bool;

/// Outputs are kept by that function from now on. For the hooks.
#[inline]
pub fn keep_outputs_by(keep: Keep) {
    Recorder::global().keep_output.get_or_init(|| keep);
}

/// The drop of an output that no handle takes, by tokio, after its task's last poll: a poll of its own if it is slow, and
/// else nothing. The task ends with it.
pub struct OpenOutput {
    life: Life,
    outer: Outer,
    start: u64,
    /// When the last poll ended.
    polled_ns: u64,
}

impl Life {
    /// The task has returned an output, in a poll that ended at `polled_ns`. If no handle takes it and tokio's hook will
    /// tell when it is dropped, the life goes on until then.
    #[cold]
    pub(super) fn leaves_output(&mut self, polled_ns: u64) -> bool {
        let is_detached = matches!(&self.0, Stage::Recorded(state) if state.claims.word().is_detached());
        is_detached
            && Recorder::global().keep_output.get().is_some_and(|keep| {
                keep(&mut || {
                    let life = Self(std::mem::replace(&mut self.0, Stage::Over));
                    OpenOutput::open(life, polled_ns)
                })
            })
    }
}

impl OpenOutput {
    fn open(life: Life, polled_ns: u64) -> Self {
        let thread = thread::here();
        let (id, label) = match &life.0 {
            Stage::Recorded(state) => (state.id(), state.label()),
            _ => (thread.task(), Label::new(NO_SITE, thread.scope(), false)),
        };
        // Not since the poll's end: recording that may have taken long.
        let (outer, start) = thread.enter(id, label, clock::now_ns());
        if let Stage::Recorded(state) = &life.0 {
            state.drop_begins(thread, start);
        }
        Self { life, outer, start, polled_ns }
    }

    /// The output is dropped. On the thread that opened it.
    pub fn close(self) {
        let wall_ns = clock::now_ns().saturating_sub(self.start);
        let thread = thread::here();
        let Self { mut life, outer, start, polled_ns } = self;
        let Stage::Recorded(state) = &life.0 else {
            thread.return_to(outer);
            // Of what was counted meanwhile.
            return thread.raise_version();
        };
        let site = state.site();
        if wall_ns >= session::slow_poll_ns(site) {
            let shard = thread.site(site);
            let outcome = Some(Outcome::Completed);
            drop(OpenPoll { life: &mut life, thread, outer, start, site, shard, outcome, has_output: false });
            return;
        }
        thread.close(outer);
        state.drop_was_short();
        thread.return_to(outer);
        life.end(thread, Outcome::Completed, polled_ns);
    }
}
