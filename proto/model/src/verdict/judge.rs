//! The judge: takes one run after the other, then gives the verdict on all of them.
//!
//! What a detector found is taken as it is; what a limit forbids is looked up in the same world. Nothing
//! is measured or counted anew.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::limits::{self, LimitFindings};
use super::{Allowance, Allowed, Armed, Distribution, Outcome, OwnTests, Subject, Undecided, Verdict, waits};
use crate::baseline::{self, Baseline};
use crate::detect::blocking_poll;
use crate::detect::view::View;
use crate::entity::slow_poll::PollKind;
use crate::finding::Finding;
use crate::level::Level;
use crate::measured::{Metric, Mode};
use crate::monitor::Monitor;
use crate::policy::{Expectation, ScopeLimits, Terms, least_poll_ns};
use crate::query::flag::FindingSource as _;
use crate::world::Process;

/// Pieces of undecided evidence that are told; further ones are counted.
const MAX_OVER_LIMIT: usize = 64;

/// Something that ran: a recording that was folded, or a session's own monitor.
#[derive(Debug)]
pub struct RunEvidence<'a> {
    /// All that was told, ticked in its own time up to its end.
    pub monitor: &'a Monitor,
    /// What to call its process; by default its name and a number.
    pub label: Option<Arc<str>>,
    /// What to open to see it.
    pub recording: Option<Arc<str>>,
    /// Nothing follows: what is alive now is left over.
    pub ended: bool,
    /// Whether the detectors proved that they work here; `None` goes by what was measured.
    pub armed: Option<Armed>,
    /// How long the threads between a wake and its poll could run and had no CPU, at most and all in all, if the
    /// runner knows: no delay that is shorter, and no task that lives longer only by that, is the code's fault.
    pub without_cpu_ns: Option<u64>,
    /// How long, all in all, anything on the machine could run and had no CPU, if the runner knows: no thread
    /// waited longer for another that had none.
    pub machine_short_ns: Option<u64>,
    /// What was found in it by other means, such as [`ending`](super::ending); its process is this one.
    pub found: Vec<Finding>,
    /// What it came by of what the code itself allows, if the runner knows.
    pub allowances: Vec<Allowance>,
    /// What a reader should know of it, in full sentences.
    pub notes: Vec<Arc<str>>,
}

impl<'a> RunEvidence<'a> {
    /// A run with nothing said about it but what the monitor knows.
    pub fn of(monitor: &'a Monitor) -> Self {
        Self {
            monitor,
            label: None,
            recording: None,
            ended: true,
            armed: None,
            without_cpu_ns: None,
            machine_short_ns: None,
            found: Vec::new(),
            allowances: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// Takes runs one by one and gives one verdict on them. Memory: what was found, not what was told.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    terms: Terms,
    findings: Vec<Finding>,
    /// What the code itself allows.
    allowed: Vec<Allowed>,
    /// All of it that was come by.
    allowances: Vec<Allowance>,
    subjects: Vec<Subject>,
    distributions: Vec<Distribution>,
    notes: Vec<Arc<str>>,
    numbers: BTreeMap<String, u32>,
    /// By detector or limit: the first reason, and in how many processes.
    undecided: BTreeMap<Arc<str>, (Arc<str>, usize)>,
    /// Evidence over a limit that proves nothing: rule and reason, each once.
    over_limit: BTreeSet<(Arc<str>, Arc<str>)>,
    /// What found no room there.
    more_over_limit: usize,
    /// The same of limits for which nothing is measured.
    unarmed: BTreeMap<&'static str, (Arc<str>, usize)>,
    /// What keeps the whole run from counting, whatever else was measured.
    disarmed: Option<Arc<str>>,
    /// Why processes in which nothing was measured have nothing to tell.
    silent: Option<Arc<str>>,
    /// Processes in which something was measured.
    measured: usize,
    /// Which of the terms' limits of routes met such a route.
    scopes_met: BTreeSet<usize>,
    own_tests: OwnTests,
    refused: Vec<Arc<str>>,
    /// What is compared with, and what was heard so far.
    against: Option<(Baseline, baseline::Run)>,
}

impl Judge {
    /// A judge without runs.
    pub fn new(terms: Terms) -> Self {
        Self { terms, ..Self::default() }
    }

    /// Compares what was measured with a baseline, whose accepted findings do not count.
    #[must_use]
    pub fn against(mut self, baseline: Baseline) -> Self {
        self.against = Some((baseline, baseline::Run::default()));
        self
    }

    /// Adds a run: every process of its monitor. The monitor is not needed any more after it.
    pub fn add_run(&mut self, run: &RunEvidence<'_>) {
        self.notes.extend(run.notes.iter().cloned());
        self.allowances.extend(run.allowances.iter().cloned());
        if let Some(Armed { yes: false, why }) = &run.armed {
            let unknown = || Arc::from("the detectors did not find what they were shown");
            self.disarmed.get_or_insert_with(|| why.clone().unwrap_or_else(unknown));
        }
        for process in run.monitor.world().processes() {
            self.add_process(run, process);
        }
        if let Some((_, measured)) = &mut self.against {
            measured.add_world(run.monitor.world());
        }
    }

    fn add_process(&mut self, run: &RunEvidence<'_>, process: &Process) {
        let label = run.label.clone().unwrap_or_else(|| self.next_label(&process.hello().process.name));
        let engine = run.monitor.engine();
        let view = engine.view(process);
        let subject = subject(process, &label, view.as_ref().map_or(0, View::watched_ns), run);
        let told = subject.told > 0;
        self.subjects.push(subject);
        if told {
            self.measured += 1;
            for (detector, reason) in engine.undecided(process.boot()) {
                let first = || (Arc::from(reason.as_str()), 0);
                self.undecided.entry(detector.into()).or_insert_with(first).1 += 1;
            }
            for (detector, reason) in engine.ever_set_aside(process.boot()) {
                // What a limit judges instead, it judges.
                if !(self.terms.limits.max_poll_ns.is_some() && *detector == *blocking_poll::DETECTOR.id) {
                    self.set_aside(detector.into(), reason.into());
                }
            }
        } else {
            self.silent.get_or_insert_with(|| silent(process).into());
        }
        let judged = match &view {
            Some(view) if told => limits::judge(view, &self.terms, run),
            _ => LimitFindings::default(),
        };
        let counts =
            |finding: &&Finding| finding.level > Level::Allow && !self.is_judged_by_limit(&judged, finding);
        let counted: Vec<&Finding> = engine.findings(process.boot()).into_iter().filter(counts).collect();
        let mut found = Vec::new();
        for finding in counted {
            match waits::doubt(finding, run.without_cpu_ns) {
                Some(reason) => self.set_aside(finding.detector.clone(), reason.into()),
                None => found.push(finding.clone()),
            }
        }
        found.extend(judged.findings);
        let others = run.found.iter().filter(|finding| finding.process == *process.label());
        found.extend(others.filter(|finding| finding.level > Level::Allow).cloned());
        self.remember_distributions(process, &label, &found);
        self.findings.extend(found.into_iter().map(|finding| Finding { process: label.clone(), ..finding }));
        let allowed = judged.allowed.into_iter();
        self.allowed.extend(
            allowed.map(|one| Allowed { finding: Finding { process: label.clone(), ..one.finding }, ..one }),
        );
        self.scopes_met.extend(judged.scopes_met);
        let mut limits = BTreeSet::new();
        for Undecided { rule, reason, over_limit } in judged.undecided {
            if over_limit {
                self.set_aside(rule, reason);
            } else if limits.insert(rule.clone()) {
                self.undecided.entry(rule).or_insert((reason, 0)).1 += 1;
            }
        }
        for (limit, reason) in judged.unarmed {
            self.unarmed.entry(limit).or_insert((reason, 0)).1 += 1;
        }
        if let Some((limit, reason)) = judged.open.into_iter().next() {
            self.disarmed.get_or_insert_with(|| format!("{limit} cannot be judged: {reason}").into());
        }
        self.notes.extend(judged.notes.iter().map(|note| Arc::from(format!("{label}: {note}"))));
    }

    fn set_aside(&mut self, rule: Arc<str>, reason: Arc<str>) {
        // What does not count leaves no doubt.
        let level = self.terms.levels.iter().rev().find(|(detector, _)| *detector == rule);
        if level.is_some_and(|(_, level)| *level == Level::Allow) {
            return;
        }
        if self.over_limit.len() < MAX_OVER_LIMIT {
            self.over_limit.insert((rule, reason));
        } else {
            self.more_over_limit += 1;
        }
    }

    /// Whether a limit says the same of the same site and line, or was asked for instead of the detector's own.
    fn is_judged_by_limit(&self, judged: &LimitFindings, finding: &Finding) -> bool {
        let limits = &self.terms.limits;
        let by_scope = |scope: &ScopeLimits| {
            scope.max_poll_ns.is_some() && finding.scope == finding.site && scope.is_about(&finding.site)
        };
        let is_limited = limits.max_poll_ns.is_some() || self.terms.scopes.iter().any(by_scope);
        let replaced = is_limited && *finding.detector == *blocking_poll::DETECTOR.id;
        replaced
            || judged
                .findings
                .iter()
                .any(|other| other.detector == finding.detector && other.is_same_place(finding))
    }

    fn next_label(&mut self, name: &str) -> Arc<str> {
        let number = self.numbers.entry(name.to_owned()).or_default();
        *number += 1;
        format!("{name}#{number}").into()
    }

    fn remember_distributions(&mut self, process: &Process, label: &Arc<str>, found: &[Finding]) {
        let sites: BTreeSet<&Arc<str>> =
            found.iter().map(|finding| &finding.site).filter(|site| !site.is_empty()).collect();
        for site in process.sites() {
            let text = site.text();
            if sites.contains(&text) {
                let totals = site.totals();
                self.distributions.push(Distribution {
                    process: label.clone(),
                    site: text,
                    poll: totals.poll.clone(),
                    sched: totals.sched.clone(),
                    life: totals.life.clone(),
                });
            }
        }
    }

    /// A limit that is for no route of the run judges nothing, which a reader would take for a pass.
    fn note_unmet_scopes(&mut self) {
        let unmet = self.terms.scopes.iter().enumerate().filter(|(at, _)| !self.scopes_met.contains(at));
        let note = |(_, scope): (usize, &ScopeLimits)| {
            let table = format!("[check.scope.{:?}]", scope.scope);
            Arc::from(format!("{table} judged nothing: no request of such a route was recorded."))
        };
        let notes: Vec<Arc<str>> = unmet.map(note).collect();
        self.notes.extend(notes);
    }

    /// Adds what a reader should know, in full sentences.
    pub fn note(&mut self, note: impl Into<Arc<str>>) {
        self.notes.push(note.into());
    }

    /// Adds tests that judged themselves: where they pass, something was looked at.
    pub fn add_own_tests(&mut self, tests: OwnTests) {
        self.own_tests.passed = self.own_tests.passed.saturating_add(tests.passed);
        self.own_tests.failed = self.own_tests.failed.saturating_add(tests.failed);
    }

    /// Adds that something was to be recorded and was not, or not as was asked for, and why: the verdict on the rest is
    /// not one on all.
    pub fn add_refusal(&mut self, why: impl Into<Arc<str>>) {
        self.refused.push(why.into());
    }

    /// What all that was heard amounts to.
    pub fn verdict(mut self) -> Verdict {
        let (mut findings, mut used) = (Vec::new(), BTreeSet::new());
        let mut allowed = std::mem::take(&mut self.allowed);
        for finding in merged(std::mem::take(&mut self.findings)) {
            let level = self.terms.levels.iter().rev().find(|(detector, _)| *detector == finding.detector);
            let about = |(_, one): &(usize, &Expectation)| one.is_about(&finding);
            let expected: Vec<usize> =
                self.terms.expectations.iter().enumerate().filter(about).map(|(index, _)| index).collect();
            used.extend(expected.iter().copied());
            match (expected.first().and_then(|index| self.terms.expectations.get(*index)), level) {
                (Some(expectation), _) => {
                    allowed.push(Allowed { finding, reason: expectation.reason.clone() });
                }
                (None, Some((detector, Level::Allow))) => {
                    allowed.push(Allowed { finding, reason: format!("{detector} is set to allow").into() });
                }
                _ if self.against.as_ref().is_some_and(|(baseline, _)| baseline.knows(&finding)) => {
                    allowed.push(Allowed { finding, reason: "in the baseline".into() });
                }
                (None, Some((_, level))) => findings.push(Finding { level: *level, ..finding }),
                (None, None) => findings.push(finding),
            }
        }
        let armed = self.armed();
        if self.measured > 0 {
            self.note_unmet_scopes();
        }
        let mut expectations_unused = Vec::new();
        // Of a run that says nothing it is unknown what did not happen in it.
        if armed.yes && self.measured > 0 {
            for (index, expectation) in self.terms.expectations.iter().enumerate() {
                if !used.contains(&index) {
                    findings.push(expectation.unused());
                    expectations_unused.push(expectation.clone());
                }
            }
            let needed = |one: &Allowance| allowed.iter().any(|allowed| allowed.reason == one.reason);
            let least_ns = least_poll_ns(&self.terms.limits, &self.terms.scopes);
            for one in self.allowances.iter().filter(|one| one.is_unused(least_ns) && !needed(one)) {
                findings.push(one.unused(least_ns));
                expectations_unused.push(one.expectation());
            }
        }
        findings.sort_by(worst_first);
        let shown = findings.iter_mut().chain(allowed.iter_mut().map(|one| &mut one.finding));
        (1..).zip(shown).for_each(|(number, finding)| finding.number = number);
        let undecided = self.take_undecided();
        let mut verdict = Verdict {
            outcome: Outcome::Clean,
            fail_on: self.terms.fail_on,
            findings,
            allowed,
            expectations_unused,
            undecided,
            armed,
            own_tests: self.own_tests,
            refused: self.refused,
            subjects: self.subjects,
            distributions: self.distributions,
            notes: self.notes,
            comparison: None,
        };
        verdict.outcome = outcome(&verdict, self.measured, self.terms.limits.strict);
        match self.against {
            Some((baseline, run)) => verdict.compared(baseline.compare(&run)),
            None => verdict,
        }
    }

    /// First what is over a limit.
    fn take_undecided(&mut self) -> Vec<Undecided> {
        let over = std::mem::take(&mut self.over_limit).into_iter();
        let over = over.map(|(rule, reason)| Undecided { rule, reason, over_limit: true });
        let measured = self.measured;
        let of_all = |(rule, (reason, processes)): (Arc<str>, (Arc<str>, usize))| {
            let reason = match processes {
                n if n >= measured => reason,
                n => format!("{reason} (in {n} of {measured} processes)").into(),
            };
            Undecided { rule, reason, over_limit: false }
        };
        if self.more_over_limit > 0 {
            let more = format!("{} more pieces of evidence are undecided.", self.more_over_limit);
            self.notes.push(more.into());
        }
        over.chain(std::mem::take(&mut self.undecided).into_iter().map(of_all)).collect()
    }

    fn armed(&self) -> Armed {
        let no = |why: Arc<str>| Armed { yes: false, why: Some(why) };
        if let Some(why) = &self.disarmed {
            return no(why.clone());
        }
        if self.measured == 0 && self.own_tests.passed > 0 {
            return Armed { yes: true, why: None };
        }
        if self.measured == 0 {
            return match &self.silent {
                Some(why) => no(why.clone()),
                None => no("no instrumented process was heard of".into()),
            };
        }
        match self.unarmed.iter().find(|(_, (_, processes))| *processes >= self.measured) {
            Some((limit, (reason, _))) => no(format!("{limit} cannot be judged: {reason}").into()),
            None => Armed { yes: true, why: None },
        }
    }
}

fn outcome(verdict: &Verdict, measured: usize, strict: bool) -> Outcome {
    if verdict.failing().next().is_some() {
        Outcome::Findings
    } else if !verdict.refused.is_empty() {
        Outcome::Incomplete
    } else if !verdict.armed.yes || measured == 0 && verdict.own_tests.passed == 0 {
        Outcome::NoData
    } else if verdict.subjects.iter().any(Subject::is_incomplete) || strict && verdict.over_limit() > 0 {
        Outcome::Incomplete
    } else {
        Outcome::Clean
    }
}

fn subject(process: &Process, label: &Arc<str>, span_ns: u64, run: &RunEvidence<'_>) -> Subject {
    let told =
        |site: crate::world::SiteView<'_>| site.totals().poll.count().saturating_add(site.totals().wakes);
    Subject {
        process: label.clone(),
        pid: process.hello().process.pid,
        mode: process.hello().mode,
        lost: process.lost(),
        told: process.sites().map(told).fold(0, u64::saturating_add),
        span_ns,
        wrapped_only: process.hello().mode == Mode::Wrap && !process.measures_for_some(Metric::LibraryTasks),
        recording: run.recording.clone(),
    }
}

/// Why a process has nothing to tell.
fn silent(process: &Process) -> String {
    let hello = process.hello();
    let name = &hello.process.name;
    match hello.capabilities.iter().find(|capability| capability.metric == Metric::Polls) {
        Some(polls) if !process.measures_for_some(Metric::Polls) && !polls.reason.is_empty() => {
            format!("no poll of {name} is measured: {}", polls.reason)
        }
        _ if !process.measures_for_some(Metric::Polls) => {
            format!("no poll of {name} is measured in {} mode", hello.mode)
        }
        _ => format!("no task of {name} was polled while it was watched"),
    }
}

/// The same fault in several processes is one finding: the worst, that tells of the others.
fn merged(findings: Vec<Finding>) -> Vec<Finding> {
    let mut same: BTreeMap<[Arc<str>; 4], Vec<Finding>> = BTreeMap::new();
    for finding in findings {
        // Code that computes is one finding at whichever of its lines it was seen.
        let computes = finding.kind == Some(PollKind::Busy);
        let line = if computes { "".into() } else { finding.line.clone() };
        let site = finding.site.clone();
        let key = [finding.detector.clone(), site, line, finding.fingerprint.clone()];
        same.entry(key).or_default().push(finding);
    }
    let one = |mut all: Vec<Finding>| {
        all.sort_by(worst_first);
        let count = all.iter().map(|finding| finding.count).fold(0, u64::saturating_add);
        let processes: BTreeSet<Arc<str>> = all.iter().map(|finding| finding.process.clone()).collect();
        let mut worst = all.into_iter().next()?;
        worst.count = count;
        match processes.len().saturating_sub(1) {
            0 => {}
            1 => worst.why = format!("{} The same in 1 other process.", worst.why).into(),
            others => worst.why = format!("{} The same in {others} other processes.", worst.why).into(),
        }
        Some(worst)
    };
    same.into_values().filter_map(one).collect()
}

/// The worse first: by level, then by how often the limit goes into what was measured.
fn worst_first(a: &Finding, b: &Finding) -> Ordering {
    let share = |finding: &Finding| match (finding.value.number(), finding.limit.number()) {
        (Some(value), Some(limit)) if limit > 0.0 => value / limit,
        (Some(value), _) => value,
        _ => 0.0,
    };
    b.level
        .cmp(&a.level)
        .then_with(|| share(b).total_cmp(&share(a)))
        .then_with(|| (&a.site, &a.line).cmp(&(&b.site, &b.line)))
}

#[cfg(test)]
mod tests;
