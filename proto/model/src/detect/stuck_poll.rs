//! stuck-poll: a poll began and has not come back.
//!
//! # What
//! A task has been inside one and the same `poll` for longer than the limit, and still is.
//!
//! # Why
//! Its worker is lost to the runtime for as long as that lasts. On a runtime with one worker, or with as
//! many such polls as workers, nothing moves any more, not even a shutdown.
//!
//! # Evidence
//! The start of the poll that is open now, seen at two looks at least, so that a process that was
//! stopped and continued is not blamed. Over `warn` it is a warning, over `deny` a fault.
//!
//! # Fix
//! Take a stack of the process (`gdb -p`, `perf`, `eu-stack`) and look at the worker that is named here: a
//! lock that is held by a task which waits for this worker, an endless loop, a blocking call without a
//! time-out. Put blocking work into `spawn_blocking` with a time-out.
//!
//! # False alarms
//! A debugger that holds the process. `block_in_place`, which hands the worker's other tasks to another
//! thread first. The limit grows with the CPU that the machine withheld. `spawn_blocking` jobs are not
//! judged, and `block_on` bodies never reach deny, since they hold no worker of a multi-thread runtime.

use super::signal::{Count, Group, Hit, Signal, grade, near};
use super::view::{Moment, View};
use super::{Detector, TaskRule, TaskTest};
use crate::entity::task::TaskKind;
use crate::measured::Metric;
use crate::policy::Rule;
use crate::policy::limit::Limit;
use crate::query::page::Level;
use crate::time::{MILLISECOND, Nanos, SECOND};
use crate::world::TaskRow;

const WARN: Limit = Limit::nanos("warn", 500 * MILLISECOND, "longest time inside one open poll");
const DENY: Limit = Limit::nanos("deny", 5 * SECOND, "longest such time that is only a warning");

pub(super) static DETECTOR: Detector = Detector {
    id: "stuck-poll",
    letter: 'O',
    level: Level::Deny,
    for_ns: 500 * MILLISECOND,
    clear_ns: 5 * SECOND,
    needs: &[Metric::Polls],
    limits: &[WARN, DENY],
    whole: None,
    tasks: Some(TaskRule { test, due, tell }),
    source: include_str!("stuck_poll.rs"),
};

fn test<'a>(moment: Moment<'a>, rule: &Rule) -> TaskTest<'a> {
    let warn = moment.cpu.stretch(rule.whole(&WARN)) as f64;
    let deny = moment.cpu.stretch(rule.whole(&DENY)) as f64;
    Box::new(move |task| {
        if task.poll_start_ns == 0 || task.kind == TaskKind::Blocking {
            return None;
        }
        let ns = task.current_poll_ns(moment.now_ns)?;
        let level = grade(ns as f64, warn, deny)?;
        let most = if task.kind == TaskKind::BlockOn { Level::Warn } else { Level::Deny };
        Some(Hit { ns, level: level.map(|level| level.min(most)) })
    })
}

fn due(rule: &Rule, row: TaskRow<'_>) -> Option<u64> {
    let start_ns = row.poll_start_ns();
    (start_ns > 0).then(|| start_ns.saturating_add(near(rule.whole(&WARN).min(rule.whole(&DENY)))))
}

fn tell(view: &View<'_>, rule: &Rule, group: &Group) -> Signal {
    let deny = group.level == Some(Level::Deny);
    let limit = rule.whole(if deny { &DENY } else { &WARN });
    let record = view.moment.process.task(group.worst);
    let nth = record.as_ref().map_or(0, |task| task.polls + 1);
    let worker = record.and_then(|task| task.worker).map_or(String::new(), |n| format!(" on worker {n}"));
    Signal {
        headline: format!("one poll has been running for {} (limit {})", Nanos(group.ns), Nanos(limit)),
        why: format!(
            "{} entered poll {nth}{worker} {} ago and has not come back; {} at this site. That worker runs \
             nothing else. {}",
            view.task_text(group.worst),
            Nanos(group.ns),
            if group.tasks == 1 {
                "it is the only one".to_owned()
            } else {
                format!("{} are so", group.tasks)
            },
            view.harm()
        ),
        fix: "Take a stack of the process and look at that worker: a lock in a circle, an endless loop, a \
              blocking call without a time-out. Blocking work belongs into spawn_blocking."
            .into(),
        ..group.signal(limit, Count::Event(group.worst.0 ^ nth.rotate_left(40)))
    }
}
