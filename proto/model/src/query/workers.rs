//! Workers: their columns, and how a row gets its cells.

use std::cmp::Ordering;
use std::sync::Arc;

use super::column::{Column, Field, Meaning, Unit};
use super::page::RowId;
use super::run::{Rows, Texts};
use crate::entity::runtime::WorkerDelta;
use crate::entity::stall::Stall;
use crate::entity::task::TaskRecord;
use crate::level::Level;
use crate::value::Value;
use crate::world::{Process, WorkerRates, WorkerView};

/// One worker, with what a cell may need.
pub(super) struct WorkerItem<'a> {
    pub(super) process: &'a Process,
    pub(super) worker: WorkerView<'a>,
}

type Get = for<'a, 'b> fn(&'b WorkerItem<'a>) -> Value;

const fn field(column: Column, get: Get) -> Field<Get> {
    Field { column, get }
}

/// The table.
pub(super) static FIELDS: &[Field<Get>] = &[
    field(Column::new("process", "PROCESS", Unit::Text, 12, 5, "Label of its process.").hidden(), |row| {
        Value::Text(row.process.label().clone())
    }),
    field(Column::new("runtime", "RUNTIME", Unit::Text, 8, 4, "Name of its runtime.").hidden(), |row| {
        Value::text(row.runtime())
    }),
    field(Column::new("worker", "W", Unit::Id, 3, 0, "Its index in the runtime."), |row| {
        Value::Count(row.worker.id().index.into())
    }),
    field(
        Column::new("thread", "THREAD", Unit::Text, 16, 4, "Name of its thread; null if not known."),
        |row| Value::text(row.process.dictionary().name(row.record().thread)),
    ),
    field(
        Column::new("tid", "TID", Unit::Id, 7, 6, "Operating system's thread id; null if not known.")
            .hidden(),
        |row| row.record().tid.map_or(Value::Null, |tid| Value::Count(tid.into())),
    ),
    field(
        Column::new(
            "state",
            "STATE",
            Unit::Text,
            7,
            1,
            "stuck in one poll, polling a task that pollscope sees, parked, or busy with something \
             else.",
        )
        .means(Meaning::State),
        |row| Value::Text(row.state().into()),
    ),
    field(
        Column::new(
            "polling",
            "NOW POLLING",
            Unit::Text,
            24,
            0,
            "The task that it polls now: number and name, or site.",
        )
        .screen_only(),
        |row| row.polling_text().map_or(Value::Null, Value::text),
    ),
    field(
        Column::new(
            "polling_for_ns",
            "FOR",
            Unit::Nanos,
            6,
            1,
            "How long that poll has lasted; null when none is open.",
        )
        .alias("polling_for"),
        |row| {
            let stuck = row.stall().map(|stall| stall.since_ns);
            let since = stuck.or_else(|| row.record().polling.map(|(_, since_ns)| since_ns));
            since.map_or(Value::Null, |ns| Value::Nanos(row.process.now_ns().saturating_sub(ns)))
        },
    ),
    field(
        Column::new(
            "waiting_in",
            "STUCK IN",
            Unit::Text,
            14,
            2,
            "Of a stuck worker: running, runnable, or the call that its thread sleeps in; null if it was \
             not looked at.",
        )
        .hidden(),
        |row| row.waiting_in().map_or(Value::Null, Value::text),
    ),
    field(
        Column::new(
            "stuck_at",
            "AT",
            Unit::Text,
            28,
            3,
            "Of a stuck worker: the user's innermost function with its line; null if no stack was taken.",
        )
        .hidden(),
        |row| row.stuck_at().map_or(Value::Null, Value::text),
    ),
    field(Column::new("busy", "BUSY", Unit::Ratio, 5, 0, "Busy share over the last 10 s."), |row| {
        row.rate(|rates| rates.busy).map_or(Value::Null, Value::Ratio)
    }),
    field(
        Column::new(
            "local_queue",
            "LOCAL Q",
            Unit::Count,
            7,
            2,
            "Tasks in its own queue; null if not measured.",
        ),
        |row| row.record().local_queue.map_or(Value::Null, Value::Count),
    ),
    field(
        Column::new(
            "steals_per_s",
            "STEALS/s",
            Unit::Rate,
            8,
            3,
            "Tasks that it stole per second over the last 10 s; null if not measured.",
        ),
        |row| row.rate(|rates| rates.steals).map_or(Value::Null, Value::Rate),
    ),
    field(
        Column::new("parks_per_s", "PARKS/s", Unit::Rate, 8, 3, "Parks per second over the last 10 s."),
        |row| row.rate(|rates| rates.parks).map_or(Value::Null, Value::Rate),
    ),
    field(
        Column::new(
            "busy_series",
            "LAST 60 s",
            Unit::Series,
            16,
            4,
            "Busy share in each of the last 60 seconds.",
        )
        .screen_only(),
        |row| Value::Series(row.worker.busy_seconds()),
    ),
    field(
        Column::new(
            "polls_per_s",
            "POLLS/s",
            Unit::Rate,
            8,
            6,
            "Polls per second that pollscope recorded on it, over the last 10 s; null in sample \
                    mode.",
        )
        .hidden(),
        |row| row.rate(|rates| rates.polls).map_or(Value::Null, Value::Rate),
    ),
    field(
        Column::new(
            "polling_task",
            "TASK",
            Unit::Id,
            6,
            6,
            "The task that it polls now; null when none is known.",
        )
        .hidden(),
        |row| row.record().polling.map_or(Value::Null, |(task, _)| Value::Count(task.0)),
    ),
    field(
        Column::new("polling_site", "TASK SPAWNED AT", Unit::Text, 24, 6, "Spawn site of that task.")
            .hidden(),
        |row| {
            row.task().map_or(Value::Null, |task| Value::Text(row.process.dictionary().site_text(task.site)))
        },
    ),
    field(
        Column::new(
            "cpu",
            "CPU",
            Unit::Ratio,
            5,
            7,
            "Share of the last 10 s that its thread was on a CPU; null if not measured.",
        )
        .hidden(),
        |row| row.rate(|rates| rates.cpu).map_or(Value::Null, Value::Ratio),
    ),
    field(
        Column::new(
            "preempted",
            "NO CPU",
            Unit::Ratio,
            6,
            7,
            "Share of the last 10 s that its thread could run but had no CPU; null if not \
                    measured.",
        )
        .hidden(),
        |row| row.rate(|rates| rates.preempted).map_or(Value::Null, Value::Ratio),
    ),
];

impl<'a> WorkerItem<'a> {
    fn record(&self) -> &'a WorkerDelta {
        self.worker.record()
    }

    fn runtime(&self) -> Arc<str> {
        let runtime = self.process.runtime(self.worker.id().runtime);
        runtime.map_or_else(|| "".into(), |runtime| self.process.dictionary().name(runtime.record().name))
    }

    fn state(&self) -> &'static str {
        match self.record() {
            _ if self.stall().is_some() => "stuck",
            WorkerDelta { polling: Some(_), .. } => "polling",
            WorkerDelta { parked: true, .. } => "parked",
            _ => "busy",
        }
    }

    fn task(&self) -> Option<TaskRecord> {
        self.process.task(self.record().polling?.0)
    }

    fn stall(&self) -> Option<&'a Stall> {
        self.process.stall_of(self.worker.id())
    }

    fn waiting_in(&self) -> Option<Arc<str>> {
        Some(self.process.dictionary().name(self.stall()?.waiting_in?))
    }

    fn stuck_at(&self) -> Option<String> {
        let stack = self.process.dictionary().stack(self.stall()?.stack?)?;
        Some(stack.users_frame().map(|(_, frame)| frame).or(stack.frames.first())?.short())
    }

    fn rate(&self, of: impl Fn(WorkerRates) -> Option<f64>) -> Option<f64> {
        of(self.worker.rates(10))
    }

    fn polling_text(&self) -> Option<String> {
        let (id, _) = self.record().polling?;
        let label = self.task().map(|task| super::task_detail::label(self.process, &task));
        Some(label.map_or_else(|| id.to_string(), |label| format!("{id} {label}")))
    }
}

impl Rows for WorkerItem<'_> {
    const DEFAULT_ORDER: &'static [(&'static str, bool)] =
        &[("process", false), ("runtime", false), ("worker", false)];

    fn id(&self) -> RowId {
        RowId::Worker(self.process.boot(), self.worker.id())
    }

    fn level(&self) -> Option<Level> {
        None
    }

    fn rank(&self) -> u8 {
        0
    }

    fn by_id(&self, other: &Self) -> Ordering {
        let key = |item: &Self| (item.process.boot(), item.worker.id());
        key(self).cmp(&key(other))
    }

    fn texts(&self, texts: &mut Texts<'_>) -> bool {
        texts.long(self.process.label())
            || texts.long(&self.runtime())
            || texts.long(&self.process.dictionary().name(self.record().thread))
            || texts.long(self.state())
            || self.task().is_some_and(|task| texts.short(&self.process.dictionary().name(task.name)))
    }
}
