//! never-polled: a task was spawned and never ran.
//!
//! # What
//! A task has been waiting for its very first poll for longer than `age`; or a job of `spawn_blocking` for a thread for
//! longer than `job`, while no other job of its pool began or ended.
//!
//! # Why
//! It was accepted and nothing happens. Usually its executor is not driven: a current-thread runtime
//! outside of `block_on`, a `LocalSet` that is not awaited; or every worker is stuck. A job waits when all threads of
//! the pool are taken.
//!
//! # Evidence
//! The time since the spawn of a task with no poll, ended or open, at two looks at least.
//!
//! # Fix
//! Drive the runtime or the `LocalSet` that it was spawned on, or spawn it on one that runs. A current-thread runtime
//! is driven by `block_on`, which panics inside of another runtime: give it a thread of its own. If there are
//! stuck or blocking polls as well, they are the cause; for a job, `blocking-pool-exhausted` names it.
//!
//! # False alarms
//! A process that has just started (`starting`), and runtimes that were shut down, are not judged; the
//! limit grows with the CPU that the machine withheld. Jobs in a pool that works off its queue are not judged, however
//! long they wait; nor are futures inside of other tasks, which wait for being awaited.

use std::cell::OnceCell;

use super::pool::{StalledPools, stalled_pools};
use super::signal::{Count, Group, Hit, Signal, grade, near};
use super::view::{Moment, View};
use super::{Detector, Retention, TaskRule, TaskTest, advice};
use crate::entity::task::TaskKind;
use crate::level::Level;
use crate::measured::Metric;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::{Nanos, SECOND};
use crate::world::TaskRow;

const AGE: Limit = Limit::nanos("age", SECOND, "longest wait for the first poll");
const JOB: Limit = Limit::nanos("job", 10 * SECOND, "longest wait of a job while none of its pool begins");
const STARTING: Limit = Limit::nanos("starting", 5 * SECOND, "age of the process from which it is judged");

pub(super) static DETECTOR: Detector = Detector {
    id: "never-polled",
    letter: 'N',
    level: Level::Warn,
    for_ns: SECOND,
    clear_ns: 5 * SECOND,
    needs: &[Metric::Polls],
    or_else: None,
    limits: &[AGE, JOB, STARTING],
    whole: None,
    tasks: Some(TaskRule { test, due, signal }),
    retention: Retention::NOTHING,
    source: include_str!("never_polled.rs"),
};

fn test<'a>(moment: Moment<'a>, rule: &Rule) -> TaskTest<'a> {
    let age = moment.cpu.stretch(rule.whole(&AGE)) as f64;
    let job = moment.cpu.stretch(rule.whole(&JOB));
    let starting = moment.now_ns < rule.whole(&STARTING);
    let pools: OnceCell<StalledPools> = OnceCell::new();
    Box::new(move |task| {
        if task.polls > 0
            || task.poll_start_ns > 0
            || starting
            || !matches!(task.kind, TaskKind::Async | TaskKind::Local | TaskKind::Blocking)
            || task.runtime.is_some_and(|id| moment.process.runtime(id).is_none())
        {
            return None;
        }
        let ns = moment.ran_ns(task.age_ns(moment.now_ns));
        if task.kind == TaskKind::Blocking {
            let stands = || {
                pools.get_or_init(|| stalled_pools(moment, job)).ns_of(moment.process, task.id) > near(job)
            };
            let level = grade(ns as f64, job as f64, f64::INFINITY)?;
            return stands().then_some(Hit { ns, level });
        }
        Some(Hit { ns, level: grade(ns as f64, age, f64::INFINITY)? })
    })
}

fn due(rule: &Rule, row: TaskRow<'_>) -> Option<u64> {
    let waits = row.polls() == 0 && row.poll_start_ns() == 0 && !row.state().is_ended();
    let limit = if row.kind() == TaskKind::Blocking { &JOB } else { &AGE };
    waits.then(|| row.spawned_ns().saturating_add(near(rule.whole(limit))))
}

fn signal(view: &View<'_>, rule: &Rule, group: &Group) -> Signal {
    let record = view.moment.process.task(group.worst);
    if record.is_some_and(|task| task.kind == TaskKind::Blocking) {
        return job_signal(view, rule, group);
    }
    let limit = rule.whole(&AGE);
    Signal {
        headline: format!("spawned {} ago and never polled (limit {})", Nanos(group.ns), Nanos(limit)),
        why: format!(
            "{} of {} waits for its first poll; {} so there. {}",
            view.task_text(group.worst),
            view.named_site(group.site, group.name),
            if group.tasks == 1 { "1 task is".to_owned() } else { format!("{} tasks are", group.tasks) },
            view.harm_text()
        ),
        fix: advice::NEVER_POLLED,
        ..group.signal(limit, Count::Now(group.tasks))
    }
}

fn job_signal(view: &View<'_>, rule: &Rule, group: &Group) -> Signal {
    let limit = rule.whole(&JOB);
    let so = if group.tasks == 1 { "1 job is".to_owned() } else { format!("{} jobs are", group.tasks) };
    Signal {
        headline: format!("a job has waited for a thread for {} (limit {})", Nanos(group.ns), Nanos(limit)),
        why: format!(
            "{} of {} waits in the queue of the blocking pool, all of whose threads are taken; {so} so there. No other \
             job of that pool began or ended meanwhile.",
            view.task_text(group.worst),
            view.named_site(group.site, group.name)
        ),
        fix: advice::JOB_NEVER_BEGUN,
        ..group.signal(limit, Count::Now(group.tasks))
    }
}
