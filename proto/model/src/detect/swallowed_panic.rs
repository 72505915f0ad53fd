//! swallowed-panic: a task panicked, and its outcome was never taken.
//!
//! # What
//! A task ended in a panic, and its join handle was dropped without being awaited, before or after.
//!
//! # Why
//! Tokio catches the panic and keeps it for the owner of the handle. If it is never joined, work is lost
//! without an error anywhere but a line on standard error.
//!
//! # Evidence
//! An exact count per site of such panics since the process started, above `panics`.
//!
//! At the end of a test a single one is enough, and fails it.
//!
//! # Fix
//! Await the handle and act on `JoinError::is_panic`, or keep the tasks in a `JoinSet` that is
//! drained. The panic itself wants mending, too: its message went to the panic hook.
//!
//! # False alarms
//! A supervisor that restarts its tasks joins them and is not reported. Handles that are held until the
//! process ends are not counted as dropped. In a build with `panic = "abort"` nothing is found: the panic ends the
//! process.

use super::signal::{Count, DetectorOutput, FindingKey, PollFacts, Signal};
use super::view::View;
use super::{Detector, Retention, advice};
use crate::level::Level;
use crate::measured::Metric;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::SECOND;
use crate::value::Value;

const PANICS: Limit = Limit::count("panics", 0, "most swallowed panics of a site that are not reported");

/// Its name.
pub(crate) const ID: &str = "swallowed-panic";

pub(super) static DETECTOR: Detector = Detector {
    id: ID,
    letter: 'P',
    level: Level::Warn,
    for_ns: 0,
    clear_ns: 600 * SECOND,
    needs: &[Metric::Outcome, Metric::Handles],
    or_else: None,
    limits: &[PANICS],
    whole: Some(judge),
    tasks: None,
    retention: Retention::NOTHING,
    source: include_str!("swallowed_panic.rs"),
};

fn judge(view: &View<'_>, rule: &Rule, output: &mut DetectorOutput) {
    let limit = rule.whole(&PANICS);
    for site in view.sites() {
        let totals = site.view.totals();
        let panics = totals.swallowed_panics;
        if panics <= limit {
            continue;
        }
        output.push(Signal {
            key: FindingKey::Site(site.id()),
            task: None,
            level: Some(Level::Warn),
            value: Value::Count(panics),
            limit: Value::Count(limit),
            count: Count::Total(panics),
            poll: PollFacts::default(),
            headline: match panics {
                1 => "a task panicked and was never awaited".to_owned(),
                n => format!("{} tasks panicked and were never awaited", Value::Count(n)),
            },
            why: format!(
                "Of {} tasks spawned at {}, {} panicked, {} of them without a handle that was awaited: their work is lost \
                 without an error.",
                Value::Count(totals.spawned),
                view.short_site(site.id()),
                Value::Count(totals.panicked),
                Value::Count(panics)
            ),
            fix: advice::SWALLOWED_PANIC,
        });
    }
}
