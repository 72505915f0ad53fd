//! stuck-poll: a poll began and has not come back.
//!
//! # What
//! A task has been inside one and the same `poll` for longer than the limit, and still is. Where single
//! tasks are not seen, a worker has.
//!
//! # Why
//! Its worker is lost to the runtime for as long as that lasts. On a runtime with one worker, or with as
//! many such polls as workers, nothing moves any more, not even a shutdown.
//!
//! # Evidence
//! The start of the poll that is open now, seen at two looks at least, so that a process that was
//! stopped and continued is not blamed. Over `warn` it is a warning, over `deny` a fault. If the thread
//! was looked at, its stack, the user's code first, and the kernel's word for what it does: computing,
//! without a CPU, or asleep in which call. Once such a poll has ended, its finding says how long it took
//! and who waited, and `blocking-poll` leaves it alone. A worker whose task is not known is found by
//! its busy time, which stands still while the worker does not park; that works on every build of tokio.
//!
//! A job of `spawn_blocking` is a warning from `job` on, if at least 20 of its site have ended, and it takes `job-factor`
//! times what they do at most (the longest one in a hundred).
//!
//! # Fix
//! Look at the line that the stack names first: a lock that is held by a task which waits for this
//! worker, an endless loop, a blocking call without a time-out. Hold no `std::sync` lock across an `.await`
//! (`tokio::sync::Mutex` may be), let the loop yield, put blocking work into `spawn_blocking` with a time-out.
//! Where no stack was taken, take one of the process (`gdb -p`, `perf`, `eu-stack`).
//!
//! # False alarms
//! A debugger that holds the process, and `block_in_place`, which hands the worker's other tasks to another
//! thread first: where stalls are measured, a poll that the process itself does not call a stall is left
//! alone, and it calls neither of them one. Nor one that is inside of `pollscope::allow_blocking`, whose time does not
//! count, nor for half a minute one that writes the message and backtrace of a panic. The limit grows with the CPU that the machine withheld. Jobs of `spawn_blocking` hold no worker and many are
//! meant to run for long: they are judged by `job` only, and never where few of their site end or they are declared
//! long-lived. A `block_on` body reaches deny only on a current-thread runtime: it holds no worker of a multi-thread one.

mod job;

use super::poll_text::Tense;
use super::signal::{Count, DetectorOutput, FindingKey, Group, Hit, PollFacts, Signal, grade, near};
use super::view::{Moment, View};
use super::{Detector, Retention, TaskRule, TaskTest, advice};
use crate::entity::slow_poll::SlowPoll;
use crate::entity::stall::Stall;
use crate::entity::task::{TaskKind, TaskRecord};
use crate::id::TaskId;
use crate::level::Level;
use crate::measured::{Metric, Mode};
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::{MILLISECOND, Nanos, SECOND};
use crate::value::Value;
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
    or_else: Some(Metric::Stalls),
    limits: &[WARN, DENY, job::JOB, job::JOB_FACTOR],
    whole: Some(judge),
    tasks: Some(TaskRule { test, due, signal }),
    retention: Retention { open_poll: Some(open_poll), ..Retention::NOTHING },
    source: include_str!("stuck_poll.rs"),
};

fn test<'a>(moment: Moment<'a>, rule: &Rule) -> TaskTest<'a> {
    let warn = moment.cpu.stretch(rule.whole(&WARN)) as f64;
    let deny = moment.cpu.stretch(rule.whole(&DENY)) as f64;
    let rule = rule.clone();
    Box::new(move |task| {
        if task.kind == TaskKind::Blocking {
            return job::test(moment, &rule, task);
        }
        let ns = moment.held_ns(task)?;
        let level = grade(ns as f64, warn, deny)?;
        let holds_worker = moment.holds_worker(task.kind, task.runtime);
        let most = if holds_worker { Level::Deny } else { Level::Warn };
        Some(Hit { ns, level: level.map(|level| level.min(most)) })
    })
}

fn due(rule: &Rule, row: TaskRow<'_>) -> Option<u64> {
    if row.kind() == TaskKind::Blocking {
        return job::due(rule, row);
    }
    let start_ns = row.poll_start_ns();
    (start_ns > 0).then(|| start_ns.saturating_add(near(rule.whole(&WARN).min(rule.whole(&DENY)))))
}

fn signal(view: &View<'_>, rule: &Rule, group: &Group) -> Signal {
    let limit = limit_of(rule, group.level);
    let process = view.moment.process;
    let record = process.task(group.worst);
    if record.as_ref().is_some_and(|task| task.kind == TaskKind::Blocking) {
        return job::signal(view, rule, group);
    }
    let nth = record.as_ref().map_or(0, |task| task.polls + 1);
    let worker = record.and_then(|task| task.worker).map_or(String::new(), |n| format!(" on worker {n}"));
    let stall = process.stalls().iter().find(|stall| stall.task == Some(group.worst));
    let facts = stall.map(PollFacts::from).unwrap_or_default();
    let alone = match group.tasks {
        1 => "it is the only one".to_owned(),
        tasks => format!("{tasks} are so"),
    };
    Signal {
        poll: facts,
        headline: format!(
            "one poll has been running for {} (limit {}){}",
            Nanos(group.ns),
            Nanos(limit),
            view.observation_text(&facts, Tense::Present)
        ),
        why: format!(
            "{} entered poll {nth}{worker} {} ago and has not come back; {alone} at this site. That worker \
             runs nothing else.{} {}",
            view.task_text(group.worst),
            Nanos(group.ns),
            view.call_text(&facts, Tense::Present),
            view.harm_text()
        ),
        fix: advice::STUCK,
        ..group.signal(limit, Count::Event(identity(group.worst, nth)))
    }
}

fn limit_of(rule: &Rule, level: Option<Level>) -> u64 {
    rule.whole(if level == Some(Level::Deny) { &DENY } else { &WARN })
}

/// The number of the task's open poll; a job's only poll is its life.
fn open_poll(task: &TaskRecord) -> Option<u64> {
    (task.kind != TaskKind::Blocking).then_some(task.polls + 1)
}

/// One poll of one task, as the engine counts it.
fn identity(task: TaskId, nth: u64) -> u64 {
    task.0 ^ nth.rotate_left(40)
}

/// What the tasks' rows do not tell: workers whose task is not known, and polls that have ended.
fn judge(view: &View<'_>, rule: &Rule, output: &mut DetectorOutput) {
    let mut stalls: Vec<&Stall> = view.moment.process.stalls().iter().collect();
    stalls.sort_by_key(|stall| stall.since_ns);
    for stall in stalls {
        if let Some(signal) = stalled(view, rule, stall) {
            output.push(signal);
        }
    }
    for poll in view.new_slow_polls() {
        if let Some(key) = view.stuck_key(poll) {
            output.push(ended(view, rule, poll, key));
        }
    }
}

fn stalled(view: &View<'_>, rule: &Rule, stall: &Stall) -> Option<Signal> {
    let process = view.moment.process;
    if stall.task.is_some_and(|task| process.task(task).is_some()) {
        return None; // its row tells
    }
    let key = match (stall.site, stall.worker) {
        (Some(site), _) => FindingKey::Site(site),
        (None, Some(worker)) => FindingKey::Worker(worker),
        (None, None) => FindingKey::Thread(stall.thread),
    };
    let open_ns = view.moment.now_ns.saturating_sub(stall.since_ns);
    let ns = view.moment.ran_ns(open_ns).saturating_sub(stall.allowed_ns);
    let stretch = |limit| view.moment.cpu.stretch(rule.whole(limit)) as f64;
    let level = grade(ns as f64, stretch(&WARN), stretch(&DENY))?;
    let limit = limit_of(rule, level);
    let facts = PollFacts::from(stall);
    let who = match stall.worker {
        Some(worker) => view.worker_text(worker),
        None => format!("thread `{}`", view.name(stall.thread)),
    };
    let unknown = match (stall.task, process.hello().mode) {
        (Some(task), _) => format!("It is task {task}, which has no row of its own here."),
        (None, Mode::Sample) => "Nothing is spawned through pollscope, so the task is not known.".to_owned(),
        (None, _) => "The task was not spawned through pollscope, so it is not known.".to_owned(),
    };
    Some(Signal {
        key,
        task: stall.task,
        level,
        value: Value::Nanos(ns),
        limit: Value::Nanos(limit),
        count: Count::Event(stall.since_ns),
        poll: facts,
        headline: format!(
            "{who} has been inside one poll for {} (limit {}){}",
            Nanos(ns),
            Nanos(limit),
            view.observation_text(&facts, Tense::Present)
        ),
        why: format!(
            "It runs nothing else meanwhile. {unknown}{} {}",
            view.call_text(&facts, Tense::Present),
            view.harm_text()
        ),
        fix: advice::STUCK,
    })
}

/// The poll of an open finding came back: now it is known how long it took and whom it harmed.
fn ended(view: &View<'_>, rule: &Rule, poll: &SlowPoll, key: FindingKey) -> Signal {
    let deny = poll.judged_ns() > view.moment.cpu.stretch(rule.whole(&DENY));
    let level = if deny { Level::Deny } else { Level::Warn };
    let limit = limit_of(rule, Some(level));
    let facts = PollFacts::of(poll, rule.whole(&WARN));
    let kind = facts.kind.map_or_else(String::new, |kind| format!(", {}", kind.as_str()));
    Signal {
        key,
        task: Some(poll.task),
        level: Some(level),
        value: Value::Nanos(poll.judged_ns()),
        limit: Value::Nanos(limit),
        count: Count::Event(identity(poll.task, poll.nth)),
        poll: facts,
        headline: format!(
            "one poll took {}{kind} (limit {}){}",
            Nanos(poll.judged_ns()),
            Nanos(limit),
            view.observation_text(&facts, Tense::Past)
        ),
        why: format!(
            "{} came back from poll {} after {}{}. Meanwhile its worker ran nothing else.{} {}",
            view.task_text(poll.task),
            poll.nth,
            Nanos(poll.wall_ns),
            view.taken_off_text(poll),
            view.call_text(&facts, Tense::Past),
            view.poll_harm_text(&facts)
        ),
        fix: advice::STUCK,
    }
}
