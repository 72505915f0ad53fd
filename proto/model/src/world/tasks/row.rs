//! One task's row as the table keeps it: 120 bytes, half of a [`TaskRecord`], in two parts.
//!
//! What a walk over all tasks asks for (who, where, state, times) is [`Hot`], one cache line; the rest
//! is [`Cold`]. Numbers that are small in all but a few tasks have narrow room there. A record for
//! which that is too narrow is kept as it is beside the row, so that nothing is ever lost; a new field
//! needs room here, or a line in [`fits`]. Only the table makes rows.

use std::fmt;

use crate::entity::task::{HandleState, TaskKind, TaskRecord, TaskState, WakesBy, WokenBy, measures};
use crate::id::{NameId, RuntimeId, SiteId, TaskId};
use crate::measured::{Metric, Mode};

const USED: u32 = 1;
const LONG_LIVED: u32 = 1 << 1;
const HAS_PARENT: u32 = 1 << 2;
const HAS_RUNTIME: u32 = 1 << 3;
const HAS_WORKER: u32 = 1 << 4;
/// The whole record is kept beside the row.
const WIDE: u32 = 1 << 5;
const MODE: u32 = 6;
const KIND: u32 = 8;
const STATE: u32 = 12;
const WOKEN: u32 = 16;
const HANDLE: u32 = 20;
/// Its wakes were told by whom: those by the runtime are the rest.
const TELLS_WAKES: u32 = 1 << 22;
/// Eight bits: the newest snapshot in which it was told.
const SWEEP: u32 = 24;

/// What walks look at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hot {
    id: u64,
    busy_ns: u64,
    last_poll_end_ns: u64,
    spawned_ns: u64,
    /// Since when it runs, waits to be polled, or is over; 0 for an idle task.
    since_ns: u64,
    polls: u32,
    wakes: u32,
    site: u32,
    /// When it was last told, in seconds of the process's clock.
    pub(super) seen_s: u32,
    bits: u32,
    name: u16,
    wakers: u16,
}

/// Declares the numbers that four bytes hold in nearly every task, each once.
macro_rules! counters {
    ($($counter:ident),*) => {
        /// Numbers that nearly always fit into four bytes.
        #[derive(Clone, Copy, Debug, Default)]
        struct Counters {
            $($counter: u32),*
        }

        impl Counters {
            fn of(record: &TaskRecord) -> Self {
                Self { $($counter: record.$counter as u32),* }
            }

            /// The bits that any of them has set.
            fn bits(record: &TaskRecord) -> u64 {
                0 $(| record.$counter)*
            }
        }
    };
}

counters! { self_wakes, forced_yields, waker_clones, future_bytes }

/// The rest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cold {
    scheduled_ns: u64,
    parent: u32,
    woken_by: u32,
    max_poll: u32,
    max_sched: u32,
    counters: Counters,
    woken_by_tasks: u32,
    woken_by_threads: u32,
    group: u16,
    scope: u16,
    /// The two maxima's bits from 32 to 39: eighteen minutes fit.
    max_high: [u8; 2],
    runtime: u8,
    worker: u8,
}

/// Packs a record, which is given back where the row does not tell all of it.
pub(super) fn pack(record: TaskRecord, seen_s: u32, sweep: u8) -> (Hot, Cold, Option<Box<TaskRecord>>) {
    let flag = |bit: u32, set: bool| if set { bit } else { 0 };
    let (woken, woken_by) = match record.woken_by {
        WokenBy::Unknown => (0, 0),
        WokenBy::Task(id) => (1, id.0),
        WokenBy::Itself => (2, 0),
        WokenBy::Runtime => (3, 0),
        WokenBy::OtherThread => (4, 0),
    };
    let fits = fits(&record, woken_by);
    let hot = Hot {
        id: record.id.0,
        busy_ns: record.busy_ns,
        last_poll_end_ns: record.last_poll_end_ns,
        spawned_ns: record.spawned_ns,
        since_ns: match record.state {
            TaskState::Idle => 0,
            TaskState::Scheduled => record.scheduled_since_ns,
            TaskState::Running => record.poll_start_ns,
            TaskState::Completed | TaskState::Cancelled | TaskState::Panicked => record.ended_ns,
        },
        polls: record.polls as u32,
        wakes: record.wakes as u32,
        site: record.site.0,
        seen_s,
        bits: USED
            | flag(WIDE, !fits)
            | flag(LONG_LIVED, record.long_lived)
            | flag(HAS_PARENT, record.parent.is_some())
            | flag(HAS_RUNTIME, record.runtime.is_some())
            | flag(HAS_WORKER, record.worker.is_some())
            | (record.mode as u32) << MODE
            | (record.kind as u32) << KIND
            | (record.state as u32) << STATE
            | woken << WOKEN
            | (record.handle as u32) << HANDLE
            | flag(TELLS_WAKES, record.wakes_by != WakesBy::default())
            | u32::from(sweep) << SWEEP,
        name: record.name.0 as u16,
        wakers: record.wakers as u16,
    };
    let cold = Cold {
        scheduled_ns: record.scheduled_ns,
        parent: record.parent.map_or(0, |parent| parent.0 as u32),
        woken_by: woken_by as u32,
        max_poll: record.max_poll_ns as u32,
        max_sched: record.max_sched_ns as u32,
        counters: Counters::of(&record),
        woken_by_tasks: record.wakes_by.tasks as u32,
        woken_by_threads: record.wakes_by.threads as u32,
        group: record.group.0 as u16,
        scope: record.scope.0 as u16,
        max_high: [(record.max_poll_ns >> 32) as u8, (record.max_sched_ns >> 32) as u8],
        runtime: record.runtime.map_or(0, |runtime| runtime.0 as u8),
        worker: record.worker.unwrap_or(0) as u8,
    };
    (hot, cold, (!fits).then(|| Box::new(record)))
}

/// Whether a row has room for all that the record says.
fn fits(record: &TaskRecord, woken_by: u64) -> bool {
    let parent = record.parent.map_or(0, |parent| parent.0);
    let WakesBy { tasks, runtime, threads } = record.wakes_by;
    let numbers = record.polls | record.wakes | Counters::bits(record) | parent | woken_by | tasks | threads;
    let maxima = record.max_poll_ns | record.max_sched_ns;
    let short = record.name.0 | record.group.0 | record.scope.0 | record.wakers;
    let places = record.runtime.map_or(0, |runtime| runtime.0) | record.worker.unwrap_or(0);
    let others = record.wakes.saturating_sub(record.self_wakes);
    let rest = others.saturating_sub(tasks).saturating_sub(threads);
    let state = record.state;
    numbers >> 32 == 0
        && maxima >> 40 == 0
        && short >> 16 == 0
        && places >> 8 == 0
        && (runtime == rest || tasks | runtime | threads == 0)
        && record.waker_drops == record.waker_clones.saturating_sub(record.wakers.into())
        && (record.ended_ns == 0 || state.is_ended())
        && (record.poll_start_ns == 0 || state == TaskState::Running)
        && (record.scheduled_since_ns == 0 || state == TaskState::Scheduled)
}

impl Hot {
    pub(super) fn id(&self) -> TaskId {
        TaskId(self.id)
    }

    pub(super) fn is_used(&self) -> bool {
        self.bits & USED != 0
    }

    pub(super) fn is_wide(&self) -> bool {
        self.bits & WIDE != 0
    }

    pub(super) fn is_over(&self) -> bool {
        self.state().is_ended()
    }

    pub(super) fn sweep(&self) -> u8 {
        (self.bits >> SWEEP) as u8
    }

    fn state(&self) -> TaskState {
        pick(&TaskState::ALL, self.bits >> STATE)
    }
}

/// An enum of at most sixteen from its bits; only [`pack`] wrote them.
fn pick<T: Copy, const N: usize>(table: &[T; N], bits: u32) -> T {
    table[(bits as usize & 15).min(N - 1)]
}

/// One task of a [`World`](crate::world::World), to read: what a [`TaskRecord`] says, field by field.
#[derive(Clone, Copy)]
pub struct TaskRow<'a> {
    pub(super) hot: &'a Hot,
    pub(super) cold: &'a Cold,
    pub(super) wide: Option<&'a TaskRecord>,
}

/// Declares the getters: the name and type of a [`TaskRecord`]'s field, and where a narrow row has it.
macro_rules! getters {
    ($($field:ident: $type:ty = |$row:ident| $narrow:expr;)*) => {
        impl TaskRow<'_> {
            /// The row as the record that was folded.
            pub fn record(&self) -> TaskRecord {
                match self.wide {
                    Some(record) => record.clone(),
                    None => TaskRecord { $($field: self.$field()),* },
                }
            }

            $(
                #[doc = concat!("See [`TaskRecord::", stringify!($field), "`].")]
                #[inline]
                pub fn $field(&self) -> $type {
                    match (self.wide, self) {
                        (Some(record), _) => record.$field,
                        (None, $row) => $narrow,
                    }
                }
            )*
        }
    };
}

getters! {
    id: TaskId = |row| TaskId(row.hot.id);
    site: SiteId = |row| SiteId(row.hot.site);
    name: NameId = |row| NameId(row.hot.name.into());
    group: NameId = |row| NameId(row.cold.group.into());
    scope: NameId = |row| NameId(row.cold.scope.into());
    parent: Option<TaskId> = |row| row.has(HAS_PARENT).then_some(TaskId(row.cold.parent.into()));
    runtime: Option<RuntimeId> = |row| row.has(HAS_RUNTIME).then_some(RuntimeId(row.cold.runtime.into()));
    mode: Mode = |row| pick(&Mode::ALL, row.hot.bits >> MODE & 3);
    kind: TaskKind = |row| pick(&TaskKind::ALL, row.hot.bits >> KIND);
    state: TaskState = |row| row.hot.state();
    long_lived: bool = |row| row.has(LONG_LIVED);
    spawned_ns: u64 = |row| row.hot.spawned_ns;
    ended_ns: u64 = |row| if row.hot.is_over() { row.hot.since_ns } else { 0 };
    last_poll_end_ns: u64 = |row| row.hot.last_poll_end_ns;
    poll_start_ns: u64 = |row| if row.hot.state() == TaskState::Running { row.hot.since_ns } else { 0 };
    worker: Option<u32> = |row| row.has(HAS_WORKER).then_some(row.cold.worker.into());
    scheduled_since_ns: u64 =
        |row| if row.hot.state() == TaskState::Scheduled { row.hot.since_ns } else { 0 };
    polls: u64 = |row| row.hot.polls.into();
    busy_ns: u64 = |row| row.hot.busy_ns;
    max_poll_ns: u64 = |row| u64::from(row.cold.max_poll) | u64::from(row.cold.max_high[0]) << 32;
    scheduled_ns: u64 = |row| row.cold.scheduled_ns;
    max_sched_ns: u64 = |row| u64::from(row.cold.max_sched) | u64::from(row.cold.max_high[1]) << 32;
    wakes: u64 = |row| row.hot.wakes.into();
    self_wakes: u64 = |row| row.cold.counters.self_wakes.into();
    forced_yields: u64 = |row| row.cold.counters.forced_yields.into();
    wakers: u32 = |row| row.hot.wakers.into();
    waker_clones: u64 = |row| row.cold.counters.waker_clones.into();
    waker_drops: u64 = |row| row.waker_clones().saturating_sub(row.hot.wakers.into());
    woken_by: WokenBy = |row| match row.hot.bits >> WOKEN & 15 {
        0 => WokenBy::Unknown,
        1 => WokenBy::Task(TaskId(row.cold.woken_by.into())),
        2 => WokenBy::Itself,
        3 => WokenBy::Runtime,
        _ => WokenBy::OtherThread,
    };
    wakes_by: WakesBy = |row| row.wakes_by_narrow();
    handle: HandleState = |row| pick(&HandleState::ALL, row.hot.bits >> HANDLE & 3);
    future_bytes: u64 = |row| row.cold.counters.future_bytes.into();
}

impl TaskRow<'_> {
    #[inline]
    fn has(&self, bit: u32) -> bool {
        self.hot.bits & bit != 0
    }

    fn wakes_by_narrow(&self) -> WakesBy {
        if !self.has(TELLS_WAKES) {
            return WakesBy::default();
        }
        let (tasks, threads) = (self.cold.woken_by_tasks.into(), self.cold.woken_by_threads.into());
        let others = u64::from(self.hot.wakes).saturating_sub(self.cold.counters.self_wakes.into());
        WakesBy { tasks, threads, runtime: others.saturating_sub(tasks).saturating_sub(threads) }
    }

    /// See [`TaskRecord::measures`].
    pub fn measures(&self, metric: Metric) -> bool {
        measures(metric, self.mode(), self.kind(), self.site(), self.scheduled_ns())
    }

    /// See [`TaskRecord::age_ns`].
    pub fn age_ns(&self, now_ns: u64) -> u64 {
        let end_ns = if self.ended_ns() > 0 { self.ended_ns() } else { now_ns };
        end_ns.saturating_sub(self.spawned_ns())
    }

    /// The end of its last poll, or its spawn.
    pub(crate) fn quiet_since_ns(&self) -> u64 {
        self.last_poll_end_ns().max(self.spawned_ns())
    }

    /// See [`TaskRecord::quiet_ns`].
    pub fn quiet_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.quiet_since_ns())
    }

    /// Nanoseconds that the task has been neither polled nor waiting to be, over its whole life.
    pub fn idle_ns(&self, now_ns: u64) -> u64 {
        let since = |ns: u64| if ns > 0 { now_ns.saturating_sub(ns) } else { 0 };
        self.age_ns(now_ns)
            .saturating_sub(self.busy_ns())
            .saturating_sub(self.scheduled_ns())
            .saturating_sub(since(self.poll_start_ns()))
            .saturating_sub(since(self.scheduled_since_ns()))
    }

    /// See [`TaskRecord::current_poll_ns`].
    pub fn current_poll_ns(&self, now_ns: u64) -> Option<u64> {
        let start_ns = self.poll_start_ns();
        (start_ns > 0).then(|| now_ns.saturating_sub(start_ns))
    }
}

impl fmt::Debug for TaskRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record().fmt(f)
    }
}
