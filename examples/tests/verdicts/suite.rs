//! Every fault of the demo as the body of a test, and its repaired twin. For `verdicts.rs`, which checks each once,
//! and for the example `verdict_rates`, which counts false alarms and misses of many.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Slot, Spin, Take};
use pollscope::check::{Flavor, Judged, Level, Session};
use tokio::sync::{Notify, oneshot};

#[path = "futures.rs"]
mod futures;

const MS: Duration = Duration::from_millis(1);

/// One fault.
pub(crate) struct Case {
    /// As the demo calls it. The line that ends with `// site: NAME` spawns the tasks that show it.
    pub(crate) name: &'static str,
    /// Who must find it.
    pub(crate) detector: &'static str,
    /// What the poll did, for polls.
    pub(crate) kinds: &'static [&'static str],
    /// The function that ran, for polls.
    pub(crate) function: Option<&'static str>,
    /// Runs it, faulty or repaired, under the same limits.
    pub(crate) run: fn(bool) -> Judged<()>,
}

const fn case(name: &'static str, detector: &'static str, run: fn(bool) -> Judged<()>) -> Case {
    Case { name, detector, kinds: &[], function: None, run }
}

/// All of them.
pub(crate) const ALL: [Case; 9] = [
    Case {
        kinds: &["blocked"],
        function: Some("load_prices"),
        ..case("blocking", "blocking-poll", blocking)
    },
    // On a machine that is short of CPU the thread is without one for longer than it computes.
    Case { kinds: &["busy"], function: Some("checksum"), ..case("cpu", "blocking-poll", cpu) },
    case("forgotten", "forgotten-task", forgotten),
    case("lost-waker", "lost-waker", lost_waker),
    case("self-wake", "self-wake-storm", self_wake),
    case("leak", "task-leak", leak),
    case("starve", "sched-delay", starve),
    case("tail", "tail-latency", tail),
    case("panic", "swallowed-panic", panic),
];

/// What every test here asks for.
fn session(name: &str, workers: usize) -> Session {
    Session::new(name)
        .flavor(Flavor::MultiThread)
        .worker_threads(workers)
        .leaks(Level::Deny)
        .forgotten(Level::Deny)
        .timeout(Duration::from_secs(120))
}

#[inline(never)]
fn load_prices() {
    std::thread::sleep(50 * MS);
}

fn blocking(faulty: bool) -> Judged<()> {
    session("blocking", 2).max_poll(10 * MS).run(async move {
        let render = async move {
            tokio::time::sleep(MS).await;
            if faulty {
                load_prices();
            } else {
                pollscope::spawn_blocking(load_prices).await.expect("returns");
            }
        };
        let render = pollscope::task("render_cart").spawn(render); // site: blocking
        render.await.expect("returns");
    })
}

/// Time that this thread has had a CPU; on other systems than Linux, time as such.
fn on_cpu() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ran = told.and_then(|text| text.split(' ').next()?.parse().ok());
    ran.map_or_else(|| std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default(), Duration::from_nanos)
}

#[inline(never)]
fn checksum(time: Duration) -> u64 {
    let until = on_cpu() + time;
    let mut hasher = DefaultHasher::new();
    while on_cpu() < until {
        (0..2_000_u32).for_each(|block| block.hash(&mut hasher));
    }
    hasher.finish()
}

fn cpu(faulty: bool) -> Judged<()> {
    session("cpu", 2).max_poll(10 * MS).run(async move {
        let upload = async move {
            if faulty {
                black_box(checksum(50 * MS));
            } else {
                pollscope::spawn_blocking(|| black_box(checksum(50 * MS))).await.expect("returns");
            }
        };
        let upload = pollscope::task("checksum").spawn(upload); // site: cpu
        upload.await.expect("returns");
    })
}

fn forgotten(faulty: bool) -> Judged<()> {
    let outstanding = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&outstanding);
    let judged = session("forgotten", 2).run(async move {
        let mut requests = Vec::new();
        for id in 0..5_u32 {
            let (sender, receiver) = oneshot::channel();
            let reply = async move { receiver.await.unwrap_or(0) };
            let request = pollscope::task("await_reply").spawn(reply); // site: forgotten
            if faulty && id == 2 {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
            } else {
                sender.send(id).expect("it waits");
                requests.push(request);
            }
        }
        for request in requests {
            request.await.expect("returns");
        }
    });
    drop(outstanding);
    judged
}

fn lost_waker(faulty: bool) -> Judged<()> {
    session("lost-waker", 2).run(async move {
        let slot = Arc::new(Slot::default());
        let taken = Take(Arc::clone(&slot), !faulty);
        let take = pollscope::task("take_slot").spawn(taken); // site: lost-waker
        tokio::time::sleep(5 * MS).await;
        if !faulty {
            slot.free();
            take.await.expect("returns");
        }
    })
}

fn self_wake(faulty: bool) -> Judged<()> {
    session("self-wake", 2).run(async move {
        let ready = Arc::new(Notify::new());
        let signal = Arc::clone(&ready);
        let wait = async move { if faulty { Spin::default().await } else { signal.notified().await } };
        let wait = pollscope::task("wait_for_flag").spawn(wait); // site: self-wake
        ready.notify_one();
        wait.await.expect("returns");
    })
}

fn leak(faulty: bool) -> Judged<()> {
    session("leak", 2).run(async move {
        for _ in 0..5 {
            let closed = Arc::new(Notify::new());
            let watcher = Arc::clone(&closed);
            let watch = async move { watcher.notified().await };
            pollscope::task("watcher").spawn(watch); // site: leak
            tokio::time::sleep(MS).await;
            if !faulty {
                closed.notify_one();
            }
        }
    })
}

fn starve(faulty: bool) -> Judged<()> {
    session("starve", 1).max_sched_delay(50 * MS).run(async move {
        let mut jobs = Vec::new();
        for _ in 0..16 {
            let compress = async move {
                if faulty {
                    black_box(checksum(8 * MS));
                } else {
                    pollscope::spawn_blocking(|| black_box(checksum(MS / 4))).await.expect("returns");
                }
            };
            jobs.push(pollscope::task("compress").spawn(compress)); // site: starve
        }
        for job in jobs {
            job.await.expect("returns");
        }
    })
}

fn tail(faulty: bool) -> Judged<()> {
    session("tail", 2).deny("tail-latency").run(async move {
        let mut lookups = Vec::new();
        for request in 0..300_u32 {
            let cached = !faulty || !request.is_multiple_of(20);
            let lookup = async move { tokio::time::sleep(if cached { 2 * MS } else { 400 * MS }).await };
            lookups.push(pollscope::task("lookup").spawn(lookup)); // site: tail
        }
        for lookup in lookups {
            lookup.await.expect("returns");
        }
    })
}

fn panic(faulty: bool) -> Judged<()> {
    session("panic", 2).run(async move {
        let import = async move {
            // As a panic does, but without its message.
            std::panic::resume_unwind(Box::new("an input is a number"));
        };
        let import = pollscope::task("import").spawn(import); // site: panic
        if faulty {
            drop(import);
            // The panic may take until after the body; it is waited for, as all that is about to end.
        } else {
            assert!(import.await.expect_err("it panics").is_panic());
        }
    })
}
