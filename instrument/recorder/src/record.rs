//! What is kept of each task, thread, site and session, and the way of a poll, a wake, a spawn and an end through it.
//!
//! `task` is a task's record, `thread` what each thread keeps, `shard` its share of a site's counters, `life` a task's
//! way from spawn to end, `session` whose books a task is in. These know each other, so they are one room.

pub mod allowed;
mod by_site;
pub mod flight;
pub mod given_back;
pub mod handing;
pub mod hold;
pub mod intern;
pub mod life;
mod nested;
mod recorder;
pub mod route;
pub mod session;
pub mod shard;
pub mod slots;
pub mod split;
pub mod tag;
pub mod task;
pub mod thread;

pub use recorder::{Recorder, Settings};
