//! JUnit XML: one suite for each process, one case for each detector, so that a CI shows what passed, too.
//!
//! Pure: a verdict in, a text out. What fails the run fails a case; what does not is in the output of a
//! case that passes. A suite of its own is about the run as a whole: whether the detectors were armed,
//! whether the recordings are complete. So something fails here if, and only if, the run does.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use pollscope_model::baseline::{Change, Compared, Comparison};
use pollscope_model::detect;
use pollscope_model::finding::Finding;
use pollscope_model::text::clean_lines;
use pollscope_model::verdict::{Allowed, Outcome, Subject, Verdict};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::place::{self, Repository, Spot};
use super::wording;
use crate::output::fmt::cut;

/// The suite of what is about no single process; also the name of the report.
const RUN: &str = "pollscope";
/// The suite of what was compared.
const BASELINE: &str = "baseline";
/// Findings of one detector in one process that are written in full.
const SHOWN: usize = 20;

/// The verdict as the text of an XML file.
pub(super) fn text(verdict: &Verdict, repository: &Repository) -> String {
    let mut report = Report::new(RUN);
    report.add_test_suite(run(verdict, repository));
    if let Some(comparison) = &verdict.comparison {
        report.add_test_suite(baseline(comparison, repository));
    }
    let mut labels = BTreeSet::from([RUN.to_owned(), BASELINE.to_owned()]);
    for subject in &verdict.subjects {
        // GitLab shows only the first of several cases with the same names.
        let mut label = printable(&cut(&subject.process, wording::NAME));
        if !labels.insert(label.clone()) {
            let _ = write!(label, " ({})", subject.pid);
            labels.insert(label.clone());
        }
        report.add_test_suite(process(verdict, repository, subject, &label));
    }
    // It fails only if the writer does, and a String takes everything.
    report.to_string().unwrap_or_default()
}

/// What is about the run as a whole.
fn run(verdict: &Verdict, repository: &Repository) -> TestSuite {
    let mut suite = TestSuite::new(RUN);
    suite.add_property(property("verdict", verdict.outcome.as_str()));
    suite.add_property(property("fail-on", verdict.fail_on.as_str()));
    let mut armed = case(RUN, "armed", TestCaseStatus::success());
    if verdict.outcome == Outcome::NoData || !verdict.armed.yes {
        let why = wording::unarmed(verdict);
        armed.status = broken(NonSuccessKind::Error, "no-data", &why, &why);
    }
    let mut complete = case(RUN, "complete", TestCaseStatus::success());
    if verdict.outcome == Outcome::Incomplete {
        let headline = format!("{}: {}", wording::incomplete(verdict), wording::extent(verdict));
        complete.status = broken(NonSuccessKind::Error, "incomplete", &headline, &losses(verdict));
    }
    suite.add_test_cases([armed, complete]);

    let limits = verdict.undecided.iter().map(|one| &*one.rule);
    let mut limits: Vec<_> = limits.filter(|rule| detect::index_of(rule).is_none()).collect();
    limits.sort_unstable();
    limits.dedup();
    add_cases(&mut suite, verdict, repository, &limits, |finding| verdict.subject_of(finding).is_none());
    if !verdict.notes.is_empty() {
        let notes = lines(verdict.notes.iter().map(|note| cut(note, wording::HEADLINE).into_owned()));
        suite.set_system_out(printable_lines(&notes));
    }
    suite
}

/// What was compared with the baseline: a case for each figure of each site.
fn baseline(comparison: &Comparison, repository: &Repository) -> TestSuite {
    let mut suite = TestSuite::new(BASELINE);
    suite.add_property(property("runs", &comparison.runs.to_string()));
    let mut names = BTreeSet::new();
    for one in &comparison.figures {
        // A name without lines stays the same while the code is edited.
        let mut name = printable(&format!("{}: {}", wording::site(&one.site), one.figure.words()));
        while !names.insert(name.clone()) {
            name.push('\'');
        }
        suite.add_test_case(compared(one, &name, repository));
    }
    let notes = comparison.notes.iter().map(|note| cut(note, wording::HEADLINE).into_owned());
    let notes = lines(std::iter::once(comparison.summary()).chain(notes));
    suite.set_system_out(printable_lines(&notes));
    suite
}

fn compared(one: &Compared, name: &str, repository: &Repository) -> TestCase {
    let told = wording::compared(one);
    let status = match one.change {
        Change::Regressed => broken(NonSuccessKind::Failure, "regressed", &told, &told),
        Change::Insufficient => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(printable(&told));
            status
        }
        Change::Improved | Change::Unchanged => TestCaseStatus::success(),
    };
    let mut case = case(BASELINE, name, status);
    if let Some((file, line, column)) = place::site(&one.site.place) {
        attach(&mut case, &repository.spot(file, line, column));
    }
    if one.change == Change::Improved {
        case.set_system_out(printable_lines(&told));
    }
    case
}

/// One process: its detectors, those that found nothing included.
fn process(verdict: &Verdict, repository: &Repository, subject: &Subject, label: &str) -> TestSuite {
    let mut suite = TestSuite::new(label);
    suite.set_time(Duration::from_nanos(subject.span_ns));
    suite.add_properties([
        property("pid", &subject.pid.to_string()),
        property("mode", subject.mode.as_str()),
        property("told", &subject.told.to_string()),
        property("lost", &subject.lost.to_string()),
    ]);
    if let Some(recording) = &subject.recording {
        suite.add_property(property("recording", recording));
    }
    let known: Vec<_> = detect::ALL.iter().map(|detector| detector.id).collect();
    add_cases(&mut suite, verdict, repository, &known, |finding| finding.process == subject.process);
    suite
}

/// A case for each of the detectors, and for every other that found something among those findings.
fn add_cases(
    suite: &mut TestSuite,
    verdict: &Verdict,
    repository: &Repository,
    detectors: &[&str],
    among: impl Fn(&Finding) -> bool,
) {
    let findings: Vec<_> = verdict.findings.iter().filter(|finding| among(finding)).collect();
    let allowed: Vec<_> = verdict.allowed.iter().filter(|allowed| among(&allowed.finding)).collect();
    let ids = findings.iter().copied().chain(allowed.iter().map(|allowed| &allowed.finding));
    let others: BTreeSet<_> =
        ids.map(|finding| &*finding.detector).filter(|id| !detectors.contains(id)).collect();
    for detector in detectors.iter().copied().chain(others) {
        let of_it = |finding: &Finding| &*finding.detector == detector;
        let findings: Vec<_> = findings.iter().copied().filter(|finding| of_it(finding)).collect();
        let allowed: Vec<_> = allowed.iter().copied().filter(|allowed| of_it(&allowed.finding)).collect();
        let class = suite.name.as_str().to_owned();
        suite.add_test_case(judged(verdict, repository, &class, detector, &findings, &allowed));
    }
}

/// The case of one detector.
fn judged(
    verdict: &Verdict,
    repository: &Repository,
    class: &str,
    detector: &str,
    findings: &[&Finding],
    allowed: &[&Allowed],
) -> TestCase {
    let fails = |finding: &&&Finding| finding.level >= verdict.fail_on;
    let failing: Vec<_> = findings.iter().filter(fails).copied().collect();
    let undecided = || verdict.undecided.iter().filter(|one| *one.rule == *detector);
    let status = if let Some(worst) = failing.first() {
        let more = match failing.len() - 1 {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        let kind = worst.kind.map(|kind| format!(".{}", kind.as_str())).unwrap_or_default();
        let headline = format!("{}{more}", wording::headline(worst));
        broken(NonSuccessKind::Failure, &format!("{detector}{kind}"), &headline, &in_full(verdict, &failing))
    } else if let Some(first) = undecided().next().filter(|_| findings.is_empty()) {
        let mut status = TestCaseStatus::skipped();
        status.set_message(printable(&cut(&first.reason, wording::LINE)));
        status
    } else {
        TestCaseStatus::success()
    };
    let mut case = case(class, detector, status);
    if let Some(spot) = findings.first().and_then(|worst| repository.spot_of(worst)) {
        attach(&mut case, &spot);
    }
    let over: Vec<_> = undecided().filter(|one| one.over_limit).take(SHOWN).collect();
    let passing: Vec<_> = findings.iter().filter(|finding| !fails(finding)).copied().collect();
    let mut output = in_full(verdict, &passing);
    for one in over {
        let _ = writeln!(output, "undecided: {}", cut(&one.reason, wording::LINE));
    }
    for Allowed { finding, reason } in allowed.iter().take(SHOWN) {
        let _ =
            writeln!(output, "allowed: {}; {}", wording::headline(finding), cut(reason, wording::HEADLINE));
    }
    if !output.is_empty() {
        case.set_system_out(printable_lines(&output));
    }
    case
}

/// Where it is, for readers of these attributes, such as GitLab.
fn attach(case: &mut TestCase, spot: &Spot) {
    if spot.inside {
        case.extra.insert("file".into(), printable(&spot.file).into());
        if spot.line > 0 {
            case.extra.insert("line".into(), spot.line.to_string().into());
        }
    }
}

fn in_full(verdict: &Verdict, findings: &[&Finding]) -> String {
    let mut texts: Vec<_> =
        findings.iter().take(SHOWN).map(|finding| wording::paragraphs(verdict, finding)).collect();
    if let Some(more) = findings.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        texts.push(format!("… and {more} more\n"));
    }
    texts.join("\n")
}

/// Who lost how much.
fn losses(verdict: &Verdict) -> String {
    let lossy = verdict.subjects.iter().filter(|subject| subject.lost > 0).map(|subject| {
        let process = cut(&subject.process, wording::NAME);
        format!("{process}, pid {}: {} lost, {} told", subject.pid, subject.lost, subject.told)
    });
    lines(wording::refusals(verdict).chain(lossy))
}

fn case(class: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(printable(name), status);
    case.set_classname(printable(class));
    case
}

fn broken(kind: NonSuccessKind, ty: &str, headline: &str, text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(printable(ty)).set_message(printable(headline)).set_description(printable_lines(text));
    status
}

fn property(name: &str, value: &str) -> Property {
    Property::new(name, printable(value))
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.map(|line| line + "\n").collect()
}

/// One clean line without what XML 1.0 has no way to write.
fn printable(text: &str) -> String {
    writable(&cut(text, wording::HEADLINE * 2))
}

/// The same of several lines that are bounded already.
fn printable_lines(text: &str) -> String {
    writable(&clean_lines(text))
}

fn writable(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\u{fffe}' | '\u{ffff}')).collect()
}

#[cfg(test)]
mod tests;
