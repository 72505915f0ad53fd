//! A report as frames, each small enough for one message, and the entities that are no columns.

use pollscope_model::dict::DictEntry;
use pollscope_model::entity::edge::WakeEdge;
use pollscope_model::entity::event::EventBlock;
use pollscope_model::entity::runtime::{RuntimeRecord, WorkerDelta};
use pollscope_model::entity::site::SiteDelta;
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::stall::Stall;
use pollscope_model::entity::stop::Stop;
use pollscope_model::entity::task::TaskRecord;
use pollscope_model::id::{NameId, RuntimeId, TaskId, WorkerId};
use pollscope_model::report::{Losses, Report, ReportKind};
use prost::Message;

use super::greeting::boot_from_wire;
use super::{DecodeError, Reason, at_most, dict, edge, event, numbers, site, slow, task};
use crate::limits::{MAX_FRAME_BYTES, MAX_FRAME_HIST_CELLS, MAX_FRAME_ROWS};
use crate::wire;

/// The report as one frame if it fits, else as several, in the order in which to send them.
///
/// Cost: one pass over the report; a second one over what did not fit.
pub(crate) fn to_frames(report: &Report) -> Vec<wire::Report> {
    let mut frames = Vec::new();
    Lists::of(report).fit(report, &mut frames);
    let number = frames.len() as u32;
    if number > 1 {
        for (index, frame) in frames.iter_mut().enumerate() {
            frame.frame = index as u32;
            frame.frames = number;
        }
    }
    frames
}

/// The lists of a report, or a share of them.
#[derive(Clone, Copy)]
struct Lists<'a> {
    dict: &'a [DictEntry],
    runtimes: &'a [RuntimeRecord],
    workers: &'a [WorkerDelta],
    sites: &'a [SiteDelta],
    tasks: &'a [TaskRecord],
    slow_polls: &'a [SlowPoll],
    stalls: &'a [Stall],
    stops: &'a [Stop],
    edges: &'a [WakeEdge],
    events: &'a [EventBlock],
}

impl<'a> Lists<'a> {
    fn of(report: &'a Report) -> Self {
        Self {
            dict: &report.dict,
            runtimes: &report.runtimes,
            workers: &report.workers,
            sites: &report.sites,
            tasks: &report.tasks,
            slow_polls: &report.slow_polls,
            stalls: &report.stalls,
            stops: &report.stops,
            edges: &report.edges,
            events: &report.events,
        }
    }

    fn longest(&self) -> usize {
        [
            self.dict.len(),
            self.runtimes.len(),
            self.workers.len(),
            self.sites.len(),
            self.tasks.len(),
            self.slow_polls.len(),
            self.stalls.len(),
            self.stops.len(),
            self.edges.len(),
            self.events.len(),
        ]
        .into_iter()
        .max()
        .unwrap_or(0)
    }

    /// Halves until each share fits. A share of one entry of each list always does, by the limits on
    /// texts and histograms.
    fn fit(self, report: &Report, frames: &mut Vec<wire::Report>) {
        let cells: usize = self.sites.iter().map(site::hist_cells).sum();
        let events: usize = self.events.iter().map(|block| block.events.len()).sum();
        let rows = self.longest().max(events);
        if rows <= MAX_FRAME_ROWS && cells <= MAX_FRAME_HIST_CELLS {
            let frame = self.encode(report);
            if frame.encoded_len() <= MAX_FRAME_BYTES || self.longest() <= 1 {
                frames.push(frame);
                return;
            }
        }
        let (first, second) = self.halves();
        first.fit(report, frames);
        second.fit(report, frames);
    }

    fn halves(self) -> (Self, Self) {
        fn cut<T>(list: &[T]) -> (&[T], &[T]) {
            list.split_at(list.len().div_ceil(2))
        }
        let (dict, runtimes, workers) = (cut(self.dict), cut(self.runtimes), cut(self.workers));
        let (sites, tasks, slow_polls) = (cut(self.sites), cut(self.tasks), cut(self.slow_polls));
        let (stalls, edges) = (cut(self.stalls), cut(self.edges));
        let (stops, events) = (cut(self.stops), cut(self.events));
        (
            Self {
                dict: dict.0,
                runtimes: runtimes.0,
                workers: workers.0,
                sites: sites.0,
                tasks: tasks.0,
                slow_polls: slow_polls.0,
                stalls: stalls.0,
                stops: stops.0,
                edges: edges.0,
                events: events.0,
            },
            Self {
                dict: dict.1,
                runtimes: runtimes.1,
                workers: workers.1,
                sites: sites.1,
                tasks: tasks.1,
                slow_polls: slow_polls.1,
                stalls: stalls.1,
                stops: stops.1,
                edges: edges.1,
                events: events.1,
            },
        )
    }

    fn encode(self, report: &Report) -> wire::Report {
        wire::Report {
            boot: report.boot.0.to_be_bytes().to_vec(),
            snapshot: match report.kind {
                ReportKind::Delta => None,
                ReportKind::Snapshot { part, parts } => Some(wire::SnapshotPart { part, parts }),
            },
            first_seq: report.first_seq,
            seq: report.seq,
            start_ns: report.start_ns,
            end_ns: report.end_ns,
            detail: numbers::detail_to_wire(report.detail).into(),
            frame: 0,
            frames: 0,
            dict: self.dict.iter().map(dict::to_wire).collect(),
            runtimes: self.runtimes.iter().map(runtime_to_wire).collect(),
            workers: self.workers.iter().map(worker_to_wire).collect(),
            sites: site::to_wire(self.sites),
            tasks: task::to_wire(self.tasks, report.end_ns),
            slow_polls: self.slow_polls.iter().map(slow::poll_to_wire).collect(),
            stalls: self.stalls.iter().map(slow::stall_to_wire).collect(),
            stops: self.stops.iter().map(slow::stop_to_wire).collect(),
            edges: edge::to_wire(self.edges),
            losses: Some(losses_to_wire(&report.losses)),
            events: event::to_wire(self.events),
        }
    }
}

/// One frame as a report that holds the frame's share of the lists.
pub(crate) fn from_frame(frame: wire::Report) -> Result<Report, DecodeError> {
    let lists = [
        ("report.dict", frame.dict.len()),
        ("report.runtimes", frame.runtimes.len()),
        ("report.workers", frame.workers.len()),
        ("report.slow_polls", frame.slow_polls.len()),
        ("report.stalls", frame.stalls.len()),
        ("report.stops", frame.stops.len()),
    ];
    for (field, length) in lists {
        at_most(field, MAX_FRAME_ROWS, length)?;
    }
    Ok(Report {
        boot: boot_from_wire("report.boot", &frame.boot)?,
        kind: match frame.snapshot {
            None => ReportKind::Delta,
            Some(wire::SnapshotPart { part, parts }) if part < parts => ReportKind::Snapshot { part, parts },
            Some(wire::SnapshotPart { part, .. }) => {
                return Err(DecodeError::new("report.snapshot", Reason::OutOfRange(part.into())));
            }
        },
        first_seq: match frame.first_seq {
            first if first <= frame.seq => first,
            first => return Err(DecodeError::new("report.first_seq", Reason::OutOfRange(first))),
        },
        seq: frame.seq,
        start_ns: frame.start_ns,
        end_ns: frame.end_ns,
        detail: numbers::detail("report.detail", frame.detail)?,
        dict: frame.dict.into_iter().map(dict::from_wire).collect::<Result<_, _>>()?,
        runtimes: frame.runtimes.into_iter().map(runtime_from_wire).collect::<Result<_, _>>()?,
        workers: frame.workers.into_iter().map(worker_from_wire).collect(),
        sites: frame.sites.as_ref().map(site::from_wire).transpose()?.unwrap_or_default(),
        tasks: match &frame.tasks {
            Some(table) => task::from_wire(table, frame.end_ns)?,
            None => Vec::new(),
        },
        slow_polls: frame.slow_polls.into_iter().map(slow::poll_from_wire).collect(),
        stalls: frame.stalls.into_iter().map(slow::stall_from_wire).collect(),
        stops: frame.stops.into_iter().map(slow::stop_from_wire).collect(),
        edges: frame.edges.as_ref().map(edge::from_wire).transpose()?.unwrap_or_default(),
        events: frame.events.as_ref().map(event::from_wire).transpose()?.unwrap_or_default(),
        losses: frame.losses.map(losses_from_wire).unwrap_or_default(),
    })
}

fn runtime_to_wire(runtime: &RuntimeRecord) -> wire::RuntimeState {
    wire::RuntimeState {
        id: runtime.id.0,
        name: runtime.name.0,
        flavor: numbers::flavor_to_wire(runtime.flavor).into(),
        workers: runtime.workers,
        alive_tasks: runtime.alive_tasks,
        global_queue: runtime.global_queue,
        blocking_threads: runtime.blocking_threads,
        blocking_idle: runtime.blocking_idle,
        blocking_queue: runtime.blocking_queue,
        blocking_ended: runtime.blocking_ended,
        gone: runtime.gone,
    }
}

fn runtime_from_wire(runtime: wire::RuntimeState) -> Result<RuntimeRecord, DecodeError> {
    Ok(RuntimeRecord {
        id: RuntimeId(runtime.id),
        name: NameId(runtime.name),
        flavor: numbers::flavor("report.runtimes.flavor", runtime.flavor)?,
        workers: runtime.workers,
        alive_tasks: runtime.alive_tasks,
        global_queue: runtime.global_queue,
        blocking_threads: runtime.blocking_threads,
        blocking_idle: runtime.blocking_idle,
        blocking_queue: runtime.blocking_queue,
        blocking_ended: runtime.blocking_ended,
        gone: runtime.gone,
    })
}

fn worker_to_wire(worker: &WorkerDelta) -> wire::WorkerDelta {
    wire::WorkerDelta {
        runtime: worker.id.runtime.0,
        index: worker.id.index,
        thread: worker.thread.0,
        tid: worker.tid,
        busy_ns: worker.busy_ns,
        interval_ns: worker.interval_ns,
        parks: worker.parks,
        polls: worker.polls,
        parked: worker.parked,
        polling_task: worker.polling.map(|(task, _)| task.0),
        polling_since_ns: worker.polling.map_or(0, |(_, since)| since),
        local_queue: worker.local_queue,
        steals: worker.steals,
        cpu_ns: worker.cpu_ns,
        preempted_ns: worker.preempted_ns,
    }
}

fn worker_from_wire(worker: wire::WorkerDelta) -> WorkerDelta {
    WorkerDelta {
        id: WorkerId { runtime: RuntimeId(worker.runtime), index: worker.index },
        thread: NameId(worker.thread),
        tid: worker.tid,
        busy_ns: worker.busy_ns,
        interval_ns: worker.interval_ns,
        parks: worker.parks,
        polls: worker.polls,
        parked: worker.parked,
        polling: worker.polling_task.map(|task| (TaskId(task), worker.polling_since_ns)),
        local_queue: worker.local_queue,
        steals: worker.steals,
        cpu_ns: worker.cpu_ns,
        preempted_ns: worker.preempted_ns,
    }
}

fn losses_to_wire(losses: &Losses) -> wire::Losses {
    wire::Losses {
        tasks_uncounted: losses.tasks_uncounted,
        slow_polls: losses.slow_polls,
        ended_rows: losses.ended_rows,
        dict_entries: losses.dict_entries,
        reports_folded: losses.reports_folded,
        // No recorder counts it; its number stays taken.
        events_unknown: 0,
        runtimes_unseen: losses.runtimes_unseen,
        threads_uncounted: losses.threads_uncounted,
        connections_refused: losses.connections_refused,
        viewers_refused: losses.viewers_refused,
    }
}

fn losses_from_wire(losses: wire::Losses) -> Losses {
    Losses {
        tasks_uncounted: losses.tasks_uncounted,
        slow_polls: losses.slow_polls,
        ended_rows: losses.ended_rows,
        dict_entries: losses.dict_entries,
        reports_folded: losses.reports_folded,
        runtimes_unseen: losses.runtimes_unseen,
        threads_uncounted: losses.threads_uncounted,
        connections_refused: losses.connections_refused,
        viewers_refused: losses.viewers_refused,
    }
}
