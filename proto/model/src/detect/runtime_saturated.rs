//! runtime-saturated: every worker is busy all the time, and tasks wait longer and longer.
//!
//! # What
//! All workers of a runtime have been busy nearly all of the last ten seconds, while the schedule delay
//! rose well above what it was before.
//!
//! # Why
//! The runtime takes in more work than it can do. From here every further request only makes the queue
//! longer: latency grows without a bound until callers give up.
//!
//! # Evidence
//! The least busy worker's share of time over ten seconds, above `busy`; and the 99th percentile of the
//! schedule delay, above `delay` and above `rising` times its median of the minute before.
//!
//! # Fix
//! Shed or limit load at the door (a semaphore, a bounded queue, `tower`'s limits), move computation off
//! the runtime, or give it more workers and CPUs. The busiest sites are the place to begin.
//!
//! # False alarms
//! A batch service that is meant to be busy has no rising delay and is not reported. Busy time is wall
//! time: on a machine that is short of CPU workers look busy while they only wait for it, so that what
//! is found then is labelled and reported at `allow`.

use super::cpu::{LONG_NS, SHORT_NS};
use super::signal::{Count, DetectorOutput, FindingKey, PollFacts, Signal};
use super::view::View;
use super::{Detector, Retention, advice};
use crate::id::RuntimeId;
use crate::level::Level;
use crate::measured::Metric;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::{MILLISECOND, Nanos, SECOND};
use crate::value::Value;

const BUSY: Limit = Limit::ratio("busy", 0.95, "largest busy share of the least busy worker over 10s");
const RISING: Limit = Limit::ratio("rising", 1.5, "growth of the p99 schedule delay that is none");
const DELAY: Limit = Limit::nanos("delay", MILLISECOND, "p99 schedule delay that does not matter");

/// Looks of the minute before that a comparison needs.
const LOOKS: usize = 10;

pub(super) static DETECTOR: Detector = Detector {
    id: "runtime-saturated",
    letter: 'R',
    level: Level::Warn,
    for_ns: 5 * SECOND,
    clear_ns: 10 * SECOND,
    needs: &[Metric::WorkerBusy, Metric::ScheduleDelay],
    or_else: None,
    limits: &[BUSY, RISING, DELAY],
    whole: Some(judge),
    tasks: None,
    retention: Retention::NOTHING,
    source: include_str!("runtime_saturated.rs"),
};

fn judge(view: &View<'_>, rule: &Rule, output: &mut DetectorOutput) {
    let mut before: Vec<u64> = view
        .earlier_waits()
        .filter(|(ago_ns, _)| (SHORT_NS..SHORT_NS + LONG_NS).contains(ago_ns))
        .map(|(_, p99)| p99)
        .collect();
    if before.len() < LOOKS {
        let has = view.watched_ns();
        return output.set_undecided(format!("needs {} of history, has {}", Nanos(2 * SHORT_NS), Nanos(has)));
    }
    before.sort_unstable();
    let before = before[before.len() / 2];
    let Some(delay) = view.waits().quantile(0.99) else { return };
    let Some((runtime, workers, busy)) = fullest(view) else { return };
    let limit = rule.ratio(&BUSY);
    let rising = |times: f64| {
        delay as f64 > rule.whole(&DELAY) as f64 * times
            && delay as f64 > before as f64 * rule.ratio(&RISING) * times
    };
    let level = match (busy > limit && rising(1.0), view.moment.cpu.contended()) {
        (true, false) => Some(Level::Warn),
        (true, true) => Some(Level::Allow),
        (false, _) if busy > limit * 0.9 && rising(0.8) => None,
        (false, _) => return,
    };
    let name = view.runtime_text(runtime);
    let machine = if view.moment.cpu.contended() {
        " The machine is short of CPU: the workers look busy while they wait for it."
    } else {
        ""
    };
    output.push(Signal {
        key: FindingKey::Process,
        task: None,
        level,
        value: Value::Ratio(busy),
        limit: Value::Ratio(limit),
        count: Count::Event(0),
        poll: PollFacts::default(),
        headline: format!(
            "all {workers} workers {} busy, and the p99 schedule delay rose from {} to {}",
            Value::Ratio(busy),
            Nanos(before),
            Nanos(delay)
        ),
        why: format!(
            "{name} takes in more than it can do; from here the queue only grows. {}{machine}",
            view.harm_text()
        ),
        fix: advice::SATURATED,
    });
}

/// The runtime whose least busy worker is the busiest: its workers, and that worker's share.
fn fullest(view: &View<'_>) -> Option<(RuntimeId, usize, f64)> {
    let mut runtimes: std::collections::BTreeMap<RuntimeId, (usize, f64)> = std::collections::BTreeMap::new();
    for worker in view.moment.process.workers() {
        let busy = worker.rates((SHORT_NS / SECOND) as u32).busy.unwrap_or(0.0);
        let (workers, least) = runtimes.entry(worker.id().runtime).or_insert((0, f64::INFINITY));
        *workers += 1;
        *least = least.min(busy);
    }
    let of = |(runtime, (workers, least)): (RuntimeId, (usize, f64))| (runtime, workers, least);
    runtimes.into_iter().map(of).max_by(|a, b| a.2.total_cmp(&b.2))
}
