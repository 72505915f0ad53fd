//! Errors, exit codes and the texts that need no service, through the built binary.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "rig/demo.rs"]
#[allow(dead_code, reason = "no demo is started here")]
mod demo;

use demo::{pollscope, run, words};

/// The one line that the command fails with, and its code.
fn refused(arguments: &[&str]) -> (String, i32) {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), arguments);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments:?} wrote to standard output");
    let text = words(&output);
    assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
    assert!(text.starts_with("pollscope: "), "{arguments:?}: {text}");
    (text, output.status.code().unwrap())
}

fn printed(arguments: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), arguments);
    assert!(output.status.success(), "{arguments:?}: {}", words(&output));
    assert_eq!(words(&output), "");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_cannot_be_done_is_one_line_with_its_code() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let unused = port.to_string();
    let cases: &[(&[&str], &str, i32)] = &[
        (&["tasks", "--from", &unused], "does not answer: connection refused; expected", 2),
        (&["attach", "unix:/nonexistent.sock"], "does not answer: no such file or directory; expected", 2),
        (&["connect", &unused], "expected a collector there, start one with `pollscope-collector`", 2),
        (&["connect", "checkout"], "is no collector; expected HOST:PORT", 2),
        (&["attach", "https://host:1"], "TLS is not built in yet", 2),
        (
            &["attach", "no-such-service-anywhere"],
            "no service `no-such-service-anywhere` runs on this machine",
            2,
        ),
        (&["attach", "4194305"], "there is no process 4194305", 2),
        (&["findings", "--for", "soon"], "invalid duration `soon`: expected a number with a unit", 2),
        (&["tasks", "--sort", "sadness"], "tasks have no column `sadness` to sort by; expected one of", 2),
        (&["tasks", "--limit", "0"], "'0'", 2),
        (&["explain", "blocking-pol"], "did you mean `blocking-poll`?", 2),
        (&["explain", "gremlins"], "there is no detector `gremlins`; `pollscope explain` lists all", 2),
        (&["demo", "--fault", "gremlins"], "possible values: blocking, cpu", 2),
        (&["diff", "/nonexistent.mcap", "x.mcap"], "cannot read /nonexistent.mcap", 2),
        (
            &["diff", "/nonexistent.toml", "x.mcap"],
            "there is no baseline /nonexistent.toml; write one with",
            2,
        ),
        (&["baseline", "accept", "x.mcap"], "there is no baseline pollscope-baseline.toml", 2),
        (&["baseline", "save", "/nonexistent.mcap"], "cannot read /nonexistent.mcap", 2),
        (
            &["check", "x.mcap", "--baseline", "/nonexistent.toml"],
            "there is no baseline /nonexistent.toml",
            2,
        ),
    ];
    for (arguments, expected, code) in cases {
        let (text, exit) = refused(arguments);
        assert!(text.contains(expected), "{arguments:?}: {text}");
        assert_eq!(exit, *code, "{arguments:?}");
    }
}

#[test]
fn a_pipe_where_a_file_is_expected_is_refused_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe.mcap");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.to_str().unwrap();
    for arguments in [
        &["ps", "--from", pipe][..],
        &["check", pipe],
        &["check", "x.mcap", "--policy", pipe],
        &["diff", pipe, pipe],
        &["export", pipe, "--to", "folded", "-o", "-"],
        &["baseline", "save", pipe],
    ] {
        let (text, code) = refused(arguments);
        assert!(text.contains("it is a pipe; name a plain file"), "{arguments:?}: {text}");
        assert_eq!(code, 2, "{arguments:?}");
    }
}

#[test]
fn a_process_without_a_socket_is_told_from_one_that_does_not_exist() {
    let own = std::process::id().to_string();
    let (text, code) = refused(&["tasks", "--from", &own]);
    assert!(text.contains("has no pollscope socket in") && text.contains("is it instrumented"), "{text}");
    assert_eq!(code, 2);
}

#[test]
fn every_detector_is_explained() {
    let list = printed(&["explain"]);
    let ids: Vec<&str> =
        list.lines().take_while(|line| !line.is_empty()).filter_map(|l| l.split(' ').next()).collect();
    assert!(ids.len() >= 14, "{list}");
    for id in ids {
        let text = printed(&["explain", id]);
        for heading in ["What", "Why", "Evidence", "Fix", "False alarms"] {
            let body = text.lines().skip_while(|line| *line != heading).nth(1);
            assert!(body.is_some_and(|body| !body.trim().is_empty()), "{id} has no {heading}: {text}");
        }
    }
}

#[test]
fn the_policy_the_manual_and_the_completions_are_printed() {
    assert!(printed(&["config", "--default"]).contains("[detectors.blocking-poll]"));
    assert!(printed(&["man"]).contains(".TH pollscope"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(printed(&["completions", shell]).contains("findings"), "{shell}");
    }
    assert!(printed(&["--help"]).contains("Examples:"));
    assert!(printed(&["--version"]).starts_with("pollscope "));
}

#[test]
fn a_policy_file_in_the_folder_is_checked_and_printed() {
    let dir = tempfile::tempdir().unwrap();
    let config = |text: &str| {
        std::fs::write(dir.path().join("pollscope.toml"), text).unwrap();
        pollscope(dir.path()).arg("config").current_dir(dir.path()).output().unwrap()
    };
    let sound = "[detectors.blocking-poll]\nwarn = \"25ms\"\n";
    assert_eq!(String::from_utf8_lossy(&config(sound).stdout), sound);
    let wrong = config("[detectors.blocking-pol]\n");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        words(&wrong).contains("pollscope.toml") && words(&wrong).contains("blocking-poll"),
        "{}",
        words(&wrong)
    );
}

#[test]
fn a_reader_that_hangs_up_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = pollscope(dir.path());
    command.args(["completions", "zsh"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), words(&output)), (Some(0), String::new()));
}
