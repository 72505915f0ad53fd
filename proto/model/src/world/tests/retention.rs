//! Nothing grows without bound, and what is bounded says so.

use super::*;
use crate::entity::runtime::{RuntimeRecord, WorkerDelta};
use crate::id::{RuntimeId, WorkerId};

fn small() -> World {
    World::new(WorldLimits { ended_tasks: 20, tasks: 100, processes: 3, sites: 2, ..WorldLimits::default() })
}

/// Advances by seconds with empty reports.
fn idle(world: &mut World, script: &mut Script, seconds: u64) {
    for _ in 0..seconds {
        world.apply(script.second(), script.now_unix_ns());
    }
    world.tick(script.now_unix_ns(), |_, _| false);
}

#[test]
fn ended_tasks_stay_ten_seconds_and_a_minute_with_evidence() {
    let mut script = Script::new("checkout");
    let mut world = world_of(&script);
    let site = script.site("src/a.rs:1:1");
    let (plain, slow, found) = (script.spawn(site), script.spawn(site), script.spawn(site));
    script.slow_poll(slow, 50 * MILLISECOND, 50 * MILLISECOND, 0);
    for task in [plain, slow, found] {
        script.end(task, TaskState::Completed);
    }
    idle(&mut world, &mut script, 9);
    assert_eq!(only(&world).task_rows(), 3);
    for _ in 0..3 {
        world.apply(script.second(), script.now_unix_ns());
    }
    world.tick(script.now_unix_ns(), |_, task| task == found);
    let rows = |world: &World| {
        let mut ids: Vec<_> = only(world).tasks().map(|task| task.id()).collect();
        ids.sort();
        ids
    };
    assert_eq!(rows(&world), [slow, found]);
    idle(&mut world, &mut script, 60);
    assert!(rows(&world).is_empty());
    assert_eq!(only(&world).retired_early(), 0);
    assert_eq!(only(&world).site(site).unwrap().totals().completed, 3);
}

#[test]
fn workers_of_a_runtime_that_is_gone_are_no_rows_after_a_snapshot_either() {
    let mut script = Script::new("checkout");
    let worker = |runtime| WorkerDelta {
        id: WorkerId { runtime: RuntimeId(runtime), index: 0 },
        busy_ns: 5,
        interval_ns: 10,
        ..WorkerDelta::default()
    };
    for (runtime, gone) in [(0, true), (1, false)] {
        script.runtime(RuntimeRecord { id: RuntimeId(runtime), gone, ..RuntimeRecord::default() });
        script.worker(&worker(runtime));
    }
    script.second();
    let mut world = world_of(&script);
    for part in script.snapshot(1) {
        world.apply(part, script.now_unix_ns());
    }
    let process = only(&world);
    assert_eq!(process.workers().map(|worker| worker.id().runtime.0).collect::<Vec<_>>(), [1]);
    assert_eq!(process.runtimes().count(), 1);
    assert_eq!(process.work().map(|(workers, sum)| (workers, sum.busy_ns)), Some((2, 10)));
}

#[test]
fn too_many_ended_tasks_leave_early_and_are_counted() {
    let mut script = Script::new("checkout");
    let mut world = small();
    world.connect(script.hello(), 0).unwrap();
    let site = script.site("src/a.rs:1:1");
    for _ in 0..50 {
        let task = script.spawn(site);
        script.end(task, TaskState::Completed);
    }
    world.apply(script.second(), 0);
    world.tick(0, |_, _| false);
    assert_eq!((only(&world).task_rows(), only(&world).retired_early()), (20, 30));
    assert_eq!(only(&world).site(site).unwrap().totals().completed, 50);
}

#[test]
fn rows_and_sites_over_the_limit_are_refused_and_counted() {
    let mut script = Script::new("checkout");
    let mut world = small();
    world.connect(script.hello(), 0).unwrap();
    let site = script.site("src/a.rs:1:1");
    for _ in 0..120 {
        script.spawn(site);
    }
    for n in 0..3 {
        let site = script.site(&format!("src/b.rs:{n}:1"));
        script.spawn(site);
    }
    world.apply(script.second(), 0);
    let process = only(&world);
    assert_eq!(process.task_rows(), 100);
    assert_eq!((process.refused().tasks, process.refused().sites, process.lost()), (23, 2, 25));
}

#[test]
fn gone_processes_make_room_and_live_ones_do_not() {
    let mut world = small();
    let hello = |pid| crate::testkit::hello("checkout", pid);
    for pid in 1..=3 {
        world.connect(hello(pid), 0).unwrap();
    }
    assert_eq!(world.connect(hello(4), 0).unwrap_err(), TooManyProcesses { limit: 3 });
    world.disconnect(hello(2).boot, "connection reset", 5);
    world.connect(hello(4), 6).unwrap();
    assert!(world.process(hello(2).boot).is_none());
    assert_eq!(world.processes().count(), 3);
}

#[test]
fn a_gone_process_keeps_its_last_state_for_a_quarter_of_an_hour() {
    let mut script = Script::new("checkout");
    let mut world = world_of(&script);
    for report in busy_seconds(&mut script, 3) {
        world.apply(report, 0);
    }
    world.disconnect(script.boot(), "connection reset", 10 * SECOND);
    world.tick(800 * SECOND, |_, _| false);
    assert_eq!(only(&world).presence(), Presence::Gone);
    assert_eq!(only(&world).task_rows(), 9, "it does not age any more");
    assert_eq!(only(&world).gone_reason().map(AsRef::as_ref), Some("connection reset"));
    world.tick(911 * SECOND, |_, _| false);
    assert_eq!(world.processes().count(), 0);
}

#[test]
fn a_sender_that_tells_only_the_top_does_not_leave_ghosts() {
    let mut script = Script::new("checkout");
    let mut world = World::new(WorldLimits { keep_unreported_ns: 30 * SECOND, ..WorldLimits::default() });
    world.connect(script.hello(), 0).unwrap();
    let site = script.site("src/a.rs:1:1");
    let (told, untold) = (script.spawn(site), script.spawn(site));
    let top = |report: Report| Report { detail: crate::report::Detail::Top, ..report };
    world.apply(top(script.second()), 0);
    for _ in 0..40 {
        script.poll(told, 1, 1_000);
        world.apply(top(script.second()), 0);
        world.tick(0, |_, _| false);
    }
    assert!(only(&world).task(told).is_some() && only(&world).task(untold).is_none());
    assert_eq!(only(&world).alive_tasks(), Some(2), "the sites count it still");
}
