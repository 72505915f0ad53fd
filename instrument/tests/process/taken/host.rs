//! A service with pollscope's defaults, from before `init` until after its guard.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use super::state::State;
use super::{DONE, enter_own_folder, figure, files, page};
use crate::rig::{say, until, wait_for_test};

/// Times that the service's own callbacks were called.
static CALLED: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
/// Times that the service's own panic hook was called.
static PANICS: AtomicU64 = AtomicU64::new(0);

const OF_SERVICE: &str = "a panic of the service";

/// A slow poll: its evidence is kept.
const SLOW: Duration = Duration::from_millis(3);

fn called(which: usize) -> impl Fn() + Send + Sync + 'static {
    move || {
        CALLED[which].fetch_add(1, Ordering::Relaxed);
    }
}

/// A service's runtime with callbacks that `attach` leaves alone.
fn service() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).max_blocking_threads(400).enable_all();
    builder.on_thread_start(called(0)).on_thread_stop(called(1)).on_thread_unpark(called(2));
    pollscope::attach(&mut builder);
    builder.build().unwrap()
}

/// The number of new descriptors but for those by which the service's threads are told apart from a busy machine.
fn descriptors(now: &State, before: &State) -> usize {
    now.descriptors_since(before).iter().filter(|to| !to.contains("schedstat")).count()
}

/// Jobs of the blocking pool that all run at once.
fn run_jobs(runtime: &Runtime) -> usize {
    const JOBS: usize = 400;
    let before = State::now().descriptors_to("schedstat");
    let barrier = Arc::new(Barrier::new(JOBS + 1));
    let (began, begins) = channel();
    let jobs: Vec<_> = runtime.block_on(async {
        let job = |_| {
            let (began, barrier) = (began.clone(), barrier.clone());
            pollscope::spawn_blocking(move || {
                std::thread::sleep(SLOW);
                began.send(()).unwrap();
                barrier.wait();
            })
        };
        (0..JOBS).map(job).collect()
    });
    for _ in 0..JOBS {
        begins.recv().unwrap();
    }
    let kept = State::now().descriptors_to("schedstat") - before;
    barrier.wait();
    runtime.block_on(async {
        for job in jobs {
            job.await.unwrap();
        }
    });
    kept
}

/// Threads that poll tasks, all at once.
fn run_threads() -> usize {
    const THREADS: usize = 100;
    let barrier = Barrier::new(THREADS + 1);
    let kept = std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let runtime = Builder::new_current_thread().build().unwrap();
                let slow =
                    pollscope::task("slow").spawn_on(async { std::thread::sleep(SLOW) }, runtime.handle());
                runtime.block_on(slow).unwrap();
                barrier.wait();
                barrier.wait();
            });
        }
        barrier.wait();
        let kept = State::now().descriptors_to("schedstat");
        barrier.wait();
        kept
    });
    assert!(kept > 0, "they are told apart from a busy machine");
    kept
}

/// A stack of a blocked task is taken, which takes a signal and a thread for the names.
fn block(runtime: &Runtime) {
    let blocks = || std::thread::sleep(Duration::from_millis(300));
    runtime.block_on(async { pollscope::spawn(async move { blocks() }).await }).unwrap();
}

fn panics() {
    let panics = std::panic::catch_unwind(|| std::panic::panic_any(OF_SERVICE));
    assert!(panics.is_err());
}

/// See the module.
pub(crate) fn host() {
    let folder = enter_own_folder();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        if panic.payload().downcast_ref::<&str>() != Some(&OF_SERVICE) {
            hook(panic);
        }
    }));
    // Tokio has a pair of sockets for signals in each process whose runtimes have its feature `signal`, for ever.
    drop(Builder::new_current_thread().enable_all().build().unwrap());
    let alone = State::now();
    let runtime = service();
    let named =
        |state: &State| state.threads_since(&alone).iter().filter(|name| name.starts_with("tokio-")).count();
    until("the service's workers have their names", || named(&State::now()) == 2);
    runtime.block_on(async {});
    let before = State::now();
    assert!(files(&folder).is_empty());

    let guard = pollscope::init();
    until("as many threads as on the page say whose they are", || {
        State::now().threads().len() as u64 >= page::value("threads of `init`")
    });
    until("as many descriptors as on the page are there", || {
        descriptors(&State::now(), &before) as u64 >= page::value("descriptors of `init`")
    });
    let handlers = |state: &State| state.signals()[0] & !before.signals()[0];
    let stacks = super::takes_stacks();
    until("the signal's handler is set", || !stacks || handlers(&State::now()) != 0);
    let after = State::now();
    assert_eq!(after.threads(), ["pollscope-drain", "pollscope-io", "pollscope-watch"]);
    assert!(after.threads_since(&before).iter().all(|name| name.starts_with("pollscope-")));
    figure("threads of `init`", after.threads().len());
    figure("descriptors of `init`", descriptors(&after, &before));
    assert!(handlers(&after) & !(1 << (libc::SIGURG - 1)) == 0, "only SIGURG has a handler");
    figure("signals with a handler of ours", handlers(&after).count_ones());
    assert_eq!(after.signals()[1], before.signals()[1], "ignored signals");
    assert_eq!(after.settings, before.settings);
    figure("memory of `init`", after.anonymous_bytes.saturating_sub(before.anonymous_bytes));
    figure("addresses of `init`", after.address_bytes.saturating_sub(before.address_bytes));
    let socket = format!("pollscope/{}.sock", std::process::id());
    assert_eq!(files(&folder), ["pollscope", &socket]);
    figure("files of `init`", 1);
    panics();
    assert_eq!(PANICS.load(Ordering::Relaxed), 1);
    let subscribers = || u8::from(tracing::dispatcher::has_been_set()) + log::max_level() as u8;
    figure("subscribers and loggers set", subscribers());

    // The test attaches a viewer; then peers come that say nothing; then all go away.
    say(DONE);
    say(&guard.local_addr().unwrap().to_string());
    wait_for_test();
    let sockets = || State::now().descriptors_to("socket:");
    let without = after.descriptors_to("socket:");
    let of_viewer = sockets() - without;
    say("a viewer was seen");
    wait_for_test();
    let of_peers = sockets() - without;
    say("peers were seen");
    wait_for_test();
    figure("descriptors of a viewer", of_viewer);
    figure("descriptors of all peers", of_peers);
    until("peers that left hold nothing", || sockets() == without);

    figure("descriptors of 400 blocking jobs", run_jobs(&runtime));
    figure("descriptors of threads that poll", run_threads());
    // The handler and the names need a poll that blocks; its evidence has them.
    until("a stack has its names", || {
        block(&runtime);
        let report = guard.report().expect("it records");
        !stacks || report.slow_polls.iter().any(|poll| poll.stack.is_some())
    });
    let with_names = State::now();
    assert!(!stacks || with_names.threads().contains(&"pollscope-names"), "{:?}", with_names.threads());
    figure("threads while stacks get names", with_names.threads().len() - 3);
    assert_eq!(with_names.settings, before.settings);

    let begin = Instant::now();
    drop(guard);
    figure("time of the guard's end", begin.elapsed().as_secs());
    // One that reads debug information on a busy machine is left to end by itself.
    until("no stack gets names any more", || State::now().threads() != ["pollscope-names"]);
    let after = State::now();
    figure("threads after the end", after.threads().len());
    figure("handlers after the end", handlers(&after).count_ones());
    figure("descriptors after the end", descriptors(&after, &before));
    figure("subscribers set after the end", subscribers());
    assert_eq!(after.signals()[1], before.signals()[1]);
    assert_eq!(after.settings, before.settings);
    assert_eq!(files(&folder), ["pollscope"]);
    panics();
    assert_eq!(PANICS.load(Ordering::Relaxed), 2);

    drop(runtime);
    let after = State::now();
    assert_eq!(after.threads_since(&alone), [""; 0]);
    figure("descriptors after the runtime", after.descriptors_since(&alone).len());
    let calls = CALLED.each_ref().map(|called| called.load(Ordering::Relaxed));
    assert!(calls.iter().all(|calls| *calls > 0), "start, stop, unpark: {calls:?}");
    say(DONE);
}
