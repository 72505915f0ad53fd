//! detached-failure: a task was detached, and then failed.
//!
//! # What
//! A task's join handle was dropped while it still ran, and afterwards it panicked.
//!
//! # Why
//! Detaching says that its end is of no interest. It did end badly, and no code path exists that
//! could have noticed: neither a retry, nor an error to the caller, nor a clean stop.
//!
//! # Evidence
//! An exact count per site of tasks that were detached first and panicked later, above `failures`. Each
//! of them is also a swallowed panic.
//!
//! # Fix
//! Keep the handle with an owner, in a `JoinSet` or beside what the task serves, so that its end can be
//! acted on. If detaching is right, catch the failure inside of the task and report it from there.
//!
//! # False alarms
//! A task that is restarted by code which watches something else than its handle. Such sites can be
//! allowed in the policy. In a build with `panic = "abort"` nothing is found: the panic ends the process.

use super::signal::{Count, DetectorOutput, FindingKey, PollFacts, Signal};
use super::view::View;
use super::{Detector, Retention, advice};
use crate::level::Level;
use crate::measured::Metric;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::SECOND;
use crate::value::Value;

const FAILURES: Limit = Limit::count("failures", 0, "most failures of a site that are not reported");

pub(super) static DETECTOR: Detector = Detector {
    id: "detached-failure",
    letter: 'X',
    level: Level::Warn,
    for_ns: 0,
    clear_ns: 600 * SECOND,
    needs: &[Metric::Outcome, Metric::Handles],
    or_else: None,
    limits: &[FAILURES],
    whole: Some(judge),
    tasks: None,
    retention: Retention::NOTHING,
    source: include_str!("detached_failure.rs"),
};

fn judge(view: &View<'_>, rule: &Rule, output: &mut DetectorOutput) {
    let limit = rule.whole(&FAILURES);
    for site in view.sites() {
        let totals = site.view.totals();
        let failures = totals.detached_failures;
        if failures <= limit {
            continue;
        }
        output.push(Signal {
            key: FindingKey::Site(site.id()),
            task: None,
            level: Some(Level::Warn),
            value: Value::Count(failures),
            limit: Value::Count(limit),
            count: Count::Total(failures),
            poll: PollFacts::default(),
            headline: match failures {
                1 => "a detached task failed".to_owned(),
                n => format!("{} detached tasks failed", Value::Count(n)),
            },
            why: format!(
                "Of {} tasks spawned at {}, {} had their handle dropped and panicked afterwards: no code could have \
                 noticed.",
                Value::Count(totals.spawned),
                view.short_site(site.id()),
                Value::Count(failures)
            ),
            fix: advice::DETACHED_FAILURE,
        });
    }
}
