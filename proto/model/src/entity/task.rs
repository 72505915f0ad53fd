//! One task as a report describes it: cumulative since its spawn, so that the newest row always
//! replaces the older one and a lost row heals itself.

use crate::dict::MAX_ENTRIES;
use crate::id::{NameId, RuntimeId, SiteId, TaskId};
use crate::measured::{Metric, Mode};
use crate::names::names;

names! {
    /// What runs: the kind of thing that was spawned. The wire numbers the kinds in this order.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    #[non_exhaustive]
    pub enum TaskKind {
        /// A spawned future.
        #[default]
        Async = "async",
        /// A spawned `!Send` future of a `LocalSet`.
        Local = "local",
        /// A `spawn_blocking` job: one poll, on a thread of its own.
        Blocking = "blocking",
        /// The future that `block_on` runs.
        BlockOn = "block-on",
        /// A future that is part of another task or of another executor's, named by `traced`.
        Future = "future",
        /// A request that a service handles, part of its connection's task: its site is its route.
        Request = "request",
    }
}

names! {
    /// Where a task is in its life. The wire numbers the states in this order.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
    pub enum TaskState {
        /// Pending, and not woken (or, in hooks mode, not known to be).
        #[default]
        Idle = "idle",
        /// Woken (or just spawned) and not yet polled.
        Scheduled = "scheduled",
        /// Inside a poll right now.
        Running = "running",
        /// Ended by returning.
        Completed = "completed",
        /// Dropped before it returned: aborted, lost a `select!`, or the runtime went away.
        Cancelled = "cancelled",
        /// Ended by a panic.
        Panicked = "panicked",
    }
}

impl TaskState {
    /// Whether the task is over.
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Panicked)
    }
}

names! {
    /// What became of the task's join handle. The wire numbers the states in this order.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub enum HandleState {
        /// It is held.
        #[default]
        Held = "held",
        /// Dropped without being awaited: the task is detached.
        Dropped = "dropped",
        /// Awaited, or its outcome was taken through a `JoinSet`.
        Joined = "joined",
        /// Asked to stop through it.
        Aborted = "aborted",
    }
}

/// Who woke a task last.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum WokenBy {
    /// Not woken yet, or not measured.
    #[default]
    Unknown,
    /// Another task of this process.
    Task(TaskId),
    /// Itself, during its own poll.
    Itself,
    /// The runtime: a timer, I/O readiness, a join or a deferred yield.
    Runtime,
    /// A thread that runs no task.
    OtherThread,
}

/// A task's wakes by their origin, without those by itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct WakesBy {
    /// Other tasks of this process.
    pub tasks: u64,
    /// The runtime: timers, I/O readiness, joins, deferred yields.
    pub runtime: u64,
    /// Threads that run no task.
    pub threads: u64,
}

/// A task's row in a report. All counters are totals since the spawn; all times are nanoseconds on
/// the process's clock.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TaskRecord {
    /// The task.
    pub id: TaskId,
    /// Spawn site.
    pub site: SiteId,
    /// Name given by the user, or none.
    pub name: NameId,
    /// Group given by the user, or none.
    pub group: NameId,
    /// Innermost scope at the spawn, or none.
    pub scope: NameId,
    /// The task that spawned it; `None` if spawned outside of any known task.
    pub parent: Option<TaskId>,
    /// The runtime it runs on, if known.
    pub runtime: Option<RuntimeId>,
    /// How this task is observed, which decides what below is measured.
    pub mode: Mode,
    /// What was spawned.
    pub kind: TaskKind,
    /// Where it is in its life.
    pub state: TaskState,
    /// Declared long-lived by the user: exempt from the rules on forgotten and leaked tasks.
    pub long_lived: bool,
    /// When it was spawned.
    pub spawned_ns: u64,
    /// When it ended; 0 while alive.
    pub ended_ns: u64,
    /// When its last poll ended; 0 before the first poll's end.
    pub last_poll_end_ns: u64,
    /// Start of the poll that is running now; 0 when none is.
    pub poll_start_ns: u64,
    /// Worker that runs that poll, if known.
    pub worker: Option<u32>,
    /// Since when it waits to be polled; 0 unless [`TaskState::Scheduled`].
    pub scheduled_since_ns: u64,
    /// Polls that have ended.
    pub polls: u64,
    /// Sum of the ended polls' wall time.
    pub busy_ns: u64,
    /// Longest ended poll.
    pub max_poll_ns: u64,
    /// Sum of schedule delays; of a hooked task 0 as long as none is told.
    pub scheduled_ns: u64,
    /// Longest schedule delay.
    pub max_sched_ns: u64,
    /// Wakes, self-wakes included.
    pub wakes: u64,
    /// Wakes by itself during its own poll.
    pub self_wakes: u64,
    /// Wakes by others. With the self-wakes they add up to the wakes; where they do not, it is unknown
    /// them apart: [`TaskRecord::wakes_by`] knows.
    pub wakes_by: WakesBy,
    /// Polls that ended with the cooperative budget used up.
    pub forced_yields: u64,
    /// Wakers alive outside of the task; 0 with no wake pending means that nothing can wake it.
    pub wakers: u32,
    /// Wakers cloned since the spawn.
    pub waker_clones: u64,
    /// Wakers dropped since the spawn.
    pub waker_drops: u64,
    /// Who woke it last.
    pub woken_by: WokenBy,
    /// The join handle.
    pub handle: HandleState,
    /// Size of the future.
    pub future_bytes: u64,
}

/// Whether an observer of that mode measures the metric for tasks of that kind and site; of the delay, where that is all that
/// the task ever waited.
pub(crate) fn measures(metric: Metric, mode: Mode, kind: TaskKind, site: SiteId, scheduled_ns: u64) -> bool {
    match metric {
        Metric::Polls => mode != Mode::Sample,
        Metric::SpawnSites => mode != Mode::Sample && (site.0 as usize) < MAX_ENTRIES,
        Metric::Handles => {
            mode == Mode::Wrap && !matches!(kind, TaskKind::BlockOn | TaskKind::Future | TaskKind::Request)
        }
        Metric::Wakes | Metric::ForcedYields => mode == Mode::Wrap && kind != TaskKind::Blocking,
        // With the first poll of a hooked task, if its runtime tracks delays, none of which is 0.
        Metric::ScheduleDelay => mode == Mode::Wrap || mode == Mode::Hooks && scheduled_ns > 0,
        Metric::Outcome | Metric::FutureSize => mode == Mode::Wrap,
        _ => false,
    }
}

impl TaskRecord {
    /// Whether this task's observer measures the metric.
    ///
    /// Hooks see polls, sites and ends of every task, but no waker, no outcome, no handle and no size; and the schedule
    /// delay only where the runtime tracks it.
    pub fn measures(&self, metric: Metric) -> bool {
        measures(metric, self.mode, self.kind, self.site, self.scheduled_ns)
    }

    /// The wakes by others, if they were told apart: never zeros for what was not.
    pub fn wakes_by(&self) -> Option<WakesBy> {
        let WakesBy { tasks, runtime, threads } = self.wakes_by;
        let sum = tasks.saturating_add(runtime).saturating_add(threads).saturating_add(self.self_wakes);
        (self.measures(Metric::Wakes) && sum == self.wakes).then_some(self.wakes_by)
    }

    /// Nanoseconds from spawn to end, or to `now_ns` while alive.
    pub fn age_ns(&self, now_ns: u64) -> u64 {
        let end = if self.ended_ns > 0 { self.ended_ns } else { now_ns };
        end.saturating_sub(self.spawned_ns)
    }

    /// Nanoseconds since anything happened to it: for an idle task, since its last poll ended.
    pub fn quiet_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.last_poll_end_ns.max(self.spawned_ns))
    }

    /// How long the poll that is open now has lasted, if one is.
    pub fn current_poll_ns(&self, now_ns: u64) -> Option<u64> {
        (self.poll_start_ns > 0).then(|| now_ns.saturating_sub(self.poll_start_ns))
    }
}
