//! The workloads, the same code for every configuration: only who spawns differs. Shared with the
//! `console` package by path.

#[path = "workload/http.rs"]
pub mod http;
#[path = "workload/request.rs"]
mod request;
#[path = "workload/tcp.rs"]
mod tcp;

use std::future::Future;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

/// Spawns a task the way one configuration does.
pub trait Spawner: Clone + Send + Sync + 'static {
    /// Spawns, and returns what resolves to the task's output.
    fn spawn<F>(&self, future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// The router with the layer that the configuration has for requests, if it has one.
    fn layer(&self, router: axum::Router) -> axum::Router {
        router
    }
}

/// Tokio's own spawn.
#[derive(Clone)]
pub struct Plain;

impl Spawner for Plain {
    fn spawn<F>(&self, future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let handle = tokio::spawn(future);
        async move { handle.await.expect("the workload's tasks do not panic") }
    }
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Workload {
    /// Tasks that `yield_now` in a loop on one worker; an operation is a poll.
    Poll,
    /// The same on two workers, which steal from each other.
    PollTwo,
    /// Spawns an empty task and awaits it, in a loop, on one worker.
    Spawn,
    /// The same on two workers: each spawn wakes the other one, which mostly finds nothing to do and sleeps
    /// again, so that a good third of the time is the kernel's.
    SpawnTwo,
    /// Two tasks on one worker that hand a message back and forth; an operation is a message.
    Pingpong,
    /// One task that locks and unlocks a `tokio::sync::Mutex` that no other task wants; an operation is both.
    Mutex,
    /// A hyper service at saturation: connections of another process with requests back to back, a task for
    /// each; an operation is a request.
    Http,
    /// The same without a protocol to read, where each request is answered by a task of its own; the clients
    /// are tasks of this process.
    Tcp,
    /// An axum router that one task asks again and again, without a network; an operation is a request.
    Request,
    /// Tasks that all stay alive, idle; an operation is a task, and what counts is the memory.
    Live,
}

impl Workload {
    /// The workload of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "poll" => Self::Poll,
            "poll-two" => Self::PollTwo,
            "spawn" => Self::Spawn,
            "spawn-two" => Self::SpawnTwo,
            "pingpong" => Self::Pingpong,
            "mutex" => Self::Mutex,
            "http" => Self::Http,
            "tcp" => Self::Tcp,
            "request" => Self::Request,
            "live" => Self::Live,
            _ => return None,
        })
    }
}

/// What one child measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measurement {
    /// CPU time of the whole process per operation.
    pub cpu_ns: f64,
    /// Wall time per operation.
    pub wall_ns: f64,
    /// Resident memory that the workload added, at its end.
    pub rss_bytes: u64,
    /// What the tool itself says that it lost; `None` if it does not say.
    pub lost: Option<u64>,
}

/// Tasks that yield in turn: enough that a worker looks at its timers and sockets once in many polls, as
/// it does under load, and not after every other one.
pub const POLLED: u64 = 64;

/// To be called before the process has threads.
pub fn prepare(workload: Workload) {
    if workload == Workload::Http {
        http::cpu::leave_one();
    }
}

/// Operations before those that are measured.
pub fn warm_up(ops: u64) -> u64 {
    (ops / 10).max(1)
}

/// Runs the workload with `ops` operations, after those of [`warm_up`].
pub fn run<S: Spawner>(runtime: &Runtime, spawner: &S, workload: Workload, ops: u64) -> Measurement {
    if workload != Workload::Live {
        runtime.block_on(once(spawner.clone(), workload, warm_up(ops)));
    }
    let service = (workload == Workload::Http).then(|| runtime.block_on(http::open(spawner, ops)));
    let rss = resident_bytes();
    let (cpu, wall) = (cpu_time(), Instant::now());
    match service {
        Some(service) => runtime.block_on(service.serve()),
        None => runtime.block_on(once(spawner.clone(), workload, ops)),
    }
    let (cpu, wall) = (cpu_time().saturating_sub(cpu), wall.elapsed());
    Measurement {
        cpu_ns: cpu.as_nanos() as f64 / ops as f64,
        wall_ns: wall.as_nanos() as f64 / ops as f64,
        rss_bytes: resident_bytes().saturating_sub(rss),
        lost: None,
    }
}

async fn once<S: Spawner>(spawner: S, workload: Workload, ops: u64) {
    match workload {
        Workload::Poll | Workload::PollTwo => poll(&spawner, ops).await,
        Workload::Mutex => mutex(&spawner, ops).await,
        Workload::Spawn | Workload::SpawnTwo => spawn(spawner, ops).await,
        Workload::Pingpong => pingpong(&spawner, ops).await,
        Workload::Http => http::open(&spawner, ops).await.serve().await,
        Workload::Tcp => tcp::run(spawner, ops).await,
        Workload::Request => request::ask(&spawner, ops).await,
        Workload::Live => live(&spawner, ops).await,
    }
}

async fn poll<S: Spawner>(spawner: &S, ops: u64) {
    let tasks: Vec<_> = (0..POLLED)
        .map(|_| {
            spawner.spawn(async move {
                for _ in 0..ops / POLLED {
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await;
    }
}

async fn spawn<S: Spawner>(spawner: S, ops: u64) {
    let inner = spawner.clone();
    spawner
        .spawn(async move {
            for _ in 0..ops {
                inner.spawn(async {}).await;
            }
        })
        .await;
}

async fn pingpong<S: Spawner>(spawner: &S, ops: u64) {
    let (to, mut from) = tokio::sync::mpsc::channel::<u64>(1);
    let (back, mut returned) = tokio::sync::mpsc::channel::<u64>(1);
    let echo = spawner.spawn(async move {
        while let Some(message) = from.recv().await {
            if back.send(message).await.is_err() {
                break;
            }
        }
    });
    let drive = spawner.spawn(async move {
        for message in 0..ops / 2 {
            to.send(message).await.expect("the echo task lives");
            returned.recv().await.expect("the echo task lives");
        }
    });
    drive.await;
    echo.await;
}

async fn mutex<S: Spawner>(spawner: &S, ops: u64) {
    let number = std::sync::Arc::new(tokio::sync::Mutex::new(0_u64));
    let task = spawner.spawn(async move {
        for _ in 0..ops {
            *number.lock().await += 1;
        }
    });
    task.await;
}

/// Leaves the tasks alive: the process ends with them.
async fn live<S: Spawner>(spawner: &S, ops: u64) {
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let started = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    for _ in 0..ops {
        let (gate, started) = (gate.clone(), started.clone());
        drop(spawner.spawn(async move {
            started.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            gate.notified().await;
        }));
    }
    while started.load(std::sync::atomic::Ordering::Relaxed) < ops {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    std::mem::forget(gate);
}

/// CPU time of this process, all threads.
pub fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Resident memory of this process; 0 where `/proc` is not to be had.
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|field| field.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// The runtime builder of every configuration.
pub fn builder(workload: Workload) -> tokio::runtime::Builder {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let workers = match workload {
        // On two workers a message costs twice as much or not, by where tokio happens to put the two tasks; and the
        // load on the service has a core of its own.
        Workload::Poll | Workload::Spawn | Workload::Pingpong | Workload::Http | Workload::Request => 1,
        Workload::PollTwo | Workload::SpawnTwo | Workload::Mutex | Workload::Tcp | Workload::Live => 2,
    };
    builder.enable_all().worker_threads(workers);
    builder
}
