//! JSON by the contract: one object, schema `pollscope/1`, kind `check`. What was not measured is `null`.

use std::io::{self, Write};

use pollscope_model::entity::slow_poll::PollKind;
use pollscope_model::finding::Finding;
use pollscope_model::hist::Hist;
use pollscope_model::policy::Expectation;
use pollscope_model::value::Value;
use pollscope_model::verdict::{Subject, Verdict};
use serde::Serialize;

use super::Sheet;
use crate::commands::diff::Figures;
use crate::output::json::{self, Undecided};

/// Writes the verdict as one line.
pub(super) fn write(out: &mut dyn Write, sheet: &Sheet<'_>) -> io::Result<()> {
    json::write(&mut *out, &Document::of(sheet))?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    kind: &'static str,
    source: Source<'a>,
    mode: &'static str,
    lost: u64,
    verdict: &'static str,
    fail_on: &'static str,
    armed: bool,
    not_armed_why: Option<&'a str>,
    findings: Vec<Found<'a>>,
    allowed: Vec<Allowed<'a>>,
    expectations_unused: Vec<Expected<'a>>,
    undecided: Vec<Undecided<'a>>,
    processes: Vec<Process<'a>>,
    /// Tests that judged themselves: `#[pollscope::test]`.
    own_tests: OwnTests,
    /// What was to be recorded and was not, or not as was asked for: why.
    refused: Vec<&'a str>,
    notes: Vec<&'a str>,
    /// As `pollscope diff` has it; absent where nothing was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Figures<'a>>,
}

#[derive(Serialize)]
struct Source<'a> {
    target: &'a str,
    processes: usize,
}

#[derive(Serialize)]
struct Found<'a> {
    detector: &'a str,
    level: &'static str,
    fingerprint: &'a str,
    headline: &'a str,
    site: Option<&'a str>,
    line: Option<&'a str>,
    scope: Option<&'a str>,
    task: Option<u64>,
    task_name: Option<&'a str>,
    process: Option<&'a str>,
    pid: Option<u32>,
    value_ns: Option<u64>,
    limit_ns: Option<u64>,
    value: Option<f64>,
    limit: Option<f64>,
    count: u64,
    first_ns: Option<u64>,
    last_ns: Option<u64>,
    kind: Option<&'static str>,
    waiting_in: Option<&'a str>,
    waiters: Option<u32>,
    waited_ns: Option<u64>,
    max_waited_ns: Option<u64>,
    stack: Vec<&'a str>,
    polls: Option<Times>,
    sched: Option<Times>,
    why: &'a str,
    fix: &'a str,
    recording: Option<&'a str>,
}

/// All that was measured at a finding's site.
#[derive(Serialize)]
struct Times {
    count: u64,
    p50_ns: Option<u64>,
    p99_ns: Option<u64>,
    p999_ns: Option<u64>,
    max_ns: u64,
}

#[derive(Serialize)]
struct Allowed<'a> {
    reason: &'a str,
    #[serde(flatten)]
    finding: Found<'a>,
}

#[derive(Serialize)]
struct Expected<'a> {
    detector: &'a str,
    site: Option<&'a str>,
    reason: &'a str,
    place: Option<&'a str>,
}

#[derive(Serialize)]
struct OwnTests {
    passed: u64,
    failed: u64,
}

#[derive(Serialize)]
struct Process<'a> {
    name: &'a str,
    pid: u32,
    mode: &'static str,
    lost: u64,
    told: u64,
    span_ns: u64,
    /// Its tasks that libraries spawn are in no figure.
    wrapped_only: bool,
    recording: Option<&'a str>,
}

impl<'a> Document<'a> {
    fn of(sheet: &Sheet<'a>) -> Self {
        let verdict = sheet.verdict;
        let deepest = verdict.subjects.iter().map(|subject| subject.mode).max().unwrap_or_default();
        Self {
            schema: "pollscope/1",
            kind: "check",
            source: Source { target: sheet.of, processes: verdict.subjects.len() },
            mode: deepest.as_str(),
            lost: verdict.subjects.iter().map(|subject| subject.lost).fold(0, u64::saturating_add),
            verdict: verdict.outcome.as_str(),
            fail_on: verdict.fail_on.as_str(),
            armed: verdict.armed.yes,
            not_armed_why: verdict.armed.why.as_deref(),
            findings: verdict.findings.iter().map(|finding| Found::of(verdict, finding)).collect(),
            allowed: verdict
                .allowed
                .iter()
                .map(|one| Allowed { reason: &one.reason, finding: Found::of(verdict, &one.finding) })
                .collect(),
            expectations_unused: verdict.expectations_unused.iter().map(Expected::of).collect(),
            undecided: verdict.undecided.iter().map(Undecided::from).collect(),
            processes: verdict.subjects.iter().map(Process::of).collect(),
            own_tests: OwnTests { passed: verdict.own_tests.passed, failed: verdict.own_tests.failed },
            refused: verdict.refused.iter().map(|why| &**why).collect(),
            notes: verdict.notes.iter().map(|note| &**note).collect(),
            comparison: verdict.comparison.as_ref().map(Figures),
        }
    }
}

impl<'a> Found<'a> {
    fn of(verdict: &'a Verdict, finding: &'a Finding) -> Self {
        let subject = verdict.subject_of(finding);
        let known = verdict.distribution_of(finding);
        Self {
            detector: &finding.detector,
            level: finding.level.as_str(),
            fingerprint: &finding.fingerprint,
            headline: &finding.headline,
            site: text(&finding.site),
            line: text(&finding.line),
            scope: text(&finding.scope),
            task: finding.task.map(|task| task.0),
            task_name: text(&finding.task_name),
            process: text(&finding.process),
            pid: subject.map(|subject| subject.pid),
            value_ns: nanos(&finding.value),
            limit_ns: nanos(&finding.limit),
            value: other(&finding.value),
            limit: other(&finding.limit),
            count: finding.count,
            first_ns: Some(finding.first_ns).filter(|ns| *ns > 0),
            last_ns: Some(finding.last_ns).filter(|ns| *ns > 0),
            kind: finding.kind.map(PollKind::as_str),
            waiting_in: text(&finding.waiting_in),
            waiters: finding.waiters,
            waited_ns: finding.waited_ns,
            max_waited_ns: finding.max_waited_ns,
            stack: finding.stack.iter().map(|frame| &**frame).collect(),
            polls: known.and_then(|known| Times::of(&known.poll)),
            sched: known.and_then(|known| Times::of(&known.sched)),
            why: &finding.why,
            fix: &finding.fix,
            recording: subject.and_then(|subject| subject.recording.as_deref()),
        }
    }
}

impl Times {
    fn of(hist: &Hist) -> Option<Self> {
        (!hist.is_empty()).then(|| Self {
            count: hist.count(),
            p50_ns: hist.quantile(0.5),
            p99_ns: hist.quantile(0.99),
            p999_ns: hist.quantile(0.999),
            max_ns: hist.max(),
        })
    }
}

impl<'a> Expected<'a> {
    fn of(one: &'a Expectation) -> Self {
        Self {
            detector: &one.detector,
            site: one.site.as_deref(),
            reason: &one.reason,
            place: one.place.as_deref(),
        }
    }
}

impl<'a> Process<'a> {
    fn of(subject: &'a Subject) -> Self {
        Self {
            name: &subject.process,
            pid: subject.pid,
            mode: subject.mode.as_str(),
            lost: subject.lost,
            told: subject.told,
            span_ns: subject.span_ns,
            wrapped_only: subject.wrapped_only,
            recording: subject.recording.as_deref(),
        }
    }
}

fn text(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn nanos(value: &Value) -> Option<u64> {
    if let Value::Nanos(ns) = value { Some(*ns) } else { None }
}

fn other(value: &Value) -> Option<f64> {
    if matches!(value, Value::Nanos(_)) { None } else { value.number() }
}

#[cfg(test)]
mod tests {
    use pollscope_model::testkit;

    use super::*;
    use crate::commands::check::format::Style;

    #[test]
    fn the_keys_of_the_contract_are_there() {
        let verdict = testkit::verdict();
        let mut line = Vec::new();
        write(
            &mut line,
            &Sheet {
                verdict: &verdict,
                of: "run.mcap",
                style: Style::PLAIN,
                repository: &crate::commands::check::format::hostile::repository(),
            },
        )
        .expect("memory takes all");
        let read: serde_json::Value = serde_json::from_slice(&line).expect("one JSON object");
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1), "one line");
        assert_eq!((&read["schema"], &read["kind"]), (&"pollscope/1".into(), &"check".into()));
        assert_eq!((&read["verdict"], &read["armed"]), (&"findings".into(), &true.into()));
        let worst = &read["findings"][0];
        assert_eq!((&worst["value_ns"], &worst["limit_ns"]), (&52_000_000.into(), &10_000_000.into()));
        assert_eq!((&worst["kind"], &worst["site"]), (&"blocked".into(), &"src/cart.rs:88:9".into()));
        assert!(worst["value"].is_null() && worst["stack"].as_array().is_some_and(|stack| stack.len() == 3));
        let allowed = &read["allowed"][0];
        assert_eq!((&allowed["detector"], &allowed["value"]), (&"task-leak".into(), &140.0.into()));
        assert!(allowed["reason"].is_string() && allowed["value_ns"].is_null());
        assert_eq!(read["expectations_unused"][0]["place"], "pollscope.toml:12");
        let undecided =
            |at: usize| (&read["undecided"][at]["detector"], &read["undecided"][at]["over_limit"]);
        assert_eq!(undecided(0), (&"max-sched-delay".into(), &true.into()));
        assert_eq!(undecided(1), (&"lost-waker".into(), &false.into()));
        assert_eq!(read["processes"][1]["recording"], serde_json::Value::Null);
    }
}
