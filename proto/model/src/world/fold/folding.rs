//! A report that is folded in slices, so that a large one does not hold up others. What it says of the whole
//! process is taken first, then its rows; totals are short of the rest until the last slice is in.

use std::sync::Arc;
use std::vec::IntoIter;

use super::super::limits::WorldLimits;
use super::super::process::Process;
use super::Applied;
use crate::entity::site::SiteDelta;
use crate::entity::slow_poll::SlowPoll;
use crate::entity::task::TaskRecord;
use crate::id::BootId;
use crate::report::{Report, ReportKind};

/// A report on its way into a [`World`](crate::world::World); see [`World::fold`](crate::world::World::fold).
#[derive(Debug)]
pub struct Folding {
    report: Report,
    sites: IntoIter<SiteDelta>,
    tasks: IntoIter<TaskRecord>,
    slow_polls: IntoIter<SlowPoll>,
    begun: Option<(FoldStart, Arc<str>)>,
}

/// How a report was begun.
#[derive(Clone, Copy, Debug)]
pub(super) enum FoldStart {
    /// There is nothing to fold.
    Over(Applied),
    Delta {
        applied: Applied,
        /// Its sites are known in part, and cannot be taken apart.
        overlaps: bool,
        start_ns: u64,
        end_ns: u64,
    },
    Part {
        seq: u64,
        part: u32,
        parts: u32,
        end_ns: u64,
    },
}

impl Folding {
    /// Nothing of the report is folded yet.
    pub fn new(mut report: Report) -> Self {
        Self {
            sites: std::mem::take(&mut report.sites).into_iter(),
            tasks: std::mem::take(&mut report.tasks).into_iter(),
            slow_polls: std::mem::take(&mut report.slow_polls).into_iter(),
            report,
            begun: None,
        }
    }

    /// The incarnation that speaks.
    pub fn boot(&self) -> BootId {
        self.report.boot
    }

    fn is_empty(&self) -> bool {
        self.sites.len() == 0 && self.tasks.len() == 0 && self.slow_polls.len() == 0
    }
}

impl Process {
    /// Folds up to so many rows of a report of this boot; `None` if there are more.
    pub(in crate::world) fn fold(
        &mut self,
        folding: &mut Folding,
        rows: usize,
        limits: &WorldLimits,
        now_unix_ns: u64,
    ) -> Option<Applied> {
        let begun = match &folding.begun {
            Some((begun, label)) if Arc::ptr_eq(label, &self.label) => *begun,
            // The process was forgotten and came again meanwhile: the rest belongs to the one before.
            Some(_) => return Some(Applied::UnknownProcess),
            None => {
                self.mark_received(now_unix_ns);
                let report = &mut folding.report;
                let begun = match report.kind {
                    ReportKind::Delta => self.begin_delta(report, limits),
                    ReportKind::Snapshot { part, parts } => {
                        let rows = folding.tasks.len();
                        self.begin_part(report, part, parts.max(1), rows, limits)
                    }
                };
                if let FoldStart::Delta { overlaps: true, .. } = begun {
                    folding.sites = IntoIter::default();
                }
                folding.begun = Some((begun, self.label.clone()));
                begun
            }
        };
        let mut room = rows;
        let mut take = |left: usize| {
            let taken = left.min(room);
            room -= taken;
            taken
        };
        let sites = take(folding.sites.len());
        let tasks = take(folding.tasks.len());
        match begun {
            FoldStart::Over(applied) => Some(applied),
            FoldStart::Delta { applied, start_ns, end_ns, .. } => {
                for delta in folding.sites.by_ref().take(sites) {
                    self.add_site(&delta, start_ns, end_ns, limits);
                }
                self.put_tasks(folding.tasks.by_ref().take(tasks), end_ns, limits);
                // Of a site that the same report names first.
                for poll in folding.slow_polls.by_ref().take(take(usize::MAX)) {
                    self.put_slow_poll(poll, limits);
                }
                folding.is_empty().then_some(applied)
            }
            FoldStart::Part { seq, part, parts, end_ns } => {
                if !self.stages(seq, part, parts) {
                    return Some(Applied::NeedsSnapshot);
                }
                self.stage_sites(folding.sites.by_ref().take(sites), limits);
                self.put_tasks(folding.tasks.by_ref().take(tasks), end_ns.max(self.now_ns), limits);
                self.stage_slow_polls(folding.slow_polls.by_ref().take(take(usize::MAX)));
                folding.is_empty().then(|| {
                    self.end_part(end_ns, limits);
                    Applied::New
                })
            }
        }
    }
}
