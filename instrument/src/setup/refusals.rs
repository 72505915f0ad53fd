//! What the service's door refused since it was opened: counted here by the door, told by the drain. Pure counters: no
//! refusal is told of by itself, and none is a loss of what was recorded.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::setup::switches::{REFUSALS, SWITCHES};

/// Refusals of one kind.
#[derive(Clone, Copy)]
pub(crate) enum Refusals {
    /// Connections that were closed: too many, or none of their requests came in time; and those that the system did not
    /// accept.
    Connections,
    /// Viewers that wanted to attach: too many, or too often.
    Viewers,
}

const _: () = assert!(Refusals::Viewers as usize + 1 == REFUSALS);

impl Refusals {
    /// One more.
    #[cfg(feature = "export")]
    pub(crate) fn count(self) {
        self.counter().fetch_add(1, Ordering::Relaxed);
    }

    /// So many.
    pub(crate) fn get(self) -> u64 {
        self.counter().load(Ordering::Relaxed)
    }

    fn counter(self) -> &'static AtomicU64 {
        &SWITCHES.refused[self as usize]
    }
}
