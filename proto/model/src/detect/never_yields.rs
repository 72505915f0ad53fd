//! never-yields: tasks that do not give way of their own accord.
//!
//! # What
//! Either a task's first poll has been running since its spawn, or most polls at a site end only because
//! tokio's cooperative budget forced them to.
//!
//! # Why
//! Between two yields a worker runs nothing else. A first poll that does not end is usually a
//! loop without an `.await` that ever waits. A site that lives on forced yields keeps its worker for as
//! long as the budget lasts, again and again.
//!
//! # Evidence
//! The age of a first poll that is open, over `first-poll`. Or, over ten seconds and at least `polls`
//! polls, the share of forced yields, over `share`: a warning if the site also takes most of a worker and
//! others waited for longer than ten milliseconds; otherwise it is only said, at `allow`.
//!
//! # Fix
//! Put an `.await` that really waits into the loop, or `tokio::task::yield_now().await` every so many
//! rounds; move computation to `spawn_blocking`. For a consumer that always finds its channel full: a yield every so
//! many messages, more consumers, or fewer messages.
//!
//! # False alarms
//! Batch jobs that own their runtime. A busy consumer under load is forced to yield by design, which is
//! why harm must be shown. `spawn_blocking` jobs are not judged, nor, where stalls are measured, a first poll
//! that is inside `block_in_place` or `pollscope::allow_blocking`. A `block_on` body is judged on a current-thread
//! runtime, where it holds everything, and not beside the workers of a multi-thread one.

use super::cpu::SHORT_NS;
use super::signal::{Count, DetectorOutput, FindingKey, Group, Hit, PollFacts, Signal, grade, near};
use super::view::{Moment, ObservedSite, View};
use super::{Detector, Retention, TaskRule, TaskTest, advice};
use crate::entity::task::TaskKind;
use crate::level::Level;
use crate::measured::Metric;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::{MILLISECOND, Nanos, SECOND};
use crate::value::Value;
use crate::world::TaskRow;

const FIRST_POLL: Limit = Limit::nanos("first-poll", SECOND, "longest first poll that is open");
const SHARE: Limit = Limit::ratio("share", 0.1, "largest share of polls that end in a forced yield");
const POLLS: Limit = Limit::count("polls", 1_000, "polls in 10s that the share needs");

/// Of one worker: from here on a site is in the way of others.
const MUCH: f64 = 0.5;
/// Longest wait of others that is no harm.
const HARM_NS: u64 = 10 * MILLISECOND;

pub(super) static DETECTOR: Detector = Detector {
    id: "never-yields",
    letter: 'Y',
    level: Level::Warn,
    for_ns: 500 * MILLISECOND,
    clear_ns: 10 * SECOND,
    needs: &[Metric::Polls],
    or_else: None,
    limits: &[FIRST_POLL, SHARE, POLLS],
    whole: Some(judge),
    tasks: Some(TaskRule { test, due, signal }),
    retention: Retention::NOTHING,
    source: include_str!("never_yields.rs"),
};

fn test<'a>(moment: Moment<'a>, rule: &Rule) -> TaskTest<'a> {
    let limit = moment.cpu.stretch(rule.whole(&FIRST_POLL)) as f64;
    Box::new(move |task| {
        let first = task.polls == 0 && task.poll_start_ns > 0;
        let is_task = matches!(task.kind, TaskKind::Async | TaskKind::Local | TaskKind::BlockOn);
        if !first || !is_task || !moment.holds_worker(task.kind, task.runtime) {
            return None;
        }
        let ns = moment.held_ns(task)?;
        Some(Hit { ns, level: grade(ns as f64, limit, f64::INFINITY)? })
    })
}

fn due(rule: &Rule, row: TaskRow<'_>) -> Option<u64> {
    let first = row.polls() == 0 && row.poll_start_ns() > 0;
    first.then(|| row.poll_start_ns().saturating_add(near(rule.whole(&FIRST_POLL))))
}

fn signal(view: &View<'_>, rule: &Rule, group: &Group) -> Signal {
    let limit = rule.whole(&FIRST_POLL);
    Signal {
        headline: format!("its first poll has been running for {} (limit {})", Nanos(group.ns), Nanos(limit)),
        why: format!(
            "{} of {} has not given way since it was spawned. {}",
            view.task_text(group.worst),
            view.named_site(group.site, group.name),
            view.harm_text()
        ),
        fix: advice::NEVER_YIELDS,
        ..group.signal(limit, Count::Event(group.worst.0))
    }
}

fn judge(view: &View<'_>, rule: &Rule, output: &mut DetectorOutput) {
    for site in view.sites().iter().filter(|site| site.view.totals().forced_yields > 0) {
        if let Some(signal) = judge_site(view, rule, site) {
            output.push(signal);
        }
    }
}

fn judge_site(view: &View<'_>, rule: &Rule, site: &ObservedSite<'_>) -> Option<Signal> {
    let window = site.short();
    let (polls, forced) = (window.delta.poll.count(), window.delta.forced_yields);
    if polls < rule.whole(&POLLS) || !site.holds_worker() {
        return None;
    }
    let share = forced as f64 / polls as f64;
    let limit = rule.ratio(&SHARE);
    let worker = window.delta.poll.sum() as f64 / window.covered_ns.clamp(1, SHORT_NS) as f64;
    let harm = worker > MUCH && view.others_waited(HARM_NS) == Some(true);
    let level = match grade(share, limit, f64::INFINITY)? {
        Some(_) if !harm => Some(Level::Allow),
        level => level,
    };
    Some(Signal {
        key: FindingKey::Site(site.id()),
        task: None,
        level,
        value: Value::Ratio(share),
        limit: Value::Ratio(limit),
        count: Count::Total(site.view.totals().forced_yields),
        poll: PollFacts::default(),
        headline: format!(
            "{} of all polls end in a forced yield (limit {})",
            Value::Ratio(share),
            Value::Ratio(limit)
        ),
        why: format!(
            "{} of the last {} polls at {} used up tokio's cooperative budget; together they took {} of one worker. {}",
            Value::Count(forced),
            Value::Count(polls),
            view.short_site(site.id()),
            Value::Ratio(worker),
            view.harm_text()
        ),
        fix: advice::FORCED_YIELDS,
    })
}
