//! Taking the stacks of threads that are in the middle of things: in a process of its own, because it sends
//! signals and would end with a crash where it fails.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::print_stderr, reason = "a test that can test nothing here says so")]

mod attack;
mod deaf;
mod locked;
mod places;
mod victim;

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pollscope::__private::backtrace::{Kept, RawStack, Refused, ask, install};

/// How long a thread gets to answer: this machine may be busy with much else.
const PATIENCE: Duration = Duration::from_secs(10);

/// The engine, ready and ours alone, since it answers one at a time. A sandbox that has none says why, and
/// then there is nothing to test.
fn engine() -> Option<MutexGuard<'static, ()>> {
    static ALONE: Mutex<()> = Mutex::new(());
    // Also when a guard of another test ends.
    static KEPT: LazyLock<Kept> = LazyLock::new(Kept::begin);
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    match install() {
        Ok(()) => {
            LazyLock::force(&KEPT);
            Some(alone)
        }
        Err(why) => {
            eprintln!("no stacks here: {why}");
            None
        }
    }
}

/// The stack of a thread as it is now.
fn take(tid: u32, patience: Duration) -> Result<RawStack, Refused> {
    let asked = ask(tid, patience)?;
    asked.answer(patience).map_or_else(|| asked.give_up(), Ok)
}
