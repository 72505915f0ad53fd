//! See why an async service stalls.
#![allow(dead_code, reason = "the reporter that calls the drain is built beside it")]

#[cfg(not(loom))]
mod clock;
#[cfg(not(loom))]
mod drain;
#[cfg(not(loom))]
mod future;
#[cfg(not(loom))]
mod handle;
#[cfg(not(loom))]
pub mod hooks;
#[cfg(not(loom))]
mod join_set;
#[cfg(not(loom))]
mod mode;
mod record;
#[cfg(not(loom))]
mod sample;
#[cfg(not(loom))]
mod scope;
#[cfg(not(loom))]
mod spawn;
#[cfg(not(loom))]
mod task;
#[cfg(all(test, not(loom)))]
mod testkit;
#[cfg(not(loom))]
mod waker;

#[cfg(not(loom))]
pub use crate::{
    handle::JoinHandle,
    hooks::attach,
    join_set::JoinSet,
    sample::observe,
    scope::{Scoped, Traced, TracedFuture, scope},
    spawn::{spawn, spawn_blocking, spawn_local, spawn_on},
    task::{TaskBuilder, task},
};
#[cfg(all(feature = "macros", not(loom)))]
pub use pollscope_macros::main;
#[cfg(not(loom))]
pub use tokio::task::AbortHandle;

/// For the expansion of [`main`]; not part of the interface.
#[cfg(not(loom))]
#[doc(hidden)]
pub mod __private {
    pub use crate::scope::block_on_body;
    pub use tokio;
}
