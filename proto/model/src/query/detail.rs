//! Answers about one thing: a task, a site, a whole process or fleet.

use std::sync::Arc;

use super::page::{Level, Meta, Row};
use super::value::Value;
use crate::entity::slow_poll::{PollKind, SlowPoll};
use crate::hello::Hello;
use crate::hist::Hist;
use crate::id::TaskId;

/// Something that a detector found, with all that a person needs to act on it.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// Number in this monitor; stays the same while the finding lives.
    pub number: u64,
    /// Detector id, kebab-case.
    pub detector: Arc<str>,
    /// How bad.
    pub level: Level,
    /// Same fault, same text, across runs and edits: no line numbers, no task ids.
    pub fingerprint: Arc<str>,
    /// Spawn site, `src/cart.rs:88:9`; empty if it is about no site.
    pub site: Arc<str>,
    /// A task that shows it.
    pub task: Option<TaskId>,
    /// Name of that task, or empty.
    pub task_name: Arc<str>,
    /// Label of the process.
    pub process: Arc<str>,
    /// What was measured; its unit is the limit's.
    pub value: Value,
    /// The limit that it passed.
    pub limit: Value,
    /// How often it was seen.
    pub count: u64,
    /// First seen, nanoseconds since the Unix epoch.
    pub first_ns: u64,
    /// Last seen, nanoseconds since the Unix epoch.
    pub last_ns: u64,
    /// Whether it still holds.
    pub open: bool,
    /// For polls: where the time went.
    pub kind: Option<PollKind>,
    /// For polls that were looked at: the kernel's word for what the thread did, or empty.
    pub waiting_in: Arc<str>,
    /// For polls: tasks that waited for it. `None` if not measured.
    pub waiters: Option<u32>,
    /// For polls: what they waited, added up.
    pub waited_ns: Option<u64>,
    /// For polls: the longest of these waits.
    pub max_waited_ns: Option<u64>,
    /// Frames, the user's code first: `function (file:line)`; empty if no stack was taken.
    pub stack: Vec<Arc<str>>,
    /// One line: what happened, how long against which limit.
    pub headline: Arc<str>,
    /// Why it matters, with the harm that was measured.
    pub why: Arc<str>,
    /// What to do.
    pub fix: Arc<str>,
}

impl Finding {
    /// One of which nothing is known but the detector and the level: no text, nothing measured, not open.
    pub fn new(detector: &str, level: Level) -> Self {
        Self {
            number: 0,
            detector: detector.into(),
            level,
            fingerprint: "".into(),
            site: "".into(),
            task: None,
            task_name: "".into(),
            process: "".into(),
            value: Value::Null,
            limit: Value::Null,
            count: 0,
            first_ns: 0,
            last_ns: 0,
            open: false,
            kind: None,
            waiting_in: "".into(),
            waiters: None,
            waited_ns: None,
            max_waited_ns: None,
            stack: Vec::new(),
            headline: "".into(),
            why: "".into(),
            fix: "".into(),
        }
    }
}

/// A relative of a task.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskLink {
    /// The task.
    pub id: TaskId,
    /// Its name, or its short site if it has none.
    pub label: Arc<str>,
}

/// A slow poll, with what was seen of its thread in words that need no dictionary.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SeenPoll {
    /// The poll.
    pub poll: SlowPoll,
    /// The kernel's word for what the thread did, or empty.
    pub waiting_in: Arc<str>,
    /// Frames, the user's code first: `function (file:line)`; empty if no stack was taken.
    pub stack: Vec<Arc<str>>,
    /// Why some of its time is allowed, and where that is written; empty if none is.
    pub allowed: Arc<str>,
}

/// Everything about one task.
#[derive(Clone, PartialEq, Debug)]
pub struct TaskDetail {
    /// About the source.
    pub meta: Meta,
    /// The task's row, all columns.
    pub row: Row,
    /// Further facts as label and text, in order: runtime, scope, handle, woken by, wakers, …
    pub facts: Vec<(Arc<str>, Arc<str>)>,
    /// Its ancestors, the nearest first, as far as they are known.
    pub ancestors: Vec<TaskLink>,
    /// Its living children, a few.
    pub children: Vec<TaskLink>,
    /// How many living children it has.
    pub children_total: u64,
    /// Slow polls of this task that are still remembered, the newest last.
    pub slow_polls: Vec<SeenPoll>,
    /// Poll times of its **site** (histograms are kept per site, not per task).
    pub poll: Hist,
    /// Schedule delays of its site; empty if not measured.
    pub sched: Hist,
    /// Lifetimes of its site's ended tasks.
    pub life: Hist,
    /// The process's limit for slow polls, to draw into the histogram.
    pub poll_limit_ns: u64,
    /// Open findings about the task or its site.
    pub findings: Vec<Finding>,
}

/// One column of a heat map.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HeatColumn {
    /// Counts per decade: below 1 µs, 10 µs, 100 µs, 1 ms, 10 ms, 100 ms, 1 s, and above.
    pub decades: [u64; 8],
}

/// Everything about one site.
#[derive(Clone, PartialEq, Debug)]
pub struct SiteDetail {
    /// About the source.
    pub meta: Meta,
    /// The site's row, all columns.
    pub row: Row,
    /// Poll times since the process started.
    pub poll: Hist,
    /// Schedule delays.
    pub sched: Hist,
    /// Lifetimes of ended tasks.
    pub life: Hist,
    /// Poll times over the last 15 minutes, 10 s a column, oldest first; shorter if it is younger.
    pub heat: Vec<HeatColumn>,
    /// Some tasks that are alive there, flagged ones first.
    pub tasks: Vec<TaskLink>,
    /// Names that its tasks were given, with how many are alive of each.
    pub names: Vec<(Arc<str>, u64)>,
    /// Who woke its tasks since the process started, the most frequent first: spawn sites, the
    /// runtime, other threads; what was in no edge comes last, under a name that says so. `None` if
    /// not measured.
    pub woken_by: Option<Vec<(Arc<str>, u64)>>,
    /// Open findings at the site.
    pub findings: Vec<Finding>,
}

/// Busy time of one worker over time.
#[derive(Clone, PartialEq, Debug)]
pub struct WorkerHeat {
    /// Process label and worker, `checkout#2 w0`.
    pub label: Arc<str>,
    /// Busy share, 5 s a point, oldest first; `None` where nothing was measured.
    pub busy: Vec<Option<f32>>,
}

/// One runtime as it is now.
#[derive(Clone, PartialEq, Debug)]
pub struct RuntimeNow {
    /// Process label.
    pub process: Arc<str>,
    /// Runtime name.
    pub name: Arc<str>,
    /// Tokio's name of its scheduler.
    pub flavor: Arc<str>,
    /// Number of workers.
    pub workers: u32,
    /// Tasks alive as tokio counts them.
    pub alive_tasks: Option<u64>,
    /// Of them, those that pollscope sees.
    pub seen_tasks: Option<u64>,
    /// Tasks in the global queue.
    pub global_queue: Option<u64>,
    /// Threads of the blocking pool.
    pub blocking_threads: Option<u64>,
    /// Jobs that wait for one.
    pub blocking_queue: Option<u64>,
    /// Global queue over the last 15 minutes, 10 s a point (largest), oldest first.
    pub global_queue_series: Vec<Option<f32>>,
    /// Blocking threads over the last 15 minutes.
    pub blocking_series: Vec<Option<f32>>,
}

/// The state of a scope at a glance: title line, ribbon, heat, notes.
#[derive(Clone, PartialEq, Debug)]
pub struct Overview {
    /// About the source.
    pub meta: Meta,
    /// Age of the newest report when the answer was made, nanoseconds.
    pub lag_ns: u64,
    /// Live, stale and gone processes.
    pub presence: [u64; 3],
    /// Living tasks that pollscope sees.
    pub tasks: u64,
    /// Open findings at deny, at warn.
    pub findings: [u64; 2],
    /// The last 15 minutes, 10 s a point, oldest first: the longest poll in nanoseconds.
    pub ribbon: Vec<Option<f32>>,
    /// Points of the ribbon at which a finding opened.
    pub marks: Vec<u32>,
    /// Busy time of the busiest workers.
    pub workers: Vec<WorkerHeat>,
    /// The runtimes.
    pub runtimes: Vec<RuntimeNow>,
    /// The greetings of the scope's processes (one for [`Scope::Process`](super::page::Scope)).
    pub hellos: Vec<Hello>,
    /// What a reader should know, in full sentences: what is not measured and why, what was lost,
    /// who is gone and since when.
    pub notes: Vec<Arc<str>>,
    /// Rules that could not judge, with the reason: `task-leak`, `needs 5m of history, has 12s`.
    pub undecided: Vec<(Arc<str>, Arc<str>)>,
}
