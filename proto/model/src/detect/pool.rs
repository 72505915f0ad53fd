//! The blocking pools of a process, as far as they are seen: how many jobs wait for a thread, which have one, and for
//! how long none has begun. Used by the rules about jobs; reads a process and keeps nothing.
//!
//! Jobs that are spawned through pollscope have rows; of all others the runtime's queue tells, on tokio's unstable
//! builds. Tokio hands jobs to threads in the order of their spawns and starts a thread for one while it has fewer than
//! it may have: so a job that waits for long is itself the proof that the pool is full.
//!
//! Cost: nothing while no job waits for long and no runtime's pool is full; else that of the living jobs.

use std::collections::{BTreeMap, BTreeSet};

use super::forgotten_task::usual;
use super::signal::near;
use super::view::Moment;
use crate::entity::task::{HandleState, TaskKind};
use crate::id::{RuntimeId, SiteId, TaskId};
use crate::world::{Process, TaskRow};

/// So many generations are followed from a waiting job to a job that has a thread.
const GENERATIONS: usize = 8;
/// Of so many of the waiting jobs, the oldest, the parents are asked for.
const ASKED: usize = 4_096;
/// Of so many ended jobs one may be out of the usual.
const SAMPLES: u64 = 20;

/// One blocking pool in which jobs wait.
#[derive(Debug)]
pub(super) struct Pool<'a> {
    /// Whose it is, if that is known.
    pub(super) runtime: Option<RuntimeId>,
    /// The job that has waited for longest, of those that have rows.
    pub(super) oldest: Option<TaskRow<'a>>,
    /// Jobs that wait and have rows.
    waiting: u64,
    /// The oldest of the jobs that have a thread, at most one for each thread there is.
    pub(super) running: Vec<TaskRow<'a>>,
    /// Of these, the jobs for whose descendants no thread is left: they wait in the queue.
    stuck: BTreeSet<TaskId>,
}

/// How long a pool has stood still.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolStall {
    /// Nanoseconds without a job that began.
    pub(super) ns: u64,
    /// A job is known to have waited, or no end to have been missed. Else jobs that are not seen may come and go.
    pub(super) is_sure: bool,
}

/// For how long each pool has stood still in which jobs wait.
#[derive(Debug)]
pub(super) struct StalledPools(BTreeMap<Option<RuntimeId>, u64>);

/// The pools in which jobs have waited, and none has ended, for about that long.
pub(super) fn stalled_pools(moment: Moment<'_>, limit_ns: u64) -> StalledPools {
    let pools = pools(moment, near(limit_ns));
    let stands = |pool: &Pool<'_>| Some((pool.runtime, pool.stall(moment, limit_ns)?.ns));
    StalledPools(pools.iter().filter_map(stands).collect())
}

impl StalledPools {
    /// Nanoseconds of the pool in which that job waits.
    pub(super) fn ns_of(&self, process: &Process, job: TaskId) -> u64 {
        let pool = process.task_row(job).map(|row| runtime_of(process, row));
        pool.and_then(|pool| self.0.get(&pool)).copied().unwrap_or(0)
    }
}

/// The runtime of a job that has none yet: its parent's, else that of others of its site, else the only one.
fn runtime_of(process: &Process, row: TaskRow<'_>) -> Option<RuntimeId> {
    let parents = || process.task_row(row.parent()?)?.runtime();
    let only = || {
        let mut runtimes = process.runtimes().map(|runtime| runtime.record().id);
        runtimes.next().filter(|_| runtimes.next().is_none())
    };
    row.runtime().or_else(parents).or_else(|| process.site_rows(row.site()).runtime).or_else(only)
}

/// The pools in which jobs have waited for that long, or that are full as tokio tells.
pub(super) fn pools(moment: Moment<'_>, wait_ns: u64) -> Vec<Pool<'_>> {
    let process = moment.process;
    let full = process.runtimes().filter(|runtime| runtime.pool_is_full() == Some(true));
    let mut pools: BTreeMap<Option<RuntimeId>, Pool<'_>> =
        full.map(|runtime| Some(runtime.record().id)).map(|id| (id, Pool::new(id))).collect();
    let is_long = |(since_ns, _)| moment.ran_ns(moment.now_ns.saturating_sub(since_ns)) > wait_ns;
    if pools.is_empty() && !process.waiting_jobs().next().is_some_and(is_long) {
        return Vec::new();
    }
    for (nth, row) in process.waiting_jobs().filter_map(|(_, id)| process.task_row(id)).enumerate() {
        let id = runtime_of(process, row);
        let pool = pools.entry(id).or_insert_with(|| Pool::new(id));
        pool.waiting += 1;
        pool.oldest.get_or_insert(row);
        if nth < ASKED && !matches!(row.handle(), HandleState::Dropped | HandleState::Aborted) {
            pool.stuck.extend(job_above(process, row));
        }
    }
    for row in process.running_jobs().filter_map(|(_, id)| process.task_row(id)) {
        if let Some(pool) = pools.get_mut(&runtime_of(process, row)) {
            pool.running.push(row);
        }
    }
    pools.into_values().collect()
}

/// The nearest ancestor that is a job with a thread.
fn job_above(process: &Process, row: TaskRow<'_>) -> Option<TaskId> {
    let parent = |row: &TaskRow<'_>| process.task_row(row.parent()?);
    let mut ancestors = std::iter::successors(parent(&row), parent).take(GENERATIONS);
    ancestors.find(|row| row.kind() == TaskKind::Blocking && row.poll_start_ns() > 0).map(|row| row.id())
}

impl Pool<'_> {
    fn new(runtime: Option<RuntimeId>) -> Self {
        Self { runtime, oldest: None, waiting: 0, running: Vec::new(), stuck: BTreeSet::new() }
    }

    /// For how long jobs have waited while none began, if the pool is full and none ended within `limit_ns`.
    pub(super) fn stall(&self, moment: Moment<'_>, limit_ns: u64) -> Option<PoolStall> {
        let runtime = self.runtime.and_then(|id| moment.process.runtime(id));
        let ends_are_told = runtime.is_some_and(|runtime| runtime.record().blocking_ended.is_some());
        let ago = |ns: u64| moment.ran_ns(moment.now_ns.saturating_sub(ns));
        let oldest_ns = self.oldest.map(|row| row.spawned_ns());
        // A job takes its thread when another one gives it back.
        let newest_ns = self.running.last().map_or(0, TaskRow::poll_start_ns);
        let (since_ns, is_sure) = match runtime.and_then(|runtime| runtime.pool_is_full()) {
            Some(false) => return None,
            Some(true) => {
                let waits = oldest_ns.is_some_and(|oldest_ns| ago(oldest_ns) > limit_ns);
                // Rows tell of the time before the process was watched, where all threads have jobs with rows.
                let rows_ns = oldest_ns.filter(|_| self.has_all_rows(moment.process)).unwrap_or(u64::MAX);
                (runtime?.pool_stalled_since_ns()?.min(rows_ns), ends_are_told || waits)
            }
            None => (oldest_ns?, true),
        };
        if !ends_are_told && self.moves(moment.process, limit_ns) {
            return None;
        }
        Some(PoolStall { ns: ago(since_ns.max(newest_ns)), is_sure })
    }

    /// Whether no thread is known to run anything but the jobs that have rows.
    fn has_all_rows(&self, process: &Process) -> bool {
        let running = self.running.len() as u64;
        running > 0 && self.threads(process).is_none_or(|threads| threads <= running)
    }

    /// Whether jobs of it ended lately, by the sites' counts, which also tell of jobs without rows.
    fn moves(&self, process: &Process, within_ns: u64) -> bool {
        let is_of_it = |runtime: Option<RuntimeId>| {
            runtime.is_none_or(|runtime| self.runtime.is_none_or(|own| own == runtime))
        };
        let is_its_site = |site: SiteId| {
            let rows = process.site_rows(site);
            rows.kind == Some(TaskKind::Blocking) && is_of_it(rows.runtime)
        };
        let mut sites = process.sites().filter(|site| is_its_site(site.id()));
        sites.any(|site| !site.window(within_ns).delta.poll.is_empty())
    }

    /// Jobs that wait: all of them where tokio tells of its queue, else those that have rows.
    pub(super) fn waiting(&self, process: &Process) -> u64 {
        let runtime = self.runtime.and_then(|id| process.runtime(id));
        runtime
            .and_then(|runtime| runtime.record().blocking_queue)
            .map_or(self.waiting, |n| n.max(self.waiting))
    }

    /// Threads that the pool has, where tokio tells.
    pub(super) fn threads(&self, process: &Process) -> Option<u64> {
        process.runtime(self.runtime?)?.record().blocking_threads
    }

    /// Whether every job that is known to have a thread has itself spawned a job that waits for one, and no thread is
    /// known to run anything else.
    pub(super) fn waits_for_itself(&self, process: &Process) -> bool {
        self.has_all_rows(process) && self.running.iter().all(|row| self.stuck.contains(&row.id()))
    }

    /// How long the jobs that have a thread usually take, as far as jobs of their sites have ended: the longest of
    /// few, of many what all but one in a hundred take.
    pub(super) fn usual_ns(&self, process: &Process) -> u64 {
        let sites: BTreeSet<SiteId> = self.running.iter().map(TaskRow::site).collect();
        let usual = |site: SiteId| {
            let polls = &process.site(site)?.totals().poll;
            Some(usual::long(polls, SAMPLES).unwrap_or_else(|| polls.max()))
        };
        sites.into_iter().filter_map(usual).max().unwrap_or(0)
    }

    /// The site whose jobs hold most of the threads, how many these are, and one of them.
    pub(super) fn holder(&self) -> Option<(SiteId, u64, TaskRow<'_>)> {
        let mut sites: BTreeMap<SiteId, (u64, TaskRow<'_>)> = BTreeMap::new();
        for row in &self.running {
            sites.entry(row.site()).or_insert((0, *row)).0 += 1;
        }
        let holders = sites.into_iter().map(|(site, (jobs, row))| (site, jobs, row));
        holders.max_by_key(|(site, jobs, _)| (*jobs, std::cmp::Reverse(*site)))
    }
}
