//! The recording path: what polls, wakes, spawns and ends write, and nothing else.
//!
//! Nothing here blocks on the drain, panics, returns an error or grows without bound; what finds no
//! room is counted. Written by the threads that run the user's code, read by the one
//! [`drain`](crate::drain). Counters have one writer each (plain loads and stores); what several
//! threads write is a read-modify-write, and there are few of those.
//!
//! Under `cfg(loom)` only the protocols that threads race on are built: [`claims`],
//! [`directory`], [`evidence`], [`hist`], [`inner`], [`mailbox`], [`marks`], `quiet`, [`ring`], [`roster`] and
//! [`version`].

pub(crate) mod atomic;
pub(crate) mod claims;
pub(crate) mod directory;
pub(crate) mod evidence;
pub(crate) mod hist;
pub(crate) mod inner;
pub(crate) mod mailbox;
pub(crate) mod marks;
#[cfg(any(feature = "check", test))]
pub(crate) mod quiet;
pub(crate) mod ring;
mod room;
pub(crate) mod roster;
mod tally;
mod turn;
pub(crate) mod version;

#[cfg(not(loom))]
pub(crate) mod allowed;
#[cfg(not(loom))]
pub(crate) mod edges;
#[cfg(not(loom))]
pub(crate) mod flight;
#[cfg(not(loom))]
pub(crate) mod given_back;
#[cfg(not(loom))]
pub(crate) mod handing;
#[cfg(not(loom))]
pub(crate) mod hold;
#[cfg(not(loom))]
pub(crate) mod intern;
#[cfg(not(loom))]
pub(crate) mod life;
#[cfg(not(loom))]
pub(crate) mod place;
#[cfg(not(loom))]
mod recorder;
#[cfg(not(loom))]
pub(crate) mod session;
#[cfg(not(loom))]
pub(crate) mod shard;
#[cfg(not(loom))]
pub(crate) mod slots;
#[cfg(not(loom))]
pub(crate) mod split;
#[cfg(not(loom))]
pub(crate) mod tag;
#[cfg(not(loom))]
pub(crate) mod task;
#[cfg(not(loom))]
pub(crate) mod thread;
#[cfg(not(loom))]
pub(crate) mod tokio_id;

#[cfg(not(loom))]
pub(crate) use recorder::{Recorder, Settings};
