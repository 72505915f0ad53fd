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
//! Of a site of which no task ever ended less is enough: more than twice `alive` for most of a minute, and more all the
//! time. Before that it is marked at `allow`, if it has had so many for half a minute.
//!
//! It is a state: it stays open while what grew is still there, also when nothing is spawned any more. It is over with at
//! most `alive` tasks, or when the lifetimes of those that end explain how many are alive (as many end as begin).
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
use super::view::{ObservedSite, View};
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

/// For so long a site with hundreds of tasks of which none ever ended must have grown.
const SOON_NS: u64 = 52 * SECOND;
/// From then on it is marked.
const MARK_NS: u64 = 30 * SECOND;
/// What is looked at to see whether a state lasts.
const LATELY_NS: u64 = 120 * SECOND;

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
    retention: Retention { counts: Some(counts), states: true, ..Retention::NOTHING },
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
        let state = SiteState { view, rule, site, alive };
        let said = state.grows().or_else(|| state.never_ends()).or_else(|| state.lasts());
        if let Some(Said { level, limit, headline, why }) = said.or_else(|| state.has_none_ended()) {
            output.push(Signal {
                key: FindingKey::Site(site.id()),
                task: None,
                level: Some(level),
                value: Value::Count(alive),
                limit: Value::Count(limit),
                count: Count::Now(alive),
                poll: PollFacts::default(),
                headline,
                why,
                fix: if site.is_of_jobs() { advice::LEAK_OF_JOBS } else { advice::LEAK },
            });
        }
    }
}

/// What is said of a site.
struct Said {
    level: Level,
    limit: u64,
    headline: String,
    why: String,
}

/// A site that has more living tasks than are of no interest.
struct SiteState<'s, 'v> {
    view: &'s View<'v>,
    rule: &'s Rule,
    site: &'s ObservedSite<'v>,
    alive: u64,
}

impl SiteState<'_, '_> {
    /// It has grown through the whole window.
    fn grows(&self) -> Option<Said> {
        let (window, most) = (self.rule.whole(&WINDOW), self.rule.whole(&ALIVE));
        let grown = judge_track(self.view.track(self.site.id())?, window, self.alive)?;
        let limit = (self.rule.ratio(&GROWTH) * grown.load * grown.before as f64).max(most as f64) as u64;
        let totals = self.site.view.totals();
        (self.alive > limit).then(|| Said {
            level: Level::Warn,
            limit,
            headline: format!(
                "{} tasks alive and growing, {} of them in the last {} (limit {})",
                Value::Count(self.alive),
                Value::Count(grown.added),
                Nanos(grown.span_ns),
                Value::Count(limit)
            ),
            why: format!(
                "At {} {} tasks were spawned in that time and {} ended; since the start {} and {}. The number alive \
                 has risen all through the window, more than the rate of spawns explains.",
                self.view.short_site(self.site.id()),
                Value::Count(grown.spawned),
                Value::Count(grown.ended),
                Value::Count(totals.spawned),
                Value::Count(totals.all_ended())
            ),
        })
    }

    /// Hundreds are alive, none ever ended, and for most of a minute more have come all the time.
    fn never_ends(&self) -> Option<Said> {
        let limit = self.hundreds()?;
        let points = self.view.track(self.site.id())?.recent();
        let points: Vec<TrackPoint> = points.iter().filter(|point| point.alive > limit).copied().collect();
        let first = points.first()?;
        let span_ns = self.view.moment.now_ns.saturating_sub(first.at_ns);
        if span_ns < SOON_NS || !rises(&points) {
            return None;
        }
        Some(Said {
            level: Level::Warn,
            limit,
            headline: format!(
                "{} tasks alive and none has ever ended, {} of them came in the last {} (limit {})",
                Value::Count(self.alive),
                Value::Count(self.alive.saturating_sub(first.alive)),
                Nanos(span_ns),
                Value::Count(limit)
            ),
            why: format!("{}, and more have come all through that time.", self.all_are_alive()),
        })
    }

    /// What grew before, and was found, is still there: all but what the lifetimes of those that end explain.
    fn lasts(&self) -> Option<Said> {
        if !self.view.was_open(ID, FindingKey::Site(self.site.id())) {
            return None;
        }
        let most = self.rule.whole(&ALIVE);
        let window = self.site.view.window(LATELY_NS);
        let (ended, spawned) = (window.delta.all_ended(), window.delta.spawned);
        // So many are alive at a time of those that come and go.
        let passing = match window.delta.life.sum() {
            0 => ended,
            lived_ns => lived_ns / window.covered_ns.max(1),
        };
        let totals = self.site.view.totals();
        (self.alive.saturating_sub(passing) > most).then(|| Said {
            level: Level::Warn,
            limit: most,
            headline: format!(
                "{} tasks are still alive, {} ended in the last {} (limit {})",
                Value::Count(self.alive),
                if ended == 0 { "none".to_owned() } else { Value::Count(ended).to_string() },
                Nanos(window.covered_ns.min(LATELY_NS)),
                Value::Count(most)
            ),
            why: format!(
                "At {} {} tasks were spawned in that time; since the start {} and {} ended. Their number had grown, and \
                 what had come is still there.",
                self.view.short_site(self.site.id()),
                Value::Count(spawned),
                Value::Count(totals.spawned),
                Value::Count(totals.all_ended())
            ),
        })
    }

    /// A mark, no fault yet: hundreds are alive for some time, and none ever ended.
    fn has_none_ended(&self) -> Option<Said> {
        let limit = self.hundreds()?;
        let since_ns = self.view.track(self.site.id())?.recent().front()?.at_ns;
        let followed_ns = self.view.moment.now_ns.saturating_sub(since_ns);
        (followed_ns >= MARK_NS).then(|| Said {
            level: Level::Allow,
            limit,
            headline: format!(
                "{} tasks alive and none has ended yet (limit {})",
                Value::Count(self.alive),
                Value::Count(limit)
            ),
            why: format!("{}. It is a leak if more and more come.", self.all_are_alive()),
        })
    }

    fn all_are_alive(&self) -> String {
        let spawned = Value::Count(self.site.view.totals().spawned);
        format!(
            "All {spawned} tasks that were ever spawned at {} are alive",
            self.view.short_site(self.site.id())
        )
    }

    /// The limit for a site of which no task ever ended, if it is one and above it.
    fn hundreds(&self) -> Option<u64> {
        let limit = self.rule.whole(&ALIVE).saturating_mul(2);
        (self.alive > limit && self.site.view.totals().all_ended() == 0).then_some(limit)
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

/// Whether the least number alive rises from each quarter to the next.
fn rises(points: &[TrackPoint]) -> bool {
    let least = |part: &[TrackPoint]| part.iter().map(|point| point.alive).min().unwrap_or(0);
    let quarters: Vec<u64> = points.chunks(points.len().div_ceil(4).max(1)).map(least).collect();
    quarters.len() > 1 && quarters.windows(2).all(|pair| pair[0] < pair[1])
}

/// `None` unless the track covers the window and rises all through it.
fn judge_track(track: &SiteTrack, window: u64, alive: u64) -> Option<Grown> {
    let points: Vec<TrackPoint> = track.points().iter().copied().collect();
    let (first, last) = (points.first()?, points.last()?);
    // Looks are never exactly on time: a sixteenth short is the whole window.
    if points.len() < 8 || track.span_ns().saturating_add(window / 16) < window {
        return None;
    }
    if !rises(&points) {
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
