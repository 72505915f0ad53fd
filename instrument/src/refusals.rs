//! What the service's door refused since it was opened: counted here by the door, told by the drain. Pure counters: no
//! refusal is told of by itself, and none is a loss of what was recorded.

use std::sync::atomic::{AtomicU64, Ordering};

/// Refusals of one kind.
pub(crate) struct Refusals(AtomicU64);

/// Connections that were closed: too many, or none of their requests came in time; and those that the system did not
/// accept.
pub(crate) static CONNECTIONS: Refusals = Refusals(AtomicU64::new(0));
/// Viewers that wanted to attach: too many, or too often.
pub(crate) static VIEWERS: Refusals = Refusals(AtomicU64::new(0));

impl Refusals {
    /// One more.
    #[cfg(feature = "export")]
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// So many.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
