//! A process that locks its memory: the debug information of a large program is not to be locked with it.

use std::process::Command;
use std::time::Duration;

use pollscope::__private::backtrace::Resolver;

use crate::victim::Victim;
use crate::{PATIENCE, engine, take};

/// Set for the process that locks its memory.
const LOCK: &str = "POLLSCOPE_TEST_LOCK_MEMORY";

/// More than the engine needs besides, and much less than the debug information of these tests.
const MAX_GROWTH_KIB: u64 = 8 << 10;

fn locked_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("readable");
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).expect("it is told");
    line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
}

#[test]
fn no_debug_information_is_locked() {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.args(["--exact", "locked::the_process_that_locks_its_memory", "--nocapture"]).env(LOCK, "yes");
    assert!(command.status().expect("it starts").success());
}

/// The process that the test above starts; without its mark there is nothing to do.
#[test]
#[expect(unsafe_code, reason = "std locks no memory")]
#[expect(clippy::disallowed_methods, reason = "how the child knows what it is")]
fn the_process_that_locks_its_memory() {
    if std::env::var_os(LOCK).is_none() {
        return;
    }
    let Some(_alone) = engine() else { return };
    let victim = Victim::start("sleeps", |flags| {
        while flags.go_on() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    // SAFETY: nothing is changed but that pages stay in memory.
    if unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) } != 0 {
        eprintln!("memory cannot be locked here: {}", std::io::Error::last_os_error());
        return;
    }
    let stack = take(victim.tid(), PATIENCE).expect("an answer");
    let before = locked_kib();
    let mut resolver = Resolver::new();
    let trace = resolver.resolve(&stack);
    let grown = locked_kib().saturating_sub(before);
    assert!(grown < MAX_GROWTH_KIB, "{grown} KiB of locked memory");
    assert!(trace.why.as_deref().is_some_and(|why| why.contains("mlockall")), "{trace:?}");
}
