//! Blocking that is known and meant: an exemption in the code itself, with its reason.

use std::panic::Location;

use pollscope_recorder::allowed::Inside;

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
///
/// In a test that judges itself (feature `check`) one that ran and in every poll stayed below a quarter of the limit
/// (the smaller of `max_poll` and `p99_poll`; 10 ms without them) is itself a finding, `unused-expectation`: a
/// warning, told beside a failure, which fails a test by itself only where warnings do (`fail_on = "warn"`). So a
/// call that is slow on a cold cache only, or elsewhere, may keep its exemption. A test that does not come by says
/// nothing of it. In a live service it is not reported: read the slow polls for that.
///
/// # Cost
/// Two reads of the clock, two of what the system counts for the thread (some 3 µs each, on Linux) and some stores of
/// the thread's own, no allocation; while a test's session is open, a lock besides. A panic of `blocks` goes on.
#[track_caller]
pub fn allow_blocking<R>(reason: &'static str, blocks: impl FnOnce() -> R) -> R {
    let _inside = Inside::enter(reason, Location::caller());
    blocks()
}
