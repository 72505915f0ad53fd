//! tail-latency: a few tasks of a site take far longer than the rest.
//!
//! # What
//! Of the tasks of a site that ended in the last minute, some lasted many times as long as the median;
//! or the slowest one in a hundred lasts several times as long as it used to.
//!
//! # Why
//! One slow request in twenty is what users remember, and no mean shows it. Two modes in the histogram
//! mean two ways through the code: a cache and what is behind it, a lock that is free or not.
//!
//! # Evidence
//! The histogram of lifetimes, from spawn to end. At least five tasks and `share` of all lasted longer
//! than `spread` times the median and at least `floor` longer. Or, from `samples` tasks on either side, the
//! 99th percentile is over `baseline` times that of the time before, and `floor` longer. The site's longest wait for a
//! worker and the longest polls of all are named where they explain half of the difference.
//!
//! # Fix
//! Look at the slow ones: Enter on the site shows both modes; a task name or scope of its own for the slow
//! way tells them apart. Bound it (a time-out, a limit on concurrency), or make it as fast as the other.
//!
//! # False alarms
//! Sites with fewer than `samples` ended tasks in a minute are not judged, and what a process did in its
//! first two minutes is no baseline. Tasks that live as long as a conversation (over fifty polls each)
//! have no latency and are not judged. A machine that is short of CPU makes every task slower: the floor
//! grows by as much. A test's verdict blames no task for what the threads of its runtime were without a CPU.

use super::cpu::LONG_NS;
use super::signal::{Count, DetectorOutput, FindingKey, PollFacts, Signal};
use super::view::{ObservedSite, View};
use super::{Detector, Retention, advice};
use crate::entity::site::SiteDelta;
use crate::hist::Hist;
use crate::level::Level;
use crate::measured::Metric;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::{MILLISECOND, Nanos, SECOND};
use crate::value::Value;

const SAMPLES: Limit = Limit::count("samples", 200, "ended tasks in a minute that a judgement needs");
const SPREAD: Limit = Limit::ratio("spread", 10.0, "slow is so many times the median");
const SHARE: Limit = Limit::ratio("share", 0.005, "largest share of slow tasks");
const BASELINE: Limit = Limit::ratio("baseline", 3.0, "or a p99 of so many times the p99 before");
const FLOOR: Limit = Limit::nanos("floor", 20 * MILLISECOND, "smallest difference that matters");

/// Fewer slow tasks than this are accidents.
const FEW: u64 = 5;
/// Tasks that are polled more often are conversations.
const CONVERSATION: u64 = 50;
/// A process's first time is no baseline.
const COLD_NS: u64 = 120 * SECOND;

pub(crate) static DETECTOR: Detector = Detector {
    id: "tail-latency",
    letter: 'T',
    level: Level::Warn,
    for_ns: 0,
    clear_ns: 30 * SECOND,
    needs: &[Metric::SpawnSites],
    or_else: None,
    limits: &[SAMPLES, SPREAD, SHARE, BASELINE, FLOOR],
    whole: Some(judge),
    tasks: None,
    retention: Retention::NOTHING,
    source: include_str!("tail_latency.rs"),
};

/// How a site's tail was found to be long.
struct Tail {
    level: Option<Level>,
    value: u64,
    limit: u64,
    headline: String,
    why: String,
}

fn judge(view: &View<'_>, rule: &Rule, output: &mut DetectorOutput) {
    let samples = rule.whole(&SAMPLES);
    let floor = view.moment.cpu_minute.stretch(rule.whole(&FLOOR));
    let mut judged = false;
    for site in view.sites() {
        let totals = site.view.totals();
        if totals.life.count() < samples || is_conversation(totals) {
            continue;
        }
        let life = &site.long().delta.life;
        let Some(median) = life.quantile(0.5).filter(|_| life.count() >= samples) else { continue };
        judged = true;
        let tail = two_modes(rule, life, median, floor).or_else(|| regressed(view, rule, site, life, floor));
        let Some(tail) = tail else {
            set_aside(view, rule, site, (life, median, floor), output);
            continue;
        };
        output.push(Signal {
            key: FindingKey::Site(site.id()),
            task: None,
            level: tail.level,
            value: Value::Nanos(tail.value),
            limit: Value::Nanos(tail.limit),
            count: Count::Total(totals.life.count_over(tail.limit)),
            poll: PollFacts::default(),
            headline: tail.headline,
            why: format!(
                "{} {} tasks of {} ended in the last minute: p50 {}, p99 {}, longest {}.{}{}",
                tail.why,
                Value::Count(life.count()),
                view.short_site(site.id()),
                Nanos(median),
                Nanos(life.quantile(0.99).unwrap_or(0)),
                Nanos(life.max()),
                long_waits(site, tail.value.saturating_sub(median) / 2),
                long_polls(view, tail.value.saturating_sub(median) / 2)
            ),
            fix: advice::TAIL_LATENCY,
        });
    }
    if !judged {
        output
            .set_undecided(format!("needs {samples} tasks of one site that ended within {}", Nanos(LONG_NS)));
    }
}

/// A wait of the site's own tasks that was long enough to be the cause.
fn long_waits(site: &ObservedSite<'_>, at_least: u64) -> String {
    let longest = site.long().delta.sched.max();
    if longest < at_least {
        String::new()
    } else {
        format!(" They waited up to {} for a worker.", Nanos(longest))
    }
}

/// Slower than the floor for a machine that has enough CPU.
fn set_aside(
    view: &View<'_>,
    rule: &Rule,
    site: &ObservedSite<'_>,
    (life, median, floor): (&Hist, u64, u64),
    output: &mut DetectorOutput,
) {
    let usual = rule.whole(&FLOOR);
    let Some(share) = view.moment.cpu_minute.share.filter(|_| floor > usual) else { return };
    if let Some(tail) = two_modes(rule, life, median, usual).filter(|tail| tail.level.is_some()) {
        let reason = format!(
            "{}: {}, but the machine was short of CPU ({} of what was wanted), so that only what takes {} longer counts",
            view.short_site(site.id()),
            tail.headline,
            Value::Ratio(share),
            Nanos(floor)
        );
        output.set_aside(FindingKey::Site(site.id()), reason);
    }
}

/// Polls that were long enough to be the cause: a task that waits for its worker is slow, too.
fn long_polls(view: &View<'_>, at_least: u64) -> String {
    let longest = |site: &&ObservedSite<'_>| site.long().delta.poll.max();
    let site = view.sites().iter().filter(|site| site.holds_worker()).max_by_key(longest);
    site.filter(|site| longest(site) >= at_least).map_or_else(String::new, |site| {
        format!(
            " Polls of up to {} at {} held workers meanwhile and may be the cause: begin there.",
            Nanos(longest(&site)),
            view.short_site(site.id())
        )
    })
}

fn is_conversation(totals: &SiteDelta) -> bool {
    totals.poll.count() / totals.spawned.max(1) > CONVERSATION
}

fn two_modes(rule: &Rule, life: &Hist, median: u64, floor: u64) -> Option<Tail> {
    let limit = ((median as f64 * rule.ratio(&SPREAD)) as u64).max(median.saturating_add(floor));
    let slow = life.count_over(limit);
    let share = slow as f64 / life.count() as f64;
    let most = rule.ratio(&SHARE);
    if slow < FEW || share <= most * 0.5 {
        return None;
    }
    let value = life.quantile(1.0 - share / 2.0).unwrap_or(life.max());
    Some(Tail {
        // Half the share is the threshold to clear.
        level: (share > most).then_some(Level::Warn),
        value,
        limit,
        headline: format!(
            "1 task in {} takes {}, the median {} (limit {})",
            Value::Count((1.0 / share).round() as u64),
            Nanos(value),
            Nanos(median),
            Nanos(limit)
        ),
        why: format!("{} tasks lasted over {} times the median.", Value::Count(slow), rule.ratio(&SPREAD)),
    })
}

fn regressed(view: &View<'_>, rule: &Rule, site: &ObservedSite<'_>, life: &Hist, floor: u64) -> Option<Tail> {
    if view.watched_ns() < COLD_NS || view.moment.now_ns < 2 * COLD_NS {
        return None;
    }
    let before = site.view.totals().life.since(life);
    let was = before.quantile(0.99).filter(|_| before.count() >= rule.whole(&SAMPLES))?;
    let now = view.moment.cpu_minute.own(life.quantile(0.99)?);
    let limit = ((was as f64 * rule.ratio(&BASELINE)) as u64).max(was.saturating_add(floor));
    (now > limit).then(|| Tail {
        level: Some(Level::Warn),
        value: now,
        limit,
        headline: format!("p99 is {}, before it was {} (limit {})", Nanos(now), Nanos(was), Nanos(limit)),
        why: format!(
            "Of {} tasks before the last minute the p99 was {}.",
            Value::Count(before.count()),
            Nanos(was)
        ),
    })
}
