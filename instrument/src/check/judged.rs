//! What a session came to.

use std::path::Path;

use pollscope_model::verdict::{Outcome, Verdict};

use super::kept::Kept;
use super::phase::Phase;
use super::text;

/// A body that has run, and the verdict on it. See [`Session::run`](super::Session::run).
#[derive(Clone, Debug)]
#[must_use = "nothing fails unless the verdict is looked at: call `assert_clean`"]
pub struct Judged<T> {
    pub(super) name: String,
    pub(super) output: Option<T>,
    pub(super) verdict: Verdict,
    pub(super) timed_out: Option<String>,
    pub(super) phases: Vec<Phase>,
    pub(super) kept: Kept,
}

impl<T> Judged<T> {
    /// What was found, and what could not be.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// What the body returned; `None` if its time was up.
    pub fn output(&self) -> Option<&T> {
        self.output.as_ref()
    }

    /// The list of all tasks with what they waited for, if the time was up.
    pub fn timed_out(&self) -> Option<&str> {
        self.timed_out.as_deref()
    }

    /// What happened between the [checkpoints](super::checkpoint), in their order; one phase if there are none.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// Whether the test passes: something was measured, nothing fails, and the body returned in time.
    pub fn is_clean(&self) -> bool {
        self.output.is_some() && self.timed_out.is_none() && self.verdict.outcome == Outcome::Clean
    }

    /// The recording of a session that failed, for `pollscope open`, where `POLLSCOPE_RECORD` asked for one.
    pub fn recording(&self) -> Option<&Path> {
        self.kept.path.as_deref()
    }

    /// The verdict in words: what the failed test prints.
    pub fn text(&self) -> String {
        text::of(&self.name, &self.verdict, self.timed_out.as_deref(), &self.phases, &self.kept)
    }

    /// What the body returned.
    ///
    /// # Panics
    /// With [`text`](Self::text) if the verdict is not clean, or the time was up.
    #[track_caller]
    pub fn assert_clean(self) -> T {
        let failure = (!self.is_clean()).then(|| self.text());
        match (self.output, failure) {
            (Some(output), None) => output,
            (_, failure) => panic!("{}", failure.unwrap_or_default()),
        }
    }
}
