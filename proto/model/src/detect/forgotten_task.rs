//! forgotten-task: a task waits for far longer than is usual where it was spawned.
//!
//! # What
//! A task is pending and has not been woken for a long time, although a waker of it is alive, so that it
//! could be.
//!
//! # Why
//! It holds its memory, its locks and its connection, and others may be waiting for its answer. A
//! reply that never comes, a notification that was not sent on one path of many: none of them is an
//! error anywhere.
//!
//! # Evidence
//! The time since its last poll, over `idle` and over `factor` times what is usual: the 99th percentile of the
//! lifetimes at its site (or the third longest, if that is longer), and all that the task itself has waited
//! before. Which wake came last counts for nothing: it began the present wait and cannot tell what that is for.
//! Of a task with no such siblings (fewer than `samples` of its site have ended) only that is said which is
//! certain, at `allow`; only after `lone` it becomes a warning.
//!
//! At the end of a test nothing is left to wake it, so that neither `idle` nor `factor` is waited for: it is every
//! task that is idle for longer than any task of its site lived and than it has waited before, and awaits no task
//! of its own (`forgotten`). If no other task of its site ended, `task-leak` tells of it, unless that is the milder
//! of the two.
//!
//! # Fix
//! Put a time-out round the wait. See what it waits for (its last wait, its group and its parent are in
//! the task's detail) and who should answer on every path, errors included. If it is meant to wait for
//! ever, say so where it is spawned: `pollscope::task("…").long_lived().spawn(…)`.
//!
//! # False alarms
//! Listeners, signal handlers, pools that wait for work: they look the same from outside. Where the site's tasks are
//! woken by the runtime alone (timers, sockets, joins), or this one lacks only such a wake in comparison with its
//! siblings, it is told at `allow`: a quiet connection is no fault. Exempt are tasks that were declared long-lived,
//! tasks that have living children to wait for, `block_on` bodies, futures that are part of another task, and
//! `spawn_blocking` jobs, which `stuck-poll` and `never-polled` judge. Tasks that only tokio's hooks see cannot be
//! judged, since their wakes are not counted.

use std::cell::RefCell;
use std::collections::HashMap;

use super::signal::{Count, Group, Hit, Signal, grade, near};
use super::view::{Moment, View};
use super::{Detector, Retention, TaskRule, TaskTest, advice};
use crate::entity::task::{TaskKind, TaskRecord, TaskState};
use crate::id::SiteId;
use crate::level::Level;
use crate::measured::Metric;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::{Nanos, SECOND};
use crate::value::Value;
use crate::world::TaskRow;

pub(crate) mod usual;

const IDLE: Limit = Limit::nanos("idle", 60 * SECOND, "longest time without a wake");
const FACTOR: Limit =
    Limit::ratio("factor", 10.0, "and so many times what is usual at its site and for the task");
const SAMPLES: Limit = Limit::count("samples", 20, "ended tasks that the comparison with the site needs");
const LONE: Limit = Limit::nanos(
    "lone",
    86_400 * SECOND,
    "longest time without a wake where no other task tells what is usual",
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
    tasks: Some(TaskRule { test, due, signal }),
    retention: Retention::NOTHING,
    source: include_str!("forgotten_task.rs"),
};

fn test<'a>(moment: Moment<'a>, rule: &Rule) -> TaskTest<'a> {
    let idle = rule.whole(&IDLE);
    let rule = rule.clone();
    // Many idle tasks are of one site.
    let lives: RefCell<HashMap<SiteId, Option<u64>>> = RefCell::default();
    Box::new(move |task| {
        let ns = moment.quiet_ns(task);
        if ns < near(idle) || !could_be_forgotten(moment, task) {
            return None;
        }
        let life_ns = *lives
            .borrow_mut()
            .entry(task.site)
            .or_insert_with(|| usual::life(moment.process, task.site, rule.whole(&SAMPLES)));
        let limit_ns = limit(life_ns, task, &rule);
        let level = if life_ns.is_some() {
            let level = grade(ns as f64, limit_ns as f64, f64::INFINITY)?;
            let is_runtimes = level.is_some() && usual::lacks_only_the_runtime(moment.process, task);
            if is_runtimes { Some(Level::Allow) } else { level }
        } else if ns > limit_ns.max(rule.whole(&LONE)) {
            Some(Level::Warn)
        } else {
            (ns > limit_ns).then_some(Level::Allow)
        };
        Some(Hit { ns, level })
    })
}

/// How long a task may wait where so long a life is usual; without siblings, what it takes to mention it.
fn limit(life_ns: Option<u64>, task: &TaskRecord, rule: &Rule) -> u64 {
    let usual_ns = life_ns.unwrap_or(0).max(usual::earlier_waits_ns(task));
    rule.whole(&IDLE).max((usual_ns as f64 * rule.ratio(&FACTOR)) as u64)
}

fn could_be_forgotten(moment: Moment<'_>, task: &TaskRecord) -> bool {
    task.state == TaskState::Idle
        && task.polls > 0
        && task.wakers > 0
        && !task.long_lived
        && task.measures(Metric::Wakes)
        && matches!(task.kind, TaskKind::Async | TaskKind::Local)
        && !moment.process.awaits_children(task.id)
}

fn due(rule: &Rule, row: TaskRow<'_>) -> Option<u64> {
    let could_be = row.state() == TaskState::Idle && row.polls() > 0 && row.wakers() > 0 && !row.long_lived();
    could_be.then(|| row.quiet_since_ns().saturating_add(near(rule.whole(&IDLE))))
}

fn signal(view: &View<'_>, rule: &Rule, group: &Group) -> Signal {
    let process = view.moment.process;
    let task = process.task(group.worst).unwrap_or_default();
    let life_ns = usual::life(process, group.site, rule.whole(&SAMPLES));
    let limit = match (life_ns, limit(life_ns, &task, rule)) {
        (None, limit) if group.level == Some(Level::Warn) => limit.max(rule.whole(&LONE)),
        (_, limit) => limit,
    };
    let so = match group.tasks {
        1 => "1 task is".to_owned(),
        n => format!("{} tasks are", Value::Count(n)),
    };
    let compared = match life_ns {
        Some(life) if group.level == Some(Level::Allow) => format!(
            "Tasks of this site rarely live for longer than {}; but as far as their wakes tell, a timer, a socket or a \
             join is all that is missing, and a quiet connection looks the same.",
            Nanos(life)
        ),
        Some(life) => format!("Tasks of this site rarely live for longer than {}.", Nanos(life)),
        None => "No other task of this site tells how long is usual: a signal handler or a listener looks the same."
            .to_owned(),
    };
    let why = format!(
        "{} has waited for {} and was not woken; {so} so at {}. A waker of it is alive, so that it could be. \
         {compared}",
        view.task_text(group.worst),
        Nanos(group.ns),
        view.named_site(group.site, group.name)
    );
    Signal {
        headline: format!("not woken for {} (limit {})", Nanos(group.ns), Nanos(limit)),
        why,
        fix: advice::FORGOTTEN,
        ..group.signal(limit, Count::Now(group.tasks))
    }
}
