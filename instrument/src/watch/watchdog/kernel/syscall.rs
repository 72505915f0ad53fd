//! The names of the system calls that threads sleep in, by number; the ones that are left out are shown by
//! the kernel's own word for where it sleeps.

const FD: bool = true;
const NO_FD: bool = false;

/// Name, whether the first argument is a file descriptor, and number.
type Call = (&'static str, bool, libc::c_long);

const CALLS: &[Call] = &[
    ("futex", NO_FD, libc::SYS_futex),
    ("read", FD, libc::SYS_read),
    ("write", FD, libc::SYS_write),
    ("readv", FD, libc::SYS_readv),
    ("writev", FD, libc::SYS_writev),
    ("pread64", FD, libc::SYS_pread64),
    ("pwrite64", FD, libc::SYS_pwrite64),
    ("preadv", FD, libc::SYS_preadv),
    ("pwritev", FD, libc::SYS_pwritev),
    ("splice", FD, libc::SYS_splice),
    ("copy_file_range", FD, libc::SYS_copy_file_range),
    ("close", FD, libc::SYS_close),
    ("fstat", FD, libc::SYS_fstat),
    ("fsync", FD, libc::SYS_fsync),
    ("fdatasync", FD, libc::SYS_fdatasync),
    ("syncfs", FD, libc::SYS_syncfs),
    ("fallocate", FD, libc::SYS_fallocate),
    ("ftruncate", FD, libc::SYS_ftruncate),
    ("getdents64", FD, libc::SYS_getdents64),
    ("readahead", FD, libc::SYS_readahead),
    ("flock", FD, libc::SYS_flock),
    ("fcntl", FD, libc::SYS_fcntl),
    ("ioctl", FD, libc::SYS_ioctl),
    ("connect", FD, libc::SYS_connect),
    ("accept", FD, libc::SYS_accept),
    ("accept4", FD, libc::SYS_accept4),
    ("sendto", FD, libc::SYS_sendto),
    ("recvfrom", FD, libc::SYS_recvfrom),
    ("sendmsg", FD, libc::SYS_sendmsg),
    ("recvmsg", FD, libc::SYS_recvmsg),
    ("sendmmsg", FD, libc::SYS_sendmmsg),
    ("recvmmsg", FD, libc::SYS_recvmmsg),
    ("epoll_pwait", FD, libc::SYS_epoll_pwait),
    ("epoll_pwait2", FD, libc::SYS_epoll_pwait2),
    ("io_uring_enter", FD, libc::SYS_io_uring_enter),
    ("futex_waitv", NO_FD, libc::SYS_futex_waitv),
    ("nanosleep", NO_FD, libc::SYS_nanosleep),
    ("clock_nanosleep", NO_FD, libc::SYS_clock_nanosleep),
    ("sched_yield", NO_FD, libc::SYS_sched_yield),
    ("ppoll", NO_FD, libc::SYS_ppoll),
    ("pselect6", NO_FD, libc::SYS_pselect6),
    ("wait4", NO_FD, libc::SYS_wait4),
    ("waitid", NO_FD, libc::SYS_waitid),
    ("rt_sigsuspend", NO_FD, libc::SYS_rt_sigsuspend),
    ("rt_sigtimedwait", NO_FD, libc::SYS_rt_sigtimedwait),
    ("openat", NO_FD, libc::SYS_openat),
    ("newfstatat", NO_FD, libc::SYS_newfstatat),
    ("statx", NO_FD, libc::SYS_statx),
    ("sync", NO_FD, libc::SYS_sync),
    ("mkdirat", NO_FD, libc::SYS_mkdirat),
    ("unlinkat", NO_FD, libc::SYS_unlinkat),
    ("renameat2", NO_FD, libc::SYS_renameat2),
    ("readlinkat", NO_FD, libc::SYS_readlinkat),
    ("msync", NO_FD, libc::SYS_msync),
    ("madvise", NO_FD, libc::SYS_madvise),
    ("mmap", NO_FD, libc::SYS_mmap),
    ("munmap", NO_FD, libc::SYS_munmap),
    ("mprotect", NO_FD, libc::SYS_mprotect),
    ("mremap", NO_FD, libc::SYS_mremap),
    ("brk", NO_FD, libc::SYS_brk),
    ("clone", NO_FD, libc::SYS_clone),
    ("clone3", NO_FD, libc::SYS_clone3),
    ("execve", NO_FD, libc::SYS_execve),
    ("exit", NO_FD, libc::SYS_exit),
    ("kill", NO_FD, libc::SYS_kill),
    ("msgrcv", NO_FD, libc::SYS_msgrcv),
    ("semop", NO_FD, libc::SYS_semop),
    ("semtimedop", NO_FD, libc::SYS_semtimedop),
    ("mq_timedreceive", NO_FD, libc::SYS_mq_timedreceive),
    ("io_getevents", NO_FD, libc::SYS_io_getevents),
    ("getrandom", NO_FD, libc::SYS_getrandom),
    ("membarrier", NO_FD, libc::SYS_membarrier),
];

/// The older calls, which newer architectures have no more.
#[cfg(target_arch = "x86_64")]
const OLD_CALLS: &[Call] = &[
    ("renameat", NO_FD, libc::SYS_renameat),
    ("open", NO_FD, libc::SYS_open),
    ("stat", NO_FD, libc::SYS_stat),
    ("lstat", NO_FD, libc::SYS_lstat),
    ("poll", NO_FD, libc::SYS_poll),
    ("select", NO_FD, libc::SYS_select),
    ("epoll_wait", FD, libc::SYS_epoll_wait),
    ("pause", NO_FD, libc::SYS_pause),
    ("mkdir", NO_FD, libc::SYS_mkdir),
    ("rmdir", NO_FD, libc::SYS_rmdir),
    ("unlink", NO_FD, libc::SYS_unlink),
    ("rename", NO_FD, libc::SYS_rename),
    ("readlink", NO_FD, libc::SYS_readlink),
    ("fork", NO_FD, libc::SYS_fork),
    ("vfork", NO_FD, libc::SYS_vfork),
];

#[cfg(not(target_arch = "x86_64"))]
const OLD_CALLS: &[Call] = &[];

/// Calls that the kernel goes on with after a signal whose handler was set with `SA_RESTART`, by signal(7).
const RESTARTED: &[&str] = &["futex_wait", "futex", "flock", "fcntl", "wait4", "waitid", "openat", "open"];
/// The same if they are for one of these; others have time-outs, or end in any case.
const RESTARTED_ON: (&[&str], &[&str]) =
    (&["read", "write", "readv", "writev", "pread64", "pwrite64"], &["pipe", "file", "device"]);

/// Whether a call, as it is described, goes on after a signal. What is not known does not.
pub(super) fn goes_on_after_signal(call: &str) -> bool {
    match call.trim_end_matches(')').split_once('(') {
        None => RESTARTED.contains(&call),
        Some((name, of)) => {
            let (_, what) = of.rsplit_once(", ").unwrap_or_default();
            RESTARTED.contains(&name) || RESTARTED_ON.0.contains(&name) && RESTARTED_ON.1.contains(&what)
        }
    }
}

/// `/proc/<pid>/syscall` in words: `futex_wait`, `read(fd 7, pipe)`. `None` if the thread is in no call,
/// or in one that the table does not have.
pub(super) fn describe(text: &str, what_is: impl Fn(u32) -> Option<&'static str>) -> Option<String> {
    let mut words = text.split_ascii_whitespace();
    let number: libc::c_long = words.next()?.parse().ok()?;
    let (name, has_fd, _) = *CALLS.iter().chain(OLD_CALLS).find(|call| call.2 == number)?;
    let mut argument = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    if name == "futex" {
        let operation = argument().and_then(|_| argument());
        return Some(if operation.is_some_and(is_wait) { "futex_wait" } else { name }.to_owned());
    }
    let fd = if has_fd { argument().map(|fd| fd as u32) } else { None };
    Some(match fd.map(|fd| (fd, what_is(fd))) {
        Some((fd, Some(what))) => format!("{name}(fd {fd}, {what})"),
        Some((fd, None)) => format!("{name}(fd {fd})"),
        None => name.to_owned(),
    })
}

/// `FUTEX_WAIT`, `FUTEX_LOCK_PI`, `FUTEX_WAIT_BITSET`, `FUTEX_WAIT_REQUEUE_PI`, `FUTEX_LOCK_PI2`, with
/// whatever flags.
fn is_wait(operation: u64) -> bool {
    matches!(operation & 0x7f, 0 | 6 | 9 | 11 | 13)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_signal_would_end_is_left_alone() {
        for call in ["futex_wait", "read(fd 7, pipe)", "write(fd 1, device)", "flock(fd 3, file)"] {
            assert!(goes_on_after_signal(call), "{call}");
        }
        for call in ["poll", "ppoll", "epoll_wait(fd 3)", "clock_nanosleep", "recvfrom(fd 7, socket)"] {
            assert!(!goes_on_after_signal(call), "{call}");
        }
        for call in ["read(fd 8)", "read(fd 8, socket)", "in kernel (do_poll)", "in kernel", ""] {
            assert!(!goes_on_after_signal(call), "{call}");
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_call_is_named_with_what_it_waits_for() {
        let described = |text| describe(text, |fd| (fd == 7).then_some("socket"));
        for (text, said) in [
            ("202 0x7f00 0x80 0x2 0x0 0x0 0x0 0x7ffe 0x7f57", "futex_wait"),
            ("202 0x7f00 0x189 0x2 0x0 0x0 0x0 0x7ffe 0x7f57", "futex_wait"),
            ("202 0x7f00 0x81 0x2 0x0 0x0 0x0 0x7ffe 0x7f57", "futex"),
            ("45 0x7 0x0 0x0 0x0 0x0 0x0 0x0 0x0", "recvfrom(fd 7, socket)"),
            ("0 0x8 0x0 0x0 0x0 0x0 0x0 0x0 0x0", "read(fd 8)"),
            ("230 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0", "clock_nanosleep"),
            ("0", "read"),
        ] {
            assert_eq!(described(text).as_deref(), Some(said), "{text}");
        }
        for text in ["running", "-1 0x7ffe 0x7f57", "", "9999 0x1"] {
            assert_eq!(described(text), None, "{text}");
        }
    }
}
