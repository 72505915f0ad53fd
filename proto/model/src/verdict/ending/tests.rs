//! What is left at the end, and under which name.

use super::*;
use crate::entity::edge::{WakeEdge, Waker};
use crate::entity::task::TaskState;
use crate::id::TaskId;
use crate::monitor::Monitor;
use crate::testkit::Script;
use crate::time::MILLISECOND;
use crate::world::WorldLimits;

const DENY: EndingLevels = EndingLevels {
    leaks: Level::Deny,
    lost_wakers: Level::Deny,
    forgotten: Level::Deny,
    self_wake: Level::Deny,
    swallowed_panics: Level::Deny,
};

/// `(detector, level, count, headline)` of all that is found.
fn found(script: &mut Script, levels: EndingLevels) -> Vec<(String, Level, u64, String)> {
    let mut monitor = Monitor::new(WorldLimits::default());
    monitor.connect(script.hello(), script.now_unix_ns()).expect("there is room");
    let report = script.second();
    monitor.apply(report, script.now_unix_ns());
    let process = monitor.world().process(script.boot()).expect("greeted");
    let findings = judge(process, &Policy::default(), &levels, SECOND);
    findings.into_iter().map(|f| (f.detector.to_string(), f.level, f.count, f.headline.to_string())).collect()
}

fn names(script: &mut Script, levels: EndingLevels) -> Vec<String> {
    found(script, levels).into_iter().map(|(detector, ..)| detector).collect()
}

#[test]
fn what_ended_or_is_meant_to_stay_is_nothing() {
    let mut script = Script::new("test");
    let site = script.site("src/a.rs:1:1");
    let (ended, stays) = (script.spawn(site), script.spawn(site));
    script.end(ended, TaskState::Completed);
    script.edit(stays, |task| task.long_lived = true);
    assert_eq!(names(&mut script, DENY), [""; 0]);
}

#[test]
fn a_task_that_is_left_is_told_once_under_the_name_that_says_most() {
    let mut script = Script::new("test");
    let (lone, lost, timer) =
        (script.site("src/a.rs:1:1"), script.site("src/a.rs:2:1"), script.site("src/a.rs:3:1"));
    for _ in 0..3 {
        let task = script.spawn(lone);
        script.poll(task, 1, 10);
    }
    let task = script.spawn(lost);
    script.poll(task, 1, 10);
    script.edit(task, |task| task.wakers = 0);
    let task = script.spawn(timer);
    script.poll(task, 2, 10);
    script.edit(task, |task| (task.woken_by, task.wakes) = (WokenBy::Runtime, 1));
    let all = found(&mut script, DENY);
    let told: Vec<_> = all.iter().map(|(detector, _, count, _)| (detector.as_str(), *count)).collect();
    assert_eq!(told, [("lost-waker", 1), ("task-leak", 3), ("task-leak", 1)]);
    assert!(all[1].3.starts_with("3 tasks still alive"), "{all:?}");
}

#[test]
fn who_waits_while_its_siblings_ended_is_forgotten_unless_leaks_are_stricter() {
    let mut script = Script::new("test");
    let site = script.site("src/a.rs:1:1");
    let (waits, ended) = (script.spawn(site), script.spawn(site));
    script.poll(waits, 1, 10);
    script.end(ended, TaskState::Completed);
    assert_eq!(names(&mut script.clone(), DENY), ["forgotten-task"]);
    let levels = EndingLevels { forgotten: Level::Warn, ..DENY };
    assert_eq!(names(&mut script.clone(), levels), ["task-leak"]);
    let levels = EndingLevels { leaks: Level::Allow, forgotten: Level::Allow, ..DENY };
    assert_eq!(names(&mut script, levels), [""; 0]);
}

/// A site where two tasks were woken by a thread and by the runtime, lived for 20 ms and ended; and one that is
/// left there after it was woken as told.
fn one_is_left(wake: impl Fn(&mut Script, TaskId)) -> Script {
    let mut script = Script::new("test");
    let site = script.site("src/a.rs:1:1");
    let siblings = [script.spawn(site), script.spawn(site)];
    for task in siblings {
        woken(&mut script, task, Waker::OtherThread);
        woken(&mut script, task, Waker::Runtime);
        script.poll(task, 3, 10);
    }
    let left = script.spawn(site);
    wake(&mut script, left);
    script.poll(left, 2, 10);
    script.pass(20 * MILLISECOND);
    for task in siblings {
        script.end(task, TaskState::Completed);
    }
    script
}

fn woken(script: &mut Script, task: TaskId, from: Waker) {
    script.wake(task, 1, 0);
    let to = script.task(task).expect("spawned").site;
    script.edit(task, |task| {
        if from == Waker::Runtime {
            (task.wakes_by.runtime, task.woken_by) = (1, WokenBy::Runtime);
        } else {
            (task.wakes_by.threads, task.woken_by) = (1, WokenBy::OtherThread);
        }
    });
    script.edge(WakeEdge { from, to, count: 1 });
}

#[test]
fn the_wake_before_a_wait_does_not_tell_what_the_wait_is_for() {
    let levels = EndingLevels { leaks: Level::Warn, ..DENY };
    // It slept, and waits for a reply.
    let mut call = one_is_left(|script, task| woken(script, task, Waker::Runtime));
    assert_eq!(names(&mut call, levels), ["forgotten-task"]);
    // It was admitted by a task, and reads its socket.
    let mut connection = one_is_left(|script, task| woken(script, task, Waker::OtherThread));
    assert_eq!(names(&mut connection, levels), ["task-leak"]);
}

#[test]
fn a_wait_that_is_no_longer_than_what_went_before_is_usual() {
    let levels = EndingLevels { leaks: Level::Warn, ..DENY };
    let mut script = Script::new("test");
    let site = script.site("src/a.rs:1:1");
    let flushes = script.spawn(site);
    script.pass(2 * SECOND);
    script.poll(flushes, 3, 10);
    assert_eq!(names(&mut script, levels), ["task-leak"]);
    // A second later it may be told as forgotten: a run settles first.
    let mut monitor = Monitor::new(WorldLimits::default());
    monitor.connect(script.hello(), 0).expect("there is room");
    let allowed = EndingLevels { leaks: Level::Allow, ..DENY };
    for report in script.snapshot(1) {
        monitor.apply(report, 0);
    }
    let process = monitor.world().process(script.boot()).expect("greeted");
    assert!(judge(process, &Policy::default(), &allowed, SECOND).is_empty());
    assert_eq!(left_behind(process, &allowed), 1);
}

#[test]
fn hooks_see_that_a_task_is_left_but_not_why() {
    let mut script = Script::new("test").mode(crate::measured::Mode::Hooks);
    let site = script.site("src/a.rs:1:1");
    let task = script.spawn(site);
    script.poll(task, 1, 10);
    script.edit(task, |task| task.wakers = 0);
    assert_eq!(names(&mut script, DENY), ["task-leak"]);
}

#[test]
fn storms_and_panics_are_of_the_whole_run() {
    let mut script = Script::new("test");
    let (storm, calm, panics) =
        (script.site("src/a.rs:1:1"), script.site("src/a.rs:2:1"), script.site("src/a.rs:3:1"));
    let (a, b) = (script.spawn(storm), script.spawn(calm));
    script.poll(a, 5_000, 1_000);
    script.self_wake(a, 4_900);
    script.poll(b, 5_000, 1_000);
    script.self_wake(b, 500);
    for task in [a, b] {
        script.end(task, TaskState::Completed);
    }
    script.count(panics, |site| (site.spawned, site.panicked, site.swallowed_panics) = (2, 2, 1));
    assert_eq!(names(&mut script.clone(), DENY), ["self-wake-storm", "swallowed-panic"]);
    let levels = EndingLevels { self_wake: Level::Allow, swallowed_panics: Level::Warn, ..DENY };
    assert_eq!(names(&mut script, levels), ["swallowed-panic"]);
}
