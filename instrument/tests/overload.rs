//! Load shedding: a service that is overloaded says so, and takes it back when it is over.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pollscope::{Listen, overloaded, schedule_delay};
use tokio::runtime::Builder;

const PATIENCE: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_millis(20);

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

/// Sixty tasks of two milliseconds in a ring: each waits 118 ms for its turn. By hooks alone about half of that
/// is seen, since tasks that yield are in no queue until the worker has looked round.
struct Ring {
    stop: Arc<AtomicBool>,
}

impl Ring {
    fn start(mut spawn: impl FnMut(Pin<Box<dyn Future<Output = ()> + Send>>)) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..60 {
            let stop = Arc::clone(&stop);
            spawn(Box::pin(async move {
                while !stop.load(Ordering::Relaxed) {
                    works(Duration::from_millis(2));
                    tokio::task::yield_now().await;
                }
            }));
        }
        Self { stop }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        wait("all tasks returned", || Arc::strong_count(&self.stop) == 1);
    }
}

/// One test, since there is one answer per process.
#[test]
fn a_queue_that_stays_is_an_overload_until_it_is_gone() {
    assert!(!overloaded(), "before init");
    assert_eq!(schedule_delay(), None);

    let guard = pollscope::builder().listen(Listen::Off).overload_limit(LIMIT).init();
    let runtime = Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    assert!(!overloaded(), "nothing runs");
    let ring = Ring::start(|task| drop(pollscope::spawn_on(task, runtime.handle())));
    wait("it is overloaded", overloaded);
    let delay = schedule_delay().expect("it is known");
    assert!(delay >= LIMIT / 2, "{delay:?}");
    ring.stop();
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
    wait("it is calm", || schedule_delay().is_some_and(|delay| delay < LIMIT / 2));
    assert!(!overloaded());
    light.abort();
    drop(guard);
    assert!(!overloaded(), "after the guard is gone");
    assert_eq!(schedule_delay(), None);
    runtime.shutdown_timeout(PATIENCE);

    #[cfg(tokio_unstable)]
    hooks_alone();
}

/// It is unknown how long the tasks wait, but not how many do.
#[cfg(tokio_unstable)]
fn hooks_alone() {
    let guard = pollscope::builder().listen(Listen::Off).overload_limit(LIMIT).init();
    let mut builder = Builder::new_multi_thread();
    pollscope::attach(builder.worker_threads(1));
    let runtime = builder.build().expect("a runtime");
    let ring = Ring::start(|task| drop(runtime.spawn(task)));
    wait("it is overloaded, by hooks alone", overloaded);
    ring.stop();
    wait("it is over, by hooks alone", || !overloaded());
    drop(guard);
    runtime.shutdown_timeout(PATIENCE);
}
