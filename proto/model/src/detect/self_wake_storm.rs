//! self-wake-storm: tasks that wake themselves instead of waiting.
//!
//! # What
//! Most polls of a site's tasks end with the task having woken itself during the poll, many times a
//! second.
//!
//! # Why
//! It is a busy loop in disguise: the task is never idle, its polls find nothing new, and a worker burns
//! CPU and delays others for it.
//!
//! # Evidence
//! Exact counts of polls and self-wakes over ten seconds: the share of polls above `share`, of at least
//! `polls` polls, at more than `rate` self-wakes a second. A timer, I/O or `yield_now` is no self-wake.
//!
//! At the end of a test the same limits hold for the test as a whole (`self_wake`).
//!
//! # Fix
//! Find the `wake_by_ref()` (or the `poll_fn` that calls it) and wait for the event instead: a `Notify`, a
//! `watch`, a channel, readiness of a socket. To give way to others, use `tokio::task::yield_now()`, in a tokio
//! runtime: outside of one it wakes its task at once.
//!
//! # False alarms
//! Combinators that wake their task for a child that is ready at once (`FuturesUnordered` after its
//! budget) stay below the rate in practice. Tasks that only tokio's hooks see cannot be judged.

use super::signal::{Count, DetectorOutput, FindingKey, PollFacts, Signal};
use super::view::View;
use super::{Detector, Retention, advice};
use crate::level::Level;
use crate::measured::Metric;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::{Nanos, SECOND};
use crate::value::Value;

pub(crate) const SHARE: Limit = Limit::ratio("share", 0.5, "largest share of polls that end in a self-wake");
pub(crate) const POLLS: Limit = Limit::count("polls", 1_000, "polls in 10s that a judgement needs");
pub(crate) const RATE: Limit = Limit::count("rate", 1_000, "and the most self-wakes per second");

/// Its name.
pub(crate) const ID: &str = "self-wake-storm";

pub(super) static DETECTOR: Detector = Detector {
    id: ID,
    letter: 'S',
    level: Level::Warn,
    for_ns: SECOND,
    clear_ns: 10 * SECOND,
    needs: &[Metric::Wakes],
    or_else: None,
    limits: &[SHARE, POLLS, RATE],
    whole: Some(judge),
    tasks: None,
    retention: Retention::NOTHING,
    source: include_str!("self_wake_storm.rs"),
};

fn judge(view: &View<'_>, rule: &Rule, output: &mut DetectorOutput) {
    let (share_limit, rate_limit) = (rule.ratio(&SHARE), rule.whole(&RATE) as f64);
    for site in view.sites().iter().filter(|site| site.view.totals().self_wakes > 0) {
        let window = site.short();
        let (polls, wakes) = (window.delta.poll.count(), window.delta.self_wakes);
        let Some(rate) = window.per_second(wakes).filter(|_| polls >= rule.whole(&POLLS)) else { continue };
        let share = wakes as f64 / polls as f64;
        let over = |times: f64| share > share_limit * times && rate > rate_limit * times;
        if !over(0.8) {
            continue;
        }
        let busy = site.short().delta.poll.sum();
        output.push(Signal {
            key: FindingKey::Site(site.id()),
            task: None,
            level: over(1.0).then_some(Level::Warn),
            value: Value::Rate(rate),
            limit: Value::Rate(rate_limit),
            count: Count::Total(site.view.totals().self_wakes),
            poll: PollFacts::default(),
            headline: format!(
                "{} self-wakes a second, {} of all polls (limits {} and {})",
                Value::Rate(rate),
                Value::Ratio(share.min(1.0)),
                Value::Rate(rate_limit),
                Value::Ratio(share_limit)
            ),
            why: format!(
                "{} of the last {} polls at {} ended with the task waking itself: it asks again and again instead \
                 of waiting, and took {} of worker time for it in the last 10s.",
                Value::Count(wakes),
                Value::Count(polls),
                view.short_site(site.id()),
                Nanos(busy)
            ),
            fix: if site.is_elsewhere() { advice::SELF_WAKE_ELSEWHERE } else { advice::SELF_WAKE },
        });
    }
}
