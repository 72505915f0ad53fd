//! What pollscope takes of the service's descriptors: none while it is off, few for each thread and runtime, and none
//! for a runtime that is gone. Each test is a process of its own.
#![cfg(target_os = "linux")]

use std::process::Command;
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use pollscope::Status;
use tokio::runtime::{Builder, Runtime};

const PATIENCE: Duration = Duration::from_secs(60);

/// Runs one test in a process of its own; whether this is that process.
#[expect(clippy::disallowed_methods, reason = "how the child knows what it is")]
fn alone(test: &str, switch: &str) -> bool {
    if std::env::var_os("POLLSCOPE_TEST_ALONE").is_some() {
        return true;
    }
    let status = Command::new(std::env::current_exe().expect("the test binary"))
        .args([test, "--exact", "--nocapture"])
        .env("POLLSCOPE_TEST_ALONE", "1")
        .env("POLLSCOPE", switch)
        .env("POLLSCOPE_LISTEN", "off")
        .status()
        .expect("the test binary starts");
    assert!(status.success(), "{test} failed in its own process");
    false
}

/// Open descriptors whose target holds the text.
fn open(what: &str) -> usize {
    let target = |entry: std::fs::DirEntry| std::fs::read_link(entry.path()).ok();
    let targets = std::fs::read_dir("/proc/self/fd").expect("/proc").filter_map(|fd| target(fd.ok()?));
    targets.filter(|target| target.to_string_lossy().contains(what)).count()
}

#[track_caller]
fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never saw that {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn runtime(attached: bool, threads: Option<usize>) -> Runtime {
    let mut builder =
        if threads.is_some() { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    if attached {
        pollscope::attach(&mut builder);
    }
    let runtime = builder.enable_all().build().expect("a runtime");
    if !attached {
        pollscope::observe(runtime.handle(), "one-of-many");
    }
    runtime
}

/// Runtimes of both kinds that come, work and go.
fn come_and_go(many: usize) {
    for nth in 0..many {
        let runtime = runtime(nth % 2 == 0, (nth % 4 < 2).then_some(1));
        runtime.block_on(async { pollscope::spawn(async {}).await.expect("returns") });
    }
}

#[test]
fn while_off_nothing_is_kept() {
    if !alone("while_off_nothing_is_kept", "off") {
        return;
    }
    let before = runtime(false, None);
    let guard = pollscope::init();
    assert_eq!(guard.status(), Status::Off);
    drop(before);
    come_and_go(64);
    assert_eq!(open("eventpoll"), 0);
}

#[test]
fn runtimes_that_are_gone_give_their_descriptors_back() {
    if !alone("runtimes_that_are_gone_give_their_descriptors_back", "wrap") {
        return;
    }
    let keeper = runtime(false, Some(1));
    let of_one = open("eventpoll");
    let guard = pollscope::init();
    come_and_go(300);
    let kept = open("eventpoll");
    assert!(kept <= 20 * of_one, "{kept} descriptors of runtimes that are gone");
    let newest = runtime(false, Some(2));
    wait("the newest runtime has its workers and nothing is missing", || {
        guard.flush();
        let report = guard.report().expect("recording");
        let live = report.runtimes.iter().filter(|runtime| !runtime.gone).map(|runtime| runtime.workers);
        assert_eq!(report.losses.runtimes_unseen, 0);
        live.max() == Some(2)
    });
    // Without one that comes: what stands still is asked after some seconds.
    wait("the last ones are given back", || open("eventpoll") <= 2 * of_one);
    drop((keeper, newest));
}

#[test]
fn runtimes_that_find_no_place_are_counted() {
    if !alone("runtimes_that_find_no_place_are_counted", "wrap") {
        return;
    }
    let builder = |_| Builder::new_current_thread().build().expect("a runtime");
    let early: Vec<Runtime> = (0..40).map(builder).collect();
    for runtime in &early {
        pollscope::observe(runtime.handle(), "early");
    }
    let guard = pollscope::init();
    let lost = || {
        guard.flush();
        guard.report().expect("recording").losses.runtimes_unseen
    };
    assert_eq!(lost(), 8, "32 before init");
    let late: Vec<Runtime> = (0..230).map(builder).collect();
    for runtime in &late {
        pollscope::observe(runtime.handle(), "late");
    }
    assert_eq!(lost(), 8 + 6, "256 in all");
    drop((early, late));
    let again = runtime(false, Some(1));
    assert_eq!(lost(), 8 + 6, "they are gone");
    drop(again);
}

#[test]
fn jobs_need_no_descriptor_and_threads_share_few() {
    if !alone("jobs_need_no_descriptor_and_threads_share_few", "wrap") {
        return;
    }
    let guard = pollscope::init();
    let runtime = Builder::new_multi_thread().worker_threads(1).max_blocking_threads(400).build();
    let runtime = runtime.expect("a runtime");
    let (began, begins) = channel();
    let barrier = std::sync::Arc::new(Barrier::new(401));
    let jobs: Vec<_> = runtime.block_on(async {
        let job = |_| {
            let (began, barrier) = (began.clone(), barrier.clone());
            pollscope::spawn_blocking(move || {
                // Slow, so that its evidence is kept.
                std::thread::sleep(Duration::from_millis(3));
                began.send(()).expect("the test waits");
                barrier.wait();
            })
        };
        (0..400).map(job).collect()
    });
    for _ in 0..400 {
        begins.recv_timeout(PATIENCE).expect("every job has a thread");
    }
    let of_jobs = open("schedstat");
    assert!(of_jobs <= 1, "{of_jobs} descriptors for 400 jobs");
    barrier.wait();
    runtime.block_on(async {
        for job in jobs {
            job.await.expect("returns");
        }
    });

    let threads = 150;
    let barrier = Barrier::new(threads + 1);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let runtime = Builder::new_current_thread().build().expect("a runtime");
                let slow = async { std::thread::sleep(Duration::from_millis(3)) };
                let local = pollscope::task("split").spawn_on(slow, runtime.handle());
                runtime.block_on(local).expect("returns");
                barrier.wait();
                barrier.wait();
            });
        }
        barrier.wait();
        let of_threads = open("schedstat");
        assert!((1..=64).contains(&of_threads), "{of_threads} descriptors for {threads} threads");
        barrier.wait();
    });
    guard.flush();
    let report = guard.report().expect("recording");
    let split = report.slow_polls.iter().filter(|poll| poll.busy_ns.is_some()).count();
    assert!(split > 0, "those without a descriptor of their own are split too");
    wait("their descriptors are closed", || open("schedstat") <= 1);
}
