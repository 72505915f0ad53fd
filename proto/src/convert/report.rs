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
use pollscope_model::entity::usage::ProcessUsage;
use pollscope_model::id::{RuntimeId, TaskId, WorkerId};
use pollscope_model::report::{Losses, Report, ReportKind};
use prost::Message;

use super::field::{Field, message};
use super::{DecodeError, Reason, at_most, dict, edge, event, site, task};
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

/// Declares the lists of a report, each once.
macro_rules! lists {
    ($($list:ident: $Entry:ty),* $(,)?) => {
        /// The lists of a report, or a share of them.
        #[derive(Clone, Copy)]
        struct Lists<'a> {
            $($list: &'a [$Entry]),*
        }

        impl<'a> Lists<'a> {
            fn of(report: &'a Report) -> Self {
                Self { $($list: &report.$list),* }
            }

            fn longest(&self) -> usize {
                [$(self.$list.len()),*].into_iter().max().unwrap_or(0)
            }

            fn halves(self) -> (Self, Self) {
                $(let $list = self.$list.split_at(self.$list.len().div_ceil(2));)*
                (Self { $($list: $list.0),* }, Self { $($list: $list.1),* })
            }
        }
    };
}

lists! {
    dict: DictEntry,
    runtimes: RuntimeRecord,
    workers: WorkerDelta,
    sites: SiteDelta,
    tasks: TaskRecord,
    slow_polls: SlowPoll,
    stalls: Stall,
    stops: Stop,
    edges: WakeEdge,
    events: EventBlock,
}

impl Lists<'_> {
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

    fn encode(self, report: &Report) -> wire::Report {
        wire::Report {
            boot: report.boot.to_wire(),
            snapshot: match report.kind {
                ReportKind::Delta => None,
                ReportKind::Snapshot { part, parts } => Some(wire::SnapshotPart { part, parts }),
            },
            first_seq: report.first_seq,
            seq: report.seq,
            start_ns: report.start_ns,
            end_ns: report.end_ns,
            detail: report.detail.to_wire(),
            frame: 0,
            frames: 0,
            dict: self.dict.iter().map(dict::to_wire).collect(),
            runtimes: self.runtimes.iter().map(Field::to_wire).collect(),
            workers: self.workers.iter().map(Field::to_wire).collect(),
            sites: site::to_wire(self.sites),
            tasks: task::to_wire(self.tasks, report.end_ns),
            slow_polls: self.slow_polls.iter().map(Field::to_wire).collect(),
            stalls: self.stalls.iter().map(Field::to_wire).collect(),
            stops: self.stops.iter().map(Field::to_wire).collect(),
            edges: edge::to_wire(self.edges),
            losses: Some(report.losses.to_wire()),
            usage: (report.usage != ProcessUsage::default()).then(|| report.usage.to_wire()),
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
        boot: Field::from_wire("report.boot", frame.boot)?,
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
        detail: Field::from_wire("report.detail", frame.detail)?,
        dict: frame.dict.into_iter().map(dict::from_wire).collect::<Result<_, _>>()?,
        runtimes: Field::from_wire("report.runtimes", frame.runtimes)?,
        workers: Field::from_wire("report.workers", frame.workers)?,
        sites: frame.sites.as_ref().map(site::from_wire).transpose()?.unwrap_or_default(),
        tasks: match &frame.tasks {
            Some(table) => task::from_wire(table, frame.end_ns)?,
            None => Vec::new(),
        },
        slow_polls: Field::from_wire("report.slow_polls", frame.slow_polls)?,
        stalls: Field::from_wire("report.stalls", frame.stalls)?,
        stops: Field::from_wire("report.stops", frame.stops)?,
        edges: frame.edges.as_ref().map(edge::from_wire).transpose()?.unwrap_or_default(),
        events: frame.events.as_ref().map(event::from_wire).transpose()?.unwrap_or_default(),
        losses: Option::from_wire("report.losses", frame.losses)?.unwrap_or_default(),
        usage: Option::from_wire("report.usage", frame.usage)?.unwrap_or_default(),
    })
}

message! {
    "report.runtimes": RuntimeRecord = wire::RuntimeState {
        id, name, flavor, workers, alive_tasks, global_queue, blocking_threads, blocking_idle, blocking_queue,
        blocking_ended, gone,
    }
}

message! {
    "report.workers": WorkerDelta = wire::WorkerDelta {
        thread, tid, busy_ns, interval_ns, parks, polls, parked, local_queue, steals, cpu_ns, preempted_ns,
    }
    to |worker| {
        runtime: worker.id.runtime.0,
        index: worker.id.index,
        polling_task: worker.polling.map(|(task, _)| task.0),
        polling_since_ns: worker.polling.map_or(0, |(_, since)| since),
    }
    from |wire| {
        id: WorkerId { runtime: RuntimeId(wire.runtime), index: wire.index },
        polling: wire.polling_task.map(|task| (TaskId(task), wire.polling_since_ns)),
    }
}

message! {
    "report.usage": ProcessUsage = wire::ProcessUsage {
        cpu_ns, memory_bytes, threads, open_files, open_files_max,
    }
}

message! {
    "report.losses": Losses = wire::Losses {
        tasks_uncounted, slow_polls, ended_rows, dict_entries, reports_folded, runtimes_unseen, threads_uncounted,
        connections_refused, viewers_refused,
    }
    // No recorder counts it; its number stays taken.
    to |losses| { events_unknown: 0 }
    from |wire| {}
}
