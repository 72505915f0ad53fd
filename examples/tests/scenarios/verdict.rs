//! `pollscope check -- CMD` with services that record themselves, as in CI: the verdict, its reports, its code.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use clap::Parser;
use pollscope_tui::commands;
use pollscope_tui::commands::cli::Cli;
use serde_json::Value;
use tempfile::TempDir;

use crate::faults::MACHINE;
use crate::guilty::TOLD;
use crate::site::{line_at, spawns_at};
use crate::wait;

/// One check, and what it wrote.
pub(crate) struct Checked {
    pub(crate) code: u8,
    folder: TempDir,
}

impl Checked {
    /// Checks a line of a shell; `arguments` are those before `--`.
    pub(crate) fn of(arguments: &[&str], shell: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let within = |name: &str| folder.path().join(name).display().to_string();
        let reports = ["json", "junit", "sarif"].map(|format| format!("{format}={}", within(format)));
        let kept = within("kept");
        let mut line = vec!["pollscope", "check", "--keep", &kept];
        line.extend(reports.iter().flat_map(|report| ["--report", report.as_str()]));
        line.extend(arguments.iter().chain(&["--", "sh", "-c", shell]));
        let cli = Cli::try_parse_from(line).expect("a command line");
        let code = commands::run(cli).map_or_else(|failure| failure.exit_code(), |()| 0);
        Self { code, folder }
    }

    fn report(&self, format: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format)).expect("the report was written")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.report("json")).expect("JSON")
    }

    fn recordings(&self) -> Vec<PathBuf> {
        let kept = std::fs::read_dir(self.folder.path().join("kept")).expect("the folder was kept");
        kept.map(|entry| entry.expect("an entry").path()).collect()
    }
}

/// Runs an example for so many seconds, without a socket, then what follows.
fn line(program: &str, seconds: &str, then: &str) -> String {
    format!("POLLSCOPE_LISTEN=off '{program}' {seconds}; {then}")
}

#[test]
fn a_handler_that_blocks_fails_the_run_in_every_report_whatever_its_command_says() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    // On a machine with much other work a run may end before the handler had its turn.
    let checked = wait(
        "run with a finding",
        || {
            let line = line(env!("CARGO_BIN_EXE_blocking"), "2", "exit 7");
            let checked = Checked::of(&["--max-poll", "100ms", "--count-preempted"], &line);
            (checked.code == 1).then_some(checked)
        },
        String::new,
    );
    let read = checked.json();
    assert_eq!(read["verdict"], "findings");
    let findings = read["findings"].as_array().expect("findings");
    let finding = findings.iter().find(|finding| finding["detector"] == "blocking-poll");
    let finding = finding.unwrap_or_else(|| panic!("no poll that blocked: {read:#}"));
    let site = finding["site"].as_str().expect("a site");
    assert!(site.contains("bin/blocking.rs") && spawns_at(site), "nothing is spawned at {site}");
    let recording = Path::new(finding["recording"].as_str().expect("a recording"));
    assert!(recording.is_file(), "{}", recording.display());

    let junit = checked.report("junit");
    assert!(junit.contains("<testsuite ") && junit.contains("<failure "), "{junit}");
    let sarif: Value = serde_json::from_str(&checked.report("sarif")).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    assert!(results.iter().any(|result| result["ruleId"] == "blocking-poll"), "{sarif:#}");
}

#[test]
fn a_command_that_fails_without_a_finding_keeps_its_own_code() {
    let checked =
        Checked::of(&["--allow", "sched-delay"], &line(env!("CARGO_BIN_EXE_axum_service"), "1", "exit 7"));
    let read = checked.json();
    assert_eq!(checked.code, 7, "{read:#}");
    assert_eq!(checked.recordings().len(), 1);
    assert_eq!(read["source"]["processes"], 1, "{read:#}");
}

#[test]
fn a_service_that_is_switched_off_records_nothing_and_that_is_not_green() {
    let off = line(env!("CARGO_BIN_EXE_blocking"), "0.1", "exit 0");
    let checked = Checked::of(&[], &format!("export POLLSCOPE=off; {off}"));
    let read = checked.json();
    assert_eq!(checked.code, 4, "{read:#}");
    assert_eq!(read["verdict"], "no-data");
    assert_eq!(read["armed"], false, "{read:#}");
    assert!(checked.recordings().is_empty(), "{:?}", checked.recordings());
}

/// Where the fault stands in `current_thread.rs`: the line below the head of that function.
fn line_in(function: &str) -> String {
    let path = format!("{}/src/bin/current_thread.rs", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(path).expect("the example's source");
    let head = source.lines().position(|line| line.starts_with(&format!("fn {function}()")));
    format!("bin/current_thread.rs:{}", head.expect("the function") + 2)
}

#[test]
fn what_holds_the_one_thread_of_a_runtime_fails_the_run_by_its_line_and_what_waits_for_it_does_not() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let arguments = ["--max-poll", "100ms", "--count-preempted"];
    let run = || Checked::of(&arguments, &line(env!("CARGO_BIN_EXE_current_thread"), "3", "exit 0"));
    let is_named = |read: &Value, function: &str| {
        let findings = read["findings"].as_array().expect("findings");
        findings.iter().any(|finding| {
            let frame = finding["stack"][0].as_str().unwrap_or_default();
            finding["detector"] == "blocking-poll"
                && finding["level"] == "deny"
                && (!TOLD || frame.contains(function) && frame.contains(&line_in(function)))
        })
    };
    // On a machine with much other work a thread may answer too late for its stack.
    let read = wait(
        "run that names both lines",
        || {
            let checked = run();
            assert_eq!(checked.code, 1, "{:#}", checked.json());
            Some(checked.json()).filter(|read| is_named(read, "reload") && is_named(read, "look_up"))
        },
        String::new,
    );
    for finding in read["findings"].as_array().expect("findings") {
        let site = finding["site"].as_str().unwrap_or_default();
        assert!(site.is_empty() || !line_at(site).contains("heartbeat"), "{finding:#}");
    }
}
