//! The whole state, totals since the start, part by part.
//!
//! Sites, workers and runtimes are in the first part and exact as of the last tick. Task rows are read
//! when their part is asked for, which may be some ticks later: each is cumulative, a task stays in its
//! slot, and what changes meanwhile is told again by the deltas that the reader is given after the last
//! part. So a snapshot of a million tasks never takes more room than a part of it, and never holds up a
//! tick for longer.

use pollscope_model::report::{Report, ReportKind};
use pollscope_recorder::intern;

use super::{Drain, intake, own};
use crate::watch::watchdog::{stacks, stopped};

/// A snapshot that is under way, for one reader.
#[derive(Debug)]
pub(crate) struct Snapshot {
    slots_per_part: usize,
    next: usize,
    parts: usize,
    seq: u64,
    end_ns: u64,
}

impl Drain {
    /// Begins a snapshot with the last tick's sequence number: at least one part, each of at most so many
    /// task rows.
    pub(crate) fn begin_snapshot(&self, slots_per_part: usize) -> Snapshot {
        let slots_per_part = slots_per_part.max(1);
        let parts = intake::slots().div_ceil(slots_per_part).max(1);
        Snapshot { slots_per_part, next: 0, parts, seq: self.seq, end_ns: self.last_ns }
    }

    /// The next part; `None` after the last.
    pub(crate) fn next_part(&self, snapshot: &mut Snapshot) -> Option<Report> {
        let part = snapshot.next;
        if part >= snapshot.parts {
            return None;
        }
        snapshot.next += 1;
        let from = part.saturating_mul(snapshot.slots_per_part);
        let to = from.saturating_add(snapshot.slots_per_part);
        let mut report = Report {
            boot: self.boot,
            kind: ReportKind::Snapshot { part: part as u32, parts: snapshot.parts as u32 },
            first_seq: snapshot.seq,
            seq: snapshot.seq,
            end_ns: snapshot.end_ns,
            tasks: intake::rows(from..to),
            losses: self.source.losses,
            usage: self.source.usage,
            ..Report::default()
        };
        if part == 0 {
            report.dict = intern::until(self.source.dict);
            report.dict.extend(stacks::entries(0, self.source.stacks).0);
            report.stalls.clone_from(&self.source.stalls);
            report.stops = stopped::all();
            report.runtimes = self.workers.runtimes();
            report.workers = self.workers.totals();
            report.sites = self.totals.sites.all();
            report.edges = self.totals.edges.all();
            report.slow_polls = self.source.slow_polls.iter().cloned().collect();
        }
        own::of_all(&mut report);
        Some(report)
    }

    /// All parts at once.
    pub(crate) fn snapshot(&self, slots_per_part: usize) -> Vec<Report> {
        let mut snapshot = self.begin_snapshot(slots_per_part);
        std::iter::from_fn(|| self.next_part(&mut snapshot)).collect()
    }
}
