//! The column table of tasks.

use std::sync::{Arc, LazyLock};

use super::{TaskItem, flag_text, level_text, list, woken_by};
use crate::entity::task::TaskState;
use crate::measured::Metric;
use crate::query::column::{Column, Field, Meaning, Unit};
use crate::value::Value;

/// The states' names, made once: filtering 100,000 rows by state allocates nothing.
static STATES: LazyLock<[Arc<str>; 6]> = LazyLock::new(|| TaskState::ALL.map(|state| state.as_str().into()));

type Get = for<'a, 'b> fn(&'b TaskItem<'a>) -> Value;

const fn field(column: Column, get: Get) -> Field<Get> {
    Field { column, get }
}

/// The table.
pub(in crate::query) static FIELDS: &[Field<Get>] = &[
    field(
        Column::new(
            "flag",
            "FLG",
            Unit::Text,
            3,
            0,
            "Worst open finding: ! deny, ~ warn, . a mark, and the rule's letter; - when the task is over.",
        )
        .screen_only()
        .still()
        .means(Meaning::Mark),
        |row| flag_text(row.flag, row.task.state().is_ended()),
    ),
    field(
        Column::new("process", "PROCESS", Unit::Text, 12, 5, "Label of the task's process.").hidden(),
        |row| Value::Text(row.process.label().clone()),
    ),
    field(
        Column::new("id", "ID", Unit::Id, 5, 0, "Number of the task in its process; never reused.").still(),
        |row| Value::Count(row.task.id().0),
    ),
    field(
        Column::new(
            "state",
            "STATE",
            Unit::Text,
            9,
            2,
            "idle, scheduled, running, completed, cancelled or panicked; in hooks mode every end \
                reads completed (see outcome).",
        )
        .still()
        .means(Meaning::State),
        |row| Value::Text(STATES[row.task.state() as usize].clone()),
    ),
    field(
        Column::new("name", "NAME", Unit::Text, 18, 0, "Name given at the spawn; null if none was."),
        |row| Value::text(row.process.dictionary().name(row.task.name())),
    ),
    field(
        Column::new("group", "GROUP", Unit::Text, 8, 6, "Group given at the spawn; null if none was."),
        |row| Value::text(row.process.dictionary().name(row.task.group())),
    ),
    field(
        Column::new("age_ns", "AGE", Unit::Nanos, 6, 3, "From spawn to end, or until now.").alias("age"),
        |row| Value::Nanos(row.task.age_ns(row.now())),
    ),
    field(
        Column::new(
            "busy_ns",
            "BUSY",
            Unit::Nanos,
            6,
            1,
            "Sum of its polls' wall time, the open poll included.",
        )
        .alias("busy")
        .still(),
        |row| {
            let open_ns = row.task.current_poll_ns(row.now()).unwrap_or(0);
            row.measured(Metric::Polls, || Value::Nanos(row.task.busy_ns().saturating_add(open_ns)))
        },
    ),
    field(
        Column::new(
            "scheduled_ns",
            "SCHED",
            Unit::Nanos,
            6,
            3,
            "Sum of the times between wake and poll, the open wait included; of hooked \
                tasks if tracked.",
        )
        .alias("sched")
        .still(),
        |row| {
            let since_ns = row.task.scheduled_since_ns();
            let open_ns = if since_ns > 0 { row.now().saturating_sub(since_ns) } else { 0 };
            row.measured(Metric::ScheduleDelay, || {
                Value::Nanos(row.task.scheduled_ns().saturating_add(open_ns))
            })
        },
    ),
    field(
        Column::new(
            "idle_ns",
            "IDLE",
            Unit::Nanos,
            6,
            4,
            "Time in which it was neither polled nor known to be waiting for a poll.",
        )
        .alias("idle"),
        |row| row.measured(Metric::Polls, || Value::Nanos(row.task.idle_ns(row.now()))),
    ),
    field(Column::new("polls", "POLLS", Unit::Count, 5, 3, "Polls that have ended.").still(), |row| {
        row.measured(Metric::Polls, || Value::Count(row.task.polls()))
    }),
    field(
        Column::new(
            "wakes",
            "WAKES",
            Unit::Count,
            5,
            5,
            "Wakes, self-wakes included; not measured in hooks mode.",
        )
        .still(),
        |row| row.measured(Metric::Wakes, || Value::Count(row.task.wakes())),
    ),
    field(
        Column::new("site", "SPAWNED AT", Unit::Text, 24, 1, "Where it was spawned: file, line and column.")
            .means(Meaning::Site),
        |row| {
            row.measured(Metric::SpawnSites, || {
                Value::Text(row.process.dictionary().site_text(row.task.site()))
            })
        },
    ),
    field(
        Column::new("findings", "FINDINGS", Unit::List, 16, 7, "Detectors with an open finding about it.")
            .hidden()
            .still(),
        |row| list(row.flag),
    ),
    field(
        Column::new("parent", "PARENT", Unit::Id, 6, 7, "The task that spawned it; null if none is known.")
            .hidden()
            .still(),
        |row| row.task.parent().map_or(Value::Null, |parent| Value::Count(parent.0)),
    ),
    field(
        Column::new(
            "self_wakes",
            "SELFWK",
            Unit::Count,
            6,
            7,
            "Wakes of the task by itself during its own poll; not measured in hooks mode.",
        )
        .hidden()
        .still(),
        |row| row.measured(Metric::Wakes, || Value::Count(row.task.self_wakes())),
    ),
    field(
        Column::new("max_poll_ns", "MAXPOLL", Unit::Nanos, 7, 6, "Its longest poll, the open one included.")
            .alias("max_poll")
            .hidden()
            .still(),
        |row| {
            let open_ns = row.task.current_poll_ns(row.now()).unwrap_or(0);
            row.measured(Metric::Polls, || Value::Nanos(row.task.max_poll_ns().max(open_ns)))
        },
    ),
    field(
        Column::new(
            "current_poll_ns",
            "NOWPOLL",
            Unit::Nanos,
            7,
            6,
            "How long the poll that is open now has lasted; null when none is.",
        )
        .alias("current_poll")
        .hidden()
        .still(),
        |row| row.task.current_poll_ns(row.now()).map_or(Value::Null, Value::Nanos),
    ),
    field(
        Column::new(
            "max_sched_ns",
            "MAXSCHED",
            Unit::Nanos,
            8,
            7,
            "Its longest time between wake and poll; of hooked tasks if tracked.",
        )
        .alias("max_sched")
        .hidden()
        .still(),
        |row| row.measured(Metric::ScheduleDelay, || Value::Nanos(row.task.max_sched_ns())),
    ),
    field(
        Column::new("quiet_ns", "QUIET", Unit::Nanos, 6, 7, "Since its last poll ended, or since the spawn.")
            .alias("quiet")
            .hidden(),
        |row| row.measured(Metric::Polls, || Value::Nanos(row.task.quiet_ns(row.now()))),
    ),
    field(
        Column::new(
            "future_bytes",
            "SIZE",
            Unit::Bytes,
            8,
            7,
            "Size of its future; not measured in hooks mode.",
        )
        .alias("size")
        .hidden()
        .still(),
        |row| row.measured(Metric::FutureSize, || Value::Bytes(row.task.future_bytes())),
    ),
    field(
        Column::new(
            "wakers",
            "WAKERS",
            Unit::Count,
            6,
            8,
            "Wakers alive outside of it; 0 while idle means that nothing can wake it. Not measured \
                in hooks mode.",
        )
        .hidden()
        .still(),
        |row| row.measured(Metric::Wakes, || Value::Count(row.task.wakers().into())),
    ),
    field(
        Column::new(
            "forced_yields",
            "FORCED",
            Unit::Count,
            6,
            8,
            "Polls that ended with tokio's cooperative budget used up.",
        )
        .hidden()
        .still(),
        |row| row.measured(Metric::ForcedYields, || Value::Count(row.task.forced_yields())),
    ),
    field(
        Column::new(
            "woken_by",
            "WOKEN BY",
            Unit::Text,
            12,
            8,
            "Who woke it last: a task, itself, the runtime or another thread.",
        )
        .hidden(),
        |row| row.measured(Metric::Wakes, || woken_by(row.task.woken_by())),
    ),
    field(
        Column::new(
            "handle",
            "HANDLE",
            Unit::Text,
            7,
            8,
            "Its join handle: held, dropped, joined or aborted; not measured in hooks mode.",
        )
        .hidden()
        .still(),
        |row| row.measured(Metric::Handles, || Value::Text(row.task.handle().as_str().into())),
    ),
    field(
        Column::new(
            "outcome",
            "OUTCOME",
            Unit::Text,
            9,
            8,
            "completed, cancelled or panicked; null while alive, and in hooks mode.",
        )
        .hidden()
        .still()
        .means(Meaning::State),
        |row| match row.task.state() {
            state if state.is_ended() => row.measured(Metric::Outcome, || Value::Text(state.as_str().into())),
            _ => Value::Null,
        },
    ),
    field(
        Column::new("kind", "KIND", Unit::Text, 8, 8, "async, local, blocking, block-on or future.")
            .hidden()
            .still(),
        |row| Value::Text(row.task.kind().as_str().into()),
    ),
    field(
        Column::new("scope", "SCOPE", Unit::Text, 12, 8, "Innermost scope at the spawn; null if none.")
            .hidden(),
        |row| Value::text(row.process.dictionary().name(row.task.scope())),
    ),
    field(
        Column::new("runtime", "RUNTIME", Unit::Text, 8, 8, "Name of its runtime; null if not known.")
            .hidden(),
        |row| {
            let runtime = row.task.runtime().and_then(|id| row.process.runtime(id));
            runtime.map_or(Value::Null, |runtime| {
                Value::text(row.process.dictionary().name(runtime.record().name))
            })
        },
    ),
    field(
        Column::new("worker", "WORKER", Unit::Id, 6, 8, "Worker that polls it now; null when none does.")
            .hidden()
            .still(),
        |row| {
            row.task
                .worker()
                .filter(|_| row.task.poll_start_ns() > 0)
                .map_or(Value::Null, |w| Value::Count(w.into()))
        },
    ),
    field(
        Column::new(
            "mode",
            "MODE",
            Unit::Text,
            6,
            8,
            "How it is observed, which decides what is measured: wrap or hooks.",
        )
        .hidden()
        .still(),
        |row| Value::Text(row.task.mode().as_str().into()),
    ),
    field(
        Column::new(
            "level",
            "LEVEL",
            Unit::Text,
            5,
            8,
            "Level of the worst open finding about it: warn or deny.",
        )
        .hidden()
        .screen_only()
        .still()
        .means(Meaning::Level),
        |row| level_text(row.flag.map(|flag| flag.level)),
    ),
];
