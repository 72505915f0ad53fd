//! A thread that ran a runtime and left it: what it waits for then is not ours to interrupt.
#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pollscope_model::measured::Mode;

use crate::observed::worker;
use crate::rig::Rig;

/// Long enough for some looks at a runtime that stands still.
const LONG: Duration = Duration::from_millis(1_500);

/// A read with a time-out, which a signal ends: std gives such an end to its caller.
fn waits_for_nothing() -> ErrorKind {
    let (mut here, _there) = UnixStream::pair().unwrap();
    here.set_read_timeout(Some(LONG)).unwrap();
    here.read(&mut [0]).unwrap_err().kind()
}

#[test]
fn a_call_outside_of_the_runtime_is_not_interrupted() {
    let rig = Rig::start(Mode::Sample);
    let is_known = Arc::new(AtomicBool::new(false));
    let may_leave = Arc::clone(&is_known);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        pollscope::observe(runtime.handle(), "outside");
        // Only workers that work are asked who they are.
        runtime.block_on(async {
            while !may_leave.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        // The runtime stands still, with counters that say that it works.
        let waited = waits_for_nothing();
        drop(runtime);
        waited
    });
    rig.until("its thread", |seen| worker(seen, "outside", 0)?.tid);
    is_known.store(true, Ordering::Relaxed);
    while !thread.is_finished() {
        assert!(rig.seen().stalls().next().is_none(), "nothing is stuck");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(thread.join().unwrap(), ErrorKind::WouldBlock, "the time was up");
    rig.end();
}
