//! What start, end and fork agree on, and what the export tells the drain: the process-wide words that each of them sets
//! and other rooms read.
//!
//! Only plain atomics, so that a forked child can set them before anything else runs in it: they take no lock and
//! no memory. `init`, the guard and [`fork`](crate::setup::fork) write them; this room knows none of these.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Process-wide since the function that the C library calls in a forked child sets them, and since users ask for some of
/// them without a guard.
pub(crate) static SWITCHES: Switches = Switches {
    running: AtomicU32::new(0),
    left_behind: AtomicBool::new(false),
    forked: AtomicBool::new(false),
    observes_nothing: AtomicBool::new(false),
    sees_stalls: AtomicBool::new(false),
    log_level: AtomicU8::new(LOG_LEVEL),
    overload: AtomicU64::new(OVERLOAD_UNASKED),
    tracks_delays: AtomicU8::new(DELAYS_UNDECIDED),
    refused: [const { AtomicU64::new(0) }; REFUSALS],
};

/// See the module.
pub(crate) struct Switches {
    /// The process in which a guard is alive; 0: none is.
    running: AtomicU32,
    /// A thread of a guard that is gone has not ended: no other guard comes to be.
    left_behind: AtomicBool,
    /// This process was forked while pollscope ran. What its threads had locked at that moment is locked for good here.
    forked: AtomicBool,
    /// `POLLSCOPE=off` was read, or this process was forked from the one that observes: no runtime is observed.
    pub(crate) observes_nothing: AtomicBool,
    /// The guard's stalls are being seen.
    pub(crate) sees_stalls: AtomicBool,
    /// How much is said to the operator: a [`LogLevel`](crate::LogLevel).
    pub(crate) log_level: AtomicU8,
    /// The answer of [`overloaded`](crate::overloaded): `time of the look << 28 | delay << 2 | state`.
    pub(crate) overload: AtomicU64,
    /// See [`tracking`](crate::setup::tracking).
    pub(crate) tracks_delays: AtomicU8,
    /// See [`refusals`](crate::setup::refusals).
    pub(crate) refused: [AtomicU64; REFUSALS],
}

/// Before `init`: what is refused or does not work.
pub(crate) const LOG_LEVEL: u8 = 1;
/// Kinds of what the service's door refuses.
pub(crate) const REFUSALS: usize = 2;
/// No `init` has decided whether runtimes track delays.
const DELAYS_UNDECIDED: u8 = 0;
/// They do not.
pub(crate) const DELAYS_OFF: u8 = 1;
/// They do.
pub(crate) const DELAYS_ON: u8 = 2;
/// No caller has asked for the overload yet, so that no thread looks.
pub(crate) const OVERLOAD_UNASKED: u64 = 0;

/// A guard is to be made in the process of that id; `false` if one is alive.
pub(crate) fn start(process: u32) -> bool {
    SWITCHES.running.compare_exchange(0, process, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

/// The guard is gone; the next `init` starts a new incarnation.
pub(crate) fn end() {
    SWITCHES.running.store(0, Ordering::Release);
}

/// The guard is gone and its thread is not: nothing can start any more.
pub(crate) fn leave_behind() {
    SWITCHES.left_behind.store(true, Ordering::Relaxed);
}

/// Whether nothing can start any more.
pub(crate) fn is_left_behind() -> bool {
    SWITCHES.left_behind.load(Ordering::Relaxed)
}

/// The process in which a guard is alive, which is not this one after a fork; 0 if none is.
pub(crate) fn running_in() -> u32 {
    SWITCHES.running.load(Ordering::Relaxed)
}

/// Whether this process is known to be the child of one in which pollscope ran.
pub(crate) fn is_forked() -> bool {
    SWITCHES.forked.load(Ordering::Relaxed)
}

/// A child begins, of a process in which pollscope `ran`: no thread looks at anything here. Stores and does nothing
/// else.
#[cfg(unix)]
pub(crate) fn begin_child(ran: bool) {
    if ran {
        SWITCHES.forked.store(true, Ordering::Relaxed);
        SWITCHES.observes_nothing.store(true, Ordering::Relaxed);
    }
    SWITCHES.overload.store(OVERLOAD_UNASKED, Ordering::Relaxed);
    SWITCHES.sees_stalls.store(false, Ordering::Relaxed);
}
