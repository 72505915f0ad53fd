//! Baselines: what is compared, kept, accepted and forgotten.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing says so by failing")]

mod figures;
mod file;
mod upkeep;

use super::*;
use crate::entity::runtime::WorkerDelta;
use crate::entity::task::TaskState;
use crate::testkit::Script;
use crate::time::{MICROSECOND, MILLISECOND, SECOND};
use crate::world::WorldLimits;

/// A made-up run of a service: how long it ran, how busy, on what machine.
#[derive(Clone)]
struct Recorded {
    script: Script,
    /// Differs from run to run, as real ones do.
    seed: u64,
    seconds: u64,
    busy_ms: u64,
    preempted_ms: u64,
}

impl Recorded {
    fn new(seed: u64) -> Self {
        Self { script: Script::new("checkout"), seed, seconds: 10, busy_ms: 300, preempted_ms: 5 }
    }

    /// Polls of a site's only task: so many, spread by 20 % round their length, with a tail.
    fn polls(mut self, site: &str, name: &str, n: u64, ns: u64) -> Self {
        let site = self.script.site(site);
        let task = self.script.spawn_named(site, name, "");
        for nth in 0..n {
            let draw = mixed(self.seed.wrapping_mul(1_000_003).wrapping_add(nth)) % 1_000;
            let tail = if draw >= 980 { 3 } else { 1 };
            self.script.poll(task, 1, tail * ns * (900 + draw / 5) / 1_000);
        }
        self.script.edit(task, |task| task.long_lived = true);
        self
    }

    /// Waits of a site's tasks.
    fn waits(mut self, site: &str, name: &str, n: u64, ns: u64) -> Self {
        let site = self.script.site(site);
        let task = self.script.spawn_named(site, name, "");
        for nth in 0..n {
            let draw = mixed(self.seed.wrapping_add(nth << 20)) % 1_000;
            self.script.wake(task, 1, ns * (900 + draw / 5) / 1_000);
        }
        self.script.end(task, TaskState::Completed);
        self
    }

    fn world(mut self) -> World {
        let mut world = World::new(WorldLimits::default());
        let now = self.script.now_unix_ns();
        world.connect(self.script.hello(), now).unwrap();
        for _ in 0..self.seconds {
            for index in 0..2 {
                self.script.worker(&WorkerDelta {
                    id: crate::id::WorkerId { index, ..crate::id::WorkerId::default() },
                    busy_ns: self.busy_ms * MILLISECOND,
                    interval_ns: SECOND,
                    cpu_ns: Some(self.busy_ms * MILLISECOND),
                    preempted_ns: Some(self.preempted_ms * MILLISECOND),
                    ..WorkerDelta::default()
                });
            }
            let report = self.script.second();
            world.apply(report, self.script.now_unix_ns());
        }
        world
    }

    fn run(self) -> Run {
        Run::of([&self.world()])
    }
}

fn mixed(seed: u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for shift in [30, 27, 31] {
        x = (x ^ (x >> shift)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    x ^ (x >> 31)
}

const CART: &str = "src/cart.rs:88:9";
const MAIL: &str = "src/mail.rs:12:5";

/// A usual run: carts of a millisecond, mails of two.
fn usual(seed: u64) -> Recorded {
    Recorded::new(seed).polls(CART, "cart", 2_000, MILLISECOND).polls(MAIL, "mail", 1_000, 2 * MILLISECOND)
}

fn of_runs(runs: impl IntoIterator<Item = Run>) -> Baseline {
    let mut baseline = Baseline::default();
    runs.into_iter().for_each(|run| baseline.add(run));
    baseline
}

/// What regressed, as `site figure`.
fn regressed(comparison: &Comparison) -> Vec<String> {
    comparison.regressed().map(|figure| format!("{} {}", figure.site, figure.figure.as_str())).collect()
}

/// Of a figure of the site at a place, what became of it and why.
fn judgement(comparison: &Comparison, place: &str, figure: Figure) -> (Change, String) {
    let found = comparison.figures.iter().find(|told| &*told.site.place == place && told.figure == figure);
    let found = found.unwrap_or_else(|| panic!("{place} has no {figure:?}: {comparison:#?}"));
    (found.change, found.reason.to_string())
}
