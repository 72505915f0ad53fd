//! forgotten-task: a task waits, and whoever should wake it seems to have forgotten.
//!
//! # What
//! A task is pending and has not been woken for a long time, although somebody still holds a waker of
//! it, so that it could be.
//!
//! # Why
//! It holds its memory, its locks and its connection, and somebody may be waiting for its answer. A
//! reply that never comes, a notification that was not sent on one path of many: none of them is an
//! error anywhere.
//!
//! # Evidence
//! The time since its last poll, over `idle` and over `factor` times the 99th percentile of the lifetime
//! of its site's tasks: its siblings ended long before. Of a task with no such siblings (fewer than
//! `samples` of its site have ended) only that is said which is certain, at `allow`, and not before it
//! has never been woken at all; only after `lone` it becomes a warning.
//!
//! At the end of a test nobody is left to wake it, so that neither `idle` nor `factor` is waited for: it is every
//! task that is idle, was not woken last by the runtime, and awaits no task of its own (`forgotten`). If no other
//! task of its site ended, `task-leak` tells of it, unless that is the milder of the two.
//!
//! # Fix
//! Put a time-out round the wait. See what it waits for (its last wait, its group and its parent are in
//! the task's detail) and who should answer on every path, errors included. If it is meant to wait for
//! ever, say so where it is spawned: `pollscope::task("…").long_lived().spawn(…)`.
//!
//! # False alarms
//! Listeners, signal handlers, pools that wait for work: they look the same from outside. Exempt are
//! tasks that were declared long-lived, tasks that the runtime woke last (a timer or I/O: a quiet
//! connection is no fault), tasks that have living children to wait for, `block_on` bodies,
//! `spawn_blocking` jobs and futures that are part of another task. Tasks that only tokio's hooks see
//! cannot be judged, since their wakes are not counted.

use super::signal::{Count, Group, Hit, Signal, grade, near};
use super::view::{Moment, View};
use super::{Detector, TaskRule, TaskTest};
use crate::entity::task::{TaskKind, TaskRecord, TaskState, WokenBy};
use crate::measured::Metric;
use crate::policy::Rule;
use crate::policy::limit::Limit;
use crate::query::page::Level;
use crate::query::value::Value;
use crate::time::{Nanos, SECOND};
use crate::world::TaskRow;

const IDLE: Limit = Limit::nanos("idle", 60 * SECOND, "longest time without a wake");
const FACTOR: Limit = Limit::ratio("factor", 10.0, "and so many times the p99 lifetime at its site");
const SAMPLES: Limit = Limit::count("samples", 20, "ended tasks that this comparison needs");
const LONE: Limit = Limit::nanos(
    "lone",
    86_400 * SECOND,
    "longest time without any wake where there is nothing to compare with",
);

/// Its name.
pub(crate) const ID: &str = "forgotten-task";

pub(super) static DETECTOR: Detector = Detector {
    id: ID,
    letter: 'F',
    level: Level::Warn,
    for_ns: 0,
    clear_ns: 5 * SECOND,
    needs: &[Metric::Wakes],
    or_else: None,
    limits: &[IDLE, FACTOR, SAMPLES, LONE],
    whole: None,
    tasks: Some(TaskRule { test, due, tell }),
    source: include_str!("forgotten_task.rs"),
};

fn test<'a>(moment: Moment<'a>, rule: &Rule) -> TaskTest<'a> {
    let (idle, factor, samples) = (rule.whole(&IDLE), rule.ratio(&FACTOR), rule.whole(&SAMPLES));
    let lone = rule.whole(&LONE);
    Box::new(move |task| {
        let ns = task.quiet_ns(moment.now_ns);
        if (ns as f64) < idle as f64 * 0.8 || !could_be_forgotten(moment, task) {
            return None;
        }
        let life = moment.process.site(task.site).map(|site| &site.totals().life);
        let usual = life.filter(|life| life.count() >= samples).and_then(|life| life.quantile(0.99));
        let level = match usual {
            Some(p99) => grade(ns as f64, (idle as f64).max(p99 as f64 * factor), f64::INFINITY)?,
            None if task.wakes > 0 => return None,
            None if ns > lone.max(idle) => Some(Level::Warn),
            None => (ns > idle).then_some(Level::Allow),
        };
        Some(Hit { ns, level })
    })
}

fn could_be_forgotten(moment: Moment<'_>, task: &TaskRecord) -> bool {
    task.state == TaskState::Idle
        && task.polls > 0
        && task.wakers > 0
        && !task.long_lived
        && task.measures(Metric::Wakes)
        && matches!(task.kind, TaskKind::Async | TaskKind::Local)
        && task.woken_by != WokenBy::Runtime
        && !moment.process.awaits_children(task.id)
}

fn due(rule: &Rule, row: TaskRow<'_>) -> Option<u64> {
    let could_be = row.state() == TaskState::Idle
        && row.polls() > 0
        && row.wakers() > 0
        && !row.long_lived()
        && row.woken_by() != WokenBy::Runtime;
    could_be.then(|| row.quiet_since_ns().saturating_add(near(rule.whole(&IDLE))))
}

fn tell(view: &View<'_>, rule: &Rule, group: &Group) -> Signal {
    let idle = rule.whole(&IDLE);
    let life = view.site(group.site).map(|site| &site.view.totals().life);
    let usual = life.filter(|life| life.count() >= rule.whole(&SAMPLES)).and_then(|life| life.quantile(0.99));
    let limit = match usual {
        Some(p99) => idle.max((p99 as f64 * rule.ratio(&FACTOR)) as u64),
        None if group.level == Some(Level::Warn) => rule.whole(&LONE).max(idle),
        None => idle,
    };
    let so = match group.tasks {
        1 => "1 task is".to_owned(),
        n => format!("{} tasks are", Value::Count(n)),
    };
    let compared = match usual {
        Some(p99) => format!("99 of 100 tasks of this site end within {}.", Nanos(p99)),
        None => "No other task of this site tells how long is usual: a signal handler or a listener looks the same."
            .to_owned(),
    };
    let why = format!(
        "{} has waited for {} and was not woken; {so} so at {}. A waker of it is alive: somebody could wake it. \
         {compared}",
        view.task_text(group.worst),
        Nanos(group.ns),
        view.named_site(group.site, group.name)
    );
    Signal {
        headline: format!("not woken for {} (limit {})", Nanos(group.ns), Nanos(limit)),
        why,
        fix: "Put a time-out round the wait, and see that every path answers, errors included. If it is meant to \
              wait for ever: pollscope::task(\"…\").long_lived().spawn(…)."
            .into(),
        ..group.signal(limit, Count::Now(group.tasks))
    }
}
