//! The sixteen detectors: each looks at a [`Process`] and says what is wrong with it. The
//! [engine](crate::engine) calls them by their table, [`ALL`], and turns their signals into findings.
//!
//! A detector is a pure function of a `View` and its [`Rule`]: it keeps nothing between
//! two looks and reads no clock. What it cannot judge it says so, with the reason; it never guesses.
//! Each lives in a file of its own whose leading comment is also its manual: `pollscope explain`, the
//! terminal's panel and the documentation print that very text.
//!
//! # What a finding at warn or above must survive
//! - **The machine is not the code.** Time that a thread could run but got no CPU is taken off every
//!   duration that is judged, see `cpu::Cpu`.
//! - **Once is an accident.** A single slow event may be a page fault, a paused virtual machine or a
//!   first initialisation; rules ask for repetition or for a duration that none of these explains.
//! - **Absent is not zero.** A task whose wakers are not counted is not without wakers.
//! - **Severity needs harm.** What no task waited for stays a warning.

pub mod advice;
pub(crate) mod blocking_poll;
pub(crate) mod blocking_pool_exhausted;
pub(crate) mod cpu;
pub(crate) mod detached_failure;
pub mod explain;
pub(crate) mod forgotten_task;
pub(crate) mod history;
pub(crate) mod large_future;
pub(crate) mod lost_waker;
pub(crate) mod never_polled;
pub(crate) mod never_yields;
pub(crate) mod poll_text;
mod pool;
pub(crate) mod runtime_saturated;
pub(crate) mod sched_delay;
pub(crate) mod self_wake_storm;
pub(crate) mod signal;
pub(crate) mod stuck_poll;
pub(crate) mod swallowed_panic;
pub(crate) mod tail_latency;
pub(crate) mod task_leak;
pub(crate) mod unread_outcomes;
pub(crate) mod view;

use crate::entity::task::TaskRecord;
use crate::level::Level;
use crate::measured::Metric;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::world::{Process, TaskRow};
use signal::{DetectorOutput, Group, Hit, Signal};
use view::{Moment, View};

pub use explain::{Explain, explain};

/// One detector: everything that is known of it, in one place.
#[derive(Debug)]
pub struct Detector {
    /// Its name in policies, JSON and on screen; never changes.
    pub id: &'static str,
    /// Its letter in the screen's narrow flag column; no two have the same.
    pub letter: char,
    /// The worst level that it reports by default.
    pub level: Level,
    /// How long its signal must last before it is reported, by default.
    pub for_ns: u64,
    /// How long its signal must be gone before the finding is closed, by default.
    pub clear_ns: u64,
    /// What must be measured for at least some tasks; without it the detector cannot tell.
    pub needs: &'static [Metric],
    /// What will do, alone, where those are not measured.
    pub or_else: Option<Metric>,
    /// Its limits with their defaults.
    pub limits: &'static [Limit],
    /// How it judges the process as a whole: sites, workers, slow polls.
    pub(crate) whole: Option<Whole>,
    /// How it judges single tasks.
    pub(crate) tasks: Option<TaskRule>,
    /// What the engine keeps for it between two looks.
    retention: Retention,
    /// Its source file, whose leading comment is its manual.
    source: &'static str,
}

/// The rule as a test of one task, made once for each look at a process.
pub(crate) type TaskTest<'a> = Box<dyn Fn(&TaskRecord) -> Option<Hit> + 'a>;

/// A judgement of a whole process.
pub(crate) type Whole = fn(&View<'_>, &Rule, &mut DetectorOutput);

/// A judgement of single tasks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskRule {
    /// Makes the test.
    pub test: for<'a> fn(Moment<'a>, &Rule) -> TaskTest<'a>,
    /// When, on the process's clock, the test may first hit a task that does not change until then;
    /// `None` if it cannot. Before that time the task is not looked at.
    pub due: fn(&Rule, TaskRow<'_>) -> Option<u64>,
    /// Puts what was hit at one site under one name into words.
    pub signal: fn(&View<'_>, &Rule, &Group) -> Signal,
}

/// From how many living tasks on a site's are counted over time, and over how many nanoseconds.
pub(crate) type CountRule = fn(&Rule) -> (u64, u64);

/// What the engine keeps for a detector from one look to the next, so that it needs to know none by name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    /// Counts of living tasks over time.
    pub(crate) counts: Option<CountRule>,
    /// Its hits are polls that are still open: the number of a task's open poll, `None` for a task that is none
    /// of these. What was found of such a poll is not found once more when the poll ends.
    pub(crate) open_poll: Option<fn(&TaskRecord) -> Option<u64>>,
    /// Its findings are states that may last after what showed them is over: it asks which of them are open, and says
    /// whether they last.
    pub(crate) states: bool,
}

impl Retention {
    const NOTHING: Self = Self { counts: None, open_poll: None, states: false };
}

/// Every detector, in the order in which documentation lists them.
pub static ALL: [&Detector; 16] = [
    &blocking_poll::DETECTOR,
    &stuck_poll::DETECTOR,
    &sched_delay::DETECTOR,
    &forgotten_task::DETECTOR,
    &lost_waker::DETECTOR,
    &never_polled::DETECTOR,
    &self_wake_storm::DETECTOR,
    &task_leak::DETECTOR,
    &never_yields::DETECTOR,
    &large_future::DETECTOR,
    &swallowed_panic::DETECTOR,
    &detached_failure::DETECTOR,
    &unread_outcomes::DETECTOR,
    &tail_latency::DETECTOR,
    &runtime_saturated::DETECTOR,
    &blocking_pool_exhausted::DETECTOR,
];

/// Index in [`ALL`] of the detector of that id.
pub fn index_of(id: &str) -> Option<usize> {
    ALL.iter().position(|detector| detector.id == id)
}

impl Detector {
    /// Its rule with every limit at its default.
    pub(crate) fn rule(&self) -> Rule {
        Rule::new(self.level, self.for_ns, self.clear_ns, self.limits)
    }

    /// What the engine keeps for it.
    pub(crate) fn retention(&self) -> Retention {
        self.retention
    }

    /// One sentence: what it reports.
    pub fn summary(&self) -> &'static str {
        explain::summary(self.source)
    }

    /// Why it cannot judge this process at all, if so.
    pub fn not_measured(&self, process: &Process) -> Option<String> {
        if self.or_else.is_some_and(|metric| process.measures_for_some(metric)) {
            return None;
        }
        let missing = self.needs.iter().find(|metric| !process.measures_for_some(**metric))?;
        let hello = process.hello();
        let reason = hello.capabilities.iter().find(|c| c.metric == *missing).map(|c| c.reason.as_str());
        Some(match reason.filter(|reason| !reason.is_empty()) {
            Some(reason) => format!("{missing} not measured: {reason}"),
            None => format!("{missing} not measured in {} mode", hello.mode),
        })
    }
}

#[cfg(test)]
mod tests;
