//! Forks without exec, as a daemon and a preforking server do them.
#![expect(unsafe_code, reason = "the standard library has no fork")]

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs something in a forked child, which ends after it. Returns the child's number.
pub(crate) fn fork(work: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child has one of several threads. It takes no lock that another one may have held: what it calls of
    // the standard library and of tokio makes its own, and the C library's own locks are usable in a child.
    let id = unsafe { libc::fork() };
    assert!(id >= 0, "no child could be forked");
    if id == 0 {
        let done = catch_unwind(AssertUnwindSafe(work));
        // SAFETY: the call ends the process; nothing runs after it.
        unsafe { libc::_exit(i32::from(done.is_err())) };
    }
    id
}

/// Makes a child by the system's call itself, of which the C library does not know. It may do little: the locks of the
/// C library are as they were. It succeeds if `holds` does.
pub(crate) fn clone(holds: impl FnOnce() -> bool) -> libc::pid_t {
    // SAFETY: without flags the call is a fork; the child runs `holds`, which takes no lock and no memory, and ends.
    let id = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    assert!(id >= 0, "no child could be made");
    if id == 0 {
        let held = holds();
        // SAFETY: the call ends the process; nothing runs after it.
        unsafe { libc::_exit(i32::from(!held)) };
    }
    libc::pid_t::try_from(id).unwrap()
}

/// Waits for a child's end. Whether it ended by itself and without a panic.
pub(crate) fn succeeds(id: libc::pid_t) -> bool {
    let mut status = 0;
    // SAFETY: `status` lives until the end of the call, which writes it.
    let ended = unsafe { libc::waitpid(id, &raw mut status, 0) };
    ended == id && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}
