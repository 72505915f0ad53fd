//! large-future: a task's future is so large that moving it costs.
//!
//! # What
//! The future that was spawned at a site is at least as large as `size`.
//!
//! # Why
//! It is moved at its spawn and takes that much memory for as long as the task lives: ten thousand
//! connections of 16 KiB are 160 MiB. Above 16 KiB tokio itself puts it into a box of its own.
//!
//! # Evidence
//! The size of the largest future that was spawned there, as the compiler laid it out.
//!
//! # Fix
//! Large arrays and buffers that are alive across an `.await` belong on the heap (`Vec`, `Box`). Box the
//! large branch of a `select!` or `match` (`Box::pin(large()).await`). `cargo +nightly rustc --
//! -Zprint-type-sizes` shows what it consists of.
//!
//! # False alarms
//! Debug builds lay futures out less tightly. The body of `block_on` is made once and not judged.

use super::signal::{Count, DetectorOutput, FindingKey, PollFacts, Signal};
use super::view::View;
use super::{Detector, Retention, advice};
use crate::level::Level;
use crate::measured::Metric;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::SECOND;
use crate::value::Value;

/// Smallest future that is large.
pub(crate) const SIZE: Limit = Limit::bytes("size", 16 << 10, "smallest future that is reported");

pub(super) static DETECTOR: Detector = Detector {
    id: "large-future",
    letter: 'Z',
    level: Level::Warn,
    for_ns: 0,
    clear_ns: 5 * SECOND,
    needs: &[Metric::FutureSize],
    or_else: None,
    limits: &[SIZE],
    whole: Some(judge),
    tasks: None,
    retention: Retention::NOTHING,
    source: include_str!("large_future.rs"),
};

fn judge(view: &View<'_>, rule: &Rule, output: &mut DetectorOutput) {
    let limit = rule.whole(&SIZE);
    for site in view.sites().iter().filter(|site| !site.is_block_on()) {
        let totals = site.view.totals();
        let size = totals.max_future_bytes;
        if size < limit {
            continue;
        }
        let alive = site.view.alive();
        output.push(Signal {
            key: FindingKey::Site(site.id()),
            task: None,
            level: Some(Level::Warn),
            value: Value::Bytes(size),
            limit: Value::Bytes(limit),
            count: Count::Now(totals.spawned),
            poll: PollFacts::default(),
            headline: format!("a future of {} (limit {})", Value::Bytes(size), Value::Bytes(limit)),
            why: format!(
                "{} tasks were spawned at {}, {} are alive: up to {} at this moment, and every spawn moves one.",
                Value::Count(totals.spawned),
                view.short_site(site.id()),
                Value::Count(alive),
                Value::Bytes(size.saturating_mul(alive))
            ),
            fix: advice::LARGE_FUTURE,
        });
    }
}
