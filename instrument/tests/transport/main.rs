//! The way out of the process, as viewers, collectors and operators meet it.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

mod attach;
mod doors;
#[cfg(feature = "recording")]
mod dump;
mod flight;
mod lines;
mod push;
#[cfg(feature = "recording")]
mod record;
mod rig;
mod tasks;
