//! The verdict: what one or several judged processes amount to, in the words of `pollscope check`.
//!
//! A [`Verdict`] is data. Its renderers (text, JSON, JUnit, …) decide nothing: what counts, what
//! does not and why is all in here. It never exits, never prints and reads no file.
//!
//! Made by the judge of this room; read by the command line, by the formats and by assertions in tests.

mod allowance;
pub mod ending;
mod expect;
mod judge;
mod limits;
mod waits;

use std::sync::Arc;

use crate::baseline::Comparison;
use crate::finding::Finding;
use crate::hist::Hist;
use crate::level::Level;
use crate::measured::Mode;
use crate::names::names;
use crate::policy::Expectation;

pub use allowance::Allowance;
pub use judge::{Judge, RunEvidence};

names! {
    /// What a run is judged to be: the words of the JSON key `verdict`.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub enum Outcome {
        /// Something was measured, all of it, and nothing was found at or above the level that fails.
        Clean = "clean",
        /// At least one finding at or above the level that fails.
        Findings = "findings",
        /// Only the comparison with a baseline fails.
        Regressed = "regressed",
        /// Nothing was measured, or the detectors were not armed: never green.
        NoData = "no-data",
        /// More than [`MAX_LOST_SHARE`] of what was to be told is missing; or something was refused that was to be recorded; or
        /// evidence over a limit is undecided, where that was asked to count
        /// ([`CheckLimits::strict`](crate::policy::CheckLimits)).
        Incomplete = "incomplete",
    }
}

/// The largest share of what was to be told that may be missing from a run that counts as complete.
pub const MAX_LOST_SHARE: f64 = 0.001;

/// One process, or one test's session, that was judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subject {
    /// Its label: [`Finding::process`] of what was found in it.
    pub process: Arc<str>,
    /// Operating system process id.
    pub pid: u32,
    /// The deepest mode that was on.
    pub mode: Mode,
    /// What is missing: polls, wakes, rows and reports that never arrived.
    pub lost: u64,
    /// What arrived: polls and wakes.
    pub told: u64,
    /// Time that its reports cover, nanoseconds.
    pub span_ns: u64,
    /// Only the tasks that it spawns through pollscope are measured: those of libraries are in no figure.
    pub wrapped_only: bool,
    /// What to open to see it, if it was recorded.
    pub recording: Option<Arc<str>>,
}

impl Subject {
    /// Whether so much is missing that what was not found may still be there.
    pub fn is_incomplete(&self) -> bool {
        self.lost as f64 > self.told.saturating_add(self.lost) as f64 * MAX_LOST_SHARE
    }
}

/// A finding that does not count, and why.
#[derive(Clone, PartialEq, Debug)]
pub struct Allowed {
    /// What was found.
    pub finding: Finding,
    /// The reason that was given for the expectation.
    pub reason: Arc<str>,
}

/// A detector or limit that could not tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Undecided {
    /// Id of the detector, or name of the limit.
    pub rule: Arc<str>,
    /// Why, with the numbers.
    pub reason: Arc<str>,
    /// There is evidence over the limit, which proves nothing here. `false`: it had nothing to judge by.
    pub over_limit: bool,
}

/// Whether the detectors could have found anything in this build and process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Armed {
    /// They could.
    pub yes: bool,
    /// Why they could not, with the remedy.
    pub why: Option<Arc<str>>,
}

/// Tests that judged themselves, by terms of their own.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct OwnTests {
    /// They passed.
    pub passed: u64,
    /// They failed, and so did the program that runs them, if it means them to pass.
    pub failed: u64,
}

/// All that was measured at one spawn site of one process, beside what was found there.
#[derive(Clone, PartialEq, Debug)]
pub struct Distribution {
    /// Label of the process.
    pub process: Arc<str>,
    /// The spawn site, `src/cart.rs:88:9`.
    pub site: Arc<str>,
    /// Poll times, wall clock.
    pub poll: Hist,
    /// Schedule delays; empty where they are not measured.
    pub sched: Hist,
    /// Lifetimes of ended tasks.
    pub life: Hist,
}

/// See the [module](self).
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    /// What it comes to.
    pub outcome: Outcome,
    /// The level from which on a finding fails the run.
    pub fail_on: Level,
    /// What was found at warn or above and is not allowed, the worst first.
    pub findings: Vec<Finding>,
    /// What was found and expected.
    pub allowed: Vec<Allowed>,
    /// Expectations that nothing fulfilled, and allowances that nothing needed; each is also a finding.
    pub expectations_unused: Vec<Expectation>,
    /// Detectors and limits that could not tell; first those with evidence over their limit, each piece by itself.
    pub undecided: Vec<Undecided>,
    /// Whether the detectors could have found anything.
    pub armed: Armed,
    /// Tests that judged themselves, beside what is judged here.
    pub own_tests: OwnTests,
    /// What was to be recorded and was not, or not as was asked for: why.
    pub refused: Vec<Arc<str>>,
    /// Who was judged.
    pub subjects: Vec<Subject>,
    /// The sites of the findings, allowed ones included.
    pub distributions: Vec<Distribution>,
    /// What became of each figure since the baseline; `None` if it was compared with none.
    pub comparison: Option<Comparison>,
    /// What a reader should know besides, in full sentences: recordings that were cut, limits that fell
    /// back to wall time.
    pub notes: Vec<Arc<str>>,
}

impl Verdict {
    /// The same with what a comparison says: one that is worse fails a run that is clean otherwise.
    #[must_use]
    pub fn compared(mut self, comparison: Comparison) -> Self {
        if self.outcome == Outcome::Clean && comparison.is_worse() {
            self.outcome = Outcome::Regressed;
        }
        self.comparison = Some(comparison);
        self
    }

    /// Pieces of evidence over a limit that are undecided.
    pub fn over_limit(&self) -> usize {
        self.undecided.iter().filter(|one| one.over_limit).count()
    }

    /// Whether the run is incomplete only because evidence over a limit is undecided, which
    /// [`strict`](crate::policy::CheckLimits) makes count.
    pub fn is_incomplete_by_doubt(&self) -> bool {
        let is_lossy = self.subjects.iter().any(Subject::is_incomplete);
        self.outcome == Outcome::Incomplete && !is_lossy && self.refused.is_empty() && self.over_limit() > 0
    }

    /// The findings that fail the run.
    pub fn failing(&self) -> impl Iterator<Item = &Finding> + '_ {
        self.findings.iter().filter(|finding| finding.level >= self.fail_on)
    }

    /// The processes of which only wrapped tasks were judged: a verdict says nothing on their other tasks.
    pub fn wrapped_only(&self) -> impl Iterator<Item = &Subject> + '_ {
        self.subjects.iter().filter(|subject| subject.wrapped_only && subject.told > 0)
    }

    /// The process of a finding, if it was judged here.
    pub fn subject_of(&self, finding: &Finding) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.process == finding.process)
    }

    /// What else was measured at a finding's site.
    pub fn distribution_of(&self, finding: &Finding) -> Option<&Distribution> {
        self.distributions.iter().find(|one| one.site == finding.site && one.process == finding.process)
    }
}
