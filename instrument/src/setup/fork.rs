//! Forks without exec, as of daemons and preforking servers: the child has the memory of the process and one of its
//! threads, and none of ours. So everything is off in it, from its first instruction on: it records nothing, waits for
//! no thread of ours, holds no socket and no file of its parent's ([`held`]), and starts nothing.
//!
//! The C library calls a function of ours in the child, which only stores into atomics and closes descriptors, as is
//! allowed there. It is registered with the first thread of ours (`own_thread`) and for the
//! process's life, costs the parent nothing, and the recording path has no check. A page that the kernel wipes at a
//! fork (`MADV_WIPEONFORK`) would do the same for the switch, also where a program forks by a bare `clone`, which calls
//! no such functions; but it closes no socket, and it has to lie in memory that is private to the process and its own,
//! which is not so for a variable in every way to link a program. In a child by a bare `clone` guards and `init` still
//! find that the process is another one; its recorder stays on, within its bounds, and it keeps the sockets.

#[cfg(any(feature = "export", feature = "recording"))]
pub(crate) mod held;

#[cfg(unix)]
use pollscope_recorder::{Recorder, session, thread};

use crate::setup::switches;

/// Process-wide since the C library calls the function in the child with nothing of ours.
#[cfg(unix)]
static FORKS: Forks = Forks {
    watched: std::sync::Once::new(),
    #[cfg(any(feature = "export", feature = "recording"))]
    held: held::Places::new(),
};

#[cfg(unix)]
struct Forks {
    /// The function is registered.
    watched: std::sync::Once,
    #[cfg(any(feature = "export", feature = "recording"))]
    held: held::Places,
}

/// Whether this process is the child of one in which pollscope ran when it was forked, without an `exec` since.
pub(crate) fn is_child() -> bool {
    let owner = switches::running_in();
    switches::is_forked() || owner != 0 && owner != std::process::id()
}

/// Recognises forks from now on. Where the C library has no room for it, [`is_child`] still tells.
#[cfg(unix)]
#[expect(unsafe_code, reason = "std tells of no forks")]
pub(crate) fn watch() {
    FORKS.watched.call_once(|| {
        // SAFETY: the function exists for the process's life and does only what is allowed in a child that has one
        // of several threads: see there.
        unsafe {
            libc::pthread_atfork(None, None, Some(in_child));
        }
    });
}

/// There are no forks.
#[cfg(not(unix))]
pub(crate) fn watch() {}

/// Called in every forked child before `fork` returns, also in one that is about to call `exec`: takes no lock and no
/// memory, and cannot panic.
#[cfg(unix)]
extern "C" fn in_child() {
    switches::begin_child(switches::running_in() != 0 || session::any());
    Recorder::global().stop_in_child();
    thread::keep_only_this_in_child();
    #[cfg(any(feature = "export", feature = "recording"))]
    held::close_in_child();
}
