#![doc = include_str!("../README.md")]

mod api;
#[cfg(any(feature = "check", test))]
pub mod check;
#[cfg(any(feature = "export", feature = "recording"))]
mod export;
mod report;
mod runtime;
mod setup;
#[cfg(test)]
mod testkit;
mod watch;

#[cfg(feature = "tower")]
pub use crate::api::tower;
pub use crate::{
    api::{
        allow::allow_blocking,
        dump::dump,
        handle::JoinHandle,
        hooks,
        hooks::{Callbacks, attach, attach_with},
        join_set::JoinSet,
        scope::{Scoped, Traced, TracedFuture, scope},
        spawn::{spawn, spawn_blocking, spawn_local, spawn_on},
        task::{TaskBuilder, task},
    },
    report::{
        overload::{overloaded, schedule_delay},
        sample::observe,
    },
    setup::{
        builder::{Builder, builder, init, try_init},
        config::{DumpSignal, Listen},
        env,
        error::InitError,
        guard::{Guard, Status},
        notice::LogLevel,
    },
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
        pub use crate::watch::backtrace::*;
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
    pub use crate::api::scope::block_on_body;
    pub use tokio;
}
