//! Start, end and settings: what `init` reads and starts, what the guard keeps, and what a fork ends. Lists its rooms
//! only.

pub(crate) mod boot;
pub(crate) mod builder;
pub(crate) mod config;
pub mod env;
pub(crate) mod error;
pub(crate) mod fork;
pub(crate) mod guard;
#[cfg(any(feature = "check", feature = "export", feature = "recording", test))]
pub(crate) mod identity;
pub(crate) mod init;
pub(crate) mod mode;
pub(crate) mod notice;
pub(crate) mod outlet;
pub(crate) mod own_thread;
pub(crate) mod refusals;
pub(crate) mod running;
pub(crate) mod switches;
pub(crate) mod tracking;
