//! In the place of [`signal`](super::signal) on systems without these signals.

use crate::config::DumpSignal;

pub(super) fn install(_: DumpSignal) -> Result<(), &'static str> {
    Err("this system has no such signal")
}

pub(super) fn receive(_: DumpSignal) {}

pub(super) fn came() -> bool {
    false
}
