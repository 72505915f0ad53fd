//! What one tick of pollscope's drain costs beside tasks that are alive: it must grow with those that
//! changed, not with those that exist. Two child processes for each row.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pollscope::Listen;
use pollscope_model::measured::Mode;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::workload::{self, Workload};

/// Tasks alive.
pub const ALIVE: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// The same for a quick run.
pub const ALIVE_QUICK: [u64; 2] = [1_000, 10_000];

const MOST_CHANGED: u64 = 10_000;
const TICKS: usize = 15;
/// Longer than the benchmark takes: only the ticks that are measured happen.
const INTERVAL: Duration = Duration::from_secs(60);

/// One row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drained {
    /// Tasks alive.
    pub alive: u64,
    /// Of them, polled since the tick before.
    pub changed: u64,
    /// Median CPU time of a tick.
    pub tick_ns: f64,
    /// The same with the report encoded and written to a recording.
    pub recorded_ns: f64,
    /// Whether every wake was counted exactly.
    pub exact: bool,
}

/// Measures in this process.
pub fn measure(alive: u64, recorded: bool) -> Drained {
    let changed = (alive / 10).min(MOST_CHANGED);
    let (tick_ns, exact) = ticks(alive, changed, recorded);
    Drained { alive, changed, tick_ns, recorded_ns: tick_ns, exact }
}

impl Drained {
    /// The same row with what the process measured that recorded.
    pub fn with(self, recorded: &Self) -> Self {
        Self { recorded_ns: recorded.tick_ns, exact: self.exact && recorded.exact, ..self }
    }
}

fn ticks(alive: u64, changed: u64, recorded: bool) -> (f64, bool) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut builder = pollscope::builder()
        .mode(Mode::Wrap)
        .listen(Listen::Off)
        .interval(INTERVAL)
        .no_stalls()
        .max_tasks(u32::try_from(alive).unwrap_or(u32::MAX));
    if recorded {
        builder = builder.record(folder.path().join("bench.mcap"));
    }
    let guard = builder.init();
    let runtime = workload::builder(Workload::Live).build().expect("a runtime");
    let woken = runtime.block_on(spawn(alive, changed));
    guard.flush();
    guard.flush();
    let mut cpu: Vec<f64> = (0..TICKS)
        .map(|_| {
            runtime.block_on(woken.wake());
            let before = workload::cpu_time();
            guard.flush();
            workload::cpu_time().saturating_sub(before).as_nanos() as f64
        })
        .collect();
    cpu.sort_by(f64::total_cmp);
    let counted: u64 = guard.report().map_or(0, |report| report.sites.iter().map(|site| site.wakes).sum());
    (cpu[TICKS / 2], counted == changed * TICKS as u64)
}

/// The tasks that change.
struct Woken {
    each: Vec<Arc<Notify>>,
    polled: Arc<AtomicU64>,
}

impl Woken {
    /// Wakes each once, and waits until all were polled.
    async fn wake(&self) {
        let goal = self.polled.load(Ordering::Acquire) + self.each.len() as u64;
        self.each.iter().for_each(|task| task.notify_one());
        settled(&self.polled, goal).await;
    }
}

async fn settled(counter: &AtomicU64, goal: u64) {
    while counter.load(Ordering::Acquire) < goal {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The last poll ends a moment after its count.
    tokio::time::sleep(Duration::from_millis(2)).await;
}

async fn spawn(alive: u64, changed: u64) -> Woken {
    let polled = Arc::new(AtomicU64::new(0));
    let each: Vec<_> = (0..changed).map(|_| Arc::new(Notify::new())).collect();
    for notify in &each {
        let (notify, polled) = (Arc::clone(notify), Arc::clone(&polled));
        drop(pollscope::spawn(async move {
            loop {
                polled.fetch_add(1, Ordering::Release);
                notify.notified().await;
            }
        }));
    }
    for _ in changed..alive {
        let polled = Arc::clone(&polled);
        drop(pollscope::spawn(async move {
            polled.fetch_add(1, Ordering::Release);
            std::future::pending::<()>().await;
        }));
    }
    settled(&polled, alive).await;
    Woken { each, polled }
}

/// The rows as one Markdown table.
pub fn markdown(rows: &[Drained]) -> String {
    let mut text = String::from(
        "| tasks alive | changed | a tick, ms of CPU | with encoding and recording, ms | wakes exact |\n|---|---|---|---|---|\n",
    );
    for row in rows {
        text += &format!(
            "| {} | {} | {:.2} | {:.2} | {} |\n",
            row.alive,
            row.changed,
            row.tick_ns / 1e6,
            row.recorded_ns / 1e6,
            if row.exact { "yes" } else { "NO" },
        );
    }
    text
}
