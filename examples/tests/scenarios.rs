//! The whole row of rooms, end to end: the examples run as processes of their own, and are looked at
//! through the same sources that the terminal UI uses.
//!
//! Every test waits for what it wants to see, with a deadline that only a defect reaches, and ends
//! the processes that it started however it ends itself.

#[path = "scenarios/baseline.rs"]
mod baseline;
#[path = "scenarios/collector.rs"]
mod collector;
#[path = "scenarios/faults.rs"]
mod faults;
#[path = "scenarios/fleet.rs"]
mod fleet;
#[path = "scenarios/flight.rs"]
mod flight;
#[path = "scenarios/guilty.rs"]
mod guilty;
#[path = "scenarios/hardening.rs"]
mod hardening;
#[path = "scenarios/http.rs"]
mod http;
#[path = "scenarios/libtest.rs"]
mod libtest;
#[path = "scenarios/recording.rs"]
mod recording;
#[path = "scenarios/routes.rs"]
mod routes;
#[path = "scenarios/service.rs"]
mod service;
#[path = "scenarios/shop.rs"]
mod shop;
#[path = "scenarios/site.rs"]
mod site;
#[path = "scenarios/verdict.rs"]
mod verdict;
#[path = "scenarios/victims.rs"]
mod victims;
#[path = "scenarios/viewer.rs"]
mod viewer;

use std::time::{Duration, Instant};

/// Until then anything that will happen has happened, on a machine that has other work, too.
const PATIENCE: Duration = Duration::from_secs(120);

/// Asks again and again until there is an answer.
///
/// # Panics
/// After [`PATIENCE`], with what was waited for and what `state` says then.
#[track_caller]
fn wait<T>(what: &str, mut ask: impl FnMut() -> Option<T>, state: impl Fn() -> String) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "no {what} within {PATIENCE:?}; {}", state());
        std::thread::sleep(Duration::from_millis(20));
    }
}
