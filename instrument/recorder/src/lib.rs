//! The recorder: what polls, wakes, spawns and ends write into their thread's and their task's records, and nothing
//! else.
//!
//! Nothing here blocks on a reader, panics, returns an error or grows without bound; what finds no room is counted.
//! Written by the threads that run the user's code, read by one thread, the drain. Counters have one writer each (plain
//! loads and stores); what several threads write is a read-modify-write, and there are few of those. No runtime is
//! named here: what the recorder has to know of the one at hand it asks through `runtime::Runtime`. Nothing is sent or
//! formatted.
//!
//! Crate `pollscope` calls it, and no program by itself: what is public here may change with each version.
//!
//! Under `cfg(loom)` only the protocols that threads race on are built, with their models: `claims`, `directory`,
//! `evidence`, `hist`, `inner`, `mailbox`, `marks`, `quiet`, `ring`, `roster`, `slot`, `turn` and `version`. Nothing
//! outside of this crate knows that cfg.

#![allow(
    rustdoc::private_intra_doc_links,
    reason = "the documentation is for work on this crate, which sees what is private"
)]

/// The folder of these sources, as cargo has it, and this file as the compiler writes it into debug information: for
/// what tells the service's frames from ours.
pub const SOURCES: [&str; 2] = [concat!(env!("CARGO_MANIFEST_DIR"), "/src/"), file!()];

pub mod claims;
pub mod directory;
pub mod edges;
pub mod evidence;
pub mod hist;
pub mod inner;
pub mod marks;
pub mod ring;
pub mod room;
pub mod slot;
pub mod tally;

mod atomic;
mod mailbox;
#[cfg(any(feature = "check", test))]
mod quiet;
mod roster;
mod turn;
mod version;

#[cfg(not(loom))]
pub mod clock;
#[cfg(not(loom))]
mod record;
#[cfg(not(loom))]
pub mod runtime;

#[cfg(not(loom))]
pub use record::{
    Recorder, Settings, allowed, flight, given_back, handing, hold, intern, life, route, session, shard,
    slots, split, tag, task, thread,
};
