//! Every fault of the demo fails a test, under the right detector, site, kind and line; and its repaired twin passes.

#[path = "verdicts/suite.rs"]
mod suite;
#[path = "verdicts/waits.rs"]
mod waits;

use pollscope::check::Outcome;
use suite::{ALL, Case};

/// The line of the suite that spawns what shows the fault.
fn line_of(case: &Case) -> usize {
    let mark = format!("// site: {}", case.name);
    let at = include_str!("verdicts/suite.rs").lines().position(|line| line.ends_with(&mark));
    at.map_or_else(|| panic!("no line has {mark}"), |at| at + 1)
}

/// On a machine that is short of CPUs a poll of 50 ms may be over before the watchdog had one to look at it, be mostly
/// without one itself, or leave the judge in doubt, which the verdict says. That, and nothing else, may take another run.
const RUNS: usize = 5;

/// Runs the fault: the finding is there each time. What the watchdog and the scheduler have a say in is returned as
/// what is missing.
fn fails(case: &Case) -> Result<(), String> {
    let judged = (case.run)(true);
    let (verdict, text) = (judged.verdict(), judged.text());
    let is_in_doubt = verdict.undecided.iter().any(|one| *one.rule == *"max-poll");
    if verdict.outcome == Outcome::Clean && is_in_doubt {
        return Err(text);
    }
    assert_eq!(verdict.outcome, Outcome::Findings, "{text}");
    assert!(verdict.failing().all(|finding| *finding.detector == *case.detector), "only that: {text}");
    let site = format!("verdicts/suite.rs:{}:", line_of(case));
    let finding = verdict.failing().find(|finding| finding.site.contains(&site));
    let finding = finding.unwrap_or_else(|| panic!("nothing at {site}: {text}"));
    for part in [case.detector, &site, "pollscope explain", "where", "why", "do "] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let kind = finding.kind.map(pollscope_model::entity::slow_poll::PollKind::as_str);
    if !case.kinds.is_empty()
        && cfg!(target_os = "linux")
        && !kind.is_some_and(|kind| case.kinds.contains(&kind))
    {
        return Err(format!("{kind:?}: {text}"));
    }
    if let Some(function) = case.function.filter(|_| cfg!(all(target_os = "linux", target_arch = "x86_64"))) {
        if !finding.stack.iter().any(|frame| frame.contains(function)) {
            return Err(format!("no {function}: {text}"));
        }
        assert!(text.contains(function), "{text}");
    }
    Ok(())
}

fn check(name: &str) {
    let case = ALL.iter().find(|case| case.name == name).expect("a case of the suite");
    let missing: Vec<_> = (0..RUNS).map_while(|_| fails(case).err()).collect();
    assert!(missing.len() < RUNS, "in none of {RUNS} runs: {}", missing.join("\n"));

    let repaired = (case.run)(false);
    assert!(repaired.is_clean(), "{}", repaired.text());
    repaired.assert_clean();
}

#[test]
fn blocking() {
    check("blocking");
}

#[test]
fn cpu() {
    check("cpu");
}

#[test]
fn forgotten() {
    check("forgotten");
}

#[test]
fn lost_waker() {
    check("lost-waker");
}

#[test]
fn self_wake() {
    check("self-wake");
}

#[test]
fn leak() {
    check("leak");
}

#[test]
fn starve() {
    check("starve");
}

#[test]
fn tail() {
    check("tail");
}

#[test]
fn panic() {
    check("panic");
}

#[test]
fn every_fault_of_the_demo_is_here() {
    let demo: Vec<_> =
        pollscope_tui::demo::fault::ALL.iter().map(|fault| (fault.name, fault.detector)).collect();
    let here: Vec<_> = ALL.iter().map(|case| (case.name, case.detector)).collect();
    assert_eq!(here, demo);
}
