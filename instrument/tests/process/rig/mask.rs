//! Signals as programs use them that were not written in Rust's ways: masks, `sigwait`, default actions.
#![expect(unsafe_code, reason = "the standard library has no masks of signals")]

use std::mem::MaybeUninit;

use libc::{c_int, sigset_t};

fn set(signals: &[c_int]) -> sigset_t {
    let mut set = MaybeUninit::<sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set before it is changed and read.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

fn change(how: c_int, signals: &[c_int]) {
    let set = set(signals);
    // SAFETY: the set lives until the end of the call, which changes the mask of this thread alone.
    assert_eq!(unsafe { libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut()) }, 0);
}

/// Blocks a signal in this thread, and in processes and threads that it starts from now on.
pub(crate) fn block(signal: c_int) {
    change(libc::SIG_BLOCK, &[signal]);
}

pub(crate) fn unblock(signal: c_int) {
    change(libc::SIG_UNBLOCK, &[signal]);
}

/// Waits for a signal that is blocked.
pub(crate) fn wait_for(signal: c_int) -> c_int {
    let (set, mut came) = (set(&[signal]), 0);
    // SAFETY: both live until the end of the call, which writes `came`.
    assert_eq!(unsafe { libc::sigwait(&raw const set, &raw mut came) }, 0);
    came
}

/// Sends a signal to this process, as a supervisor does.
pub(crate) fn send_to_process(signal: c_int) {
    // SAFETY: the call has no arguments that point anywhere.
    assert_eq!(unsafe { libc::kill(libc::getpid(), signal) }, 0);
}

/// Gives a signal its default action, which the standard library takes from `SIGPIPE`.
pub(crate) fn set_default_action(signal: c_int) {
    // SAFETY: no handler is set that could run.
    assert_ne!(unsafe { libc::signal(signal, libc::SIG_DFL) }, libc::SIG_ERR);
}

/// Ends this process at once.
pub(crate) fn end_process() {
    // SAFETY: the call has no arguments that point anywhere.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
}
