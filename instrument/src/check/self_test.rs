//! The self-test: before the first verdict of a process, faults of our own making, so that it is known that faults are
//! found here. A build or a machine in which they are not found gets no green test from us.
//!
//! It is a session like any other, of some milliseconds, with a runtime of one thread and nothing left behind.

use std::future::{pending, poll_fn};
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use pollscope_model::level::Level;
use pollscope_model::policy::Policy;
use pollscope_model::verdict::{Armed, Verdict};

use super::TESTS;
use super::config::{self, Config};
use super::kept::Kept;
use super::run;
use super::session::Session;
use crate::check::spins::spins;

/// What one poll may take.
const LIMIT: Duration = Duration::from_millis(1);
/// What one takes.
const BLOCKED: Duration = Duration::from_millis(3);
/// As many self-wakes as make a storm of a second.
const STORM: u64 = 1_500;
/// A machine that is short of CPU may hide a fault of some milliseconds, but not time after time.
const TRIES: usize = 3;

/// Whether the detectors found what they were shown, once for the process.
pub(super) fn armed() -> Armed {
    let try_all = || (1..TRIES).fold(find_faults(), |found, _| found.or_else(|_| find_faults()));
    let armed = TESTS.armed.get_or_init(|| match try_all() {
        Ok(()) => Armed { yes: true, why: None },
        Err(why) => Armed { yes: false, why: Some(why.into()) },
    });
    armed.clone()
}

fn find_faults() -> Result<(), String> {
    if config::is_switched_off() {
        return Err("POLLSCOPE=off switches pollscope off; unset it for tests".to_owned());
    }
    let session = Session::new("pollscope canary")
        .max_poll(LIMIT)
        .leaks(Level::Deny)
        .lost_wakers(Level::Deny)
        .self_wake(Level::Deny);
    let config =
        Config { stall: None, patience: Duration::ZERO, ..Config::with(&session.asked, Policy::default()) };
    let spawn = run::spawn_of_body::<()>(Location::caller());
    let armed = Armed { yes: true, why: None };
    let (_, verdict) = run::conduct(session, &config, armed, Err(Kept::default()), |stage, _, alarm| {
        Ok(run::drive_in_place(stage, alarm, spawn, faults()))
    })?;
    FAULTS.iter().try_for_each(|fault| fault.was_found(&verdict))
}

/// One fault, and the detector that must find it.
struct Fault {
    detector: &'static str,
    task: &'static str,
    what: &'static str,
}

const FAULTS: [Fault; 5] = [
    Fault { detector: "blocking-poll", task: "canary blocks", what: "a poll that was blocked for 3ms" },
    Fault { detector: "task-leak", task: "canary leaks", what: "a task that was left behind" },
    Fault { detector: "lost-waker", task: "canary is lost", what: "a task without a waker" },
    Fault { detector: "self-wake-storm", task: "canary storms", what: "a task that woke itself 1,500 times" },
    Fault { detector: "swallowed-panic", task: "canary panics", what: "a panic that no handle took" },
];

impl Fault {
    fn was_found(&self, verdict: &Verdict) -> Result<(), String> {
        let found = |finding: &&pollscope_model::finding::Finding| {
            *finding.detector == *self.detector && *finding.task_name == *self.task
        };
        if verdict.failing().any(|finding| found(&finding)) {
            return Ok(());
        }
        let undecided = verdict.undecided.iter().map(|one| format!("{}: {}", one.rule, one.reason));
        let reasons: Vec<String> = verdict
            .armed
            .why
            .iter()
            .map(ToString::to_string)
            .chain(undecided)
            .chain(verdict.notes.iter().map(ToString::to_string))
            .collect();
        Err(format!(
            "{} did not find {}, made on purpose; run `pollscope doctor` to see what this build measures ({})",
            self.detector,
            self.what,
            if reasons.is_empty() { "no reason is known".to_owned() } else { reasons.join("; ") }
        ))
    }
}

/// Every fault once; returns when each of them has happened.
async fn faults() {
    let held = Arc::new(Mutex::new(None::<Waker>));
    let keeper = Arc::clone(&held);
    let blocks = crate::task("canary blocks").spawn(async { std::thread::sleep(BLOCKED) });
    crate::task("canary leaks").spawn(poll_fn(move |cx| {
        *keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        Poll::<()>::Pending
    }));
    crate::task("canary is lost").spawn(pending::<()>());
    let storms = crate::task("canary storms").spawn(spins(STORM));
    // Without a message: no panic hook is asked.
    crate::task("canary panics").spawn(async { std::panic::resume_unwind(Box::new("canary")) });
    let _ = blocks.await;
    let _ = storms.await;
    // By then the others, which were spawned before, were polled too.
    tokio::task::yield_now().await;
}
