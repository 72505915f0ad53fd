//! Findings: their columns, and how a row gets its cells.

use std::cmp::Ordering;
use std::sync::Arc;

use super::column::{Column, Field, Meaning, Unit};
use super::page::RowId;
use super::run::{Rows, Texts};
use crate::finding::Finding;
use crate::level::Level;
use crate::value::Value;

/// One finding.
pub(super) struct FindingItem<'a> {
    pub(super) finding: &'a Finding,
}

type Get = for<'a, 'b> fn(&'b FindingItem<'a>) -> Value;

const fn field(column: Column, get: Get) -> Field<Get> {
    Field { column, get }
}

/// The table.
pub(super) static FIELDS: &[Field<Get>] = &[
    field(
        Column::new("level", "LEVEL", Unit::Text, 5, 0, "How bad: allow, warn or deny.")
            .means(Meaning::Level),
        |row| Value::Text(row.finding.level.as_str().into()),
    ),
    field(
        Column::new("detector", "DETECTOR", Unit::Text, 16, 0, "The rule; `pollscope explain` tells more."),
        |row| Value::Text(row.finding.detector.clone()),
    ),
    field(Column::new("process", "PROCESS", Unit::Text, 12, 3, "Label of the process."), |row| {
        Value::text(row.finding.process.clone())
    }),
    field(
        Column::new("headline", "WHAT", Unit::Text, 36, 1, "What happened, how long against which limit."),
        |row| Value::text(row.finding.headline.clone()),
    ),
    field(
        Column::new("site", "SITE", Unit::Text, 20, 1, "Spawn site; null if it is about none.")
            .means(Meaning::Site),
        |row| Value::text(row.finding.site.clone()),
    ),
    field(
        Column::new(
            "scope",
            "SCOPE",
            Unit::Text,
            16,
            6,
            "The request's route, or the scope of the task that shows it; null if there is none.",
        )
        .hidden(),
        |row| Value::text(row.finding.scope.clone()),
    ),
    field(
        Column::new("first_ns", "SINCE", Unit::Time, 8, 4, "First seen, nanoseconds since 1970.")
            .alias("first"),
        |row| Value::Time(row.finding.first_ns),
    ),
    field(
        Column::new("last_ns", "LAST", Unit::Time, 8, 2, "Last seen, nanoseconds since 1970.").alias("last"),
        |row| Value::Time(row.finding.last_ns),
    ),
    field(Column::new("count", "×", Unit::Count, 5, 2, "How often it was seen."), |row| {
        Value::Count(row.finding.count)
    }),
    field(
        Column::new("state", "STATE", Unit::Text, 6, 4, "open while it holds, closed after.")
            .means(Meaning::State),
        |row| Value::Text(if row.finding.open { "open" } else { "closed" }.into()),
    ),
    field(Column::new("number", "NO", Unit::Id, 4, 8, "Number in this monitor.").hidden(), |row| {
        Value::Count(row.finding.number)
    }),
    field(
        Column::new(
            "fingerprint",
            "FINGERPRINT",
            Unit::Text,
            24,
            8,
            "The same text for the same fault across runs and edits.",
        )
        .hidden(),
        |row| Value::text(row.finding.fingerprint.clone()),
    ),
    field(
        Column::new("task", "TASK", Unit::Id, 6, 6, "A task that shows it; null if it is about none.")
            .hidden(),
        |row| row.finding.task.map_or(Value::Null, |task| Value::Count(task.0)),
    ),
    field(
        Column::new("task_name", "TASK NAME", Unit::Text, 16, 6, "Name of that task; null if it has none.")
            .hidden(),
        |row| Value::text(row.finding.task_name.clone()),
    ),
    field(
        Column::new("value_ns", "TOOK", Unit::Nanos, 6, 6, "What was measured, if it is a duration.")
            .hidden(),
        |row| duration(&row.finding.value),
    ),
    field(
        Column::new("limit_ns", "LIMIT", Unit::Nanos, 6, 6, "The limit that it passed, if it is a duration.")
            .hidden(),
        |row| duration(&row.finding.limit),
    ),
    field(
        Column::new("value", "VALUE", Unit::Count, 8, 6, "What was measured, if it is no duration.").hidden(),
        |row| other(&row.finding.value),
    ),
    field(
        Column::new("limit", "LIMIT", Unit::Count, 8, 6, "The limit that it passed, if it is no duration.")
            .hidden(),
        |row| other(&row.finding.limit),
    ),
    field(
        Column::new(
            "kind",
            "KIND",
            Unit::Text,
            9,
            6,
            "For polls: busy, blocked or preempted; null if the split was not measured.",
        )
        .hidden(),
        |row| row.finding.kind.map_or(Value::Null, |kind| Value::Text(kind.as_str().into())),
    ),
    field(
        Column::new(
            "waiting_in",
            "KERNEL SAYS",
            Unit::Text,
            14,
            6,
            "For polls that were looked at: running, runnable, or the call that the thread slept in.",
        )
        .hidden(),
        |row| Value::text(row.finding.waiting_in.clone()),
    ),
    field(
        Column::new(
            "waiters",
            "WAITED",
            Unit::Count,
            6,
            6,
            "For polls: tasks that had to wait for it; null if not measured.",
        )
        .hidden(),
        |row| row.finding.waiters.map_or(Value::Null, |waiters| Value::Count(waiters.into())),
    ),
    field(
        Column::new(
            "waited_ns",
            "IN ALL",
            Unit::Nanos,
            6,
            6,
            "For polls: what they waited, added up; null if not measured.",
        )
        .hidden(),
        |row| row.finding.waited_ns.map_or(Value::Null, Value::Nanos),
    ),
    field(
        Column::new(
            "max_waited_ns",
            "LONGEST",
            Unit::Nanos,
            7,
            6,
            "For polls: the longest of these waits; null if not measured.",
        )
        .hidden(),
        |row| row.finding.max_waited_ns.map_or(Value::Null, Value::Nanos),
    ),
    field(
        Column::new(
            "stack",
            "STACK",
            Unit::List,
            40,
            9,
            "Frames as `function (file:line)`, the user's code first; empty if none was taken.",
        )
        .hidden(),
        |row| Value::List(row.finding.stack.clone()),
    ),
    field(
        Column::new("why", "WHY", Unit::Text, 40, 9, "Why it matters, with the harm that was measured.")
            .hidden(),
        |row| Value::text(row.finding.why.clone()),
    ),
    field(Column::new("fix", "FIX", Unit::Text, 40, 9, "What to do.").hidden(), |row| {
        Value::text(row.finding.fix.clone())
    }),
    // Behind the others, whose places older peers know.
    field(
        Column::new(
            "line",
            "LINE",
            Unit::Text,
            20,
            6,
            "For polls that a library spawned: your line, or your function where no line is known; null if there is \
             none.",
        )
        .hidden(),
        |row| Value::text(row.finding.line.clone()),
    ),
];

fn duration(value: &Value) -> Value {
    if matches!(value, Value::Nanos(_)) { value.clone() } else { Value::Null }
}

fn other(value: &Value) -> Value {
    if matches!(value, Value::Nanos(_)) { Value::Null } else { value.clone() }
}

impl Rows for FindingItem<'_> {
    const DEFAULT_ORDER: &'static [(&'static str, bool)] =
        &[("state", true), ("level", true), ("last_ns", true)];

    fn id(&self) -> RowId {
        RowId::Finding(self.finding.number)
    }

    fn level(&self) -> Option<Level> {
        Some(self.finding.level)
    }

    fn rank(&self) -> u8 {
        self.finding.level as u8
    }

    fn by_id(&self, other: &Self) -> Ordering {
        self.finding.number.cmp(&other.finding.number)
    }

    fn texts(&self, texts: &mut Texts<'_>) -> bool {
        let finding = self.finding;
        let long: [&Arc<str>; 5] =
            [&finding.detector, &finding.site, &finding.line, &finding.process, &finding.headline];
        long.into_iter().any(|text| texts.long(text)) || texts.short(&finding.task_name)
    }
}
