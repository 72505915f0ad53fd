//! A thread of which no stack can be taken: what it does is told all the same, and why there is no line.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use pollscope::Listen;
use pollscope_model::dict::Dictionary;

use crate::engine;

const DEADLINE: Duration = Duration::from_secs(60);

#[expect(unsafe_code, reason = "std blocks no signals")]
fn block_all_signals() {
    // SAFETY: the mask of this thread alone, in a set that all zeros made valid already.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}

#[test]
fn a_thread_that_blocks_all_signals_has_a_reason_instead_of_a_stack() {
    let Some(_alone) = engine() else { return };
    let guard = pollscope::builder().listen(Listen::Off).try_init().expect("the only one here");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let (release, until) = channel::<()>();
    let blocks = async move {
        block_all_signals();
        let _ = until.recv();
    };
    let task = pollscope::spawn_on(blocks, runtime.handle());
    let begin = Instant::now();
    let why = loop {
        let report = guard.report().expect("it records");
        let mut dict = Dictionary::default();
        report.dict.into_iter().for_each(|entry| dict.insert(entry));
        let stack = report.stalls.iter().find_map(|stall| dict.stack(stall.stack?));
        if let Some(stack) = stack {
            assert!(stack.frames.is_empty(), "{stack:?}");
            assert!(report.stalls.iter().any(|stall| stall.waiting_in.is_some()), "{:?}", report.stalls);
            break stack.why.clone();
        }
        assert!(begin.elapsed() < DEADLINE, "{:?}", report.stalls);
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(why.as_deref(), Some("the thread blocks the signal SIGURG"));
    drop(release);
    runtime.block_on(task).expect("it ends");
    drop(runtime);
    drop(guard);
}
