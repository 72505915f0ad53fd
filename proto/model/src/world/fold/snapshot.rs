//! The fold's other half: a snapshot, which replaces what the deltas added up to.
//!
//! Parts are put aside until the last is in; then totals change at once. So half a snapshot is never
//! seen, and one that is broken off costs nothing. The first of a process has nothing to replace: so that
//! something can be shown before a million rows are in, its totals, which are all in the first part, are
//! taken at once, and [`Process::loading`] says what is missing.

use std::collections::{BTreeMap, HashMap};

use super::super::edges::EdgeTable;
use super::super::limits::Limits;
use super::super::process::{Process, Refused, Sums};
use super::super::site::SiteState;
use super::{Applied, SLOW_POLLS};
use crate::entity::runtime::{RuntimeRecord, WorkerDelta};
use crate::entity::site::SiteDelta;
use crate::entity::slow_poll::SlowPoll;
use crate::entity::stall::Stall;
use crate::id::{RuntimeId, SiteId, WorkerId};
use crate::report::Report;

/// Parts of a snapshot for which room is made before they come: a million tasks of the recorder's.
const PARTS_BELIEVED: usize = 64;

/// A snapshot of which not all parts are in.
#[derive(Clone, Debug)]
pub(in crate::world) struct Staging {
    seq: u64,
    next: u32,
    parts: u32,
    sites: HashMap<SiteId, SiteDelta>,
    workers: BTreeMap<WorkerId, WorkerDelta>,
    runtimes: BTreeMap<RuntimeId, RuntimeRecord>,
    slow_polls: Vec<SlowPoll>,
    stalls: Vec<Stall>,
    edges: EdgeTable,
}

impl Process {
    pub(super) fn apply_snapshot(
        &mut self,
        report: Report,
        part: u32,
        parts: u32,
        limits: &Limits,
    ) -> Applied {
        if self.last_seq.is_some_and(|known| report.seq < known) {
            return Applied::Duplicate;
        }
        if part == 0 {
            self.tasks.begin_sweep();
            // The parts are as large as the first. How many there are is the peer's word: it gets no more room
            // for it than some times what it sent.
            let rows = report.tasks.len().saturating_mul(PARTS_BELIEVED.min(parts as usize));
            self.tasks.expect(rows.min(limits.tasks));
            self.staging = Some(Box::new(Staging {
                seq: report.seq,
                next: 0,
                parts,
                sites: HashMap::new(),
                workers: BTreeMap::new(),
                runtimes: BTreeMap::new(),
                slow_polls: Vec::new(),
                stalls: Vec::new(),
                edges: EdgeTable::default(),
            }));
        }
        let Some(mut staging) = self.staging.take().filter(|s| s.seq == report.seq && s.parts == parts)
        else {
            let over = self.exact && self.last_seq == Some(report.seq);
            return if over { Applied::Duplicate } else { Applied::NeedsSnapshot };
        };
        if part < staging.next {
            self.staging = Some(staging);
            return Applied::Duplicate;
        }
        if part > staging.next || part >= parts {
            return Applied::NeedsSnapshot;
        }
        staging.next += 1;
        self.put_dictionary(report.dict);
        self.losses = report.losses;
        self.detail = report.detail;
        self.refused = self.refused.plus(staging.take(report.sites, report.workers, report.runtimes, limits));
        staging.slow_polls.extend(report.slow_polls);
        staging.slow_polls.truncate(SLOW_POLLS);
        staging.stalls.extend(report.stalls);
        staging.stalls.truncate(limits.workers + 1);
        for edge in report.edges {
            self.refused.details += u64::from(!staging.edges.add(&edge, limits.edges));
        }
        let end_ns = report.end_ns;
        self.put_tasks(report.tasks, end_ns.max(self.now_ns), limits);
        if staging.next == parts {
            self.finish_snapshot(*staging, end_ns, limits);
            return Applied::New;
        }
        if !self.based {
            self.first_parts = (staging.next, parts);
            if part == 0 {
                self.show_totals(&staging, end_ns);
            }
        }
        self.staging = Some(staging);
        Applied::New
    }

    /// What the first part says of everything but the tasks, before the rest is in.
    fn show_totals(&mut self, staging: &Staging, end_ns: u64) {
        let (_, end_ns) = self.advance(end_ns, end_ns);
        self.replace_sites(staging.sites.clone(), None, end_ns);
        self.replace_workers(staging.workers.clone(), None);
        self.replace_runtimes(staging.runtimes.clone(), end_ns);
    }

    /// The first snapshot was broken off, and everything is told from its beginning on instead.
    pub(super) fn forget_first_totals(&mut self, end_ns: u64) {
        if self.first_parts.0 > 0 {
            self.first_parts = (0, 0);
            self.replace_sites(HashMap::new(), None, end_ns);
            self.replace_workers(BTreeMap::new(), None);
            self.replace_runtimes(BTreeMap::new(), end_ns);
        }
    }

    /// All parts are in: totals are replaced at once, and what they grew by since the last report
    /// becomes one coarse point of history.
    fn finish_snapshot(&mut self, staging: Staging, end_ns: u64, limits: &Limits) {
        let before_ns = self.now_ns;
        let known = self.last_seq;
        let (start_ns, end_ns) = self.advance(before_ns, end_ns);
        let interval = self.based.then(|| (start_ns.saturating_sub(self.unheard_ns), end_ns));
        if let (true, Some(known)) = (self.based, known) {
            if staging.seq > known {
                self.gaps.count += 1;
                self.gaps.reports = self.gaps.reports.saturating_add(staging.seq - known);
            }
            self.cover(start_ns, end_ns, (end_ns - start_ns).saturating_add(self.unheard_ns));
        }
        self.replace_sites(staging.sites, interval, end_ns);
        self.replace_workers(staging.workers, interval);
        self.replace_runtimes(staging.runtimes, end_ns);
        // Also when only the top is told: nobody would tell the end of a task that is not in it.
        self.tasks.sweep();
        for poll in staging.slow_polls {
            if !self.based || poll.start_ns.saturating_add(poll.wall_ns) > before_ns {
                self.put_slow_poll(poll);
            }
        }
        self.put_stalls(staging.stalls, limits);
        self.edges = staging.edges;
        self.last_seq = Some(staging.seq);
        self.exact = true;
        self.based = true;
        self.unheard_ns = 0;
    }

    /// A process never forgets a site of its own; whoever names others each time finds no more room
    /// here than one snapshot gives.
    fn replace_sites(
        &mut self,
        totals: HashMap<SiteId, SiteDelta>,
        interval: Option<(u64, u64)>,
        end_ns: u64,
    ) {
        self.sums = Sums::default();
        self.sites.retain(|id, _| totals.contains_key(id));
        for (id, totals) in totals {
            self.sums.spawned = self.sums.spawned.saturating_add(totals.spawned);
            self.sums.ended = self.sums.ended.saturating_add(totals.all_ended());
            let state = self.sites.entry(id).or_insert_with(|| SiteState::new(id));
            state.replace(totals, interval, end_ns);
        }
    }

    fn replace_workers(&mut self, totals: BTreeMap<WorkerId, WorkerDelta>, interval: Option<(u64, u64)>) {
        self.workers.retain(|id, _| totals.contains_key(id));
        for (id, totals) in totals {
            self.workers.entry(id).or_default().replace(totals, interval);
        }
    }

    fn replace_runtimes(&mut self, records: BTreeMap<RuntimeId, RuntimeRecord>, end_ns: u64) {
        self.runtimes.retain(|id, _| records.contains_key(id));
        for (id, record) in records {
            self.runtimes.entry(id).or_default().put(record, end_ns);
        }
    }
}

impl Staging {
    fn take(
        &mut self,
        sites: Vec<SiteDelta>,
        workers: Vec<WorkerDelta>,
        runtimes: Vec<RuntimeRecord>,
        limits: &Limits,
    ) -> Refused {
        let mut refused = Refused::default();
        for site in sites {
            if self.sites.len() >= limits.sites && !self.sites.contains_key(&site.site) {
                refused.sites += 1;
            } else {
                let totals = self.sites.entry(site.site).or_default();
                totals.site = site.site;
                totals.merge(&site);
            }
        }
        for worker in workers {
            if self.workers.len() >= limits.workers && !self.workers.contains_key(&worker.id) {
                refused.workers += 1;
            } else {
                self.workers.entry(worker.id).or_default().merge(&worker);
            }
        }
        for runtime in runtimes.into_iter().filter(|runtime| !runtime.gone) {
            if self.runtimes.len() >= limits.runtimes && !self.runtimes.contains_key(&runtime.id) {
                refused.runtimes += 1;
            } else {
                self.runtimes.insert(runtime.id, runtime);
            }
        }
        refused
    }
}
