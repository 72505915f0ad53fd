//! The stack of another thread of this process, taken while it is blocked, with names: what a slow poll was
//! doing while it was slow.
//!
//! [`install`] once, [`take`] for each stack, and a [`Resolver`] to name its frames. Our watchdog's thread
//! alone calls these; nothing here runs on a service's thread but the signal handler, and that only when its
//! stack is asked for. Linux on x86-64 and aarch64 with the feature `backtrace`; elsewhere [`install`] says
//! why there is none.

mod frame;

#[path = "backtrace/absent.rs"]
mod engine;

pub use engine::{RawStack, Resolver, install, take};
pub use frame::{Frame, Trace};

/// Why there is no stack this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// [`install`] has not succeeded.
    #[error("{0}")]
    Unavailable(&'static str),
    /// A debugger or tracer is attached: it would stop at the signal.
    #[error("a debugger is attached")]
    Traced,
    /// Somebody replaced our signal handler since.
    #[error("the signal handler was replaced by another one")]
    Replaced,
    /// No such thread any more.
    #[error("the thread is gone")]
    Gone,
    /// The thread did not answer in time: it blocks the signal, or sleeps uninterruptibly in the kernel.
    #[error("the thread did not answer in time")]
    Silent,
    /// A thread asked earlier is still answering, or another caller is asking.
    #[error("an earlier request is still being answered")]
    Busy,
}
