//! Absent is never zero: which metrics exist, who can measure them, and why one cannot.

use std::fmt;

/// How a process or a task is observed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
#[non_exhaustive]
pub enum Mode {
    /// Stable runtime totals only; no single task is seen.
    #[default]
    Sample,
    /// Futures wrapped by pollscope's spawn functions: everything per task.
    Wrap,
    /// Tokio's unstable hooks: every task of the runtime but those of a `LocalSet`, without wakes.
    Hooks,
}

impl Mode {
    /// The name in JSON, on the wire and on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sample => "sample",
            Self::Wrap => "wrap",
            Self::Hooks => "hooks",
        }
    }

    /// The mode of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sample, Self::Wrap, Self::Hooks].into_iter().find(|mode| mode.as_str() == name)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A thing that can be measured, or not, depending on mode and build.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Metric {
    /// Single tasks, their polls and poll times.
    Polls,
    /// Spawn sites of tasks.
    SpawnSites,
    /// Wake to poll.
    ScheduleDelay,
    /// Wakes, who woke, self-wakes, waker population.
    Wakes,
    /// Ready, cancelled or panicked.
    Outcome,
    /// Whether the join handle was awaited, dropped or aborted.
    Handles,
    /// Size of the future at spawn.
    FutureSize,
    /// Forced yields by tokio's cooperative budget.
    ForcedYields,
    /// A slow poll split into busy, blocked and preempted.
    PollSplit,
    /// Where a thread is while a poll takes long.
    Stacks,
    /// Polls that are open for too long, seen while they are, with the kernel's word on the thread.
    Stalls,
    /// The tasks that a slow poll kept waiting.
    Harm,
    /// Who wakes whom, by spawn site.
    WakeEdges,
    /// Tasks that are spawned by libraries, not through pollscope.
    LibraryTasks,
    /// The future that `block_on` runs.
    BlockOnBody,
    /// Tasks of a `LocalSet`.
    LocalTasks,
    /// `spawn_blocking` jobs.
    BlockingJobs,
    /// Busy time and parks of each worker.
    WorkerBusy,
    /// Depth of each worker's own queue, steals and overflows.
    WorkerQueues,
    /// Depth of the runtime's global queue.
    GlobalQueue,
    /// Threads and queue of the blocking pool.
    BlockingPool,
    /// Single polls and wakes of the last seconds, on demand.
    FlightEvents,
}

impl Metric {
    /// Every metric, in the order in which `doctor` lists them.
    pub const ALL: [Self; 22] = [
        Self::Polls,
        Self::SpawnSites,
        Self::ScheduleDelay,
        Self::Wakes,
        Self::Outcome,
        Self::Handles,
        Self::FutureSize,
        Self::ForcedYields,
        Self::PollSplit,
        Self::Stacks,
        Self::Stalls,
        Self::Harm,
        Self::WakeEdges,
        Self::LibraryTasks,
        Self::BlockOnBody,
        Self::LocalTasks,
        Self::BlockingJobs,
        Self::WorkerBusy,
        Self::WorkerQueues,
        Self::GlobalQueue,
        Self::BlockingPool,
        Self::FlightEvents,
    ];

    /// The name in JSON and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Polls => "polls",
            Self::SpawnSites => "spawn-sites",
            Self::ScheduleDelay => "schedule-delay",
            Self::Wakes => "wakes",
            Self::Outcome => "outcome",
            Self::Handles => "handles",
            Self::FutureSize => "future-size",
            Self::ForcedYields => "forced-yields",
            Self::PollSplit => "poll-split",
            Self::Stacks => "stacks",
            Self::Stalls => "stalls",
            Self::Harm => "harm",
            Self::WakeEdges => "wake-edges",
            Self::LibraryTasks => "library-tasks",
            Self::BlockOnBody => "block-on-body",
            Self::LocalTasks => "local-tasks",
            Self::BlockingJobs => "blocking-jobs",
            Self::WorkerBusy => "worker-busy",
            Self::WorkerQueues => "worker-queues",
            Self::GlobalQueue => "global-queue",
            Self::BlockingPool => "blocking-pool",
            Self::FlightEvents => "flight-events",
        }
    }

    /// The metric of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.as_str() == name)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a process says about one metric in its hello.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capability {
    /// The metric.
    pub metric: Metric,
    /// Whether and for whom it is measured.
    pub coverage: Coverage,
    /// Why it is not measured, or only for some, and what to change; empty when measured for all.
    pub reason: String,
}

/// For whom a metric is measured.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Coverage {
    /// For every task of every observed runtime.
    All,
    /// For tasks spawned through pollscope only.
    Wrapped,
    /// For no task.
    NoTask,
}

impl Coverage {
    /// The name in JSON and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Wrapped => "wrapped",
            Self::NoTask => "nobody",
        }
    }

    /// The coverage of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::All, Self::Wrapped, Self::NoTask].into_iter().find(|c| c.as_str() == name)
    }
}
