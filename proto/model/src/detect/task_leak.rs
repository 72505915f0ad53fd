//! task-leak: tasks of one site are spawned faster than they end, and keep on so.
//!
//! # What
//! The number of living tasks of a site has grown through the whole of `window`, and not because more
//! of them were asked for.
//!
//! # Why
//! Each keeps its memory and whatever it holds. The service slows down for days before it is killed for
//! its memory, and the restart hides the cause.
//!
//! # Evidence
//! Exact counts of spawned and ended tasks. The least number alive must rise from each quarter of the
//! window to the next; now there must be more than `alive` of them, and more than `growth` times the
//! median of the window's first half, times the growth of the spawn rate; and fewer than 95 in 100
//! spawned in the second half may have ended. Tasks that were declared long-lived do not count.
//!
//! At the end of a test there is no trend to wait for: every task that the test spawned and that is alive after
//! half a second is one, unless it was declared long-lived (`leaks = "deny"`).
//!
//! # Fix
//! Give the tasks an owner that ends them: a `JoinSet` that is dropped with the connection, `abort()` when it
//! closes (dropping an `AbortHandle` aborts nothing), a `CancellationToken`, a time-out. Look at what the oldest of
//! them wait for. A `spawn_blocking` job that runs is not ended by an abort: let it look at a flag, read from a channel
//! that its owner closes, or give its blocking call a time-out.
//!
//! # False alarms
//! Load that grows is taken off by the growth of the spawn rate. Long conversations (web sockets after a
//! start) look like a leak until as many end as begin: declare them long-lived, or make the window
//! longer than they last.

use super::history::{SiteTrack, TrackPoint};
use super::signal::{Count, DetectorOutput, FindingKey, PollFacts, Signal};
use super::view::View;
use super::{Detector, Retention, advice};
use crate::level::Level;
use crate::measured::Metric;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::{Nanos, SECOND};
use crate::value::Value;

/// The time that is looked at; the engine records it.
const WINDOW: Limit = Limit::nanos("window", 300 * SECOND, "time over which it must have grown");
/// The number of living tasks below which growth is of no interest.
const ALIVE: Limit = Limit::count("alive", 100, "most living tasks that are of no interest");
const GROWTH: Limit = Limit::ratio("growth", 2.0, "and so many times the median of the window's first half");

/// With so many of the spawned ended, growth is a matter of noise.
const ENDED_SHARE: f64 = 0.95;

/// Its name.
pub(crate) const ID: &str = "task-leak";

pub(super) static DETECTOR: Detector = Detector {
    id: ID,
    letter: 'K',
    level: Level::Warn,
    for_ns: 0,
    clear_ns: 30 * SECOND,
    needs: &[Metric::SpawnSites],
    or_else: None,
    limits: &[WINDOW, ALIVE, GROWTH],
    whole: Some(judge),
    tasks: None,
    retention: Retention { counts: Some(counts), ..Retention::NOTHING },
    source: include_str!("task_leak.rs"),
};

/// From a quarter of the limit on, so that the growth up to it is known.
fn counts(rule: &Rule) -> (u64, u64) {
    ((rule.whole(&ALIVE) / 4).max(1), rule.whole(&WINDOW))
}

fn judge(view: &View<'_>, rule: &Rule, output: &mut DetectorOutput) {
    let (window, most) = (rule.whole(&WINDOW), rule.whole(&ALIVE));
    if view.watched_ns() < window {
        output.set_undecided(format!("needs {} of history, has {}", Nanos(window), Nanos(view.watched_ns())));
    }
    for site in view.sites() {
        let alive = site.short_lived_alive();
        if alive <= most || site.is_block_on() {
            continue;
        }
        let Some(grown) = view.track(site.id()).and_then(|track| judge_track(track, window, alive)) else {
            continue;
        };
        let limit = (rule.ratio(&GROWTH) * grown.load * grown.before as f64).max(most as f64) as u64;
        if alive <= limit {
            continue;
        }
        let totals = site.view.totals();
        output.push(Signal {
            key: FindingKey::Site(site.id()),
            task: None,
            level: Some(Level::Warn),
            value: Value::Count(alive),
            limit: Value::Count(limit),
            count: Count::Now(alive),
            poll: PollFacts::default(),
            headline: format!(
                "{} tasks alive and growing, {} of them in the last {} (limit {})",
                Value::Count(alive),
                Value::Count(grown.added),
                Nanos(grown.span_ns),
                Value::Count(limit)
            ),
            why: format!(
                "At {} {} tasks were spawned in that time and {} ended; since the start {} and {}. The number alive \
                 has risen all through the window, more than the rate of spawns explains.",
                view.short_site(site.id()),
                Value::Count(grown.spawned),
                Value::Count(grown.ended),
                Value::Count(totals.spawned),
                Value::Count(totals.all_ended())
            ),
            fix: if site.is_of_jobs() { advice::LEAK_OF_JOBS } else { advice::LEAK },
        });
    }
}

/// What grew over a track.
struct Grown {
    span_ns: u64,
    added: u64,
    spawned: u64,
    ended: u64,
    /// Median alive in the first half.
    before: u64,
    /// Growth of the spawn rate, at least 1.
    load: f64,
}

/// `None` unless the track covers the window and rises all through it.
fn judge_track(track: &SiteTrack, window: u64, alive: u64) -> Option<Grown> {
    let points: Vec<TrackPoint> = track.points().iter().copied().collect();
    let (first, last) = (points.first()?, points.last()?);
    // Looks are never exactly on time: a sixteenth short is the whole window.
    if points.len() < 8 || track.span_ns().saturating_add(window / 16) < window {
        return None;
    }
    let least = |part: &[TrackPoint]| part.iter().map(|point| point.alive).min().unwrap_or(0);
    let quarters: Vec<u64> = points.chunks(points.len().div_ceil(4)).map(least).collect();
    if !quarters.windows(2).all(|pair| pair[0] < pair[1]) {
        return None;
    }
    let (early, late) = points.split_at(points.len() / 2);
    let (middle, spawned) = (late.first()?, |from: &TrackPoint, to: &TrackPoint| to.spawned - from.spawned);
    let spawned_late = spawned(middle, last);
    if (last.ended - middle.ended) as f64 > ENDED_SHARE * spawned_late as f64 {
        return None;
    }
    let rate = |n: u64, from: &TrackPoint, to: &TrackPoint| n as f64 / (to.at_ns - from.at_ns).max(1) as f64;
    let rate_early = rate(spawned(first, middle), first, middle);
    let load = if rate_early > 0.0 { rate(spawned_late, middle, last) / rate_early } else { 1.0 };
    let mut before: Vec<u64> = early.iter().map(|point| point.alive).collect();
    before.sort_unstable();
    Some(Grown {
        span_ns: track.span_ns(),
        added: alive.saturating_sub(first.alive),
        spawned: spawned(first, last),
        ended: last.ended - first.ended,
        before: before[before.len() / 2],
        load: load.max(1.0),
    })
}
