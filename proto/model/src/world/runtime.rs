//! What a [`World`](super::World) keeps of runtimes and workers, and the views of them.

use super::ring::Ring;
use crate::entity::runtime::{RuntimeRecord, WorkerDelta};
use crate::id::WorkerId;

/// Time observed and, of it, busy; in nanoseconds, as shares of intervals.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Busy {
    busy_ns: f32,
    of_ns: f32,
}

impl Busy {
    pub(super) fn add(&mut self, busy_ns: u64, of_ns: u64, share: f64) {
        self.busy_ns += (busy_ns as f64 * share) as f32;
        self.of_ns += (of_ns as f64 * share) as f32;
    }

    pub(super) fn ratio(self) -> Option<f32> {
        (self.of_ns > 0.0).then(|| (self.busy_ns / self.of_ns).clamp(0.0, 1.0))
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { busy_ns: self.busy_ns + other.busy_ns, of_ns: self.of_ns + other.of_ns }
    }
}

/// Counters of one worker in one second.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    busy: Busy,
    parks: f32,
    steals: f32,
    polls: f32,
    cpu_ns: f32,
    preempted_ns: f32,
}

/// The state of one worker; only the fold writes to it.
#[derive(Clone, Debug, Default)]
pub(super) struct WorkerState {
    /// State as of the last report; its counters are totals since the process started.
    pub(super) totals: WorkerDelta,
    seconds: Ring<Second, 1, 60>,
    fives: Ring<Busy, 5, 180>,
}

impl WorkerState {
    pub(super) fn add(&mut self, delta: &WorkerDelta, start_ns: u64, end_ns: u64) {
        self.totals.merge(delta);
        self.remember(delta, start_ns, end_ns);
    }

    pub(super) fn replace(&mut self, totals: WorkerDelta, interval: Option<(u64, u64)>) {
        let before = std::mem::replace(&mut self.totals, totals);
        if let Some((start_ns, end_ns)) = interval {
            let grown = self.totals.since(&before);
            if grown.interval_ns > 0 {
                self.remember(&grown, start_ns, end_ns);
            }
        }
    }

    fn remember(&mut self, delta: &WorkerDelta, start_ns: u64, end_ns: u64) {
        self.seconds.spread(start_ns, end_ns, |second, share| {
            second.busy.add(delta.busy_ns, delta.interval_ns, share);
            let part = |n: u64| (n as f64 * share) as f32;
            second.parks += part(delta.parks);
            second.steals += part(delta.steals.unwrap_or(0));
            second.polls += part(delta.polls.unwrap_or(0));
            second.cpu_ns += part(delta.cpu_ns.unwrap_or(0));
            second.preempted_ns += part(delta.preempted_ns.unwrap_or(0));
        });
        self.fives.spread(start_ns, end_ns, |five, share| five.add(delta.busy_ns, delta.interval_ns, share));
    }

    pub(super) fn forget_history(&mut self) {
        self.seconds.clear();
        self.fives.clear();
    }
}

/// One worker of one process, to read.
#[derive(Clone, Copy, Debug)]
pub struct WorkerView<'a> {
    pub(super) state: &'a WorkerState,
    pub(super) now_ns: u64,
}

/// Shares and rates of one worker over some seconds; rates are per second. `None` where not
/// measured.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct WorkerRates {
    /// Busy share.
    pub busy: Option<f64>,
    /// Share of the time that its thread was on a CPU.
    pub cpu: Option<f64>,
    /// Share of the time that its thread could run but had no CPU.
    pub preempted: Option<f64>,
    /// Parks.
    pub parks: Option<f64>,
    /// Steals.
    pub steals: Option<f64>,
    /// Polls that pollscope recorded.
    pub polls: Option<f64>,
}

impl<'a> WorkerView<'a> {
    /// Which worker.
    pub fn id(&self) -> WorkerId {
        self.state.totals.id
    }

    /// Its state now; the counters in it are totals since the process started.
    pub fn record(&self) -> &'a WorkerDelta {
        &self.state.totals
    }

    /// Busy share and rates over the last `seconds` (at most 60).
    pub(crate) fn rates(&self, seconds: u32) -> WorkerRates {
        let mut sum = Second::default();
        for (_, second) in self.state.seconds.latest(self.now_ns, seconds) {
            sum.busy = sum.busy.plus(second.busy);
            sum.parks += second.parks;
            sum.steals += second.steals;
            sum.polls += second.polls;
            sum.cpu_ns += second.cpu_ns;
            sum.preempted_ns += second.preempted_ns;
        }
        let covered_s = f64::from(sum.busy.of_ns) / 1e9;
        let rate = |count: f32| (covered_s > 0.0).then(|| f64::from(count) / covered_s);
        let share = |ns: f32| rate(ns / 1e9);
        WorkerRates {
            busy: sum.busy.ratio().map(f64::from),
            cpu: self.state.totals.cpu_ns.and(share(sum.cpu_ns)),
            preempted: self.state.totals.preempted_ns.and(share(sum.preempted_ns)),
            parks: rate(sum.parks),
            steals: self.state.totals.steals.and(rate(sum.steals)),
            polls: self.state.totals.polls.and(rate(sum.polls)),
        }
    }

    /// Busy share, one second a point, the last 60 s, oldest first; `None` where not measured.
    pub(crate) fn busy_seconds(&self) -> Vec<Option<f32>> {
        self.state.seconds.series(self.now_ns, 60, |_, second| second.and_then(|s| s.busy.ratio()))
    }

    /// Busy share, 5 s a point, the last 15 min, oldest first; `None` where not measured.
    pub(crate) fn busy_fives(&self) -> Vec<Option<f32>> {
        self.state.fives.series(self.now_ns, 180, |_, five| five.and_then(|busy| busy.ratio()))
    }
}

/// Largest queue and pool in ten seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Depth {
    global_queue: Option<u32>,
    blocking_threads: Option<u32>,
}

/// The state of one runtime; only the fold writes to it.
#[derive(Clone, Debug, Default)]
pub(super) struct RuntimeState {
    pub(super) record: RuntimeRecord,
    /// Since when every report has told of a full pool in which no job ended; where ends are not told, in which the
    /// queue did not get shorter.
    pool_stalled_since_ns: Option<u64>,
    tens: Ring<Depth, 10, 90>,
}

impl RuntimeState {
    pub(super) fn put(&mut self, record: RuntimeRecord, end_ns: u64) {
        let small = |n: Option<u64>| n.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let depth = self.tens.at(end_ns);
        depth.global_queue = depth.global_queue.max(small(record.global_queue));
        depth.blocking_threads = depth.blocking_threads.max(small(record.blocking_threads));
        let has_moved = match (record.blocking_ended, self.record.blocking_ended) {
            (Some(now), Some(before)) => now != before,
            _ => record.blocking_queue < self.record.blocking_queue,
        };
        let since_ns = self.pool_stalled_since_ns.filter(|since_ns| !has_moved && *since_ns <= end_ns);
        self.pool_stalled_since_ns =
            (pool_is_full(&record) == Some(true)).then(|| since_ns.unwrap_or(end_ns));
        self.record = record;
    }

    pub(super) fn forget_history(&mut self) {
        self.tens.clear();
        self.pool_stalled_since_ns = None;
    }
}

/// Whether jobs wait while no thread of the blocking pool is idle; `None` where that is not measured.
fn pool_is_full(record: &RuntimeRecord) -> Option<bool> {
    let (threads, idle, queue) = (record.blocking_threads?, record.blocking_idle?, record.blocking_queue?);
    Some(threads > 0 && idle == 0 && queue > 0)
}

/// One runtime of one process, to read.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeView<'a> {
    pub(super) state: &'a RuntimeState,
    pub(super) now_ns: u64,
}

impl<'a> RuntimeView<'a> {
    /// Its state now.
    pub fn record(&self) -> &'a RuntimeRecord {
        &self.state.record
    }

    /// Whether jobs wait while no thread of the blocking pool is idle; `None` where that is not measured.
    pub(crate) fn pool_is_full(&self) -> Option<bool> {
        pool_is_full(&self.state.record)
    }

    /// Since when, on the process's clock, that has been so in every report while no job ended; where ends are not told,
    /// while the queue did not get shorter.
    pub(crate) fn pool_stalled_since_ns(&self) -> Option<u64> {
        self.state.pool_stalled_since_ns
    }

    /// Largest depth of the global queue in each 10 s of the last 15 min, oldest first.
    pub(crate) fn global_queue_tens(&self) -> Vec<Option<f32>> {
        self.state.tens.series(self.now_ns, 90, |_, depth| number(depth?.global_queue))
    }

    /// Most threads of the blocking pool in each 10 s of the last 15 min, oldest first.
    pub(crate) fn blocking_threads_tens(&self) -> Vec<Option<f32>> {
        self.state.tens.series(self.now_ns, 90, |_, depth| number(depth?.blocking_threads))
    }
}

fn number(n: Option<u32>) -> Option<f32> {
    n.map(|n| n as f32)
}
