//! `pollscope check -- cargo test` as other people's tests are: several `init()` and `#[pollscope::main]` in one process,
//! and tests that judge themselves. Each verdict is the same every time.

use std::sync::PoisonError;

use serde_json::Value;

use crate::faults::MACHINE;
use crate::verdict::Checked;

/// Runs tests of `victims.rs` below a check.
fn checked(victims: &str, arguments: &[&str]) -> (u8, Value) {
    let program = std::env::current_exe().expect("this program");
    let tests = format!("--ignored --test-threads 8 victims::{victims}");
    let checked = Checked::of(arguments, &format!("POLLSCOPE_LISTEN=off '{}' {tests}", program.display()));
    (checked.code, checked.json())
}

/// The tasks of what is denied.
fn denied(read: &Value) -> Vec<&str> {
    let findings = read["findings"].as_array().expect("findings");
    let denied = findings.iter().filter(|finding| finding["level"] == "deny");
    let mut names: Vec<_> = denied.map(|finding| finding["task_name"].as_str().unwrap_or_default()).collect();
    names.sort_unstable();
    names
}

#[test]
fn every_guard_of_a_process_keeps_it_recording() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let (code, read) = checked("guards_", &["--max-poll", "60ms", "--count-preempted"]);
    assert_eq!((code, denied(&read)), (1, vec!["first", "second", "third"]), "{read:#}");
}

#[test]
fn what_is_refused_makes_a_verdict_incomplete() {
    for (victim, why) in [
        ("refusal_of_a_guard", "already running in this process"),
        ("settings_of_a_later_guard", "another stall"),
    ] {
        let (code, read) = checked(victim, &[]);
        assert_eq!((code, &read["verdict"]), (5, &"incomplete".into()), "{read:#}");
        assert!(read["refused"][0].as_str().is_some_and(|told| told.contains(why)), "{read:#}");
    }
}

#[test]
fn tests_that_judge_themselves_count() {
    let count = |read: &Value| ["passed", "failed"].map(|result| read["own_tests"][result].as_u64());
    let (code, read) = checked("judges_itself_and_passes", &["--max-poll", "1ns"]);
    assert_eq!((code, &read["verdict"]), (0, &"clean".into()), "{read:#}");
    assert_eq!((count(&read), read["source"]["processes"].as_u64()), ([Some(1), Some(0)], Some(0)));
    // The program that runs it means it to fail.
    let (_, read) = checked("judges_itself_and_", &[]);
    assert_eq!(count(&read), [Some(1), Some(1)], "{read:#}");
}
