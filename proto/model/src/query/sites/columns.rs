//! The column table of sites.

use super::SiteItem;
use crate::measured::Metric;
use crate::query::column::{Column, Field, Meaning, Unit};
use crate::query::tasks::{flag_text, level_text, list};
use crate::value::Value;

type Get = for<'a, 'b> fn(&'b SiteItem<'a>) -> Value;

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
            "Worst open finding: ! deny, ~ warn, . a mark, and the rule's letter.",
        )
        .screen_only()
        .means(Meaning::Mark),
        |row| flag_text(row.flag(), false),
    ),
    field(
        Column::new("site", "SITE", Unit::Text, 24, 0, "Where tasks are spawned: file, line and column.")
            .means(Meaning::Site),
        |row| Value::Text(row.text.clone()),
    ),
    field(Column::new("procs", "PROCS", Unit::Count, 5, 6, "Processes that have the site."), |row| {
        Value::Count(row.parts.len() as u64)
    }),
    field(Column::new("alive", "ALIVE", Unit::Count, 6, 1, "Tasks alive."), |row| {
        Value::Count(row.sum(|part| part.site.alive()))
    }),
    field(
        Column::new(
            "spawned_per_s",
            "SPAWN/s",
            Unit::Rate,
            7,
            3,
            "Tasks spawned per second, mean of the last 60 s.",
        ),
        |row| row.rate(|rates| rates.spawned_per_s).map_or(Value::Null, Value::Rate),
    ),
    field(
        Column::new(
            "ended_per_s",
            "END/s",
            Unit::Rate,
            7,
            4,
            "Tasks ended per second, mean of the last 60 s.",
        ),
        |row| row.rate(|rates| rates.ended_per_s).map_or(Value::Null, Value::Rate),
    ),
    field(
        Column::new(
            "busy_per_s_ns",
            "BUSY/s",
            Unit::Nanos,
            6,
            1,
            "Time spent in polls per second, mean of the last 60 s; over 1 s when several workers \
                    poll.",
        )
        .alias("busy_per_s"),
        |row| row.rate(|rates| rates.busy_ns_per_s).map_or(Value::Null, |ns| Value::Nanos(ns as u64)),
    ),
    field(
        Column::new(
            "p99_poll_ns",
            "p99POLL",
            Unit::Nanos,
            7,
            0,
            "99 % of its polls since the start were no longer.",
        )
        .alias("p99_poll"),
        |row| row.quantile(0.99, |totals| &totals.poll),
    ),
    field(
        Column::new("max_poll_ns", "MAXPOLL", Unit::Nanos, 7, 3, "Its longest poll since the start.")
            .alias("max_poll"),
        |row| row.max(|totals| &totals.poll),
    ),
    field(
        Column::new(
            "p99_sched_ns",
            "p99SCHED",
            Unit::Nanos,
            8,
            5,
            "99 % of the times between wake and poll were no longer; of hooked tasks if tracked.",
        )
        .alias("p99_sched"),
        |row| row.measured(Metric::ScheduleDelay, || row.quantile(0.99, |totals| &totals.sched)),
    ),
    field(
        Column::new(
            "max_future_bytes",
            "SIZE",
            Unit::Bytes,
            8,
            6,
            "Its largest future; not measured in hooks mode.",
        )
        .alias("size"),
        |row| row.measured(Metric::FutureSize, || Value::Bytes(row.totals().max_future_bytes)),
    ),
    field(
        Column::new(
            "share",
            "SHARE",
            Unit::Ratio,
            5,
            5,
            "Its part of the time that all listed sites spent in polls over the last 60 s.",
        )
        .screen_only(),
        |row| {
            let busy = row.rate(|rates| rates.busy_ns_per_s);
            busy.filter(|_| row.busy_of_all > 0.0)
                .map_or(Value::Null, |ns| Value::Ratio(ns / row.busy_of_all))
        },
    ),
    field(
        Column::new("findings", "FINDINGS", Unit::List, 16, 7, "Detectors with an open finding about it.")
            .hidden(),
        |row| list(row.flag()),
    ),
    field(
        Column::new("spawned", "SPAWNED", Unit::Count, 8, 7, "Tasks spawned since the start.").hidden(),
        |row| Value::Count(row.totals().spawned),
    ),
    field(
        Column::new(
            "completed",
            "DONE",
            Unit::Count,
            8,
            8,
            "Tasks that returned; not measured in hooks mode (see ended).",
        )
        .hidden(),
        |row| row.measured(Metric::Outcome, || Value::Count(row.totals().completed)),
    ),
    field(
        Column::new(
            "cancelled",
            "CANCEL",
            Unit::Count,
            6,
            8,
            "Tasks dropped before they returned; not measured in hooks mode (see ended).",
        )
        .hidden(),
        |row| row.measured(Metric::Outcome, || Value::Count(row.totals().cancelled)),
    ),
    field(
        Column::new(
            "panicked",
            "PANIC",
            Unit::Count,
            6,
            8,
            "Tasks that panicked; not measured in hooks mode (see ended).",
        )
        .hidden(),
        |row| row.measured(Metric::Outcome, || Value::Count(row.totals().panicked)),
    ),
    field(
        Column::new("ended", "ENDED", Unit::Count, 8, 8, "Tasks that are over, in whatever way.").hidden(),
        |row| Value::Count(row.totals().all_ended()),
    ),
    field(Column::new("polls", "POLLS", Unit::Count, 8, 7, "Polls since the start.").hidden(), |row| {
        Value::Count(row.totals().poll.count())
    }),
    field(
        Column::new("busy_ns", "BUSY", Unit::Nanos, 6, 7, "Time spent in polls since the start.")
            .alias("busy")
            .hidden(),
        |row| Value::Nanos(row.totals().poll.sum()),
    ),
    field(
        Column::new(
            "p50_poll_ns",
            "p50POLL",
            Unit::Nanos,
            7,
            8,
            "Half of its polls since the start were no longer.",
        )
        .alias("p50_poll")
        .hidden(),
        |row| row.quantile(0.5, |totals| &totals.poll),
    ),
    field(
        Column::new(
            "p999_poll_ns",
            "p999POLL",
            Unit::Nanos,
            8,
            8,
            "99.9 % of its polls since the start were no longer.",
        )
        .alias("p999_poll")
        .hidden(),
        |row| row.quantile(0.999, |totals| &totals.poll),
    ),
    field(
        Column::new(
            "max_sched_ns",
            "MAXSCHED",
            Unit::Nanos,
            8,
            8,
            "Its longest time between wake and poll; of hooked tasks if tracked.",
        )
        .alias("max_sched")
        .hidden(),
        |row| row.measured(Metric::ScheduleDelay, || row.max(|totals| &totals.sched)),
    ),
    field(
        Column::new("p99_life_ns", "p99LIFE", Unit::Nanos, 7, 8, "99 % of its ended tasks lived no longer.")
            .alias("p99_life")
            .hidden(),
        |row| row.quantile(0.99, |totals| &totals.life),
    ),
    field(
        Column::new(
            "wakes",
            "WAKES",
            Unit::Count,
            8,
            8,
            "Wakes since the start; not measured in hooks mode.",
        )
        .hidden(),
        |row| row.measured(Metric::Wakes, || Value::Count(row.totals().wakes)),
    ),
    field(
        Column::new(
            "self_wakes",
            "SELFWK",
            Unit::Count,
            8,
            8,
            "Wakes of a task by itself since the start; not measured in hooks mode.",
        )
        .hidden(),
        |row| row.measured(Metric::Wakes, || Value::Count(row.totals().self_wakes)),
    ),
    field(
        Column::new(
            "forced_yields",
            "FORCED",
            Unit::Count,
            8,
            8,
            "Polls that ended with the cooperative budget used up; not measured in hooks mode.",
        )
        .hidden(),
        |row| row.measured(Metric::ForcedYields, || Value::Count(row.totals().forced_yields)),
    ),
    field(
        Column::new(
            "slow_polls",
            "SLOW",
            Unit::Count,
            6,
            8,
            "Polls longer than the process's limit for evidence.",
        )
        .hidden(),
        |row| Value::Count(row.totals().slow_polls),
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
        |row| Value::Series(row.polls_series()),
    ),
    field(
        Column::new(
            "level",
            "LEVEL",
            Unit::Text,
            5,
            9,
            "Level of the worst open finding about it: warn or deny.",
        )
        .hidden()
        .screen_only()
        .means(Meaning::Level),
        |row| level_text(row.flag().map(|flag| flag.level)),
    ),
    // Behind the others, whose places older peers know.
    field(
        Column::new(
            "lines",
            "LINES",
            Unit::List,
            30,
            9,
            "Where a library spawns: your lines that slow polls were seen at, as far as their stack was taken, each \
             with polls and time, the most time first. Null where no stacks are taken.",
        )
        .hidden(),
        super::lines::cell,
    ),
];
