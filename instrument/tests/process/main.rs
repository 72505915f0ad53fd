//! What pollscope does to the process around it. Each case is a process of its own, because it changes what a
//! process has one of: signals, descriptors, globals, its end.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

mod abort;
mod allocator;
mod end;
mod events;
mod fork;
mod pipe;
mod rig;
mod signals;
mod taken;

/// Is the child process of one of the tests. Over at once where it is run by itself.
#[test]
fn child() {
    match rig::program().as_deref() {
        None => {}
        Some("allocates") => allocator::allocates(),
        Some("threads") => signals::threads(),
        Some("sigwait") => signals::waits_for_sigterm(),
        Some("dump") => signals::dumps_on_a_signal(),
        Some("hangs") => end::ends_while_a_thread_hangs(),
        Some("logs") => events::logs(),
        Some("host") => taken::host(),
        Some("everything") => taken::has_everything(),
        Some("off") => taken::is_off(),
        Some("again") => taken::ends_again_and_again(),
        Some("tasks") => taken::holds_tasks(),
        Some("exits") => taken::exits(),
        Some("viewed") => pipe::is_viewed(),
        Some("aborts") => abort::aborts(),
        Some("forks") => fork::forks_in_the_midst(),
        Some("outlived") => fork::is_outlived(),
        Some("preforks") => fork::preforks(),
        Some(other) => panic!("no such program: {other}"),
    }
}
