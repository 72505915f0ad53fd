//! Processes: their columns, and how a row gets its cells.

use std::cmp::Ordering;

use super::column::{Column, Field, Meaning, Unit};
use super::page::RowId;
use super::run::{Rows, Texts};
use super::tasks::level_text;
use crate::entity::presence::Presence;
use crate::level::Level;
use crate::measured::{Metric, Mode};
use crate::value::Value;
use crate::world::Process;

/// One process, with what a cell may need.
pub(super) struct ProcessItem<'a> {
    pub(super) process: &'a Process,
    /// The worst open finding.
    pub(super) level: Option<Level>,
    /// Open findings at warn or deny.
    pub(super) findings: u64,
    /// The viewer's clock.
    pub(super) now_unix_ns: u64,
}

type Get = for<'a, 'b> fn(&'b ProcessItem<'a>) -> Value;

const fn field(column: Column, get: Get) -> Field<Get> {
    Field { column, get }
}

/// The table.
pub(super) static FIELDS: &[Field<Get>] = &[
    field(
        Column::new(
            "health",
            "H",
            Unit::Text,
            4,
            0,
            "!! open finding at deny, ! at warn, gone or late when it does not report, ok, or ? \
                    when its mode sees no task.",
        )
        .screen_only()
        .means(Meaning::Mark),
        |row| Value::Text(row.health().into()),
    ),
    field(
        Column::new(
            "process",
            "PROCESS",
            Unit::Text,
            14,
            0,
            "Name and number in order of appearance; the same for a whole incarnation.",
        ),
        |row| Value::Text(row.process.label().clone()),
    ),
    field(Column::new("name", "NAME", Unit::Text, 12, 8, "The service's name.").hidden(), |row| {
        Value::text(row.process.hello().process.name.as_str())
    }),
    field(Column::new("pid", "PID", Unit::Id, 7, 8, "Operating system process id.").hidden(), |row| {
        Value::Count(row.process.hello().process.pid.into())
    }),
    field(Column::new("host", "HOST", Unit::Text, 10, 5, "Host name."), |row| {
        Value::text(row.process.hello().process.host.as_str())
    }),
    field(
        Column::new(
            "state",
            "STATE",
            Unit::Text,
            5,
            6,
            "live, stale (no report for longer than it should take) or gone.",
        )
        .hidden()
        .means(Meaning::State),
        |row| Value::Text(row.process.presence().as_str().into()),
    ),
    field(
        Column::new("mode", "MODE", Unit::Text, 6, 6, "The deepest mode that is on: sample, wrap or hooks."),
        |row| Value::Text(row.process.hello().mode.as_str().into()),
    ),
    field(
        Column::new("uptime_ns", "UP", Unit::Nanos, 6, 4, "Since its recorder started.").alias("uptime"),
        |row| Value::Nanos(row.process.now_ns()),
    ),
    field(
        Column::new(
            "tasks",
            "TASKS",
            Unit::Count,
            6,
            2,
            "Tasks alive, as pollscope sees them; in sample mode as tokio counts them.",
        ),
        |row| row.process.alive_tasks().map_or(Value::Null, Value::Count),
    ),
    field(
        Column::new(
            "polls_per_s",
            "POLL/s",
            Unit::Rate,
            7,
            3,
            "Polls per second over the last 10 s; not measured in sample mode.",
        ),
        |row| row.process.polls_per_s().map_or(Value::Null, Value::Rate),
    ),
    field(
        Column::new("busy", "BUSY", Unit::Ratio, 5, 1, "Busy share of all workers over the last 10 s."),
        |row| row.process.busy().map_or(Value::Null, Value::Ratio),
    ),
    field(
        Column::new(
            "p99_poll_ns",
            "p99POLL",
            Unit::Nanos,
            7,
            1,
            "99 % of the polls of the last 60 s were no longer; null if there were none, or in \
                sample mode.",
        )
        .alias("p99_poll"),
        |row| quantile(&row.process.poll_times(), row.process.measures_for_some(Metric::Polls)),
    ),
    field(
        Column::new(
            "p99_sched_ns",
            "p99SCHED",
            Unit::Nanos,
            8,
            2,
            "99 % of the schedule delays of the last 60 s were no longer; null if there were none \
                or none is measured.",
        )
        .alias("p99_sched"),
        |row| quantile(&row.process.sched_times(), row.process.measures_for_some(Metric::ScheduleDelay)),
    ),
    field(
        Column::new(
            "cpus",
            "CPUS",
            Unit::Rate,
            5,
            7,
            "CPUs that all of its threads used, on the average of the last 10 s: 1.5 is one and a half.",
        )
        .hidden(),
        |row| row.process.cpus().map_or(Value::Null, Value::Rate),
    ),
    field(
        Column::new("memory_bytes", "MEMORY", Unit::Bytes, 8, 7, "Resident memory.").alias("memory").hidden(),
        |row| row.process.usage().memory_bytes.map_or(Value::Null, Value::Bytes),
    ),
    field(
        Column::new("threads", "THREADS", Unit::Count, 7, 8, "Threads of the process, pollscope's included.")
            .hidden(),
        |row| row.process.usage().threads.map_or(Value::Null, Value::Count),
    ),
    field(
        Column::new(
            "open_files",
            "FILES",
            Unit::Count,
            6,
            8,
            "Open descriptors, pollscope's included; null where there are too many to count quickly.",
        )
        .hidden(),
        |row| row.process.usage().open_files.map_or(Value::Null, Value::Count),
    ),
    field(
        Column::new(
            "open_files_max",
            "MAXFILES",
            Unit::Count,
            8,
            9,
            "Descriptors that may be open (RLIMIT_NOFILE); null without a limit.",
        )
        .hidden(),
        |row| match row.process.usage().open_files_max {
            Some(u64::MAX) | None => Value::Null,
            Some(most) => Value::Count(most),
        },
    ),
    field(
        Column::new(
            "lost",
            "LOST",
            Unit::Count,
            5,
            3,
            "What is missing: lost in the recorder, reports in gaps, refused here.",
        ),
        |row| Value::Count(row.process.lost()),
    ),
    field(Column::new("findings", "FIND", Unit::Count, 4, 4, "Open findings at warn or deny."), |row| {
        // Nothing was judged before all is in.
        if row.process.loading().is_some() { Value::Null } else { Value::Count(row.findings) }
    }),
    field(
        Column::new(
            "busy_series",
            "LAST 60 s",
            Unit::Series,
            12,
            5,
            "Busy share of all workers in each of the last 60 seconds.",
        )
        .screen_only(),
        |row| Value::Series(row.process.busy_series()),
    ),
    field(
        Column::new(
            "polls_series",
            "POLLS 60 s",
            Unit::Series,
            12,
            8,
            "Polls in each of the last 60 seconds.",
        )
        .hidden()
        .screen_only(),
        |row| Value::Series(row.process.polls_series()),
    ),
    field(
        Column::new("boot", "BOOT", Unit::Text, 32, 9, "Random number of the incarnation.").hidden(),
        |row| Value::Text(row.process.boot().to_string().into()),
    ),
    field(
        Column::new("version", "VERSION", Unit::Text, 8, 9, "Version of the pollscope crate in it.").hidden(),
        |row| Value::text(row.process.hello().version.as_str()),
    ),
    field(
        Column::new("heard_ns", "HEARD", Unit::Nanos, 6, 9, "Since its last report arrived.")
            .alias("heard")
            .hidden(),
        |row| Value::Nanos(row.now_unix_ns.saturating_sub(row.process.received_unix_ns())),
    ),
    field(
        Column::new(
            "gone_reason",
            "WHY GONE",
            Unit::Text,
            24,
            9,
            "Why its stream ended; null while it has not.",
        )
        .hidden(),
        |row| row.process.gone_reason().map_or(Value::Null, |reason| Value::Text(reason.clone())),
    ),
    field(
        Column::new("level", "LEVEL", Unit::Text, 5, 9, "Level of its worst open finding: warn or deny.")
            .hidden()
            .screen_only()
            .means(Meaning::Level),
        |row| level_text(row.level),
    ),
];

impl ProcessItem<'_> {
    fn health(&self) -> &'static str {
        match (self.process.presence(), self.level) {
            (Presence::Gone, _) => "gone",
            (Presence::Stale, _) => "late",
            (_, Some(Level::Deny)) => "!!",
            (_, Some(Level::Warn)) => "!",
            _ if self.process.hello().mode == Mode::Sample => "?",
            _ => "ok",
        }
    }
}

impl Rows for ProcessItem<'_> {
    const DEFAULT_ORDER: &'static [(&'static str, bool)] = &[("health", true), ("busy", true)];

    fn id(&self) -> RowId {
        RowId::Process(self.process.boot())
    }

    fn level(&self) -> Option<Level> {
        self.level
    }

    fn rank(&self) -> u8 {
        match self.health() {
            "!!" => 5,
            "!" => 4,
            "late" => 3,
            "gone" => 2,
            "ok" => 1,
            _ => 0,
        }
    }

    fn by_id(&self, other: &Self) -> Ordering {
        let key = |item: &Self| (item.process.label().clone(), item.process.boot());
        key(self).cmp(&key(other))
    }

    fn texts(&self, texts: &mut Texts<'_>) -> bool {
        let hello = self.process.hello();
        texts.short(self.process.label())
            || texts.long(&hello.process.host)
            || texts.long(hello.mode.as_str())
            || texts.long(self.process.presence().as_str())
            || texts.number(hello.process.pid.into())
    }
}

/// The 99th percentile; nothing where nothing is measured or nothing happened.
pub(super) fn quantile(hist: &crate::hist::Hist, measured: bool) -> Value {
    hist.quantile(0.99).filter(|_| measured).map_or(Value::Null, Value::Nanos)
}
