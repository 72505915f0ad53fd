//! One child process: one configuration, one workload, one measurement, printed as JSON.

#[cfg(feature = "rivals")]
mod rivals;

use std::future::Future;
use std::time::{Duration, Instant};

use pollscope::Flight;
use pollscope_model::entity::site::SiteDelta;
use pollscope_model::measured::Mode;
use pollscope_model::report::Report;

use crate::workload::{self, Measurement, POLLED, Plain, Spawner, Workload};

/// Pollscope's spawn.
#[derive(Clone)]
struct Wrapped;

impl Spawner for Wrapped {
    fn spawn<F>(&self, future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let handle = pollscope::spawn(future);
        async move { handle.await.expect("the workload's tasks do not panic") }
    }

    fn layer(&self, router: axum::Router) -> axum::Router {
        Hooked.layer(router)
    }
}

/// Tokio's spawn, and pollscope's layer for requests.
#[derive(Clone)]
struct Hooked;

impl Spawner for Hooked {
    fn spawn<F>(&self, future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Plain.spawn(future)
    }

    fn layer(&self, router: axum::Router) -> axum::Router {
        router.layer(pollscope::tower::layer())
    }
}

/// What a service writes by hand: two clock reads round each poll, and a shared maximum.
#[derive(Clone)]
struct TwoInstants;

static SLOWEST: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

impl Spawner for TwoInstants {
    fn spawn<F>(&self, future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut future = Box::pin(future);
        Plain.spawn(std::future::poll_fn(move |cx| {
            let start = Instant::now();
            let result = future.as_mut().poll(cx);
            let wall = start.elapsed().as_nanos() as u64;
            if wall > SLOWEST.load(std::sync::atomic::Ordering::Relaxed) {
                SLOWEST.store(wall, std::sync::atomic::Ordering::Relaxed);
            }
            result
        }))
    }
}

/// Runs one configuration; `None` if there is none of that name.
pub fn measure(config: &str, workload: Workload, ops: u64) -> Option<Measurement> {
    workload::prepare(workload);
    let plain = || workload::builder(workload).build().expect("a runtime");
    Some(match config {
        "plain" => workload::run(&plain(), &Plain, workload, ops),
        "two-instants" => workload::run(&plain(), &TwoInstants, workload, ops),
        #[cfg(feature = "rivals")]
        "tokio-metrics" => rivals::tokio_metrics(workload, ops),
        "empty-hooks" => {
            let mut builder = workload::builder(workload);
            #[cfg(tokio_unstable)]
            builder
                .on_task_spawn(|_| ())
                .on_task_terminate(|_| ())
                .on_before_task_poll(|_| ())
                .on_after_task_poll(|_| ());
            workload::run(&builder.build().expect("a runtime"), &Plain, workload, ops)
        }
        #[cfg(feature = "rivals")]
        "dial9" => rivals::dial9(workload, ops),
        #[cfg(feature = "rivals")]
        "tower-http-trace" => rivals::tower_http_trace(workload, ops),
        // The layer in a service that switched pollscope off.
        "layer-off" => workload::run(&plain(), &Hooked, workload, ops),
        "pollscope-wrap" => pollscope(workload, ops, Mode::Wrap, Flight::Demand, false),
        "pollscope-flight" => pollscope(workload, ops, Mode::Wrap, Flight::Always, false),
        "pollscope-hooks" => pollscope(workload, ops, Mode::Hooks, Flight::Demand, false),
        "pollscope-hooks-delay" => pollscope(workload, ops, Mode::Hooks, Flight::Demand, true),
        "pollscope-sample" => pollscope(workload, ops, Mode::Sample, Flight::Demand, false),
        _ => return None,
    })
}

/// With `delays` hooked tasks have their schedule delay.
fn pollscope(workload: Workload, ops: u64, mode: Mode, flight: Flight, delays: bool) -> Measurement {
    let builder = pollscope::builder().mode(mode).flight(flight).schedule_delay(delays);
    let guard = builder.listen(pollscope::Listen::Off).init();
    let mut builder = workload::builder(workload);
    if mode == Mode::Hooks {
        pollscope::attach(&mut builder);
    }
    let runtime = builder.build().expect("a runtime");
    pollscope::observe(runtime.handle(), "bench");
    let mut measurement = if mode == Mode::Wrap {
        workload::run(&runtime, &Wrapped, workload, ops)
    } else {
        workload::run(&runtime, &Hooked, workload, ops)
    };
    // A handle resolves before the hook that ends its task's last poll: look again until that is over.
    for patience in (0..50).rev() {
        guard.flush();
        measurement.lost = guard.report().map(|report| {
            lost(&report, mode, workload, ops) + if delays { polls_without_delay(&report) } else { 0 }
        });
        if measurement.lost == Some(0) || patience == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    measurement
}

/// What the report itself calls lost, and by how much it is wrong.
fn lost(report: &Report, mode: Mode, workload: Workload, ops: u64) -> u64 {
    // Counts: that one slow poll of many, or one end, has no row of its own is no count.
    let lost = report.losses.total() - report.losses.slow_polls - report.losses.ended_rows;
    lost + if mode == Mode::Sample { 0 } else { miscounted(report, mode, workload, ops) }
}

/// Each hooked poll has the delay before it.
fn polls_without_delay(report: &Report) -> u64 {
    report.sites.iter().map(|site| site.poll.count().abs_diff(site.sched.count())).sum()
}

/// By how much what was counted differs from what was done.
fn miscounted(report: &Report, mode: Mode, workload: Workload, ops: u64) -> u64 {
    let Some(expected) = expected(workload, ops) else { return 0 };
    let sum = |count: fn(&SiteDelta) -> u64| report.sites.iter().map(count).sum::<u64>();
    let mut wrong = expected.spawned.abs_diff(sum(|site| site.spawned));
    if let Some((polls, wakes)) = expected.polls_and_wakes {
        wrong += polls.abs_diff(sum(|site| site.poll.count()));
        // Hooks see no wakes.
        if mode == Mode::Wrap {
            wrong += wakes.abs_diff(sum(|site| site.wakes));
        }
    }
    wrong
}

/// What a tool that sees every task must have counted after [`workload::run`].
#[derive(Clone, Copy)]
struct Expected {
    /// Tasks.
    spawned: u64,
    /// Polls and wakes, where the workload alone decides how many there are.
    polls_and_wakes: Option<(u64, u64)>,
}

/// See [`Expected`]; `None` for tcp, whose clients are not the spawner's.
fn expected(workload: Workload, ops: u64) -> Option<Expected> {
    let warm_up = if workload == Workload::Live { 0 } else { workload::warm_up(ops) };
    let (mut spawned, mut polls, mut wakes) = (0, 0, 0);
    for ops in [warm_up, ops].into_iter().filter(|ops| *ops > 0) {
        spawned += match workload {
            Workload::Poll | Workload::PollTwo => POLLED,
            Workload::Mutex => 1,
            Workload::Spawn | Workload::SpawnTwo => 1 + ops,
            Workload::Pingpong => 2,
            // The task that asks, and the requests.
            Workload::Request => 1 + ops,
            Workload::Live => ops,
            Workload::Http => workload::http::CONNECTIONS,
            Workload::Tcp => return None,
        };
        // Each yield is a wake and a poll, and the poll that ends the task has no yield.
        wakes += ops / POLLED * POLLED;
        polls += ops / POLLED * POLLED + POLLED;
    }
    let polls_and_wakes = matches!(workload, Workload::Poll | Workload::PollTwo).then_some((polls, wakes));
    Some(Expected { spawned, polls_and_wakes })
}
