//! The things that a process has: tasks, sites, workers, runtimes, as its reports describe them.

pub mod activity;
pub mod edge;
pub mod event;
pub mod heat;
pub mod presence;
pub mod runtime;
pub mod site;
pub mod slow_poll;
pub mod stall;
pub mod stop;
pub mod task;
pub mod usage;
