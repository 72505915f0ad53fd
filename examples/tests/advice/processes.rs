//! Programs of their own, under `pollscope check`: what is left at the end of a process, and another executor.

use clap::Parser as _;
use pollscope_model::detect::advice::Advice;
use pollscope_tui::commands;
use pollscope_tui::commands::cli::Cli;
use serde_json::Value;

use crate::case::{self, FAULT, RUNS};

type Tried = (&'static str, &'static [&'static str]);

const LEFT: Tried = ("no-leaks", &["Await", "abort", "shutdown()", "a CancellationToken", "long_lived"]);
const COMPUTES: Tried = ("blocking-poll/busy-elsewhere", &["unblock", "give way"]);
const SLEEPS: Tried = ("blocking-poll/blocked-elsewhere", &["executor's counterpart", "unblock"]);
const ASKS: Tried = ("self-wake-storm/elsewhere", &["a channel", "a timer"]);

/// Every text that a program here tries.
pub(crate) const TRIED: &[Tried] = &[LEFT, COMPUTES, SLEEPS, ASKS];

/// The findings of `advised CASE REMEDY`.
fn findings(limit: &[&str], case: &str, remedy: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let report = format!("json={}", folder.path().join("json").display());
    let program = env!("CARGO_BIN_EXE_advised");
    let mut line = vec!["pollscope", "check", "--report", &report];
    line.extend(limit.iter().chain(&["--", program, case, remedy]));
    let cli = Cli::try_parse_from(line).expect("a command line");
    // Its code tells of findings too.
    let _ = commands::run(cli);
    let text = std::fs::read_to_string(folder.path().join("json")).expect("a report");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["armed"], true, "{report:#}");
    report["findings"].as_array().cloned().unwrap_or_default()
}

fn check(limit: &[&str], case: &str, (id, remedies): Tried) {
    let advice = Advice::of(id).unwrap_or_else(|| panic!("no text {id}"));
    let is_it = |finding: &Value| finding["fix"].as_str().is_some_and(|fix| fix == advice.text());
    let gives = |findings: &[Value]| findings.iter().any(is_it);
    let lacks = |findings: &Vec<Value>| !gives(findings);
    let found: Vec<_> = case::tries(|| findings(limit, case, FAULT)).take_while(lacks).collect();
    assert!(found.len() < RUNS, "{case} does not give {id}: {found:#?}");
    for remedy in remedies {
        let has_some = |findings: &Vec<Value>| findings.iter().any(|finding| finding["level"] != "allow");
        let left: Vec<_> = case::tries(|| findings(limit, case, remedy)).take_while(has_some).collect();
        assert!(left.len() < RUNS, "{case} in spite of {remedy}: {left:#?}");
    }
}

#[test]
fn what_a_process_leaves() {
    check(&["--no-leaks"], "left", LEFT);
}

#[test]
fn another_executor() {
    check(&["--max-poll", "20ms"], "computes", COMPUTES);
    check(&["--max-poll", "20ms"], "sleeps", SLEEPS);
    check(&[], "asks", ASKS);
}
