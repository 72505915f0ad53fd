//! Absent is never zero: which metrics exist, who can measure them, and why one cannot.

use crate::names::names;

names! {
    /// How a process or a task is observed. The wire numbers the modes in this order.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
    #[non_exhaustive]
    pub enum Mode {
        /// Stable runtime totals only; no single task is seen.
        #[default]
        Sample = "sample",
        /// Futures wrapped by pollscope's spawn functions: everything per task.
        Wrap = "wrap",
        /// Tokio's unstable hooks: every task of the runtime but those of a `LocalSet`, without wakes.
        Hooks = "hooks",
    }
}

names! {
    /// A thing that can be measured, or not, depending on mode and build.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
    #[non_exhaustive]
    pub enum Metric {
        /// Single tasks, their polls and poll times.
        Polls = "polls",
        /// Spawn sites of tasks.
        SpawnSites = "spawn-sites",
        /// Wake to poll.
        ScheduleDelay = "schedule-delay",
        /// Wakes, who woke, self-wakes, waker population.
        Wakes = "wakes",
        /// Ready, cancelled or panicked.
        Outcome = "outcome",
        /// Whether the join handle was awaited, dropped or aborted.
        Handles = "handles",
        /// Size of the future at spawn.
        FutureSize = "future-size",
        /// Forced yields by tokio's cooperative budget.
        ForcedYields = "forced-yields",
        /// A slow poll split into busy, blocked and preempted.
        PollSplit = "poll-split",
        /// Where a thread is while a poll takes long.
        Stacks = "stacks",
        /// Polls that are open for too long, seen while they are, with the kernel's word on the thread.
        Stalls = "stalls",
        /// The tasks that a slow poll kept waiting.
        Harm = "harm",
        /// Wakes, by the spawn sites of the waking and of the woken task.
        WakeEdges = "wake-edges",
        /// Tasks that are spawned by libraries, not through pollscope.
        LibraryTasks = "library-tasks",
        /// The future that `block_on` runs.
        BlockOnBody = "block-on-body",
        /// Tasks of a `LocalSet`.
        LocalTasks = "local-tasks",
        /// `spawn_blocking` jobs.
        BlockingJobs = "blocking-jobs",
        /// Busy time and parks of each worker.
        WorkerBusy = "worker-busy",
        /// Depth of each worker's own queue, steals and overflows.
        WorkerQueues = "worker-queues",
        /// Depth of the runtime's global queue.
        GlobalQueue = "global-queue",
        /// Threads and queue of the blocking pool.
        BlockingPool = "blocking-pool",
        /// Single polls and wakes of the last seconds, on demand.
        FlightEvents = "flight-events",
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

names! {
    /// The tasks for which a metric is measured.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub enum Coverage {
        /// For every task of every observed runtime.
        All = "all",
        /// For tasks spawned through pollscope only.
        Wrapped = "wrapped",
        /// For no task.
        NoTask = "nobody",
    }
}
