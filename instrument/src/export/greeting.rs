//! What a reader was told of this process, and whether it is still true: a runtime that is attached
//! after the reader came makes more measurable.

use std::sync::Arc;

use pollscope_model::hello::Hello;
use pollscope_model::measured::{Capability, Mode};
use pollscope_model::report::{Report, ReportKind};
use pollscope_proto::PROTOCOL;

use super::Shared;
use crate::setup::mode;

/// One reader's knowledge.
pub(super) struct Greeting {
    shared: Arc<Shared>,
    told: (Mode, Vec<Capability>),
}

impl Greeting {
    /// The first greeting.
    pub(super) fn new(shared: Arc<Shared>) -> (Self, Hello) {
        let hello = shared.identity.hello(PROTOCOL);
        let told = (hello.mode, hello.capabilities.clone());
        (Self { shared, told }, hello)
    }

    /// A new greeting to go before the report, if the last is no longer true. Never inside of a
    /// snapshot, which readers take as one.
    pub(super) fn news(&mut self, before: &Report) -> Option<Hello> {
        if before.kind != ReportKind::Delta || self.told == (mode::mode(), mode::capabilities()) {
            return None;
        }
        let hello = self.shared.identity.hello(PROTOCOL);
        self.told = (hello.mode, hello.capabilities.clone());
        Some(hello)
    }
}
