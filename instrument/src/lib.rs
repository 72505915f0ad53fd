#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(feature = "export"),
    allow(dead_code, reason = "without exports there is no subscriber, no greeting and no address")
)]

#[cfg(not(loom))]
mod allow;
mod backtrace;
#[cfg(all(any(feature = "check", test), not(loom)))]
mod book;
#[cfg(not(loom))]
mod builder;
#[cfg(all(feature = "check", not(loom)))]
pub mod check;
#[cfg(not(loom))]
mod clock;
#[cfg(not(loom))]
mod config;
#[cfg(not(loom))]
mod drain;
#[cfg(not(loom))]
mod dump;
#[cfg(not(loom))]
pub mod env;
#[cfg(all(feature = "export", not(loom)))]
mod export;
#[cfg(all(not(feature = "export"), not(loom)))]
#[path = "no_export.rs"]
mod export;
#[cfg(not(loom))]
mod fork;
#[cfg(not(loom))]
mod future;
#[cfg(not(loom))]
mod guard;
#[cfg(not(loom))]
mod handle;
#[cfg(not(loom))]
pub mod hooks;
#[cfg(not(loom))]
mod identity;
#[cfg(not(loom))]
mod init;
#[cfg(not(loom))]
mod join_set;
#[cfg(not(loom))]
mod large;
#[cfg(not(loom))]
mod mode;
#[cfg(not(loom))]
mod notice;
#[cfg(not(loom))]
mod overload;
#[cfg(not(loom))]
mod own_thread;
mod record;
#[cfg(not(loom))]
mod refusals;
#[cfg(not(loom))]
mod reporter;
#[cfg(not(loom))]
mod sample;
#[cfg(not(loom))]
mod scope;
#[cfg(not(loom))]
mod spawn;
#[cfg(all(any(feature = "check", test), not(loom)))]
mod spins;
#[cfg(not(loom))]
mod switches;
#[cfg(not(loom))]
mod task;
#[cfg(all(test, not(loom)))]
mod testkit;
#[cfg(not(loom))]
mod usage;
#[cfg(not(loom))]
mod waker;
#[cfg(not(loom))]
mod watchdog;

#[cfg(not(loom))]
pub use crate::{
    allow::allow_blocking,
    builder::{Builder, builder, init, try_init},
    config::{DumpSignal, Listen},
    dump::dump,
    guard::{Guard, Status},
    handle::JoinHandle,
    hooks::{Callbacks, attach, attach_with},
    init::InitError,
    join_set::JoinSet,
    notice::LogLevel,
    overload::{overloaded, schedule_delay},
    record::flight::Flight,
    sample::observe,
    scope::{Scoped, Traced, TracedFuture, scope},
    spawn::{spawn, spawn_blocking, spawn_local, spawn_on},
    task::{TaskBuilder, task},
};
#[cfg(all(feature = "macros", not(loom)))]
pub use pollscope_macros::main;
#[cfg(all(feature = "macros", feature = "check", not(loom)))]
pub use pollscope_macros::test;
#[cfg(not(loom))]
pub use tokio::task::AbortHandle;

/// For the expansion of [`main`], and for tests that need a process of their own; not part of the interface.
#[cfg(not(loom))]
#[doc(hidden)]
pub mod __private {
    pub mod backtrace {
        pub use crate::backtrace::*;
    }
    /// The recorder's clock, for the benchmark of its reads.
    #[cfg(not(loom))]
    pub mod clock {
        /// As at `init`.
        pub fn calibrate() {
            crate::clock::calibrate();
        }

        /// Nanoseconds.
        #[inline]
        pub fn now_ns() -> u64 {
            crate::clock::now_ns()
        }
    }
    /// For the expansion of [`test`](crate::test).
    #[cfg(all(feature = "check", not(loom)))]
    pub mod check {
        pub use crate::check::finish;
    }
    pub use crate::scope::block_on_body;
    pub use tokio;
}
