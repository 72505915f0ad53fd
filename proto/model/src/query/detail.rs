//! Answers about one thing: a task, a site, a whole process or fleet.

use std::sync::Arc;

use super::page::{Meta, Row};
use crate::entity::heat::HeatColumn;
use crate::entity::slow_poll::SlowPoll;
use crate::finding::Finding;
use crate::hello::Hello;
use crate::hist::Hist;
use crate::id::TaskId;

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
pub struct ObservedPoll {
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
    pub slow_polls: Vec<ObservedPoll>,
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
pub struct RuntimeOverview {
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
    pub runtimes: Vec<RuntimeOverview>,
    /// The greetings of the scope's processes (one for [`Scope::Process`](super::page::Scope)).
    pub hellos: Vec<Hello>,
    /// What a reader should know, in full sentences: what is not measured and why, what was lost,
    /// who is gone and since when.
    pub notes: Vec<Arc<str>>,
    /// Rules that could not judge, with the reason: `task-leak`, `needs 5m of history, has 12s`.
    pub undecided: Vec<(Arc<str>, Arc<str>)>,
    /// Evidence over a limit that a rule for doubt keeps from being a finding: the rule, and what was measured.
    pub set_aside: Vec<(Arc<str>, Arc<str>)>,
}
