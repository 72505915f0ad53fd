//! The stack of another thread of this process, taken while it is blocked, with names: what a slow poll was
//! doing while it was slow.
//!
//! [`install`] once, a [`Kept`] for as long as stacks may be asked for, [`ask`] for each stack, and a [`Resolver`] to
//! name its frames. Our watchdog's thread alone calls these; nothing here runs on a service's thread but the signal
//! handler, and that only when its stack is asked for. Linux on x86-64 and aarch64 with the feature `backtrace`;
//! elsewhere [`install`] says why there is none.

#[cfg(all(
    feature = "backtrace",
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod engine;
#[cfg(not(all(
    feature = "backtrace",
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[path = "backtrace/absent.rs"]
mod engine;
mod frame;

pub use engine::{Asked, Kept, RawStack, Resolver, ask, install};
pub use frame::{Frame, Trace};

/// Why there is no stack this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There are no stacks here: what [`install`] says.
    #[error("{0}")]
    Unavailable(&'static str),
    /// A debugger or tracer is attached: it would stop at the signal.
    #[error("a debugger is attached")]
    Traced,
    /// Other code replaced our signal handler since.
    #[error("the signal handler was replaced by another one")]
    Replaced,
    /// No such thread any more.
    #[error("the thread is gone")]
    Gone,
    /// The thread blocks the signal; none was sent.
    #[error("the thread blocks the signal SIGURG")]
    Deaf,
    /// The thread did not answer in time: it got no CPU, or sleeps uninterruptibly in the kernel.
    #[error("the thread did not answer in time")]
    Silent,
    /// A thread asked earlier is still answering, or another caller is asking.
    #[error("an earlier request is still being answered")]
    Busy,
}
