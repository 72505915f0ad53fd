//! SARIF 2.1.0, for code scanning and whatever else reads the results of analyses.
//!
//! Pure: a verdict in, a text out. The rules are the detectors' table, their help is `pollscope explain`. What
//! is allowed is left out: GitHub knows no suppressed results and would raise an alert for each. GitHub also
//! refuses a file in which one result has no line of the repository; what is about no line is put at
//! [`NOWHERE`] and says so.

mod log;

use std::collections::BTreeMap;

use pollscope_model::baseline::{Compared, Comparison};
use pollscope_model::detect::{self, Detector, Explain};
use pollscope_model::entity::slow_poll::PollKind;
use pollscope_model::finding::Finding;
use pollscope_model::level::Level;
use pollscope_model::value::Value;
use pollscope_model::verdict::{Outcome, Verdict};

use super::place::{self, Repository, Spot};
use super::wording;
use crate::output::fmt::{cut, cut_front};
use log::{
    Alert, AlertProperties, ArtifactLocation, Configuration, Driver, Invocation, Location, Log,
    LogicalLocation, Notification, PhysicalLocation, Process, Region, Rule, RuleProperties, RuleRef, Run,
    RunProperties, Stack, StackFrame, Text, Tool,
};

/// Where a result stands that is about no line of the repository.
const NOWHERE: &str = "Cargo.toml";
/// The key of our own fingerprints, with a version as the standard asks.
const FINGERPRINT: &str = "pollscopeFingerprint/v1";
/// The rule of what became worse than the baseline.
const REGRESSED: &str = "regressed";
/// Results that are written; GitHub shows so many of a run and refuses five times as many.
const RESULTS: usize = 5_000;
/// Notifications that are written.
const NOTIFICATIONS: usize = 100;

/// The verdict as the text of a SARIF file.
pub(super) fn text(verdict: &Verdict, repository: &Repository) -> String {
    let rules = rules(verdict);
    let findings = verdict.findings.iter().map(|finding| alert(finding, repository, &rules));
    let regressed = verdict.comparison.iter().flat_map(Comparison::regressed);
    let regressed = regressed.map(|one| regression(one, repository, &rules));
    let results = findings.chain(regressed).take(RESULTS).collect();
    let invocation = invocation(verdict, &rules);
    let version = env!("CARGO_PKG_VERSION");
    let run = Run {
        tool: Tool { driver: Driver { name: "pollscope", version, semantic_version: version, rules } },
        invocations: [invocation],
        column_kind: "unicodeCodePoints",
        results,
        properties: run_properties(verdict),
    };
    let log = Log { schema: log::SCHEMA, version: "2.1.0", runs: [run] };
    // It fails only for maps whose keys are no texts, and there are none.
    crate::output::json::pretty(&log).unwrap_or_default() + "\n"
}

/// Every detector, and after them whatever else found something.
fn rules(verdict: &Verdict) -> Vec<Rule> {
    let mut rules: Vec<_> = detect::ALL.iter().map(|detector| known_rule(detector)).collect();
    for finding in verdict.findings.iter().take(RESULTS) {
        let id = id(finding);
        if !rules.iter().any(|rule| rule.id == id) {
            let words = id.replace('-', " ");
            let help = format!("{words}. {}", cut(&finding.fix, wording::HEADLINE));
            rules.push(other_rule(&id, &words, &help, finding.level));
        }
    }
    if verdict.comparison.as_ref().is_some_and(Comparison::is_worse) {
        let what = "A site became worse than the baseline's runs differ among themselves.";
        let help =
            "Mend what became slower, or accept it with `pollscope baseline accept` and commit the file.";
        rules.push(other_rule(REGRESSED, what, help, Level::Deny));
    }
    rules
}

/// A rule that is no detector.
fn other_rule(id: &str, words: &str, help: &str, worst: Level) -> Rule {
    Rule {
        id: id.to_owned(),
        name: name(id),
        short_description: text_of(words),
        full_description: text_of(words),
        help: text_of(help),
        default_configuration: Configuration { level: level(worst) },
        properties: rule_properties(worst),
    }
}

fn known_rule(detector: &Detector) -> Rule {
    let texts = detect::explain(detector.id);
    let what = texts.map(|texts| texts.what.replace('`', "")).unwrap_or_default();
    Rule {
        id: detector.id.to_owned(),
        name: name(detector.id),
        short_description: text_of(detector.summary()),
        full_description: text_of(&what),
        help: texts.map_or_else(|| text_of(&what), help),
        default_configuration: Configuration { level: level(detector.level) },
        properties: rule_properties(detector.level),
    }
}

/// What `pollscope explain` says.
fn help(texts: &Explain) -> Text {
    let sections = [
        ("What", &texts.what),
        ("Why", &texts.why),
        ("Evidence", &texts.evidence),
        ("Fix", &texts.fix),
        ("False alarms", &texts.false_alarms),
    ];
    let text = sections.map(|(heading, body)| format!("{heading}\n{}", body.replace('`', ""))).join("\n\n");
    let markdown = sections.map(|(heading, body)| format!("## {heading}\n\n{body}")).join("\n\n");
    let (id, limits) = (texts.id, texts.limits.join("\n"));
    let markdown = format!("{markdown}\n\n## Limits\n\n```toml\n[detectors.{id}]\n{limits}\n```\n");
    Text { text, markdown: Some(markdown) }
}

fn rule_properties(level: Level) -> RuleProperties {
    let severity = match level {
        Level::Deny => "error",
        Level::Warn => "warning",
        Level::Allow => "recommendation",
    };
    RuleProperties { tags: ["async", "performance"], severity }
}

/// Whether the judging itself went well, and what a reader should know besides.
fn invocation(verdict: &Verdict, rules: &[Rule]) -> Invocation {
    let blind = matches!(verdict.outcome, Outcome::NoData | Outcome::Incomplete);
    let mut told = Vec::new();
    if blind {
        let message = format!("{} ({})", wording::summary(verdict), wording::extent(verdict));
        told.push(Notification { level: "error", message: text_of(&message), associated_rule: None });
    }
    for why in wording::refusals(verdict).take(NOTIFICATIONS) {
        told.push(Notification { level: "error", message: text_of(&why), associated_rule: None });
    }
    for one in verdict.undecided.iter().take(NOTIFICATIONS) {
        let (what, level) = if one.over_limit {
            ("is undecided over its limit", "warning")
        } else {
            ("could not tell", "note")
        };
        let message =
            format!("{} {what}: {}", cut(&one.rule, wording::NAME), cut(&one.reason, wording::LINE));
        let rule = rules.iter().position(|rule| *rule.id == *one.rule);
        let rule = rule.map(|index| RuleRef { id: rules[index].id.clone(), index });
        told.push(Notification { level, message: text_of(&message), associated_rule: rule });
    }
    for note in verdict.notes.iter().take(NOTIFICATIONS) {
        let message = text_of(&cut(note, wording::HEADLINE));
        told.push(Notification { level: "note", message, associated_rule: None });
    }
    Invocation { execution_successful: !blind, tool_execution_notifications: told }
}

fn alert(finding: &Finding, repository: &Repository, rules: &[Rule]) -> Alert {
    let rule_id = id(finding);
    let rule_index = rules.iter().position(|rule| rule.id == rule_id);
    let spot = repository.spot_of(finding);
    let spawned = place::site(&finding.site).map(|(file, line, column)| repository.spot(file, line, column));
    let mut text = wording::headline(finding);
    if spot.is_none() {
        text += "\n\nIt is about no line of this repository.";
    }
    let (why, fix) = (cut(&finding.why, wording::LINE), cut(&finding.fix, wording::LINE));
    for part in [&why, &fix] {
        if !part.is_empty() {
            text += "\n\n";
            text += part;
        }
    }
    let related = spawned.filter(|spawned| spot.as_ref() != Some(spawned));
    let related = related.and_then(|spawned| physical(&spawned));
    let fingerprint = cut(&finding.fingerprint, wording::LINE).into_owned();
    Alert {
        rule_id,
        rule_index,
        level: level(finding.level),
        message: text_of(&text),
        locations: [location(spot.as_ref())],
        related_locations: Vec::from_iter(related.map(|place| Location {
            id: Some(1),
            physical_location: Some(place),
            logical_locations: Vec::new(),
            message: Some(text_of("The task was spawned here.")),
        })),
        partial_fingerprints: BTreeMap::from([(FINGERPRINT, fingerprint)]),
        stacks: stacks(finding, repository),
        occurrence_count: Some(finding.count).filter(|count| *count > 0),
        properties: AlertProperties {
            process: cut(&finding.process, wording::NAME).into_owned(),
            task: finding.task.map(|task| task.0),
            task_name: cut(&finding.task_name, wording::NAME).into_owned(),
            kind: finding.kind.map(PollKind::as_str),
            value_ns: nanos(&finding.value),
            limit_ns: nanos(&finding.limit),
            waiters: finding.waiters,
            waited_ns: finding.waited_ns,
        },
    }
}

/// A figure of a site that became worse than the baseline.
fn regression(one: &Compared, repository: &Repository, rules: &[Rule]) -> Alert {
    let spot = place::site(&one.site.place).map(|(file, line, column)| repository.spot(file, line, column));
    let fingerprint = format!("{REGRESSED} {} {}", one.figure.as_str(), wording::site(&one.site));
    let nanos = |value| one.figure.is_duration().then_some(value);
    Alert {
        rule_id: REGRESSED.to_owned(),
        rule_index: rules.iter().position(|rule| rule.id == REGRESSED),
        level: level(Level::Deny),
        message: text_of(&wording::compared(one)),
        locations: [location(spot.as_ref())],
        related_locations: Vec::new(),
        partial_fingerprints: BTreeMap::from([(FINGERPRINT, fingerprint)]),
        stacks: Vec::new(),
        occurrence_count: None,
        properties: AlertProperties {
            process: cut(&one.site.process, wording::NAME).into_owned(),
            value_ns: nanos(one.head.value),
            limit_ns: one.base.and_then(|base| nanos(base.value)),
            ..AlertProperties::default()
        },
    }
}

/// Where a result is shown; [`NOWHERE`] if there is no such line in the repository.
fn location(spot: Option<&Spot>) -> Location {
    let nowhere = || PhysicalLocation {
        artifact_location: ArtifactLocation { uri: NOWHERE.to_owned(), uri_base_id: Some("%SRCROOT%") },
        region: Some(Region { start_line: 1, start_column: None }),
    };
    let place = spot.filter(|spot| spot.inside).and_then(physical).unwrap_or_else(nowhere);
    Location { id: None, physical_location: Some(place), logical_locations: Vec::new(), message: None }
}

/// The stack that was taken, innermost call first, as SARIF has it.
fn stacks(finding: &Finding, repository: &Repository) -> Vec<Stack> {
    let frames = finding.stack.iter().take(wording::CALLS).map(|frame| {
        let call = place::call(frame);
        let spot = call.source.map(|(file, line)| repository.spot(file, line, 0));
        let name = LogicalLocation {
            fully_qualified_name: cut(call.function, wording::HEADLINE).into_owned(),
            kind: "function",
        };
        let physical_location = spot.and_then(|spot| physical(&spot));
        StackFrame {
            location: Location { id: None, physical_location, logical_locations: vec![name], message: None },
        }
    });
    let frames: Vec<_> = frames.collect();
    let message = text_of("Where the thread was while the poll lasted.");
    if frames.is_empty() { Vec::new() } else { vec![Stack { message, frames }] }
}

/// `None` for a path that leads nowhere from here: outside of the repository and relative.
fn physical(spot: &Spot) -> Option<PhysicalLocation> {
    let uri = encoded(&spot.file);
    let artifact_location = match (spot.inside, spot.file.starts_with('/')) {
        (true, _) => ArtifactLocation { uri, uri_base_id: Some("%SRCROOT%") },
        (false, true) => ArtifactLocation { uri: format!("file://{uri}"), uri_base_id: None },
        (false, false) => return None,
    };
    let start_column = Some(spot.column).filter(|column| *column > 0);
    let region = (spot.line > 0).then_some(Region { start_line: spot.line, start_column });
    Some(PhysicalLocation { artifact_location, region })
}

/// A path as part of a URI.
fn encoded(path: &str) -> String {
    use std::fmt::Write as _;
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(byte as char);
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

fn run_properties(verdict: &Verdict) -> RunProperties {
    let processes = verdict.subjects.iter().map(|subject| Process {
        name: cut(&subject.process, wording::NAME).into_owned(),
        pid: subject.pid,
        mode: subject.mode.as_str(),
        told: subject.told,
        lost: subject.lost,
        recording: subject.recording.as_deref().map(|file| cut_front(file, wording::LINE).into_owned()),
    });
    RunProperties { verdict: verdict.outcome.as_str(), processes: processes.collect() }
}

fn id(finding: &Finding) -> String {
    cut(&finding.detector, wording::NAME).into_owned()
}

/// `BlockingPoll` of `blocking-poll`.
fn name(id: &str) -> String {
    let words = id.split('-').map(|word| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect::<String>())
            .unwrap_or_default()
    });
    words.collect()
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::Deny => "error",
        Level::Warn => "warning",
        Level::Allow => "note",
    }
}

fn nanos(value: &Value) -> Option<u64> {
    if let Value::Nanos(ns) = value { Some(*ns) } else { None }
}

/// A message. What reads `[text](target)` in it would make a link of that.
fn text_of(text: &str) -> Text {
    Text { text: text.replace("](", "] ("), markdown: None }
}

#[cfg(test)]
mod tests;
