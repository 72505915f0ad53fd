//! What a script's process sends: deltas and snapshots.

use std::collections::{BTreeMap, BTreeSet};

use super::Script;
use crate::entity::stall::Stall;
use crate::entity::task::{TaskKind, TaskRecord};
use crate::measured::{Coverage, Metric};
use crate::report::{Report, ReportKind};
use crate::time::MILLISECOND;

/// Open polls from this age on are stalls.
const STALL_NS: u64 = 10 * MILLISECOND;

impl Script {
    /// The delta of everything since the last report.
    pub fn report(&mut self) -> Report {
        self.seq += 1;
        let changed = std::mem::take(&mut self.changed);
        let report = Report {
            boot: self.hello.boot,
            kind: ReportKind::Delta,
            first_seq: self.seq,
            seq: self.seq,
            start_ns: self.reported_ns,
            end_ns: self.now_ns,
            dict: std::mem::take(&mut self.fresh),
            runtimes: self.runtimes.values().cloned().collect(),
            workers: std::mem::take(&mut self.worker_deltas).into_values().collect(),
            sites: std::mem::take(&mut self.deltas).into_values().collect(),
            tasks: changed.iter().map(|id| self.tasks[id].clone()).collect(),
            slow_polls: std::mem::take(&mut self.slow_polls),
            stalls: self.open_stalls(),
            edges: std::mem::take(&mut self.edges),
            losses: self.losses,
            ..Report::default()
        };
        self.reported_ns = self.now_ns;
        self.tasks.retain(|_, task| !task.state.is_ended());
        report
    }

    /// The whole state as of the last report, in so many parts (at least one): rows are dealt
    /// out, everything else is in the first. Take it right after a report.
    pub fn snapshot(&self, parts: u32) -> Vec<Report> {
        let parts = parts.max(1);
        let of = |part: u32| move |index: &usize| *index as u32 % parts == part;
        (0..parts)
            .map(|part| Report {
                boot: self.hello.boot,
                kind: ReportKind::Snapshot { part, parts },
                first_seq: self.seq,
                seq: self.seq,
                start_ns: 0,
                end_ns: self.reported_ns,
                dict: if part == 0 { self.dictionary.entries().collect() } else { Vec::new() },
                runtimes: if part == 0 { self.runtimes.values().cloned().collect() } else { Vec::new() },
                workers: if part == 0 { self.workers.values().cloned().collect() } else { Vec::new() },
                sites: if part == 0 { self.totals.values().cloned().collect() } else { Vec::new() },
                tasks: deal(&self.tasks, of(part)),
                stalls: if part == 0 { self.open_stalls() } else { Vec::new() },
                edges: if part == 0 { self.edge_totals.clone() } else { Vec::new() },
                losses: self.losses,
                ..Report::default()
            })
            .collect()
    }

    /// The open polls above [`STALL_NS`], as the process's watchdog tells them.
    fn open_stalls(&self) -> Vec<Stall> {
        let mut stalls = self.stalls.clone();
        if self.hello.coverage(Metric::Stalls) == Coverage::NoTask {
            return stalls;
        }
        let told: BTreeSet<_> = stalls.iter().filter_map(|stall| stall.task).collect();
        let holds = |task: &&TaskRecord| {
            task.current_poll_ns(self.now_ns).is_some_and(|ns| ns >= STALL_NS)
                && task.kind != TaskKind::Blocking
                && !told.contains(&task.id)
                && !self.in_place.contains(&task.id)
        };
        stalls.extend(self.tasks.values().filter(holds).map(|task| Stall {
            task: Some(task.id),
            site: Some(task.site),
            since_ns: task.poll_start_ns,
            ..Stall::default()
        }));
        stalls
    }
}

fn deal<K, T: Clone>(of: &BTreeMap<K, T>, mine: impl Fn(&usize) -> bool) -> Vec<T> {
    of.values().enumerate().filter(|(index, _)| mine(index)).map(|(_, item)| item.clone()).collect()
}
