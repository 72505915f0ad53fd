//! Whether a process of this machine still runs. Asks the kernel and `/proc`, and changes nothing. What looks for the
//! sockets of services, and what removes those that ended ones left behind, calls it.

use rustix::process::{Pid, test_kill_process};

/// Whether the process runs, of whatever user. A zombie has ended: only its parent has not asked for its exit code yet.
/// Cost: a system call and, where the process exists, one small read of `/proc`.
pub fn is_alive(pid: u32) -> bool {
    let Some(known) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    // A process of another user answers EPERM: it is there.
    test_kill_process(known) != Err(rustix::io::Errno::SRCH) && !is_zombie(pid)
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
