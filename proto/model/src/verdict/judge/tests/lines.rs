//! Limits where a library spawns: each line of the user's is named.

use super::*;
use crate::baseline::Baseline;
use crate::dict::{Frame, Stack};
use crate::entity::stall::Stall;
use crate::id::{StackId, TaskId};

const SERVE: &str = "axum-0.8.4/src/serve/mod.rs:389:9";

/// A service that serves with a library.
struct Served {
    stage: Stage,
    task: TaskId,
    login: StackId,
    catalog: StackId,
}

impl Served {
    fn with_pid(pid: u32) -> Self {
        let mut stage = Stage::of(Script::of(hello("checkout", pid)));
        let site = stage.script.site(SERVE);
        let task = stage.script.spawn(site);
        let mut stack = |file: &str, line| {
            let frame = Frame { function: "shop::handle".into(), file: Some(file.into()), line, users: true };
            stage.script.stack(Stack { frames: vec![frame], ..Stack::default() })
        };
        let (login, catalog) = (stack("src/login.rs", 15), stack("src/catalog.rs", 31));
        Self { stage, task, login, catalog }
    }

    fn new() -> Self {
        Self::with_pid(1)
    }

    fn poll(&mut self, ms: u64, stack: Option<StackId>) {
        self.stage.script.pass(100 * MS);
        self.stage.script.slow_poll(self.task, ms * MS, MS, 0);
        self.stage.script.edit_slow_poll(|poll| poll.stack = stack);
    }
}

/// Line and count of each finding, the worst first.
fn lines(verdict: &Verdict) -> Vec<(&str, u64)> {
    verdict.findings.iter().map(|finding| (&*finding.line, finding.count)).collect()
}

#[test]
fn each_line_over_the_limit_is_named() {
    let mut served = Served::new();
    let (login, catalog) = (Some(served.login), Some(served.catalog));
    (0..20).for_each(|_| served.poll(40, login));
    (0..2).for_each(|_| served.poll(20, catalog));
    served.poll(9, catalog);
    served.stage.second();
    let verdict = served.stage.judged(max_poll(10 * MS));
    assert_eq!(lines(&verdict), [("src/login.rs:15", 20), ("src/catalog.rs:31", 2)]);
    let catalog = &verdict.findings[1];
    assert_eq!(
        &*catalog.headline,
        "20ms in one poll, blocked (limit 10ms): in shop::handle src/catalog.rs:31"
    );
    let why = "22 of 23 polls at serve/mod.rs:389 took longer than that, 2 of them seen at catalog.rs:31.";
    assert!(catalog.why.starts_with(why), "{}", catalog.why);
    assert_eq!(verdict.findings[0].fingerprint, catalog.fingerprint, "both are in one function");
    let mut baseline = Baseline::default();
    assert!(baseline.accept_finding(&verdict.findings[0]));
    assert!(
        baseline.knows(&Finding { line: "src/catalog.rs:40".into(), ..catalog.clone() }),
        "lines may move"
    );
}

#[test]
fn the_same_line_in_several_processes_is_one_finding() {
    let mut judge = Judge::new(max_poll(10 * MS));
    for pid in [1, 2] {
        let mut served = Served::with_pid(pid);
        served.poll(40, Some(served.login));
        served.poll(20, Some(served.catalog));
        served.stage.second();
        judge.add_run(&RunEvidence::of(&served.stage.monitor));
    }
    assert_eq!(lines(&judge.verdict()), [("src/login.rs:15", 2), ("src/catalog.rs:31", 2)]);
}

#[test]
fn a_poll_without_a_stack_opens_no_second_finding_beside_a_sole_line() {
    let mut served = Served::new();
    let login = Some(served.login);
    served.poll(90, None);
    (0..20).for_each(|_| served.poll(40, login));
    served.stage.second();
    let verdict = served.stage.judged(max_poll(10 * MS));
    assert_eq!(lines(&verdict), [("src/login.rs:15", 21)]);
    let why =
        "21 of 21 polls at serve/mod.rs:389 took longer than that, at login.rs:15 as far as they were seen.";
    assert!(verdict.findings[0].why.starts_with(why), "{}", verdict.findings[0].why);
}

#[test]
fn an_open_poll_at_another_line_is_named_too() {
    let mut served = Served::new();
    served.poll(40, Some(served.login));
    served.poll(5, Some(served.catalog));
    let (site, task) = (served.stage.script.site(SERVE), Some(served.task));
    let open =
        |stack| Stall { site: Some(site), task, since_ns: 100, stack: Some(stack), ..Stall::default() };
    served.stage.script.stalls(vec![open(served.login)]);
    served.stage.second();
    let judged = |served: &Served| served.stage.judged(max_poll(10 * MS));
    assert_eq!(lines(&judged(&served)), [("src/login.rs:15", 1)], "the line is known already");
    served.stage.script.stalls(vec![open(served.catalog)]);
    served.stage.second();
    assert_eq!(lines(&judged(&served)), [("src/catalog.rs:31", 1), ("src/login.rs:15", 1)]);
}

#[test]
fn an_expectation_may_name_the_line() {
    let mut served = Served::new();
    served.poll(40, Some(served.login));
    served.poll(20, Some(served.catalog));
    served.stage.second();
    let expectation = Expectation {
        detector: "blocking-poll".into(),
        site: Some("src/login.rs:*".into()),
        reason: "it is known".into(),
        place: None,
    };
    let terms = Terms { expectations: vec![expectation], ..max_poll(10 * MS) };
    let verdict = served.stage.judged(terms);
    assert_eq!((lines(&verdict), verdict.allowed.len()), (vec![("src/catalog.rs:31", 1)], 1));
}
