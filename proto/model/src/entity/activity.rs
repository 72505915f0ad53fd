//! The kernel's word for what a thread does, as it travels in `waiting_in`: written by the watchdog, read by
//! the detectors.

/// On a CPU when it was looked at.
pub const RUNNING: &str = "running";
/// Ready to run when it was looked at, and without a CPU most of the time since.
pub const RUNNABLE: &str = "runnable";
/// Before the place in the kernel that it sleeps in, if it is in no call that has a name: `the kernel (io_schedule)`.
pub const IN_KERNEL: &str = "the kernel";

/// Calls that change the process's memory, threads' stacks included. What they wait for is a lock of the whole
/// process, which every thread takes that maps memory, starts a thread or touches a page for the first time.
const OF_MEMORY: [&str; 8] = ["mmap", "munmap", "mprotect", "mremap", "madvise", "brk", "clone", "clone3"];
/// Where a page fault sleeps for that lock (and not for the disk). The kernel leaves its locks' own functions out and
/// names who wants the lock; older ones do not.
const OF_FAULTS: [&str; 4] =
    ["lock_mm_and_find_vma", "lock_vma_under_rcu", "do_user_addr_fault", "rwsem_down_read_slowpath"];

/// What a thread did at the moment that it was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ThreadActivity<'a> {
    /// It was on a CPU, or about to be.
    Running,
    /// It waited for a CPU.
    Runnable,
    /// It slept: in that call, with what that waits for.
    Sleeping(&'a str),
}

impl<'a> ThreadActivity<'a> {
    /// What the word says; nothing if it is empty.
    pub fn of(word: &'a str) -> Option<Self> {
        match word {
            "" => None,
            RUNNING => Some(Self::Running),
            RUNNABLE => Some(Self::Runnable),
            call => Some(Self::Sleeping(call)),
        }
    }

    /// It slept for a lock, of whatever kind: what is locked, a stack tells.
    pub(crate) fn is_for_a_lock(self) -> bool {
        matches!(self, Self::Sleeping("futex_wait" | "futex"))
    }

    /// It slept in a call that the code made: for a sleep, a read, a lock. A page fault is no such call, and a call that
    /// changes the process's memory waits for the kernel's lock.
    pub(crate) fn is_own_call(self) -> bool {
        matches!(self, Self::Sleeping(call) if !call.starts_with(IN_KERNEL)) && !self.is_for_kernels_lock()
    }

    /// It slept for a lock of the kernel's, not for something that its own code waits for. Who holds that is
    /// another thread of the process, which lets go at once, unless it has no CPU.
    pub fn is_for_kernels_lock(self) -> bool {
        let Self::Sleeping(call) = self else { return false };
        let place = call.strip_prefix(IN_KERNEL).and_then(|rest| rest.strip_prefix(" (")?.strip_suffix(')'));
        OF_MEMORY.contains(&call) || place.is_some_and(|place| OF_FAULTS.contains(&place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_says_whether_it_slept_and_for_whom() {
        assert_eq!(ThreadActivity::of(""), None);
        assert_eq!(ThreadActivity::of("running"), Some(ThreadActivity::Running));
        assert_eq!(ThreadActivity::of("runnable"), Some(ThreadActivity::Runnable));
        assert_eq!(ThreadActivity::of("futex_wait"), Some(ThreadActivity::Sleeping("futex_wait")));
        let kernels = ["mmap", "clone3", "the kernel (lock_mm_and_find_vma)"];
        assert!(kernels.into_iter().filter_map(ThreadActivity::of).all(ThreadActivity::is_for_kernels_lock));
        let others = [
            "running",
            "futex_wait",
            "clock_nanosleep",
            "read(fd 7, pipe)",
            "the kernel",
            "the kernel (folio_wait_bit_common)",
        ];
        assert!(!others.into_iter().filter_map(ThreadActivity::of).any(ThreadActivity::is_for_kernels_lock));
        let locks: Vec<_> = others
            .into_iter()
            .filter(|word| ThreadActivity::of(word).is_some_and(ThreadActivity::is_for_a_lock))
            .collect();
        assert_eq!(locks, ["futex_wait"]);
        let own: Vec<_> = others
            .into_iter()
            .chain(["mmap"])
            .filter(|word| ThreadActivity::of(word).is_some_and(ThreadActivity::is_own_call))
            .collect();
        assert_eq!(own, ["futex_wait", "clock_nanosleep", "read(fd 7, pipe)"]);
    }
}
