#![doc = include_str!("../README.md")]

mod allow;
mod backtrace;
#[cfg(any(feature = "check", test))]
mod book;
mod boot;
mod builder;
#[cfg(feature = "check")]
pub mod check;
mod config;
mod drain;
mod dump;
pub mod env;
mod error;
#[cfg(any(feature = "export", feature = "recording"))]
mod export;
mod fork;
mod future;
mod guard;
mod handle;
pub mod hooks;
#[cfg(any(feature = "check", feature = "export", feature = "recording", test))]
mod identity;
mod init;
mod join_set;
mod large;
mod mode;
mod notice;
mod outlet;
mod overload;
mod own_thread;
mod refusals;
mod reporter;
mod runtime;
mod sample;
mod scope;
mod spawn;
#[cfg(any(feature = "check", test))]
mod spins;
mod switches;
mod task;
#[cfg(test)]
mod testkit;
mod usage;
mod waker;
mod watchdog;

pub use crate::{
    allow::allow_blocking,
    builder::{Builder, builder, init, try_init},
    config::{DumpSignal, Listen},
    dump::dump,
    error::InitError,
    guard::{Guard, Status},
    handle::JoinHandle,
    hooks::{Callbacks, attach, attach_with},
    join_set::JoinSet,
    notice::LogLevel,
    overload::{overloaded, schedule_delay},
    sample::observe,
    scope::{Scoped, Traced, TracedFuture, scope},
    spawn::{spawn, spawn_blocking, spawn_local, spawn_on},
    task::{TaskBuilder, task},
};
#[cfg(feature = "macros")]
pub use pollscope_macros::main;
#[cfg(all(feature = "macros", feature = "check"))]
pub use pollscope_macros::test;
#[doc(inline)]
pub use pollscope_recorder::flight::Flight;
pub use tokio::task::AbortHandle;

/// For the expansion of [`main`], and for tests that need a process of their own; not part of the interface.
#[doc(hidden)]
pub mod __private {
    pub mod backtrace {
        pub use crate::backtrace::*;
    }
    /// The recorder's clock, for the benchmark of its reads.
    pub mod clock {
        /// As at `init`.
        pub fn calibrate() {
            pollscope_recorder::clock::calibrate();
        }

        /// Nanoseconds.
        #[inline]
        pub fn now_ns() -> u64 {
            pollscope_recorder::clock::now_ns()
        }
    }
    /// For the expansion of [`test`](crate::test).
    #[cfg(feature = "check")]
    pub mod check {
        pub use crate::check::finish;
    }
    pub use crate::scope::block_on_body;
    pub use tokio;
}
