//! What detectors look at: one process at one moment, with its sites' windows computed once for all.

use std::cell::OnceCell;
use std::sync::Arc;

use super::cpu::{Cpu, LONG_NS, SHORT_NS};
use super::history::{DetectorHistory, SiteTrack};
use super::signal::FindingKey;
use crate::dict::short_line;
use crate::entity::runtime::Flavor;
use crate::entity::slow_poll::SlowPoll;
use crate::entity::stall::Stall;
use crate::entity::task::{TaskKind, TaskRecord};
use crate::hist::Hist;
use crate::id::{LineId, NameId, RuntimeId, SiteId, TaskId, WorkerId};
use crate::measured::Metric;
use crate::time::Nanos;
use crate::world::{Process, SiteRows, SiteView, WindowView};

/// A process at one moment: what tests of single tasks need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment<'a> {
    /// The process.
    pub process: &'a Process,
    /// Now, on its clock: also how long its recorder has run.
    pub now_ns: u64,
    /// Whether the machine gave it what it wanted in the last 10 seconds.
    pub cpu: Cpu,
    /// The same over the last minute: the least of any 10 seconds in it.
    pub cpu_minute: Cpu,
}

impl Moment<'_> {
    /// Whether a poll of such a task keeps a worker of a runtime from everything else. A `block_on` body runs on a
    /// thread of its own beside the workers of a multi-thread runtime, and on the only thread of a current-thread
    /// one. Where its runtime is not known, it does not count.
    pub(super) fn holds_worker(&self, kind: TaskKind, runtime: Option<RuntimeId>) -> bool {
        let flavor = || self.process.runtime(runtime?).map(|runtime| runtime.record().flavor);
        match kind {
            TaskKind::Blocking => false,
            TaskKind::BlockOn => flavor() == Some(Flavor::CurrentThread),
            _ => true,
        }
    }

    /// For how long the open poll of that task has kept its thread from everything else, as far as the process
    /// can tell, without what is allowed: where it lists its stalls, one that is not among them has handed its
    /// worker on (`block_in_place`), is inside of `allow_blocking`, or a debugger holds the process.
    ///
    /// Cost: as many comparisons as polls are open for too long, mostly none.
    pub(super) fn held_ns(&self, task: &TaskRecord) -> Option<u64> {
        // Of polls inside of each other, the list has the innermost task and the start of the outermost.
        let is_of = |stall: &Stall| stall.task == Some(task.id) || stall.since_ns == task.poll_start_ns;
        let open_ns = task.current_poll_ns(self.now_ns)?;
        if !self.process.measures_for_some(Metric::Stalls) {
            return Some(self.ran_ns(open_ns));
        }
        let stall = self.process.stalls().iter().find(|stall| is_of(stall))?;
        let stopped_ns = self.process.stopped_ns(stall.since_ns, self.now_ns);
        // The task whose poll is inside of this one is judged for that time itself.
        let nested = stall.task.filter(|inner| *inner != task.id).and_then(|inner| self.process.task(inner));
        let nested_ns = nested.and_then(|inner| inner.current_poll_ns(self.now_ns)).unwrap_or(0);
        let open_ns = open_ns.saturating_sub(nested_ns);
        Some(open_ns.saturating_sub(stall.allowed_ns).saturating_sub(stopped_ns))
    }

    /// For how long nothing has happened to the task while the process ran.
    pub(super) fn quiet_ns(&self, task: &TaskRecord) -> u64 {
        self.ran_ns(task.quiet_ns(self.now_ns))
    }

    /// For how long the process has run within the latest so many nanoseconds: without the time in which it was
    /// stopped.
    pub(super) fn ran_ns(&self, ns: u64) -> u64 {
        ns.saturating_sub(self.process.stopped_ns(self.now_ns.saturating_sub(ns), self.now_ns))
    }
}

/// One site with its windows.
#[derive(Debug)]
pub(crate) struct ObservedSite<'a> {
    /// The site.
    pub view: SiteView<'a>,
    rows: SiteRows,
    holds_worker: bool,
    short: OnceCell<Box<WindowView>>,
    long: OnceCell<Box<WindowView>>,
}

impl ObservedSite<'_> {
    /// The last 10 seconds.
    pub(crate) fn short(&self) -> &WindowView {
        self.short.get_or_init(|| Box::new(self.view.window(SHORT_NS)))
    }

    /// The last minute.
    pub(crate) fn long(&self) -> &WindowView {
        self.long.get_or_init(|| Box::new(self.view.window(LONG_NS)))
    }

    /// Its index.
    pub(crate) fn id(&self) -> SiteId {
        self.view.id()
    }

    /// Whether its tasks run on a worker of a runtime, so that a long poll of theirs is in the way of
    /// others. Unknown counts as yes.
    pub(crate) fn holds_worker(&self) -> bool {
        self.holds_worker
    }

    /// Whether its tasks are `block_on` bodies.
    pub(crate) fn is_block_on(&self) -> bool {
        self.rows.kind == Some(TaskKind::BlockOn)
    }

    /// Whether its tasks are jobs of the blocking pool.
    pub(crate) fn is_of_jobs(&self) -> bool {
        self.rows.kind == Some(TaskKind::Blocking)
    }

    /// Whether its tasks run in another executor than tokio's, as far as that is known: futures that no runtime's
    /// thread polls.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self.rows.kind, Some(TaskKind::Future | TaskKind::Request)) && self.rows.runtime.is_none()
    }

    /// Living tasks that were not declared long-lived.
    pub(crate) fn short_lived_alive(&self) -> u64 {
        self.view.alive().saturating_sub(self.rows.long_lived)
    }
}

/// What detectors look at.
#[derive(Debug)]
pub(crate) struct View<'a> {
    /// The process now.
    pub moment: Moment<'a>,
    sites: Vec<ObservedSite<'a>>,
    history: &'a DetectorHistory,
    waits: OnceCell<Hist>,
}

impl<'a> View<'a> {
    pub(crate) fn new(moment: Moment<'a>, history: &'a DetectorHistory) -> Self {
        let mut sites: Vec<_> = moment
            .process
            .sites()
            .map(|view| {
                let rows = moment.process.site_rows(view.id());
                let holds_worker = rows.kind.is_none_or(|kind| moment.holds_worker(kind, rows.runtime));
                ObservedSite { view, rows, holds_worker, short: OnceCell::new(), long: OnceCell::new() }
            })
            .collect();
        sites.sort_unstable_by_key(ObservedSite::id);
        Self { moment, sites, history, waits: OnceCell::new() }
    }

    /// Every site, by index.
    pub(crate) fn sites(&self) -> &[ObservedSite<'a>] {
        &self.sites
    }

    /// One site.
    pub(crate) fn site(&self, id: SiteId) -> Option<&ObservedSite<'a>> {
        self.sites.binary_search_by_key(&id, ObservedSite::id).ok().map(|index| &self.sites[index])
    }

    /// The slow polls that were told since the look before.
    pub(crate) fn new_slow_polls(&self) -> impl Iterator<Item = &'a SlowPoll> + '_ {
        self.moment.process.slow_polls_since(self.history.slow_polls_evaluated())
    }

    /// What `stuck-poll` said of the poll while it was open, if it did.
    pub(crate) fn stuck_key(&self, poll: &SlowPoll) -> Option<FindingKey> {
        self.history.stuck_key(poll.task, poll.nth)
    }

    /// Whether the detector's finding about that, which is a state, was open at the end of the look before.
    pub(crate) fn was_open(&self, detector: &'static str, key: FindingKey) -> bool {
        self.history.was_open(detector, key)
    }

    /// How a site's count of living tasks went; `None` while it has too few to be followed.
    pub(crate) fn track(&self, site: SiteId) -> Option<&SiteTrack> {
        self.history.track(site)
    }

    /// For how long the process has been watched.
    pub(crate) fn watched_ns(&self) -> u64 {
        self.moment.now_ns.saturating_sub(self.history.since_ns())
    }

    /// 99th percentiles of the schedule delay as they were seen at earlier looks: nanoseconds ago and
    /// value, oldest first.
    pub(crate) fn earlier_waits(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let now_ns = self.moment.now_ns;
        self.history.waits().map(move |(at_ns, p99)| (now_ns.saturating_sub(at_ns), p99))
    }

    /// Schedule delays of all tasks over the last 10 seconds; empty where they are not measured.
    pub(crate) fn waits(&self) -> &Hist {
        self.waits.get_or_init(|| {
            let mut all = Hist::new();
            self.sites.iter().for_each(|site| all.merge(&site.short().delta.sched));
            all
        })
    }

    /// Whether other tasks have waited for a worker for longer than that, more than the machine made
    /// them; `None` where schedule delays are not measured.
    pub(crate) fn others_waited(&self, limit_ns: u64) -> Option<bool> {
        let waits = self.waits();
        (!waits.is_empty()).then(|| self.moment.cpu.own(waits.max()) > limit_ns)
    }

    /// The harm in words: who waited, and how long.
    pub(crate) fn harm_text(&self) -> String {
        let waits = self.waits();
        match waits.quantile(0.99) {
            Some(p99) => format!(
                "In the last 10s tasks waited up to {} for a worker (p99 {}).",
                Nanos(waits.max()),
                Nanos(p99)
            ),
            None => "How long other tasks waited because of it is not measured here.".to_owned(),
        }
    }

    /// The site in a few characters, `cart.rs:88`.
    pub(crate) fn short_site(&self, site: SiteId) -> String {
        self.moment.process.dictionary().site(site).short()
    }

    /// The line in a few characters, `login.rs:15`.
    pub(crate) fn short_line(&self, line: LineId) -> String {
        short_line(&self.moment.process.dictionary().line_text(line))
    }

    /// Whether the site is a route.
    pub(crate) fn is_route(&self, site: SiteId) -> bool {
        self.moment.process.dictionary().is_route(site)
    }

    /// The first name that was seen at a site.
    pub(crate) fn first_name(&self, site: SiteId) -> NameId {
        self.moment.process.site_rows(site).name
    }

    /// The name, or an empty text.
    pub(crate) fn name(&self, name: NameId) -> Arc<str> {
        self.moment.process.dictionary().name(name)
    }

    /// "task 311 `render_cart`", or without the name if it has none or is no longer known.
    pub(crate) fn task_text(&self, task: TaskId) -> String {
        let name = self.moment.process.task(task).map(|record| self.name(record.name));
        match name.filter(|name| !name.is_empty()) {
            Some(name) => format!("task {task} `{name}`"),
            None => format!("task {task}"),
        }
    }

    /// "worker 1 of main", or without the runtime if it has no name.
    pub(crate) fn worker_text(&self, worker: WorkerId) -> String {
        let runtime = self.moment.process.runtime(worker.runtime);
        let runtime = runtime.map(|runtime| self.name(runtime.record().name));
        match runtime.filter(|name| !name.is_empty()) {
            Some(name) => format!("worker {} of {name}", worker.index),
            None => format!("worker {}", worker.index),
        }
    }

    /// "runtime `main`", or its number if it has no name.
    pub(crate) fn runtime_text(&self, id: RuntimeId) -> String {
        let runtime = self.moment.process.runtime(id);
        let name = runtime.map(|runtime| self.name(runtime.record().name)).unwrap_or_default();
        if name.is_empty() { format!("runtime {}", id.0) } else { format!("runtime `{name}`") }
    }

    /// "`render_cart` (cart.rs:88)", or the site alone.
    pub(crate) fn named_site(&self, site: SiteId, name: NameId) -> String {
        let name = self.name(name);
        let site = self.short_site(site);
        if name.is_empty() { site } else { format!("`{name}` ({site})") }
    }
}
