//! What one run left: per process and site, the figures that another run can be compared with.
//!
//! Taken from worlds after all of their reports were folded. A run that was read from a file has
//! everything but the evidence of single slow polls, which only the run that is judged needs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::identity::{Place, SiteKey, process_name};
use crate::hist::Hist;
use crate::measured::{Metric, Mode};
use crate::world::{Process, SiteView, World};

/// Sites that are kept of one process of one run; those with the fewest polls are left out.
pub const MAX_SITES: usize = 4_096;

/// Slow polls that are remembered of one site of several processes.
const MAX_SPLIT: usize = 4_096;

/// One run: all processes that were recorded together, by name.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Run {
    /// Processes of the same name are one.
    pub processes: BTreeMap<Arc<str>, ProcessRun>,
}

/// All processes of one name in one run.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ProcessRun {
    /// What it ran on.
    pub machine: Machine,
    /// How busy it was.
    pub load: Load,
    /// Its sites; those of one key are sorted by place.
    pub sites: BTreeMap<SiteKey, Vec<SiteRun>>,
    /// Sites that found no room.
    pub left_out: u64,
}

/// The class of machine and build: figures of two classes are never compared.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Machine {
    /// How the process was observed.
    pub mode: Mode,
    /// CPUs that it may use at once; 0 if unknown.
    pub cpus: u32,
    /// What it was built for and how, `x86_64-linux debug`; empty if unknown.
    pub build: String,
}

impl Machine {
    /// Whether figures of both can be compared. What is not known is not held against them.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let cpus = self.cpus == 0 || other.cpus == 0 || self.cpus == other.cpus;
        let build = self.build.is_empty() || other.build.is_empty() || self.build == other.build;
        self.mode == other.mode && cpus && build
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let build = if self.build.is_empty() { "unknown build" } else { &self.build };
        write!(f, "{build}, {} CPUs, {} mode", self.cpus, self.mode)
    }
}

/// How busy a process and its machine were: what schedule delays depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Load {
    /// Time that the processes ran, added up, nanoseconds.
    pub span_ns: u64,
    /// Workers of their runtimes; of processes of one name, of the first.
    pub workers: u32,
    /// Time that their workers were busy.
    pub busy_ns: u64,
    /// Time over which that was measured.
    pub worker_ns: u64,
    /// CPU time of their workers; `None` if not measured.
    pub cpu_ns: Option<u64>,
    /// Time that workers could run but had no CPU; `None` if not measured.
    pub preempted_ns: Option<u64>,
}

impl Load {
    /// Share of the time that the workers were busy.
    pub fn busy(&self) -> Option<f64> {
        (self.worker_ns > 0).then(|| self.busy_ns as f64 / self.worker_ns as f64)
    }

    /// Time without a CPU for each unit of time with one.
    pub fn preempted(&self) -> Option<f64> {
        let cpu = self.cpu_ns.filter(|ns| *ns > 0)?;
        Some(self.preempted_ns? as f64 / cpu as f64)
    }

    fn merge(&mut self, other: &Self) {
        let add = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
        *self = Self {
            span_ns: self.span_ns.saturating_add(other.span_ns),
            workers: self.workers,
            busy_ns: self.busy_ns.saturating_add(other.busy_ns),
            worker_ns: self.worker_ns.saturating_add(other.worker_ns),
            cpu_ns: add(self.cpu_ns, other.cpu_ns),
            preempted_ns: add(self.preempted_ns, other.preempted_ns),
        };
    }
}

/// One site in one run.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SiteRun {
    /// Where it was.
    pub place: Place,
    /// Tasks spawned.
    pub spawned: u64,
    /// Tasks alive at the end that were not declared long-lived.
    pub left: u64,
    /// Wakes of its tasks by themselves; `None` if not measured.
    pub self_wakes: Option<u64>,
    /// Wall time of polls.
    pub poll: Hist,
    /// Schedule delays; `None` if not measured.
    pub sched: Option<Hist>,
    /// Time from spawn to end.
    pub life: Hist,
    /// Polls above the process's slow-poll limit; never in a file.
    pub(super) slow: u64,
    /// Of these the newest, as far as their time was split; never in a file.
    pub(super) split: Vec<Split>,
}

/// A slow poll whose time was split.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Split {
    /// Wall time.
    pub(super) wall_ns: u64,
    /// Of it, what the code is answerable for.
    pub(super) judged_ns: u64,
}

impl SiteRun {
    /// Adds the same site of another process of the run.
    fn merge(&mut self, other: Self) {
        self.spawned = self.spawned.saturating_add(other.spawned);
        self.left = self.left.saturating_add(other.left);
        self.self_wakes = self.self_wakes.zip(other.self_wakes).map(|(a, b)| a.saturating_add(b));
        self.poll.merge(&other.poll);
        if let (Some(sched), Some(more)) = (&mut self.sched, &other.sched) {
            sched.merge(more);
        } else {
            self.sched = None;
        }
        self.life.merge(&other.life);
        self.slow = self.slow.saturating_add(other.slow);
        self.split.extend(other.split);
        self.split.truncate(MAX_SPLIT);
    }
}

impl Run {
    /// What the processes of those worlds left, as far as single polls of theirs were measured.
    pub fn of<'w>(worlds: impl IntoIterator<Item = &'w World>) -> Self {
        let mut run = Self::default();
        worlds.into_iter().for_each(|world| run.add_world(world));
        run
    }

    /// Adds what the processes of another world left.
    pub fn add_world(&mut self, world: &World) {
        for process in world.processes() {
            if process.measures_for_some(Metric::Polls) {
                self.add(process);
            }
        }
        self.processes.values_mut().for_each(ProcessRun::cut);
    }

    fn add(&mut self, process: &Process) {
        let hello = process.hello();
        let name: Arc<str> = process_name(&hello.process.name).into();
        let known = self.processes.contains_key(&name);
        let mine = self.processes.entry(name).or_default();
        if known {
            mine.load.merge(&load_of(process));
        } else {
            mine.load = load_of(process);
            mine.machine =
                Machine { mode: hello.mode, cpus: hello.process.cpus, build: hello.process.build.clone() };
        }
        for view in process.sites() {
            let site = process.dictionary().site(view.id());
            // Stands for no line and no route: what did not fit into the dictionary.
            if site.line == 0 && !process.dictionary().is_route(view.id()) {
                continue;
            }
            let rows = process.site_rows(view.id());
            let key = SiteKey::new(&site.file, &process.dictionary().name(rows.name));
            let fresh = site_of(process, &view, Place::of(&site), rows.long_lived);
            let same = mine.sites.entry(key).or_default();
            match same.binary_search_by_key(&fresh.place, |known| known.place) {
                Ok(index) => same[index].merge(fresh),
                Err(index) => same.insert(index, fresh),
            }
        }
    }

    /// Whether no process was measured.
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// The process of that name. Where both runs know one process only, that is it whatever its name.
    pub(super) fn process(&self, name: &str, only: bool) -> Option<&ProcessRun> {
        match self.processes.get(name) {
            None if only && self.processes.len() == 1 => self.processes.values().next(),
            found => found,
        }
    }

    /// How many sites it has.
    pub fn sites(&self) -> usize {
        self.processes.values().flat_map(|process| process.sites.values()).map(Vec::len).sum()
    }
}

impl ProcessRun {
    /// Polls of all of its sites.
    pub(super) fn polls(&self) -> u64 {
        self.sites.values().flatten().map(|site| site.poll.count()).fold(0, u64::saturating_add)
    }

    /// Leaves out the sites with the fewest polls if they are too many.
    fn cut(&mut self) {
        let mut polls: Vec<u64> = self.sites.values().flatten().map(|site| site.poll.count()).collect();
        if polls.len() <= MAX_SITES {
            return;
        }
        polls.sort_unstable_by(|a, b| b.cmp(a));
        let least = polls[MAX_SITES];
        let before = polls.len();
        for same in self.sites.values_mut() {
            same.retain(|site| site.poll.count() > least);
        }
        self.sites.retain(|_, same| !same.is_empty());
        self.left_out += (before - self.sites.values().map(Vec::len).sum::<usize>()) as u64;
    }
}

fn load_of(process: &Process) -> Load {
    let (workers, work) = process.work().unwrap_or_default();
    Load {
        span_ns: process.now_ns(),
        workers,
        busy_ns: work.busy_ns,
        worker_ns: work.interval_ns,
        cpu_ns: work.cpu_ns,
        preempted_ns: work.preempted_ns,
    }
}

fn site_of(process: &Process, view: &SiteView<'_>, place: Place, long_lived: u64) -> SiteRun {
    let totals = view.totals();
    let slow = process.slow_polls_since(0).filter(|poll| poll.site == view.id());
    let split = slow.filter(|poll| poll.preempted_ns.is_some());
    SiteRun {
        place,
        spawned: totals.spawned,
        left: view.alive().saturating_sub(long_lived),
        self_wakes: (process.measures_for_some(Metric::Wakes) && totals.is_wrapped())
            .then_some(totals.self_wakes),
        poll: totals.poll.clone(),
        sched: view.sched().cloned(),
        life: totals.life.clone(),
        slow: totals.slow_polls,
        split: split.map(|poll| Split { wall_ns: poll.wall_ns, judged_ns: poll.judged_ns() }).collect(),
    }
}
