//! Load shedding: a service that is overloaded says so, and takes it back when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pollscope::{Listen, overloaded, schedule_delay};

const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never saw that {what}; the delay is {:?}", schedule_delay());
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn works(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// One test, since there is one answer per process.
#[test]
fn a_queue_that_stays_is_an_overload_until_it_is_gone() {
    assert!(!overloaded(), "before init");
    assert_eq!(schedule_delay(), None);

    let guard = pollscope::builder().listen(Listen::Off).overload_limit(Duration::from_millis(20)).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    assert!(!overloaded(), "nothing runs");

    // Thirty tasks of two milliseconds in a ring: each waits 58 ms for its turn.
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..30)
        .map(|_| {
            let stop = Arc::clone(&stop);
            let turns = async move {
                while !stop.load(Ordering::Relaxed) {
                    works(Duration::from_millis(2));
                    tokio::task::yield_now().await;
                }
            };
            pollscope::spawn_on(turns, runtime.handle())
        })
        .collect();
    wait("it is overloaded", overloaded);
    let delay = schedule_delay().expect("it is known");
    assert!(delay >= Duration::from_millis(10), "{delay:?}");

    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        runtime.block_on(task).expect("it returns");
    }
    wait("it is over", || !overloaded());
    // Light work goes on, and the delay is known to be none.
    let light = pollscope::spawn_on(
        async {
            loop {
                tokio::task::yield_now().await;
            }
        },
        runtime.handle(),
    );
    wait("it is calm", || schedule_delay().is_some_and(|delay| delay < Duration::from_millis(10)));
    assert!(!overloaded());
    light.abort();

    drop(guard);
    assert!(!overloaded(), "after the guard is gone");
    assert_eq!(schedule_delay(), None);
    runtime.shutdown_timeout(PATIENCE);
}
