//! The collector as its peers see it: real sockets on loopback, fake processes and viewers.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod binary;
mod push;
mod refusal;
mod rig;
mod stopping;
mod viewing;
