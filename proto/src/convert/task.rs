//! Task rows as columns. The schema's comments say what each number means.

use std::collections::HashMap;

use hashbrown::DefaultHashBuilder;
use pollscope_model::entity::task::{HandleState, TaskKind, TaskRecord, TaskState, WakesBy, WokenBy};
use pollscope_model::id::{NameId, RuntimeId, SiteId, TaskId};
use pollscope_model::measured::Mode;

use super::column::{diff, instant, table, undiff, uninstant};
use super::numbers::{entry, number_of};
use super::{DecodeError, Reason, at_most, to_u32};
use crate::limits::MAX_FRAME_ROWS;
use crate::wire;

const HAS_PARENT: u64 = 1 << 5;
const HAS_RUNTIME: u64 = 1 << 6;
const LONG_LIVED: u64 = 1 << 7;
const HAS_WORKER: u64 = 1 << 8;

/// Declares the columns, each once: those that are a number of the record as it is, and those with a form of their own
/// in [`cells`] and [`record`].
macro_rules! columns {
    (as_is { $($as_is:ident),* $(,)? } coded { $($coded:ident),* $(,)? }) => {
        table! {
            "tasks": wire::TaskColumns { $($as_is,)* $($coded),* } => Cells, ColumnBuilder, ColumnReader
        }

        fn cells_as_is(task: &TaskRecord) -> Cells {
            Cells { $($as_is: task.$as_is,)* ..Cells::default() }
        }

        fn record_as_is(cells: &Cells) -> TaskRecord {
            TaskRecord { $($as_is: cells.$as_is,)* ..TaskRecord::default() }
        }
    };
}

columns! {
    as_is { polls, self_wakes, forced_yields, waker_clones }
    coded {
        what, site, name, group, scope, parent, runtime, spawned, ended, state, last_poll_end, poll_start,
        worker, scheduled_since, busy, max_poll, scheduled, max_sched, wakes, wakers, waker_drops, woken_by,
        future_bytes, wakes_by_tasks, wakes_by_threads, wakes_by_runtime, wakes_by_rest,
    }
}

/// What earlier rows let one expect of the next; both sides keep the same.
#[derive(Debug, Default)]
struct Expected {
    id: u64,
    spawned_ns: u64,
    siblings: HashMap<SiteId, Sibling, DefaultHashBuilder>,
}

/// The last row of a site.
#[derive(Clone, Copy, Debug, Default)]
struct Sibling {
    name: u64,
    group: u64,
    scope: u64,
    parent: u64,
    runtime: u64,
    future_bytes: u64,
}

impl Expected {
    fn sibling(&self, site: SiteId) -> Sibling {
        self.siblings.get(&site).copied().unwrap_or_default()
    }

    fn see(&mut self, task: &TaskRecord) {
        self.id = task.id.0;
        self.spawned_ns = task.spawned_ns;
        self.siblings.insert(task.site, Sibling::of(task));
    }
}

impl Sibling {
    fn of(task: &TaskRecord) -> Self {
        Self {
            name: u64::from(task.name.0),
            group: u64::from(task.group.0),
            scope: u64::from(task.scope.0),
            parent: task.parent.map_or(0, |parent| parent.0),
            runtime: task.runtime.map_or(0, |runtime| u64::from(runtime.0)),
            future_bytes: task.future_bytes,
        }
    }
}

/// The longest of `n` spans that add up to `total`: with fewer than two it is the total.
fn longest(max: u64, total: u64, n: u64) -> u64 {
    if n < 2 { total.wrapping_sub(max) } else { max }
}

/// Wakes that neither the task itself nor another one nor a thread did: all by the runtime, if they
/// were told apart.
fn rest(wakes: u64, self_wakes: u64, tasks: u64, threads: u64) -> u64 {
    wakes.wrapping_sub(self_wakes).wrapping_sub(tasks).wrapping_sub(threads)
}

pub(crate) fn to_wire(tasks: &[TaskRecord], end_ns: u64) -> Option<wire::TaskColumns> {
    if tasks.is_empty() {
        return None;
    }
    let (mut expected, mut builder) = (Expected::default(), ColumnBuilder::default());
    let mut ids = Vec::with_capacity(tasks.len());
    for task in tasks {
        ids.push(task.id.0.wrapping_sub(expected.id).cast_signed());
        builder.push(cells(task, &expected, end_ns));
        expected.see(task);
    }
    Some(builder.finish(ids))
}

fn cells(task: &TaskRecord, expected: &Expected, end_ns: u64) -> Cells {
    let (this, sibling) = (Sibling::of(task), expected.sibling(task.site));
    let flag = |bit: u64, set: bool| if set { bit } else { 0 };
    let (woken, waker) = match task.woken_by {
        WokenBy::Unknown => (0, task.id.0),
        WokenBy::Task(by) => (1, by.0),
        WokenBy::Itself => (2, task.id.0),
        WokenBy::Runtime => (3, task.id.0),
        WokenBy::OtherThread => (4, task.id.0),
    };
    let by = task.wakes_by;
    let by_rest =
        by != WakesBy::default() && by.runtime == rest(task.wakes, task.self_wakes, by.tasks, by.threads);
    Cells {
        what: number_of(&Mode::ALL, &task.mode)
            | number_of(&TaskKind::ALL, &task.kind) << 2
            | flag(HAS_PARENT, task.parent.is_some())
            | flag(HAS_RUNTIME, task.runtime.is_some())
            | flag(LONG_LIVED, task.long_lived),
        site: u64::from(task.site.0),
        name: diff(this.name, sibling.name),
        group: diff(this.group, sibling.group),
        scope: diff(this.scope, sibling.scope),
        parent: diff(this.parent, sibling.parent),
        runtime: diff(this.runtime, sibling.runtime),
        spawned: diff(task.spawned_ns, expected.spawned_ns),
        ended: instant(task.ended_ns, end_ns),
        state: woken
            | number_of(&HandleState::ALL, &task.handle) << 3
            | number_of(&TaskState::ALL, &task.state) << 5
            | flag(HAS_WORKER, task.worker.is_some()),
        last_poll_end: instant(task.last_poll_end_ns, end_ns),
        poll_start: instant(task.poll_start_ns, end_ns),
        worker: task.worker.map_or(0, u64::from),
        scheduled_since: instant(task.scheduled_since_ns, end_ns),
        busy: task.busy_ns,
        max_poll: longest(task.max_poll_ns, task.busy_ns, task.polls),
        scheduled: task.scheduled_ns,
        max_sched: longest(task.max_sched_ns, task.scheduled_ns, task.polls),
        wakes: diff(task.wakes, task.polls),
        wakers: u64::from(task.wakers),
        waker_drops: diff(task.waker_clones.wrapping_sub(u64::from(task.wakers)), task.waker_drops),
        woken_by: diff(waker, task.id.0),
        future_bytes: diff(this.future_bytes, sibling.future_bytes),
        wakes_by_tasks: by.tasks,
        wakes_by_threads: by.threads,
        wakes_by_runtime: if by_rest { 0 } else { by.runtime },
        wakes_by_rest: u64::from(by_rest),
        ..cells_as_is(task)
    }
}

pub(crate) fn from_wire(table: &wire::TaskColumns, end_ns: u64) -> Result<Vec<TaskRecord>, DecodeError> {
    at_most("tasks.ids", MAX_FRAME_ROWS, table.ids.len())?;
    let mut reader = ColumnReader::new(table, table.ids.len())?;
    let mut expected = Expected::default();
    let mut tasks = Vec::with_capacity(table.ids.len());
    for step in &table.ids {
        let id = TaskId(expected.id.wrapping_add(step.cast_unsigned()));
        let task = record(id, reader.next(), &expected, end_ns)?;
        expected.see(&task);
        tasks.push(task);
    }
    Ok(tasks)
}

fn known_bits(field: &'static str, value: u64, known: u64) -> Result<(), DecodeError> {
    if value & !known == 0 { Ok(()) } else { Err(DecodeError::new(field, Reason::Unknown(value))) }
}

fn record(id: TaskId, cells: Cells, expected: &Expected, end_ns: u64) -> Result<TaskRecord, DecodeError> {
    known_bits("tasks.what", cells.what, 0xff)?;
    known_bits("tasks.state", cells.state, 0x1ff)?;
    let site = SiteId(to_u32("tasks.site", cells.site)?);
    let sibling = expected.sibling(site);
    let name = |field, coded, before| to_u32(field, undiff(coded, before)).map(NameId);
    let parent = undiff(cells.parent, sibling.parent);
    let runtime = RuntimeId(to_u32("tasks.runtime", undiff(cells.runtime, sibling.runtime))?);
    let worker = to_u32("tasks.worker", cells.worker)?;
    let wakers = to_u32("tasks.wakers", cells.wakers)?;
    let wakes = undiff(cells.wakes, cells.polls);
    Ok(TaskRecord {
        id,
        site,
        name: name("tasks.name", cells.name, sibling.name)?,
        group: name("tasks.group", cells.group, sibling.group)?,
        scope: name("tasks.scope", cells.scope, sibling.scope)?,
        parent: (cells.what & HAS_PARENT != 0).then_some(TaskId(parent)),
        runtime: (cells.what & HAS_RUNTIME != 0).then_some(runtime),
        mode: entry("tasks.what (mode)", &Mode::ALL, cells.what & 3)?,
        kind: entry("tasks.what (kind)", &TaskKind::ALL, cells.what >> 2 & 7)?,
        state: entry("tasks.state", &TaskState::ALL, cells.state >> 5 & 7)?,
        long_lived: cells.what & LONG_LIVED != 0,
        spawned_ns: undiff(cells.spawned, expected.spawned_ns),
        ended_ns: uninstant(cells.ended, end_ns),
        last_poll_end_ns: uninstant(cells.last_poll_end, end_ns),
        poll_start_ns: uninstant(cells.poll_start, end_ns),
        worker: (cells.state & HAS_WORKER != 0).then_some(worker),
        scheduled_since_ns: uninstant(cells.scheduled_since, end_ns),
        busy_ns: cells.busy,
        max_poll_ns: longest(cells.max_poll, cells.busy, cells.polls),
        scheduled_ns: cells.scheduled,
        max_sched_ns: longest(cells.max_sched, cells.scheduled, cells.polls),
        wakes,
        wakes_by: WakesBy {
            tasks: cells.wakes_by_tasks,
            runtime: if cells.wakes_by_rest == 0 {
                cells.wakes_by_runtime
            } else {
                rest(wakes, cells.self_wakes, cells.wakes_by_tasks, cells.wakes_by_threads)
            },
            threads: cells.wakes_by_threads,
        },
        wakers,
        waker_drops: cells
            .waker_clones
            .wrapping_sub(u64::from(wakers))
            .wrapping_sub(undiff(cells.waker_drops, 0)),
        woken_by: match cells.state & 7 {
            0 => WokenBy::Unknown,
            1 => WokenBy::Task(TaskId(undiff(cells.woken_by, id.0))),
            2 => WokenBy::Itself,
            3 => WokenBy::Runtime,
            4 => WokenBy::OtherThread,
            other => return Err(DecodeError::new("tasks.state (woken by)", Reason::Unknown(other))),
        },
        handle: entry("tasks.state (handle)", &HandleState::ALL, cells.state >> 3 & 3)?,
        future_bytes: undiff(cells.future_bytes, sibling.future_bytes),
        ..record_as_is(&cells)
    })
}
