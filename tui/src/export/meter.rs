//! Counters over time: what each report says of its interval, and of the state at its end.
//!
//! A reading of an interval stands at its beginning, so that a step drawn from there covers the time over
//! which it was measured. What was not measured is not read.

use pollscope_model::hist::Hist;
use pollscope_model::id::{RuntimeId, WorkerId};
use pollscope_model::measured::Metric;
use pollscope_model::report::{Report, ReportKind};
use pollscope_model::time::SECOND;
use pollscope_model::world::Process;

/// What is read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Meter {
    /// Tasks alive.
    TasksAlive,
    /// Polls that ended, per second.
    PollRate,
    /// 99th percentile of the polls' wall time.
    PollP99,
    /// The longest poll.
    PollMax,
    /// 99th percentile of the schedule delay.
    SchedP99,
    /// Tasks in a runtime's global queue.
    GlobalQueue(RuntimeId),
    /// Threads of a runtime's blocking pool.
    BlockingThreads(RuntimeId),
    /// Jobs that wait for one of them.
    BlockingQueue(RuntimeId),
    /// Busy share of a worker.
    Busy(WorkerId),
    /// Tasks in a worker's own queue.
    LocalQueue(WorkerId),
    /// What the recorder lost since the process started.
    Lost,
}

/// What a reading's number is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    /// A number of things.
    Count,
    /// Nanoseconds.
    Nanos,
    /// Things per second.
    PerSecond,
    /// Percent.
    Percent,
}

/// A value at a moment.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Reading {
    /// What was read.
    pub(super) meter: Meter,
    /// From when on it holds.
    pub(super) at_ns: u64,
    /// The value.
    pub(super) value: f64,
}

impl Meter {
    /// Its unit.
    pub(super) const fn unit(self) -> Unit {
        match self {
            Self::PollRate => Unit::PerSecond,
            Self::PollP99 | Self::PollMax | Self::SchedP99 => Unit::Nanos,
            Self::Busy(_) => Unit::Percent,
            _ => Unit::Count,
        }
    }

    /// Its name. The closures give the name of a runtime and of a worker.
    pub(super) fn name(
        self,
        runtime: impl Fn(RuntimeId) -> String,
        worker: impl Fn(WorkerId) -> String,
    ) -> String {
        match self {
            Self::TasksAlive => "tasks alive".to_owned(),
            Self::PollRate => "polls per second".to_owned(),
            Self::PollP99 => "poll time p99".to_owned(),
            Self::PollMax => "longest poll".to_owned(),
            Self::SchedP99 => "schedule delay p99".to_owned(),
            Self::GlobalQueue(id) => format!("global queue{}", runtime(id)),
            Self::BlockingThreads(id) => format!("blocking threads{}", runtime(id)),
            Self::BlockingQueue(id) => format!("blocking queue{}", runtime(id)),
            Self::Busy(id) => format!("busy, {}", worker(id)),
            Self::LocalQueue(id) => format!("queue, {}", worker(id)),
            Self::Lost => "lost by the recorder".to_owned(),
        }
    }

    /// What it means, where the name does not say it all.
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::PollP99 | Self::PollMax | Self::SchedP99 => {
                "Of each report's interval, over all tasks; 0 if nothing was polled in it."
            }
            Self::Busy(_) => "Share of each report's interval that the worker was not parked, in percent.",
            Self::Lost => "What the recorder could not keep, since the process started.",
            _ => "",
        }
    }
}

/// What a report says of its interval.
pub(super) fn of_report(report: &Report) -> Vec<Reading> {
    let span_ns = report.end_ns.saturating_sub(report.start_ns);
    if report.kind != ReportKind::Delta || span_ns == 0 {
        return Vec::new();
    }
    let read = |meter, value| Reading { meter, at_ns: report.start_ns, value };
    let mut readings: Vec<Reading> = report
        .workers
        .iter()
        .filter(|worker| worker.interval_ns > 0)
        .map(|worker| {
            let busy = worker.busy_ns as f64 / worker.interval_ns as f64;
            read(Meter::Busy(worker.id), busy.min(1.0) * 100.0)
        })
        .collect();
    let (mut poll, mut sched) = (Hist::new(), Hist::new());
    for site in &report.sites {
        poll.merge(&site.poll);
        sched.merge(&site.sched);
    }
    readings.push(read(Meter::PollRate, poll.count() as f64 * SECOND as f64 / span_ns as f64));
    readings.push(read(Meter::PollP99, poll.quantile(0.99).unwrap_or(0) as f64));
    readings.push(read(Meter::PollMax, poll.max() as f64));
    readings.push(read(Meter::SchedP99, sched.quantile(0.99).unwrap_or(0) as f64));
    readings
}

/// Whether the process measures what the meter reads.
pub(super) fn is_measured(meter: Meter, measures: impl Fn(Metric) -> bool) -> bool {
    match meter {
        Meter::PollRate | Meter::PollP99 | Meter::PollMax => measures(Metric::Polls),
        Meter::SchedP99 => measures(Metric::ScheduleDelay),
        Meter::Busy(_) => measures(Metric::WorkerBusy),
        _ => true,
    }
}

/// The state after a report.
pub(super) fn of_process(process: &Process) -> Vec<Reading> {
    let at_ns = process.now_ns();
    let read = |meter, value: Option<u64>| Some(Reading { meter, at_ns, value: value? as f64 });
    let mut readings = vec![
        read(Meter::TasksAlive, process.alive_tasks()),
        read(Meter::Lost, Some(process.losses().total())),
    ];
    for runtime in process.runtimes() {
        let record = runtime.record();
        readings.push(read(Meter::GlobalQueue(record.id), record.global_queue));
        readings.push(read(Meter::BlockingThreads(record.id), record.blocking_threads));
        readings.push(read(Meter::BlockingQueue(record.id), record.blocking_queue));
    }
    for worker in process.workers() {
        readings.push(read(Meter::LocalQueue(worker.id()), worker.record().local_queue));
    }
    readings.into_iter().flatten().collect()
}
