//! never-polled: a task was spawned and never ran.
//!
//! # What
//! A task has been waiting for its very first poll for longer than `age`.
//!
//! # Why
//! It was accepted and nothing happens. Usually nobody drives its executor: a current-thread runtime
//! outside of `block_on`, a `LocalSet` that nobody awaits; or every worker is stuck.
//!
//! # Evidence
//! The time since the spawn of a task with no poll, ended or open, at two looks at least.
//!
//! # Fix
//! Drive the runtime or the `LocalSet` that it was spawned on, or spawn it on one that runs. If there are
//! stuck or blocking polls as well, they are the cause.
//!
//! # False alarms
//! A process that has just started (`starting`), and runtimes that were shut down, are not judged; the
//! limit grows with the CPU that the machine withheld. `spawn_blocking` jobs wait for a thread and
//! futures inside of other tasks for being awaited: neither is judged.

use super::signal::{Count, Group, Hit, Signal, grade, near};
use super::view::{Moment, View};
use super::{Detector, TaskRule, TaskTest};
use crate::entity::task::TaskKind;
use crate::measured::Metric;
use crate::policy::Rule;
use crate::policy::limit::Limit;
use crate::query::page::Level;
use crate::time::{Nanos, SECOND};
use crate::world::TaskRow;

const AGE: Limit = Limit::nanos("age", SECOND, "longest wait for the first poll");
const STARTING: Limit = Limit::nanos("starting", 5 * SECOND, "age of the process from which it is judged");

pub(super) static DETECTOR: Detector = Detector {
    id: "never-polled",
    letter: 'N',
    level: Level::Warn,
    for_ns: SECOND,
    clear_ns: 5 * SECOND,
    needs: &[Metric::Polls],
    or_else: None,
    limits: &[AGE, STARTING],
    whole: None,
    tasks: Some(TaskRule { test, due, tell }),
    source: include_str!("never_polled.rs"),
};

fn test<'a>(moment: Moment<'a>, rule: &Rule) -> TaskTest<'a> {
    let age = moment.cpu.stretch(rule.whole(&AGE)) as f64;
    let starting = moment.now_ns < rule.whole(&STARTING);
    Box::new(move |task| {
        if task.polls > 0
            || task.poll_start_ns > 0
            || starting
            || !matches!(task.kind, TaskKind::Async | TaskKind::Local)
            || task.runtime.is_some_and(|id| moment.process.runtime(id).is_none())
        {
            return None;
        }
        let ns = task.age_ns(moment.now_ns);
        Some(Hit { ns, level: grade(ns as f64, age, f64::INFINITY)? })
    })
}

fn due(rule: &Rule, row: TaskRow<'_>) -> Option<u64> {
    let waits = row.polls() == 0 && row.poll_start_ns() == 0 && !row.state().is_ended();
    waits.then(|| row.spawned_ns().saturating_add(near(rule.whole(&AGE))))
}

fn tell(view: &View<'_>, rule: &Rule, group: &Group) -> Signal {
    let limit = rule.whole(&AGE);
    Signal {
        headline: format!("spawned {} ago and never polled (limit {})", Nanos(group.ns), Nanos(limit)),
        why: format!(
            "{} of {} waits for its first poll; {} so there. {}",
            view.task_text(group.worst),
            view.named_site(group.site, group.name),
            if group.tasks == 1 { "1 task is".to_owned() } else { format!("{} tasks are", group.tasks) },
            view.harm()
        ),
        fix: "Drive what it was spawned on: block_on for a current-thread runtime, .await for a LocalSet. If there \
              are stuck or blocking polls as well, begin with those."
            .into(),
        ..group.signal(limit, Count::Now(group.tasks))
    }
}
