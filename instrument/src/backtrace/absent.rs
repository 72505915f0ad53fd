//! The engine where there is none: says so.

use std::time::Duration;

use super::{Refused, Trace};

const WHY: &str = if cfg!(feature = "backtrace") {
    "stacks are taken on Linux on x86-64 and aarch64 only"
} else {
    "built without the feature `backtrace`"
};

/// Always says why there is no engine.
pub fn install() -> Result<(), &'static str> {
    Err(WHY)
}

/// Always says why there is no engine.
pub fn ask(_: u32, _: Duration) -> Result<Asked, Refused> {
    Err(Refused::Unavailable(WHY))
}

/// Keeps the handler of a signal: there is none here.
#[derive(Debug)]
pub struct Kept(());

impl Kept {
    /// Keeps nothing.
    pub fn begin() -> Self {
        Self(())
    }
}

/// A thread that was asked: none here.
#[derive(Debug)]
pub enum Asked {}

impl Asked {
    /// Is never called.
    pub fn answer(&self, _: Duration) -> Option<RawStack> {
        match *self {}
    }

    /// Is never called.
    pub fn give_up(self) -> Result<RawStack, Refused> {
        match self {}
    }
}

/// A stack that was taken: none here.
#[derive(Debug)]
pub enum RawStack {}

impl RawStack {
    /// Is never called.
    pub(crate) fn taken_ns(&self) -> u64 {
        match *self {}
    }
}

/// Names frames: none here.
#[derive(Debug, Default)]
pub struct Resolver {}

impl Resolver {
    /// Knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds nothing.
    pub fn release(&mut self) {}

    /// Is never called.
    #[must_use]
    pub fn go_on(self) -> Self {
        self
    }

    /// Is never called.
    pub fn resolve(&mut self, stack: &RawStack) -> Trace {
        match *stack {}
    }
}
