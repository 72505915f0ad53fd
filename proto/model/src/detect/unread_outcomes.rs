//! unread-outcomes: ended tasks pile up, because their outcomes are not taken.
//!
//! # What
//! More than `unread` tasks of a site have ended while their join handle is still held, and there are more and more
//! of them.
//!
//! # Why
//! Tokio keeps an ended task, with its output, until the outcome is taken or the handle dropped. A `JoinSet` that is
//! never drained, or a growing `Vec` of handles, takes all memory in time; and no panic in it is ever looked at.
//!
//! # Evidence
//! Exact counts per site of the tasks that ended while a handle of theirs was held, and of those whose outcome was
//! taken, or whose handle was dropped, since. Their difference must be above `unread` and must have risen through the
//! whole of `window`; or, once the process was watched for ten times as long, fewer than one in twenty was ever taken.
//! The finding stays open as long as there are more than `unread`.
//!
//! Handles are seen of tasks that were spawned through pollscope, in its `JoinHandle` or `JoinSet`. With hooks alone
//! nothing is known of them, and this cannot tell.
//!
//! # Fix
//! Take the outcomes as tasks end: `join_next` (or `try_join_next`) in the loop that spawns, and look at their errors.
//! Where no outcome is needed, drop the handle: a detached task goes with all it has when it ends, and a panic of it is
//! told by `swallowed-panic`.
//!
//! # False alarms
//! A batch that spawns into a `JoinSet` for longer than `window` and is joined afterwards looks the same until it is
//! joined: make the window longer (2m is the longest that is looked at) or `unread` larger. Handles that are dropped,
//! before the end or after, are never counted.

use super::signal::{Count, DetectorOutput, FindingKey, PollFacts, Signal};
use super::view::{ObservedSite, View};
use super::{Detector, Retention, advice};
use crate::level::Level;
use crate::measured::Metric;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::{Nanos, SECOND};
use crate::value::Value;

const WINDOW: Limit = Limit::nanos("window", 60 * SECOND, "time through which they must have piled up");
const UNREAD: Limit = Limit::count("unread", 1_000, "most unread outcomes of a site that are not reported");

/// What the history of a site covers.
const LONGEST_NS: u64 = 120 * SECOND;
/// After so many windows it is enough that hardly any outcome was ever taken.
const WINDOWS: u64 = 10;
/// Hardly any: fewer than one in so many.
const ONE_IN: u64 = 20;

/// Its name.
pub(crate) const ID: &str = "unread-outcomes";

pub(super) static DETECTOR: Detector = Detector {
    id: ID,
    letter: 'U',
    level: Level::Warn,
    for_ns: 0,
    clear_ns: 30 * SECOND,
    needs: &[Metric::Handles],
    or_else: None,
    limits: &[WINDOW, UNREAD],
    whole: Some(judge),
    tasks: None,
    retention: Retention { states: true, ..Retention::NOTHING },
    source: include_str!("unread_outcomes.rs"),
};

fn judge(view: &View<'_>, rule: &Rule, output: &mut DetectorOutput) {
    let (window, most) = (rule.whole(&WINDOW).min(LONGEST_NS), rule.whole(&UNREAD));
    let watched = view.watched_ns();
    for site in view.sites() {
        let totals = site.view.totals();
        let unread = totals.unread_outcomes();
        if unread <= most {
            continue;
        }
        if watched < window {
            output.set_undecided(format!("needs {} of history, has {}", Nanos(window), Nanos(watched)));
            continue;
        }
        let hardly_any = totals.outcomes_taken.saturating_mul(ONE_IN) < totals.outcomes_left;
        let rises = rises(site, window);
        let key = FindingKey::Site(site.id());
        let lasts = view.was_open(ID, key) || hardly_any && watched >= window.saturating_mul(WINDOWS);
        if !(rises || lasts) {
            continue;
        }
        output.push(Signal {
            key,
            task: None,
            level: Some(Level::Warn),
            value: Value::Count(unread),
            limit: Value::Count(most),
            count: Count::Now(unread),
            poll: PollFacts::default(),
            headline: format!(
                "the outcomes of {} ended tasks are not taken{} (limit {})",
                Value::Count(unread),
                if rises { ", and more come" } else { "" },
                Value::Count(most)
            ),
            why: format!(
                "Of {} tasks spawned at {}, {} ended while their JoinSet or JoinHandle was held, and the outcomes of {} \
                 were taken or dropped since. Each of the others keeps its task's memory and output; {} of all panicked.",
                Value::Count(totals.spawned),
                view.short_site(site.id()),
                Value::Count(totals.outcomes_left),
                Value::Count(totals.outcomes_taken),
                Value::Count(totals.panicked)
            ),
            fix: advice::UNREAD,
        });
    }
}

/// Whether the unread outcomes of a site have become more in each part of the window.
fn rises(site: &ObservedSite<'_>, window: u64) -> bool {
    let grown = |ns| {
        let delta = site.view.window(ns).delta;
        delta.outcomes_left.saturating_sub(delta.outcomes_taken)
    };
    let (late, half) = (grown(window / 6), grown(window / 2));
    0 < late && late < half && half < grown(window)
}
