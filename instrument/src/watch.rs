//! Polls that hang: the watchdog, the stacks of their threads, and what those used up. Lists its rooms only.

pub(crate) mod backtrace;
pub(crate) mod usage;
pub(crate) mod watchdog;
