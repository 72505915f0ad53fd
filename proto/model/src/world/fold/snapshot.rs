//! The fold's other half: a snapshot, which replaces what the deltas added up to.
//!
//! Parts are put aside until the last is in; then totals change at once. So half a snapshot is never
//! seen, and one that is broken off costs nothing. The first of a process has nothing to replace: so that
//! something can be shown before a million rows are in, its totals, which are all in the first part, are
//! taken at once, and [`Process::loading`] says what is missing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::edges::EdgeTable;
use super::super::limits::WorldLimits;
use super::super::process::{Process, Refused, Sums};
use super::super::site::Reduction;
use super::{Applied, FoldStart, SLOW_POLLS};
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
    site_bytes: usize,
    workers: BTreeMap<WorkerId, WorkerDelta>,
    runtimes: BTreeMap<RuntimeId, RuntimeRecord>,
    /// Runtimes that are shut down, whose workers are told for the totals only.
    gone: BTreeSet<RuntimeId>,
    slow_polls: Vec<SlowPoll>,
    stalls: Vec<Stall>,
    edges: EdgeTable,
}

impl Process {
    /// Takes what a part of a snapshot says of the whole process. What is left are rows, so many of them
    /// of tasks.
    pub(super) fn begin_part(
        &mut self,
        report: &mut Report,
        part: u32,
        parts: u32,
        tasks: usize,
        limits: &WorldLimits,
    ) -> FoldStart {
        if self.last_seq.is_some_and(|known| report.seq < known) {
            return FoldStart::Over(Applied::Duplicate);
        }
        if part == 0 {
            self.tasks.begin_sweep();
            // The parts are as large as the first. How many there are is the peer's word: it gets no more room
            // for it than some times what it sent.
            let rows = tasks.saturating_mul(PARTS_BELIEVED.min(parts as usize));
            self.tasks.expect(rows.min(limits.tasks));
            self.staging = Some(Box::new(Staging {
                seq: report.seq,
                next: 0,
                parts,
                sites: HashMap::new(),
                site_bytes: 0,
                workers: BTreeMap::new(),
                runtimes: BTreeMap::new(),
                gone: BTreeSet::new(),
                slow_polls: Vec::new(),
                stalls: Vec::new(),
                edges: EdgeTable::default(),
            }));
        }
        let next = self.staging.as_ref().filter(|s| s.seq == report.seq && s.parts == parts).map(|s| s.next);
        let Some(next) = next else {
            self.staging = None;
            let over = self.exact && self.last_seq == Some(report.seq);
            return FoldStart::Over(if over { Applied::Duplicate } else { Applied::NeedsSnapshot });
        };
        if part < next {
            return FoldStart::Over(Applied::Duplicate);
        }
        let Some(staging) = self.staging.as_mut().filter(|_| part == next && part < parts) else {
            self.staging = None;
            return FoldStart::Over(Applied::NeedsSnapshot);
        };
        let workers = std::mem::take(&mut report.workers);
        let refused = staging.take(workers, std::mem::take(&mut report.runtimes), limits);
        self.refused = self.refused.plus(refused);
        staging.stalls.append(&mut report.stalls);
        staging.stalls.truncate(limits.workers + 1);
        for edge in std::mem::take(&mut report.edges) {
            self.refused.details += u64::from(!staging.edges.add(&edge, limits.edges));
        }
        self.put_dictionary(std::mem::take(&mut report.dict));
        self.losses = report.losses;
        self.usage.put(report.usage, report.end_ns);
        self.detail = report.detail;
        self.add_stops(std::mem::take(&mut report.stops));
        FoldStart::Part { seq: report.seq, part, parts, end_ns: report.end_ns }
    }

    /// Whether the part is the one that is being put aside.
    pub(super) fn stages(&self, seq: u64, part: u32, parts: u32) -> bool {
        self.staging
            .as_ref()
            .is_some_and(|staging| (staging.seq, staging.next, staging.parts) == (seq, part, parts))
    }

    /// Puts sites of a part aside.
    pub(super) fn stage_sites(&mut self, sites: impl Iterator<Item = SiteDelta>, limits: &WorldLimits) {
        let Some(staging) = &mut self.staging else { return };
        for site in sites {
            self.refused.sites =
                self.refused.sites.saturating_add(u64::from(!staging.take_site(&site, limits)));
        }
    }

    /// Puts slow polls of a part aside.
    pub(super) fn stage_slow_polls(&mut self, polls: impl Iterator<Item = SlowPoll>) {
        let Some(staging) = &mut self.staging else { return };
        let room = SLOW_POLLS.saturating_sub(staging.slow_polls.len());
        let mut polls = polls;
        staging.slow_polls.extend(polls.by_ref().take(room));
        polls.for_each(drop);
    }

    /// All rows of a part are put aside. The last part makes the snapshot take effect.
    pub(super) fn end_part(&mut self, end_ns: u64, limits: &WorldLimits) {
        let Some(mut staging) = self.staging.take() else { return };
        staging.next += 1;
        if staging.next == staging.parts {
            self.finish_snapshot(*staging, end_ns, limits);
            return;
        }
        if !self.based {
            self.first_parts = (staging.next, staging.parts);
            if staging.next == 1 {
                self.show_totals(&staging, end_ns, limits);
            }
        }
        self.staging = Some(staging);
    }

    /// What the first part says of everything but the tasks, before the rest is in.
    fn show_totals(&mut self, staging: &Staging, end_ns: u64, limits: &WorldLimits) {
        let (_, end_ns) = self.advance(end_ns, end_ns);
        self.replace_sites(staging.sites.clone(), None, end_ns, limits);
        let there = staging.workers.iter().filter(|(id, _)| !staging.gone.contains(&id.runtime));
        self.replace_workers(there.map(|(id, totals)| (*id, totals.clone())).collect(), None);
        self.replace_runtimes(staging.runtimes.clone(), end_ns);
    }

    /// The first snapshot was broken off, and everything is told from its beginning on instead.
    pub(super) fn forget_first_totals(&mut self, end_ns: u64, limits: &WorldLimits) {
        if self.first_parts.0 > 0 {
            self.first_parts = (0, 0);
            self.replace_sites(HashMap::new(), None, end_ns, limits);
            self.replace_workers(BTreeMap::new(), None);
            self.replace_runtimes(BTreeMap::new(), end_ns);
        }
    }

    /// All parts are in: totals are replaced at once, and what they grew by since the last report
    /// becomes one coarse point of history.
    fn finish_snapshot(&mut self, staging: Staging, end_ns: u64, limits: &WorldLimits) {
        let before_ns = self.now_ns;
        let known = self.last_seq;
        let (start_ns, end_ns) = self.advance(before_ns, end_ns);
        let interval = self.based.then(|| (start_ns.saturating_sub(self.missed_ns), end_ns));
        if let (true, Some(known)) = (self.based, known) {
            if staging.seq > known {
                self.gaps.count += 1;
                self.gaps.reports = self.gaps.reports.saturating_add(staging.seq - known);
            }
            self.cover(start_ns, end_ns, (end_ns - start_ns).saturating_add(self.missed_ns));
        }
        self.replace_sites(staging.sites, interval, end_ns, limits);
        let (left, there) =
            staging.workers.into_iter().partition(|(id, _)| staging.gone.contains(&id.runtime));
        self.replace_workers(there, interval);
        self.retire(&left);
        self.replace_runtimes(staging.runtimes, end_ns);
        // Also when only the top is told: the end of a task that is not in it would never be reported.
        self.tasks.sweep();
        for poll in staging.slow_polls {
            if !self.based || poll.start_ns.saturating_add(poll.wall_ns) > before_ns {
                self.put_slow_poll(poll, limits);
            }
        }
        self.put_stalls(staging.stalls, limits);
        self.edges = staging.edges;
        self.last_seq = Some(staging.seq);
        self.exact = true;
        self.based = true;
        self.missed_ns = 0;
    }

    /// A process never forgets a site of its own; a sender that names others each time finds no more room
    /// here than one snapshot gives.
    fn replace_sites(
        &mut self,
        totals: HashMap<SiteId, SiteDelta>,
        interval: Option<(u64, u64)>,
        end_ns: u64,
        limits: &WorldLimits,
    ) {
        self.sums = Sums::default();
        self.sites.retain(|id, _| totals.contains_key(id));
        self.weigh_sites();
        for (id, totals) in totals {
            self.sums.spawned = self.sums.spawned.saturating_add(totals.spawned);
            self.sums.ended = self.sums.ended.saturating_add(totals.all_ended());
            let reduction = Reduction::at(self.site_bytes, limits.site_bytes);
            self.change_site(id, reduction, |site| site.replace(totals, interval, end_ns));
        }
    }

    fn replace_workers(&mut self, totals: BTreeMap<WorkerId, WorkerDelta>, interval: Option<(u64, u64)>) {
        self.workers.retain(|id, _| totals.contains_key(id));
        for (id, totals) in totals {
            self.workers.entry(id).or_default().replace(totals, interval);
        }
    }

    /// Workers that are told though their runtimes are shut down are no rows: they are in the totals of all work.
    fn retire(&mut self, left: &BTreeMap<WorkerId, WorkerDelta>) {
        if left.is_empty() {
            return;
        }
        let mut sum = (0_u32, WorkerDelta::default());
        for totals in left.values() {
            sum.0 = sum.0.saturating_add(1);
            sum.1.merge(totals);
        }
        self.retired = Some(sum);
    }

    fn replace_runtimes(&mut self, records: BTreeMap<RuntimeId, RuntimeRecord>, end_ns: u64) {
        self.runtimes.retain(|id, _| records.contains_key(id));
        for (id, record) in records {
            self.runtimes.entry(id).or_default().put(record, end_ns);
        }
    }
}

impl Staging {
    /// Bytes that it holds, to within what an allocator adds.
    pub(in crate::world) fn held_bytes(&self) -> usize {
        self.site_bytes
            + self.workers.len() * size_of::<WorkerDelta>()
            + self.runtimes.len() * size_of::<RuntimeRecord>()
            + self.slow_polls.capacity() * size_of::<SlowPoll>()
            + self.stalls.capacity() * size_of::<Stall>()
            + self.edges.held_bytes()
    }

    /// Adds a site's totals; `false` if there is no room for it.
    fn take_site(&mut self, site: &SiteDelta, limits: &WorldLimits) -> bool {
        let reduction = Reduction::at(self.site_bytes, limits.site_bytes);
        let full = self.sites.len() >= limits.sites || reduction >= Reduction::NoHistory;
        if full && !self.sites.contains_key(&site.site) {
            return false;
        }
        let totals = self.sites.entry(site.site).or_insert_with(|| {
            self.site_bytes += size_of::<SiteDelta>();
            SiteDelta { site: site.site, ..SiteDelta::default() }
        });
        let before = totals.heap_bytes();
        totals.merge(site);
        totals.coarsen(reduction.width());
        self.site_bytes = self.site_bytes - before + totals.heap_bytes();
        true
    }

    fn take(
        &mut self,
        workers: Vec<WorkerDelta>,
        runtimes: Vec<RuntimeRecord>,
        limits: &WorldLimits,
    ) -> Refused {
        let mut refused = Refused::default();
        for worker in workers {
            if self.workers.len() >= limits.workers && !self.workers.contains_key(&worker.id) {
                refused.workers += 1;
            } else {
                self.workers.entry(worker.id).or_default().merge(&worker);
            }
        }
        for runtime in runtimes {
            if runtime.gone {
                if self.gone.len() < limits.runtimes {
                    self.gone.insert(runtime.id);
                }
            } else if self.runtimes.len() >= limits.runtimes && !self.runtimes.contains_key(&runtime.id) {
                refused.runtimes += 1;
            } else {
                self.runtimes.insert(runtime.id, runtime);
            }
        }
        refused
    }
}
