//! In the place of [`tape`](super::tape) when the crate is built without its `recording` feature: nothing is written,
//! and a request for it is refused in words.

use pollscope_model::report::Report;

use super::config::RecordSetting;
use super::kept::Kept;
use crate::book::Book;

/// Nothing is recorded.
pub(super) struct Tape;

impl Tape {
    pub(super) fn new(_: RecordSetting) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "as with `recording`")]
    pub(super) fn hold(&mut self, _: &Report) {}

    #[expect(clippy::unused_self, reason = "as with `recording`")]
    pub(super) fn write(&mut self, _: &Book) {}

    #[expect(clippy::unused_self, reason = "as with `recording`")]
    pub(super) fn keep(self, _: &Book) -> Kept {
        let why = "POLLSCOPE_RECORD: pollscope is built without its `recording` feature";
        Kept { path: None, trouble: Some(why.to_owned()) }
    }
}
