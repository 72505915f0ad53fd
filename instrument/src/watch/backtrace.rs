//! The stack of another thread of this process, taken while it is blocked, with names: what a slow poll was
//! doing while it was slow.
//!
//! [`install`] once, [`Engine::keep`] for as long as stacks may be asked for, [`Engine::ask`] for each stack, and
//! [`Names`] for its frames. Our watchdog's thread and the one that names stacks alone call these; nothing here runs
//! on a service's thread but the signal handler, and that only when its stack is asked for. Linux on x86-64 and aarch64
//! with the feature `backtrace`; elsewhere [`install`] says why there is none.

#[cfg(all(
    feature = "backtrace",
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod engine;
mod frame;

use std::{any::Any, time::Duration};

#[cfg(all(
    feature = "backtrace",
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub use engine::{Asked, Kept, RawStack, Resolver, ask};
pub use frame::{Frame, Trace};

/// What takes stacks and names their frames. There is one where this build and system can.
pub(crate) struct Engine {
    /// Makes the rest possible, or says why it is not.
    pub(crate) install: fn() -> Result<(), &'static str>,
    /// Keeps the handler of the signal while the result lives.
    pub(crate) keep: fn() -> Box<dyn Any>,
    /// Asks a thread for its stack; waits at most so long while the thread blocks the signal.
    pub(crate) ask: fn(u32, Duration) -> Result<Box<dyn AskedThread>, Refused>,
    /// What names frames.
    pub(crate) names: fn() -> Box<dyn Names>,
}

/// A thread that was asked. Dropped, it need not answer any more.
pub(crate) trait AskedThread {
    /// The answer if it comes in that time, once.
    fn answer(&self, patience: Duration) -> Option<Box<dyn TakenStack>>;

    /// The answer if it is there or has begun; else why there is none.
    fn give_up(self: Box<Self>) -> Result<Box<dyn TakenStack>, Refused>;
}

/// A stack as it was found.
pub(crate) trait TakenStack: Any + Send {
    /// When the thread answered, by the process's clock.
    fn taken_ns(&self) -> u64;
}

/// Names the frames of stacks, and keeps what it read for that.
pub(crate) trait Names: Send {
    /// The frames of a stack that the same engine took.
    fn resolve(&mut self, stack: &dyn TakenStack) -> Trace;

    /// Lets go of what can be read again.
    fn release(&mut self);

    /// The same, for stacks that come some time after those before.
    fn go_on(self: Box<Self>) -> Box<dyn Names>;
}

#[cfg(all(
    feature = "backtrace",
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
const ENGINE: Result<Engine, &str> = Ok(engine::CALLS);
#[cfg(not(all(
    feature = "backtrace",
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
const ENGINE: Result<Engine, &str> = Err(if cfg!(feature = "backtrace") {
    "stacks are taken on Linux on x86-64 and aarch64 only"
} else {
    "built without the feature `backtrace`"
});

/// Makes stacks possible, or says why they are not.
pub fn install() -> Result<(), &'static str> {
    installed().map(drop)
}

/// The same, and gives what takes them.
pub(crate) fn installed() -> Result<Engine, &'static str> {
    let engine = ENGINE?;
    (engine.install)()?;
    Ok(engine)
}

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
