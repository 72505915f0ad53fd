//! Starts every thread of pollscope. Each is named `pollscope-…` and takes none of the service's signals.
//!
//! A signal that is sent to a process goes to any thread that does not block it. A service may block `SIGTERM`
//! after `init` and take it with `sigwait`, a `signalfd` or a thread of its own; a thread of ours that did not
//! block it would receive it, and its default action would end the process. So signals are blocked in the
//! starting thread before the start, the new thread inherits the mask, and the starting thread's own mask is put
//! back, also where no thread could be started. `SIGPIPE` and `SIGXFSZ` go to the thread that writes: blocked,
//! they turn into the errors of that write, whatever action the service has set.
//!
//! Every room that needs a thread calls this one; the tidy test forbids `std::thread`'s own ways to start one.
//! Runtimes of ours are built with [`prefixed`] names, since their threads start on ours and inherit the mask.

use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::setup::fork;

/// What the names of all threads begin with. The kernel keeps the first 15 bytes of a name.
pub(crate) fn prefixed(name: &str) -> String {
    format!("pollscope-{name}")
}

/// Starts the thread `pollscope-NAME`. From the first one on forks are recognised, since a child has none of them.
pub(crate) fn start<T, F>(name: &str, work: F) -> io::Result<JoinHandle<T>>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    fork::watch();
    let _blocked = Blocked::begin();
    Builder::new().name(prefixed(name)).spawn(work)
}

/// Waits for a thread's end, but not beyond the deadline. `false` if it has not come: the thread is left behind, and
/// ends when what holds it lets it go.
pub(crate) fn join<T>(thread: JoinHandle<T>, deadline: Instant) -> bool {
    let mut pause = Duration::from_micros(50);
    while !thread.is_finished() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(1));
    }
    // Its work is done; what it still does is to give its stack back.
    let _ = thread.join();
    true
}

/// Runs something on the thread `pollscope-NAME` and waits for it. `None` if no thread could be started or it
/// panicked.
#[cfg(all(feature = "check", feature = "recording"))]
pub(crate) fn run<T, F>(name: &str, work: F) -> Option<T>
where
    T: Send,
    F: FnOnce() -> T + Send,
{
    std::thread::scope(|scope| {
        let thread = {
            let _blocked = Blocked::begin();
            Builder::new().name(prefixed(name)).spawn_scoped(scope, work)
        };
        thread.ok()?.join().ok()
    })
}

/// Lets the calling thread, which is one of ours, take a signal that the service has set aside for pollscope.
#[cfg(all(unix, feature = "recording"))]
pub(crate) fn unblock(signal: libc::c_int) {
    mask::unblock(signal);
}

#[cfg(unix)]
use mask::Blocked;

#[cfg(unix)]
mod mask {
    //! The calling thread's mask of signals.

    use std::mem::MaybeUninit;
    use std::ptr;

    use libc::{c_int, sigset_t};

    /// Stay as the starting thread has them: the signals that an instruction of the thread itself causes, where
    /// the kernel ends the process if they are blocked, and the one with which profilers sample all threads.
    /// `SIGABRT` is not among them: `abort` unblocks it itself.
    const LEFT: [c_int; 7] =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS, libc::SIGPROF];

    /// Blocks signals in the calling thread until it is dropped, on that thread.
    pub(super) struct Blocked {
        before: sigset_t,
    }

    impl Blocked {
        #[expect(unsafe_code, reason = "the standard library has no masks of signals")]
        pub(super) fn begin() -> Self {
            let mut all = MaybeUninit::<sigset_t>::uninit();
            let mut before = MaybeUninit::<sigset_t>::zeroed();
            // SAFETY: `sigfillset` initialises `all` before it is changed and read; all zeros is a valid (empty)
            // set, should the last call not write `before`; both live until the end of the calls, which change
            // the mask of this thread alone.
            unsafe {
                libc::sigfillset(all.as_mut_ptr());
                for signal in LEFT {
                    libc::sigdelset(all.as_mut_ptr(), signal);
                }
                libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr());
                Self { before: before.assume_init() }
            }
        }
    }

    impl Drop for Blocked {
        #[expect(unsafe_code, reason = "the standard library has no masks of signals")]
        fn drop(&mut self) {
            // SAFETY: `before` is a set that the kernel wrote; the call changes the mask of this thread alone.
            unsafe {
                libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut());
            }
        }
    }

    #[cfg(feature = "recording")]
    #[expect(unsafe_code, reason = "the standard library has no masks of signals")]
    pub(super) fn unblock(signal: c_int) {
        let mut one = MaybeUninit::<sigset_t>::uninit();
        // SAFETY: `sigemptyset` initialises `one` before it is changed and read, and it lives until the end of the
        // calls, which change the mask of this thread alone.
        unsafe {
            libc::sigemptyset(one.as_mut_ptr());
            libc::sigaddset(one.as_mut_ptr(), signal);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, one.as_ptr(), ptr::null_mut());
        }
    }
}

/// There are no signals.
#[cfg(not(unix))]
struct Blocked;

#[cfg(not(unix))]
impl Blocked {
    fn begin() -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_thread_that_hangs_is_left_behind_and_one_that_ends_is_not() {
        let (release, held) = channel::<()>();
        let hangs = start("hangs", move || held.recv()).expect("a thread");
        assert!(!join(hangs, Instant::now() + Duration::from_millis(20)));
        drop(release);

        let panics = start("panics", || std::panic::resume_unwind(Box::new("a test"))).expect("a thread");
        assert!(join::<()>(panics, Instant::now() + Duration::from_secs(60)));
    }
}
