//! One process, to read: identity, presence, and views of all that it has.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::edges::EdgeTable;
use super::events::{EventStore, Track};
use super::fold::Staging;
use super::ring::Ring;
use super::runtime::{Busy, RuntimeState, RuntimeView, WorkerState, WorkerView};
use super::site::{SiteState, SiteView};
use super::tasks::{SiteRows, TaskRow, TaskTable};
use crate::dict::Dictionary;
use crate::entity::edge::Waker;
use crate::entity::runtime::WorkerDelta;
use crate::entity::slow_poll::SlowPoll;
use crate::entity::stall::Stall;
use crate::entity::task::TaskRecord;
use crate::hello::Hello;
use crate::hist::Hist;
use crate::id::{BootId, RuntimeId, SiteId, TaskId, WorkerId};
use crate::measured::{Coverage, Metric, Mode};
use crate::query::page::Presence;
use crate::report::{Detail, Losses};
use crate::time::SECOND;

/// Reports that never arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Gaps {
    /// How often the sequence was broken.
    pub count: u64,
    /// Reports missing in all.
    pub reports: u64,
}

/// What a peer sent and this side had no room for, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Refused {
    /// Task rows.
    pub tasks: u64,
    /// Sites' intervals.
    pub sites: u64,
    /// Workers' intervals.
    pub workers: u64,
    /// Runtimes' states.
    pub runtimes: u64,
    /// Wake edges' intervals, and open polls.
    pub details: u64,
    /// Blocks of single events.
    pub event_blocks: u64,
}

impl Refused {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            tasks: self.tasks.saturating_add(other.tasks),
            sites: self.sites.saturating_add(other.sites),
            workers: self.workers.saturating_add(other.workers),
            runtimes: self.runtimes.saturating_add(other.runtimes),
            details: self.details.saturating_add(other.details),
            event_blocks: self.event_blocks.saturating_add(other.event_blocks),
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        [self.tasks, self.sites, self.workers, self.runtimes, self.details, self.event_blocks]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// How much of a slot the reports cover.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cover {
    /// Lengths of the reports that end in the slot.
    pub(super) ended_ns: u64,
    /// Whether any report touches it.
    pub(super) touched: bool,
}

/// Poll times and schedule delays of all sites together.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    pub(super) poll: Hist,
    pub(super) sched: Hist,
}

/// Sums over all sites since the process started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sums {
    pub(super) spawned: u64,
    pub(super) ended: u64,
}

/// One incarnation of one process. All of its fields change in `fold.rs` only.
#[derive(Clone, Debug)]
pub struct Process {
    pub(super) hello: Hello,
    pub(super) label: Arc<str>,
    pub(super) presence: Presence,
    pub(super) heard_unix_ns: u64,
    pub(super) gone: Option<(u64, Arc<str>)>,
    pub(super) now_ns: u64,
    pub(super) last_seq: Option<u64>,
    pub(super) exact: bool,
    pub(super) based: bool,
    pub(super) unheard_ns: u64,
    pub(super) staging: Option<Box<Staging>>,
    pub(super) detail: Detail,
    pub(super) dictionary: Dictionary,
    pub(super) losses: Losses,
    pub(super) gaps: Gaps,
    pub(super) refused: Refused,
    pub(super) retired_early: u64,
    pub(super) swept_ns: u64,
    pub(super) sums: Sums,
    pub(super) tasks: TaskTable,
    pub(super) sites: HashMap<SiteId, SiteState>,
    pub(super) workers: BTreeMap<WorkerId, WorkerState>,
    /// How many workers left with their runtimes, and what they did.
    pub(super) retired: Option<(u32, WorkerDelta)>,
    pub(super) runtimes: BTreeMap<RuntimeId, RuntimeState>,
    pub(super) slow_polls: VecDeque<SlowPoll>,
    pub(super) slow_polls_ever: u64,
    pub(super) stalls: Vec<Stall>,
    pub(super) edges: EdgeTable,
    pub(super) events: EventStore,
    pub(super) cover: Ring<Cover, 1, 60>,
    pub(super) cover_tens: Ring<Cover, 10, 90>,
    pub(super) polls: Ring<f32, 1, 60>,
    pub(super) busy: Ring<Busy, 1, 60>,
    pub(super) times: Ring<Times, 10, 6>,
    pub(super) ribbon: Ring<u64, 10, 90>,
}

impl Process {
    /// The incarnation.
    pub fn boot(&self) -> BootId {
        self.hello.boot
    }

    /// Its newest greeting.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// `checkout#2`: name and number in order of appearance; never changes for a boot.
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// Whether it is there.
    pub fn presence(&self) -> Presence {
        self.presence
    }

    /// When it went away, nanoseconds since the Unix epoch on the viewer's clock.
    pub fn gone_since(&self) -> Option<u64> {
        self.gone.as_ref().map(|(since, _)| *since)
    }

    /// Why it went away.
    pub fn gone_reason(&self) -> Option<&Arc<str>> {
        self.gone.as_ref().map(|(_, reason)| reason)
    }

    /// How long it has been gone.
    pub fn gone_for_ns(&self, now_unix_ns: u64) -> Option<u64> {
        self.gone_since().map(|since| now_unix_ns.saturating_sub(since))
    }

    /// When its last report or greeting arrived, nanoseconds since the Unix epoch on the viewer's
    /// clock.
    pub fn heard_unix_ns(&self) -> u64 {
        self.heard_unix_ns
    }

    /// "Now" on the process's clock: the end of its newest report. Everything about it is as of then.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// The same moment on the wall clock of the process's host.
    pub fn now_unix_ns(&self) -> u64 {
        self.hello.anchor.to_unix_ns(self.now_ns)
    }

    /// The last sequence number up to which nothing is missing from the totals; `None` if a
    /// snapshot is needed.
    pub fn last_seq(&self) -> Option<u64> {
        self.last_seq.filter(|_| self.exact)
    }

    /// Whether site and worker totals are short of something that only a snapshot can bring.
    pub fn needs_snapshot(&self) -> bool {
        !self.exact
    }

    /// How much of its tasks it tells.
    pub fn detail(&self) -> Detail {
        self.detail
    }

    /// Its sites and names.
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// What its recorder says is missing.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Reports that never arrived.
    pub fn gaps(&self) -> Gaps {
        self.gaps
    }

    /// What it sent and this side had no room for.
    pub fn refused(&self) -> Refused {
        self.refused
    }

    /// Ended tasks that left before their time, because too many ended at once; counted in their
    /// sites still.
    pub fn retired_early(&self) -> u64 {
        self.retired_early
    }

    /// Everything that is missing: lost in the recorder, reports in gaps, refused here.
    pub fn lost(&self) -> u64 {
        self.losses
            .total()
            .saturating_add(self.gaps.reports)
            .saturating_add(self.refused.total())
            .saturating_add(self.dictionary.refused())
    }

    /// Whether the metric is measured for at least some tasks.
    pub fn measures_for_some(&self, metric: Metric) -> bool {
        self.hello.coverage(metric) != Coverage::Nobody
    }

    /// Tasks alive now, those without a row of their own included: by the sites' counts, or by
    /// tokio's own in sample mode. `None` if nobody counts them.
    pub fn alive_tasks(&self) -> Option<u64> {
        if self.hello.mode == Mode::Sample {
            return self
                .runtimes
                .values()
                .filter_map(|runtime| runtime.record.alive_tasks)
                .reduce(u64::saturating_add);
        }
        Some(self.sums.spawned.saturating_sub(self.sums.ended))
    }

    /// Rows of tasks: alive ones and those that ended a short while ago, in no order.
    pub fn tasks(&self) -> impl Iterator<Item = TaskRow<'_>> + Clone + '_ {
        self.tasks.iter()
    }

    /// How many rows [`Process::tasks`] gives.
    pub fn task_rows(&self) -> usize {
        self.tasks.len()
    }

    /// One task's row.
    pub fn task_row(&self, id: TaskId) -> Option<TaskRow<'_>> {
        self.tasks.get(id)
    }

    /// One task's row as the record that was folded.
    pub fn task(&self, id: TaskId) -> Option<TaskRecord> {
        self.tasks.get(id).map(|row| row.record())
    }

    /// Living tasks that the task spawned.
    pub fn children_of(&self, id: TaskId) -> u64 {
        self.tasks.children(id).0.into()
    }

    /// Whether the task has living children that are not declared long-lived.
    pub fn awaits_children(&self, id: TaskId) -> bool {
        self.tasks.children(id).1 > 0
    }

    /// Living tasks that have a row and run on that runtime.
    pub fn tasks_on(&self, runtime: RuntimeId) -> u64 {
        self.tasks.on_runtime(runtime)
    }

    /// What the rows of a site's tasks tell that its counters do not.
    pub fn site_rows(&self, site: SiteId) -> SiteRows {
        self.tasks.site(site)
    }

    /// How many rows were ever told; the mark for [`Process::changed_places`].
    pub fn changes_ever(&self) -> u64 {
        self.tasks.changes_ever()
    }

    /// The places of the rows that were told after that mark, as often as they were; `None` if that
    /// is longer ago than is remembered, so that every row may be another. A row keeps its place for
    /// as long as it is there; a row that left is not told of.
    pub fn changed_places(&self, mark: u64) -> Option<impl Iterator<Item = u32> + '_> {
        self.tasks.changes_since(mark)
    }

    /// Every row with its place.
    pub fn places(&self) -> impl Iterator<Item = (u32, TaskRow<'_>)> + '_ {
        self.tasks.places()
    }

    /// The row at a place, if there still is one.
    pub fn row_at(&self, place: u32) -> Option<TaskRow<'_>> {
        self.tasks.at(place)
    }

    /// Every site, in no order.
    pub fn sites(&self) -> impl Iterator<Item = SiteView<'_>> + '_ {
        self.sites.values().map(|state| SiteView { process: self, state })
    }

    /// One site.
    pub fn site(&self, id: SiteId) -> Option<SiteView<'_>> {
        self.sites.get(&id).map(|state| SiteView { process: self, state })
    }

    /// Every worker, by runtime and index.
    pub fn workers(&self) -> impl Iterator<Item = WorkerView<'_>> + '_ {
        self.workers.values().map(|state| WorkerView { state, now_ns: self.now_ns })
    }

    /// One worker.
    pub fn worker(&self, id: WorkerId) -> Option<WorkerView<'_>> {
        self.workers.get(&id).map(|state| WorkerView { state, now_ns: self.now_ns })
    }

    /// How many workers there were since the process started, those of runtimes that are shut down
    /// included, and what all of them did; `None` if none was told of.
    pub fn work(&self) -> Option<(u32, WorkerDelta)> {
        let mut work = self.retired.clone();
        for worker in self.workers.values() {
            let (workers, sum) = work.get_or_insert_default();
            *workers = workers.saturating_add(1);
            sum.merge(&worker.totals);
        }
        work
    }

    /// Every runtime that is not shut down, by number.
    pub fn runtimes(&self) -> impl Iterator<Item = RuntimeView<'_>> + '_ {
        self.runtimes.values().map(|state| RuntimeView { state, now_ns: self.now_ns })
    }

    /// One runtime.
    pub fn runtime(&self, id: RuntimeId) -> Option<RuntimeView<'_>> {
        self.runtimes.get(&id).map(|state| RuntimeView { state, now_ns: self.now_ns })
    }

    /// How many slow polls were ever told; the mark for [`Process::slow_polls_since`].
    pub fn slow_polls_ever(&self) -> u64 {
        self.slow_polls_ever
    }

    /// The slow polls told after that mark, oldest first, as far as they are remembered (the newest
    /// 1,024 of the process).
    pub fn slow_polls_since(&self, mark: u64) -> impl Iterator<Item = &SlowPoll> + '_ {
        let fresh = self.slow_polls_ever.saturating_sub(mark).min(self.slow_polls.len() as u64) as usize;
        self.slow_polls.range(self.slow_polls.len() - fresh..)
    }

    /// Polls above the process's limit that were open at the end of its newest report.
    pub fn stalls(&self) -> &[Stall] {
        &self.stalls
    }

    /// The open poll above the limit that holds a worker, the longest if it says several.
    pub fn stall_of(&self, worker: WorkerId) -> Option<&Stall> {
        self.stalls.iter().filter(|stall| stall.worker == Some(worker)).min_by_key(|stall| stall.since_ns)
    }

    /// Who wakes the site's tasks, and how often they did since the process started, in no order.
    pub fn wakers_of(&self, site: SiteId) -> impl Iterator<Item = (Waker, u64)> + '_ {
        self.edges.to(site)
    }

    /// Single polls and wakes by recording thread, as far as somebody asked for them and they are
    /// remembered.
    pub fn tracks(&self) -> impl Iterator<Item = &Track> + '_ {
        self.events.tracks()
    }

    /// Single events that were overwritten, or left out on the way, before they came here.
    pub fn missed_events(&self) -> u64 {
        self.events.missed()
    }

    /// How much of the last `ns` nanoseconds (up to 15 min) reports cover; see
    /// [`WindowView::covered_ns`](super::WindowView::covered_ns).
    pub fn covered_ns(&self, ns: u64) -> u64 {
        let sum = |covered: u64, cover: &Cover| covered.saturating_add(cover.ended_ns);
        if ns <= 10 * SECOND {
            let slots = ns.div_ceil(SECOND) as u32;
            return self.cover.latest(self.now_ns, slots).fold(0, |n, (_, cover)| sum(n, cover));
        }
        self.covered_tens(ns.div_ceil(10 * SECOND).min(90) as u32)
    }

    /// How much time the reports that end in the newest slots of ten seconds cover.
    pub(super) fn covered_tens(&self, slots: u32) -> u64 {
        let tens = self.cover_tens.latest(self.now_ns, slots);
        tens.fold(0, |covered, (_, cover)| covered.saturating_add(cover.ended_ns))
    }

    /// Whether any report covers that second of the process's clock.
    pub(super) fn covers_second(&self, slot: u32) -> bool {
        self.cover.get(slot).is_some_and(|cover| cover.touched)
    }

    /// Polls per second over the last 10 s. `None` if single polls are not measured or no time is
    /// covered.
    pub fn polls_per_s(&self) -> Option<f64> {
        if !self.measures_for_some(Metric::Polls) {
            return None;
        }
        let seconds = self.cover.latest(self.now_ns, 10).filter(|(_, cover)| cover.touched).count();
        let covered_ns = (seconds as u64 * SECOND).min(self.covered_ns(10 * SECOND));
        let polls = self.polls.latest(self.now_ns, 10).fold(0.0, |sum, (_, polls)| sum + f64::from(*polls));
        (covered_ns > 0).then(|| polls * SECOND as f64 / covered_ns as f64)
    }

    /// Busy share of all workers over the last 10 s. `None` if not measured.
    pub fn busy(&self) -> Option<f64> {
        let sum = self.busy.latest(self.now_ns, 10).fold(Busy::default(), |sum, (_, busy)| sum.plus(*busy));
        sum.ratio().map(f64::from)
    }

    /// Poll times of all sites over the last 60 s.
    pub fn poll_times(&self) -> Hist {
        self.merged(|times| &times.poll)
    }

    /// Schedule delays of all sites over the last 60 s; empty where not measured.
    pub fn sched_times(&self) -> Hist {
        self.merged(|times| &times.sched)
    }

    fn merged(&self, of: impl Fn(&Times) -> &Hist) -> Hist {
        let mut all = Hist::new();
        self.times.latest(self.now_ns, 6).for_each(|(_, times)| all.merge(of(times)));
        all
    }

    /// Polls per second in each of the last 60 seconds, oldest first; `None` where no report covers
    /// the second.
    pub fn polls_series(&self) -> Vec<Option<f32>> {
        self.cover.series(self.now_ns, 60, |slot, cover| {
            cover.filter(|cover| cover.touched).map(|_| self.polls.get(slot).copied().unwrap_or(0.0))
        })
    }

    /// Busy share of all workers in each of the last 60 seconds, oldest first.
    pub fn busy_series(&self) -> Vec<Option<f32>> {
        self.busy.series(self.now_ns, 60, |_, busy| busy.and_then(|busy| busy.ratio()))
    }

    /// The longest poll in each 10 s of the last 15 min, in nanoseconds, oldest first; `None` where no
    /// report covers the time.
    pub fn ribbon(&self) -> Vec<Option<f32>> {
        self.cover_tens.series(self.now_ns, 90, |slot, cover| {
            cover.filter(|cover| cover.touched).map(|_| self.ribbon.get(slot).map_or(0.0, |ns| *ns as f32))
        })
    }
}
