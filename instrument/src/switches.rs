//! What start, end and fork agree on: the process-wide words that each of them sets and other rooms read.
//!
//! Only plain atomics, so that a forked child can set them before anything else runs in it: they take no lock and
//! no memory. `init`, the guard and [`fork`](crate::fork) write them; this room knows none of these.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// The process in which a guard is alive; 0: none is.
static RUNNING: AtomicU32 = AtomicU32::new(0);
/// This process was forked while pollscope ran. What its threads had locked at that moment is locked for good here.
static FORKED: AtomicBool = AtomicBool::new(false);
/// `POLLSCOPE=off` was read, or this process was forked from the one that observes: no runtime is observed.
pub(crate) static OBSERVES_NOTHING: AtomicBool = AtomicBool::new(false);
/// The guard's stalls are being seen.
pub(crate) static SEES_STALLS: AtomicBool = AtomicBool::new(false);
/// The answer of [`overloaded`](crate::overloaded): `time of the look << 28 | delay << 2 | state`.
pub(crate) static OVERLOAD: AtomicU64 = AtomicU64::new(OVERLOAD_UNASKED);
/// No caller has asked for the overload yet, so that no thread looks.
pub(crate) const OVERLOAD_UNASKED: u64 = 0;

/// A guard is to be made in the process of that id; `false` if one is alive.
pub(crate) fn start(process: u32) -> bool {
    RUNNING.compare_exchange(0, process, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

/// The guard is gone; the next `init` starts a new incarnation.
pub(crate) fn end() {
    RUNNING.store(0, Ordering::Release);
}

/// The process in which a guard is alive, which is not this one after a fork; 0 if none is.
pub(crate) fn running_in() -> u32 {
    RUNNING.load(Ordering::Relaxed)
}

/// Whether this process is known to be the child of one in which pollscope ran.
pub(crate) fn is_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// A child begins, of a process in which pollscope `ran`: no thread looks at anything here. Stores and does nothing
/// else.
#[cfg(unix)]
pub(crate) fn begin_child(ran: bool) {
    if ran {
        FORKED.store(true, Ordering::Relaxed);
        OBSERVES_NOTHING.store(true, Ordering::Relaxed);
    }
    OVERLOAD.store(OVERLOAD_UNASKED, Ordering::Relaxed);
    SEES_STALLS.store(false, Ordering::Relaxed);
}
