//! A process that was stopped as a whole: what it took meanwhile is no fault of its code.

use super::*;
use crate::entity::stall::Stall;
use crate::entity::stop::Stop;
use crate::entity::task::TaskState;

/// Longer than a task may be quiet that there is nothing to compare with.
const DAY: u64 = 86_400 * SECOND;

impl Stage {
    /// So much time passes; in all but the last tenth of a second of it the process is stopped, or it is not.
    fn pass(&mut self, ns: u64, is_stopped: bool) {
        let from_ns = self.script.now_ns();
        self.script.pass(ns);
        let mut report = self.script.report();
        if is_stopped {
            report.stops = vec![Stop { from_ns, to_ns: report.end_ns - 100 * MS }];
        }
        self.monitor.apply(report, self.script.now_unix_ns());
        self.monitor.tick(self.script.now_unix_ns());
    }
}

#[test]
fn a_poll_that_is_open_is_judged_without_it() {
    let judged = |is_stopped: bool| {
        let mut stage = Stage::new();
        let site = stage.script.site("src/cart.rs:88:9");
        let task = stage.script.spawn(site);
        stage.script.poll(task, 10, MS);
        stage.second();
        let since_ns = stage.script.now_ns();
        stage.script.stalls(vec![Stall { task: Some(task), site: Some(site), since_ns, ..Stall::default() }]);
        stage.script.open_poll(task, 0);
        stage.pass(60 * SECOND, is_stopped);
        stage.second();
        stage.judged(max_poll(2 * SECOND))
    };
    assert_eq!(judged(true).outcome, Outcome::Clean, "{:?}", judged(true).findings);
    let found = judged(false);
    assert_eq!(found.outcome, Outcome::Findings);
    assert!(found.findings.iter().any(|finding| &*finding.detector == "stuck-poll"), "{found:?}");
}

#[test]
fn a_delay_that_it_explains_is_a_doubt() {
    let judged = |is_stopped: bool| {
        let mut stage = Stage::new();
        let site = stage.script.site("src/cart.rs:88:9");
        let task = stage.script.spawn(site);
        stage.script.poll(task, 10, MS);
        stage.script.wake(task, 1, 300 * MS);
        stage.pass(SECOND, is_stopped);
        let asked = CheckLimits { max_sched_delay_ns: Some(100 * MS), ..CheckLimits::default() };
        stage.judged(limits(asked))
    };
    let doubted = judged(true);
    assert_eq!(doubted.outcome, Outcome::Clean, "{:?}", doubted.findings);
    let why = &doubted.undecided.iter().find(|one| &*one.rule == "max-sched-delay").expect("a doubt").reason;
    assert!(why.contains("the whole process was stopped for 900ms"), "{why}");
    assert_eq!(judged(false).outcome, Outcome::Findings);
}

#[test]
fn a_task_that_was_quiet_meanwhile_did_not_wait() {
    let mut stage = Stage::new();
    let site = stage.script.site("src/cart.rs:88:9");
    let task = stage.script.spawn(site);
    stage.script.poll(task, 10, MS);
    stage.script.edit(task, |task| (task.state, task.wakers) = (TaskState::Idle, 1));
    let is_forgotten = |stage: &mut Stage, is_stopped| {
        stage.pass(2 * DAY, is_stopped);
        stage.second();
        let judged = stage.judged(Terms::default());
        judged.findings.iter().any(|finding| &*finding.detector == "forgotten-task")
    };
    assert!(!is_forgotten(&mut stage, true));
    assert!(is_forgotten(&mut stage, false));
}
