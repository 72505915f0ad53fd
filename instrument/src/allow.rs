//! Blocking that is known and meant: an exemption in the code itself, with its reason.

use std::panic::Location;

use crate::record::allowed::Inside;

/// Calls `blocks`, which may block its worker for as long as it likes, and returns what it returns.
///
/// The time inside counts against no limit on polls: not for the detectors of a live service (`blocking-poll`,
/// `stuck-poll`, `never-yields`), and not for `max_poll` and `p99_poll` of a test or of `pollscope check`. It is
/// not hidden: the slow poll shows it with the reason and this line, and a verdict lists it as allowed. The
/// waits of other tasks stay what they are, so that a limit on schedule delays still sees whom it harmed.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let config = pollscope::allow_blocking("reads its config once", || std::fs::read_to_string("/dev/null"))?;
/// # assert!(config.is_empty());
/// # Ok(())
/// # }
/// ```
///
/// # What is seen
/// Polls that are recorded; outside of them, and while nothing is recorded, it only calls `blocks`. Inside of
/// another `allow_blocking` the outer reason counts. One poll tells four reasons apart. A poll that is open is
/// exempt where the watchdog runs (see `stall` of the builder).
/// Whether an exemption is still needed is not told: read the slow polls for that.
///
/// # Cost
/// Two reads of the clock and some stores of the thread's own, no allocation. A panic of `blocks` goes on.
#[track_caller]
pub fn allow_blocking<R>(reason: &'static str, blocks: impl FnOnce() -> R) -> R {
    let _inside = Inside::enter(reason, Location::caller());
    blocks()
}
