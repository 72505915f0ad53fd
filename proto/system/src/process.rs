//! Whether a process of this machine still runs, and which of all that had its number it is. Asks the kernel and
//! `/proc`, and changes nothing. What looks for the sockets of services, and what removes those that ended ones left
//! behind, calls it.

use rustix::process::{Pid, test_kill_process};

/// Whether the process runs, of whatever user. A zombie has ended: only its parent has not asked for its exit code yet.
/// Cost: a system call and, where the process exists, one small read of `/proc`.
pub fn is_alive(pid: u32) -> bool {
    let Some(known) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    // A process of another user answers EPERM: it is there.
    test_kill_process(known) != Err(rustix::io::Errno::SRCH) && !is_zombie(pid)
}

/// Whether the process that left a file of that number has ended beyond doubt. False on Linux: a folder may be shared
/// with a container, whose processes have numbers of their own.
pub fn has_surely_ended(pid: u32) -> bool {
    !cfg!(target_os = "linux") && !is_alive(pid)
}

/// One run of one process: what tells it from a later one with the same number, and from one of another container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// The kernel's random number of this start of the machine.
    pub boot: String,
    /// The namespace in which the process has its number.
    pub pid_namespace: u64,
    /// When it began, in the kernel's ticks since the machine's start.
    pub start: u64,
}

/// Which run the process is; `None` where the system does not say it, as of most processes of other users.
pub fn run(pid: u32) -> Option<Run> {
    use std::os::unix::fs::MetadataExt;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let pid_namespace = std::fs::metadata(format!("/proc/{pid}/ns/pid")).ok()?.ino();
    Some(Run { boot: boot.trim().to_owned(), pid_namespace, start: start(pid)? })
}

/// When the process began, in the kernel's ticks since the machine's start; `None` where the system does not say it.
pub fn start(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    // The twenty-second field of the line; the first one after the name is the third.
    after_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Whether `/proc` says that the process has ended. False where `/proc` says nothing.
fn is_zombie(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| has_ended(&stat))
}

/// Reads a line of `/proc/PID/stat`: `412 (any ) text) Z 1 …`. A process whose first thread has ended while others
/// run has the state of a zombie, too, and more than one thread.
fn has_ended(stat: &str) -> bool {
    let Some((_, after_name)) = stat.rsplit_once(')') else { return false };
    let mut fields = after_name.split_ascii_whitespace();
    let state = fields.next();
    // The state is the third field of the line, the number of threads the twentieth.
    let threads = fields.nth(16).and_then(|count| count.parse::<u32>().ok());
    matches!(state, Some("Z" | "X" | "x")) && threads.is_none_or(|threads| threads <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_an_impossible_one_does_not() {
        assert!(is_alive(std::process::id()));
        assert!(is_alive(1));
        assert!(!is_alive(0));
        assert!(!is_alive(u32::MAX));
        assert!(!is_alive(4_194_305));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_run_is_the_same_as_long_as_the_process_lives() {
        let own = run(std::process::id()).expect("its own");
        assert_eq!(run(std::process::id()).as_ref(), Some(&own));
        assert!(own.start > 0 && own.pid_namespace > 0 && own.boot.len() == 36, "{own:?}");
        assert_ne!(start(1), Some(own.start));
        assert_eq!(run(u32::MAX), None);
        assert!(!has_surely_ended(4_194_305), "it may be one of another namespace");
    }

    #[test]
    fn a_zombie_has_ended_and_a_process_whose_first_thread_has_ended_has_not() {
        let line = |state: &str, threads: u32| {
            format!("412 (a) Z (b) {state} 1 412 412 0 -1 4228172 0 0 0 0 0 0 0 0 20 0 {threads} 0 9 0 0")
        };
        assert!(has_ended(&line("Z", 1)));
        assert!(has_ended(&line("X", 0)));
        assert!(!has_ended(&line("Z", 3)));
        assert!(!has_ended(&line("S", 1)));
        assert!(!has_ended(""));
    }
}
