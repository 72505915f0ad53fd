//! A made-up process for tests: it spawns, polls and wakes as it is told, and gives the hello and
//! the reports that a real one would send.
//!
//! For the tests of every crate; nothing that ships calls it. It needs no test-only dependency, knows
//! no clock (time moves only by [`Script::pass`] and [`Script::second`]) and is deterministic.
//!
//! ```
//! use pollscope_model::testkit::Script;
//! use pollscope_model::time::MILLISECOND;
//!
//! let mut checkout = Script::new("checkout");
//! let site = checkout.site("src/cart.rs:88:9");
//! let task = checkout.spawn(site);
//! checkout.poll(task, 3, 2 * MILLISECOND);
//! let report = checkout.second();
//! assert_eq!((report.seq, report.tasks[0].polls), (1, 3));
//! ```

mod hostile;
mod report;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use crate::dict::{DictEntry, Dictionary, Site, Stack};
use crate::entity::edge::WakeEdge;
use crate::entity::runtime::{RuntimeRecord, WorkerDelta};
use crate::entity::site::SiteDelta;
use crate::entity::slow_poll::SlowPoll;
use crate::entity::stall::Stall;
use crate::entity::task::{HandleState, TaskRecord, TaskState, WokenBy};
use crate::hello::{Hello, ProcessInfo, ProtocolVersion};
use crate::id::{BootId, NameId, RuntimeId, SiteId, StackId, TaskId, WorkerId};
use crate::measured::{Capability, Coverage, Metric, Mode};
use crate::report::{Losses, Report};
use crate::time::{ClockAnchor, SECOND};
pub use hostile::{HOSTILE, hostile, raw, verdict_saying};
pub use verdict::{comparison, verdict};

/// Wall-clock time at which every script starts: 2026-01-01 00:00:00 UTC.
pub const START_UNIX_NS: u64 = 1_767_225_600 * SECOND;

/// A hello in wrap mode that measures everything for every task, with a boot id made from name and
/// pid.
pub fn hello(name: &str, pid: u32) -> Hello {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Hello {
        protocol: ProtocolVersion { major: 1, minor: 0 },
        version: "0.1.0".to_owned(),
        boot: BootId(u128::from(hash) << 32 | u128::from(pid)),
        process: ProcessInfo {
            name: name.to_owned(),
            pid,
            host: "web-01".to_owned(),
            exe: String::new(),
            cpus: 4,
            build: "x86_64-linux debug".to_owned(),
        },
        mode: Mode::Wrap,
        capabilities: capabilities(Mode::Wrap),
        anchor: ClockAnchor { unix_ns: START_UNIX_NS, mono_ns: 0 },
        interval_ns: SECOND,
        hist_scale: crate::hist::SCALE,
        policy: String::new(),
        slow_poll_ns: Some(crate::time::MILLISECOND),
    }
}

/// What a process in that mode measures.
pub fn capabilities(mode: Mode) -> Vec<Capability> {
    let coverage = |metric| match (mode, metric) {
        (Mode::Wrap, _)
        | (Mode::Hooks, Metric::Polls | Metric::SpawnSites | Metric::LibraryTasks)
        | (_, Metric::WorkerBusy | Metric::GlobalQueue | Metric::Stalls | Metric::Stacks) => Coverage::All,
        _ => Coverage::NoTask,
    };
    let reason = |coverage| match coverage {
        Coverage::All => String::new(),
        _ => format!("{mode} mode cannot see it: spawn through pollscope"),
    };
    Metric::ALL
        .into_iter()
        .map(|metric| {
            let coverage = coverage(metric);
            Capability { metric, coverage, reason: reason(coverage) }
        })
        .collect()
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Script {
    hello: Hello,
    now_ns: u64,
    reported_ns: u64,
    seq: u64,
    next_task: u64,
    dictionary: Dictionary,
    sites: BTreeMap<String, SiteId>,
    names: BTreeMap<String, NameId>,
    fresh: Vec<DictEntry>,
    tasks: BTreeMap<TaskId, TaskRecord>,
    changed: BTreeSet<TaskId>,
    totals: BTreeMap<SiteId, SiteDelta>,
    deltas: BTreeMap<SiteId, SiteDelta>,
    workers: BTreeMap<WorkerId, WorkerDelta>,
    worker_deltas: BTreeMap<WorkerId, WorkerDelta>,
    runtimes: BTreeMap<RuntimeId, RuntimeRecord>,
    slow_polls: Vec<SlowPoll>,
    stalls: Vec<Stall>,
    in_place: BTreeSet<TaskId>,
    edges: Vec<WakeEdge>,
    edge_totals: Vec<WakeEdge>,
    stacks: u32,
    losses: Losses,
}

impl Script {
    /// A process of that name with pid 100, in wrap mode, that has done nothing yet.
    pub fn new(name: &str) -> Self {
        Self::of(hello(name, 100))
    }

    /// A process with that hello.
    pub fn of(hello: Hello) -> Self {
        Self {
            hello,
            now_ns: 0,
            reported_ns: 0,
            seq: 0,
            next_task: 1,
            dictionary: Dictionary::default(),
            sites: BTreeMap::new(),
            names: BTreeMap::new(),
            fresh: Vec::new(),
            tasks: BTreeMap::new(),
            changed: BTreeSet::new(),
            totals: BTreeMap::new(),
            deltas: BTreeMap::new(),
            workers: BTreeMap::new(),
            worker_deltas: BTreeMap::new(),
            runtimes: BTreeMap::new(),
            slow_polls: Vec::new(),
            stalls: Vec::new(),
            in_place: BTreeSet::new(),
            edges: Vec::new(),
            edge_totals: Vec::new(),
            stacks: 0,
            losses: Losses::default(),
        }
    }

    /// The same in another mode, with what that mode measures.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.hello.mode = mode;
        self.hello.capabilities = capabilities(mode);
        self
    }

    /// Its greeting.
    pub fn hello(&self) -> Hello {
        self.hello.clone()
    }

    /// Its incarnation.
    pub fn boot(&self) -> BootId {
        self.hello.boot
    }

    /// Its clock.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// The wall clock of its host, and of its viewers.
    pub fn now_unix_ns(&self) -> u64 {
        self.hello.anchor.to_unix_ns(self.now_ns)
    }

    /// A spawn site, written as it prints: `src/cart.rs:88:9`. The same text is the same site.
    pub fn site(&mut self, text: &str) -> SiteId {
        if let Some(id) = self.sites.get(text) {
            return *id;
        }
        let mut parts = text.rsplitn(3, ':');
        let column = parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
        let line = parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
        let file = parts.next().unwrap_or(text).into();
        let id = SiteId(self.sites.len() as u32);
        self.sites.insert(text.to_owned(), id);
        self.enter(DictEntry::Site(id, Site { file, line, column }));
        id
    }

    /// A name. The same text is the same name.
    pub fn name(&mut self, text: &str) -> NameId {
        if text.is_empty() {
            return NameId::NONE;
        }
        if let Some(id) = self.names.get(text) {
            return *id;
        }
        let id = NameId(self.names.len() as u32 + 1);
        self.names.insert(text.to_owned(), id);
        self.enter(DictEntry::Name(id, text.into()));
        id
    }

    /// A stack; each one is new.
    pub fn stack(&mut self, stack: Stack) -> StackId {
        let id = StackId(self.stacks);
        self.stacks += 1;
        self.enter(DictEntry::Stack(id, stack));
        id
    }

    /// Spawns a task.
    pub fn spawn(&mut self, site: SiteId) -> TaskId {
        let id = TaskId(self.next_task);
        self.next_task += 1;
        self.tasks.insert(
            id,
            TaskRecord {
                id,
                site,
                mode: self.hello.mode,
                state: TaskState::Idle,
                spawned_ns: self.now_ns,
                wakers: 1,
                waker_clones: 1,
                future_bytes: 512,
                ..TaskRecord::default()
            },
        );
        self.changed.insert(id);
        let count = |site: &mut SiteDelta| {
            site.spawned += 1;
            site.max_future_bytes = site.max_future_bytes.max(512);
        };
        self.count(site, count);
        id
    }

    /// Spawns a task with a name and a group; either may be empty.
    pub fn spawn_named(&mut self, site: SiteId, name: &str, group: &str) -> TaskId {
        let (name, group) = (self.name(name), self.name(group));
        let id = self.spawn(site);
        self.edit(id, |task| (task.name, task.group) = (name, group));
        id
    }

    /// Changes a task's row in any way; the row goes out with the next report. Sites are not counted.
    ///
    /// # Panics
    /// If the task was never spawned.
    pub fn edit(&mut self, task: TaskId, change: impl FnOnce(&mut TaskRecord)) {
        change(self.tasks.get_mut(&task).expect("the script spawned this task"));
        self.changed.insert(task);
    }

    /// Changes the current interval of a site in any way.
    pub fn count(&mut self, site: SiteId, change: impl Fn(&mut SiteDelta)) {
        for sites in [&mut self.totals, &mut self.deltas] {
            change(sites.entry(site).or_insert_with(|| SiteDelta { site, ..SiteDelta::default() }));
        }
    }

    /// A task's row as it is now.
    pub fn task(&self, task: TaskId) -> Option<&TaskRecord> {
        self.tasks.get(&task)
    }

    /// Polls a task `times` times, `wall_ns` each; the last poll ends now.
    pub fn poll(&mut self, task: TaskId, times: u64, wall_ns: u64) {
        let now_ns = self.now_ns;
        self.edit(task, |task| {
            task.polls += times;
            task.busy_ns += times * wall_ns;
            task.max_poll_ns = task.max_poll_ns.max(wall_ns);
            task.last_poll_end_ns = now_ns.max(1);
            (task.poll_start_ns, task.scheduled_since_ns) = (0, 0);
            task.state = TaskState::Idle;
        });
        self.count(self.tasks[&task].site, |site| site.poll.record_n(wall_ns, times));
    }

    /// Wakes a task `times` times from a thread that runs no task; it is polled (not counted here)
    /// `delay_ns` later each time.
    pub fn wake(&mut self, task: TaskId, times: u64, delay_ns: u64) {
        self.edit(task, |task| {
            task.wakes += times;
            task.scheduled_ns += times * delay_ns;
            task.max_sched_ns = task.max_sched_ns.max(delay_ns);
            task.woken_by = WokenBy::OtherThread;
        });
        self.count(self.tasks[&task].site, |site| {
            site.wakes += times;
            site.sched.record_n(delay_ns, times);
        });
    }

    /// A task wakes itself `times` times.
    pub fn self_wake(&mut self, task: TaskId, times: u64) {
        self.edit(task, |task| {
            task.wakes += times;
            task.self_wakes += times;
            task.woken_by = WokenBy::Itself;
        });
        self.count(self.tasks[&task].site, |site| {
            site.wakes += times;
            site.self_wakes += times;
        });
    }

    /// A slow poll that ends now: counted as a poll, with its evidence. `busy_ns` of it were on the
    /// CPU, `preempted_ns` were runnable without one.
    pub fn slow_poll(&mut self, task: TaskId, wall_ns: u64, busy_ns: u64, preempted_ns: u64) {
        self.poll(task, 1, wall_ns);
        let row = &self.tasks[&task];
        let (site, nth) = (row.site, row.polls);
        self.slow_polls.push(SlowPoll {
            task,
            site,
            nth,
            worker: Some(0),
            start_ns: self.now_ns.saturating_sub(wall_ns),
            wall_ns,
            busy_ns: Some(busy_ns),
            preempted_ns: Some(preempted_ns),
            ..SlowPoll::default()
        });
        self.count(site, |site| site.slow_polls += 1);
    }

    /// Adds to what the newest slow poll of the current interval tells.
    ///
    /// # Panics
    /// If the interval has none.
    pub fn edit_slow_poll(&mut self, change: impl FnOnce(&mut SlowPoll)) {
        change(self.slow_polls.last_mut().expect("the interval has a slow poll"));
    }

    /// What is known of open polls above the limit, in every report until it is set anew. Open polls that
    /// are not among them are told as stalls of which nothing more is known.
    pub fn stalls(&mut self, stalls: Vec<Stall>) {
        self.stalls = stalls;
    }

    /// Wakes of one site's tasks by one waker. The tasks' and sites' own counters are not changed.
    pub fn edge(&mut self, edge: WakeEdge) {
        for edges in [&mut self.edges, &mut self.edge_totals] {
            match edges.iter_mut().find(|known| known.key() == edge.key()) {
                Some(known) => known.count += edge.count,
                None => edges.push(edge),
            }
        }
    }

    /// A poll begins now on that worker, and stays open until the next [`Script::poll`].
    pub fn open_poll(&mut self, task: TaskId, worker: u32) {
        let now_ns = self.now_ns;
        self.edit(task, |task| {
            task.state = TaskState::Running;
            task.poll_start_ns = now_ns.max(1);
            task.worker = Some(worker);
        });
        self.in_place.remove(&task);
    }

    /// The open poll goes into `block_in_place`: its worker goes on without it, so that it is no stall.
    pub fn block_in_place(&mut self, task: TaskId) {
        self.in_place.insert(task);
    }

    /// A task ends now, in one of the ended states.
    pub fn end(&mut self, task: TaskId, state: TaskState) {
        let (now_ns, mode) = (self.now_ns, self.hello.mode);
        self.edit(task, |task| {
            task.state = state;
            task.ended_ns = now_ns.max(1);
            (task.poll_start_ns, task.scheduled_since_ns, task.wakers) = (0, 0, 0);
        });
        let task = &self.tasks[&task];
        let life_ns = now_ns.saturating_sub(task.spawned_ns);
        let dropped = task.handle == HandleState::Dropped;
        self.count(task.site, |site| {
            site.life.record(life_ns);
            match state {
                _ if mode == Mode::Hooks => site.ended += 1,
                TaskState::Cancelled => site.cancelled += 1,
                TaskState::Panicked => {
                    site.panicked += 1;
                    site.swallowed_panics += u64::from(dropped);
                    site.detached_failures += u64::from(dropped);
                }
                _ => site.completed += 1,
            }
        });
    }

    /// The state of a runtime, from the next report on.
    pub fn runtime(&mut self, record: RuntimeRecord) {
        self.runtimes.insert(record.id, record);
    }

    /// What a worker did in the current interval.
    pub fn worker(&mut self, delta: &WorkerDelta) {
        for workers in [&mut self.workers, &mut self.worker_deltas] {
            workers.entry(delta.id).or_default().merge(delta);
        }
    }

    /// What the recorder lost, from the next report on.
    pub fn lose(&mut self, losses: Losses) {
        self.losses = losses;
    }

    /// Time passes.
    pub fn pass(&mut self, ns: u64) {
        self.now_ns += ns;
    }

    /// A second passes, and its report is due.
    pub fn second(&mut self) -> Report {
        self.pass(SECOND);
        self.report()
    }

    fn enter(&mut self, entry: DictEntry) {
        self.dictionary.insert(entry.clone());
        self.fresh.push(entry);
    }
}
