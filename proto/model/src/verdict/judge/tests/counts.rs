//! Two counts in one sentence are of the same polls.

use super::*;
use crate::entity::slow_poll::SlowPoll;
use crate::report::Report;

/// More than a site keeps the evidence of.
const POLLS: u64 = 40;

/// The finding of so many slow polls of one site.
fn why(verdict: &Verdict) -> String {
    let finding = verdict.findings.iter().find(|finding| &*finding.detector == "blocking-poll");
    finding.map_or_else(|| panic!("{verdict:#?}"), |finding| finding.why.to_string())
}

/// A stage whose polls were all slow, and their evidence.
fn stage() -> (Stage, Report) {
    let mut stage = Stage::new();
    let site = stage.script.site("src/cart.rs:88:9");
    let task = stage.script.spawn(site);
    stage.script.poll(task, 1, MS);
    stage.second();
    for _ in 0..POLLS {
        stage.script.pass(150 * MS);
        stage.script.slow_poll(task, 150 * MS, MS, 0);
    }
    let report = stage.script.second();
    (stage, report)
}

#[test]
fn polls_that_are_told_again_with_their_waiters_are_counted_once() {
    let (mut stage, report) = stage();
    let again = |poll: &SlowPoll| SlowPoll { waiters: Some(3), waited_ns: Some(MS), ..poll.clone() };
    let again: Vec<_> = report.slow_polls.iter().map(again).collect();
    stage.monitor.apply(report, stage.script.now_unix_ns());
    let report = Report { slow_polls: again, ..stage.script.second() };
    stage.monitor.apply(report, stage.script.now_unix_ns());
    stage.monitor.tick(stage.script.now_unix_ns());
    let counted = format!("{POLLS} of {} polls at cart.rs:88 ", POLLS + 1);
    let limit = why(&stage.judged(max_poll(100 * MS)));
    assert!(limit.starts_with(&counted), "{limit}");
    let detector = why(&stage.judged(Terms::default()));
    assert!(detector.starts_with(&counted), "{detector}");
}

#[test]
fn evidence_whose_count_was_lost_is_not_told_as_a_part_of_fewer() {
    let (mut stage, lost) = stage();
    let report = Report { slow_polls: lost.slow_polls, dict: lost.dict, ..stage.script.second() };
    let task = report.slow_polls[0].task;
    stage.monitor.apply(report, stage.script.now_unix_ns());
    stage.script.slow_poll(task, 150 * MS, MS, 0);
    let report = stage.script.second();
    stage.monitor.apply(report, stage.script.now_unix_ns());
    stage.monitor.tick(stage.script.now_unix_ns());
    let detector = why(&stage.judged(Terms::default()));
    assert!(detector.contains("more than are counted: reports were lost"), "{detector}");
}
