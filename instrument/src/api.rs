//! What a service calls: everything that spawns, wraps or hooks its tasks, and asks for a dump. Lists its rooms only.

pub(crate) mod allow;
pub(crate) mod dump;
pub(crate) mod future;
pub(crate) mod handle;
pub mod hooks;
pub(crate) mod join_set;
pub(crate) mod large;
pub(crate) mod scope;
pub(crate) mod spawn;
pub(crate) mod task;
#[cfg(feature = "tower")]
pub mod tower;
pub(crate) mod waker;
