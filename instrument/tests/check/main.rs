//! Assertions in tests: what a session promises, and how its failures read under libtest. Every fault with its
//! repaired twin is in the examples' tests.

mod allowed;
mod attribute;
mod drift;
#[cfg(all(target_os = "linux", feature = "backtrace", tokio_unstable))]
mod outputs;
#[cfg(all(target_os = "linux", feature = "backtrace"))]
mod parallel;
#[cfg(feature = "recording")]
mod record;
mod session;
mod victims;

use pollscope::check::Judged;

/// How often at most something is run that the machine left in doubt.
const RUNS: usize = 5;

/// On a machine that is short of CPU a poll may stay in doubt, which the verdict says: then it is run again.
fn decided<T>(mut run: impl FnMut() -> Judged<T>) -> Judged<T> {
    let mut judged = run();
    for _ in 1..RUNS {
        if !judged.verdict().undecided.iter().any(|one| *one.rule == *"max-poll") {
            break;
        }
        judged = run();
    }
    judged
}
