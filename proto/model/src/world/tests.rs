//! The fold: exact, idempotent, bounded, and deaf to nonsense.

#![allow(clippy::unwrap_used, reason = "a test that fails here is meant to say where")]

mod hostile;
mod retention;
mod room;
mod slow_polls;

use proptest::prelude::*;

use super::*;
use crate::entity::edge::{WakeEdge, Waker};
use crate::entity::site::SiteDelta;
use crate::entity::slow_poll::SlowPoll;
use crate::entity::stall::Stall;
use crate::entity::task::{TaskRecord, TaskState};
use crate::id::SiteId;
use crate::report::ReportKind;
use crate::testkit::Script;
use crate::time::{MILLISECOND, SECOND};

/// A world that has greeted the script's process.
fn world_of(script: &Script) -> World {
    let mut world = World::new(WorldLimits::default());
    world.connect(script.hello(), script.now_unix_ns()).unwrap();
    world
}

fn only(world: &World) -> &Process {
    world.processes().next().unwrap()
}

type Totals = (Vec<SiteDelta>, Vec<TaskRecord>, Vec<crate::entity::runtime::WorkerDelta>);

/// Everything that must be exact, in a fixed order.
fn totals(world: &World) -> Totals {
    let process = only(world);
    let mut sites: Vec<_> = process.sites().map(|site| site.totals().clone()).collect();
    sites.sort_by_key(|site| site.site);
    let mut tasks: Vec<_> = process.tasks().map(|row| row.record()).collect();
    tasks.sort_by_key(|task| task.id);
    (sites, tasks, process.workers().map(|worker| worker.record().clone()).collect())
}

/// A few seconds of a small service.
fn busy_seconds(script: &mut Script, seconds: u64) -> Vec<Report> {
    let sites = [script.site("src/a.rs:1:1"), script.site("src/b.rs:2:2")];
    (0..seconds)
        .map(|second| {
            for n in 0..3 {
                let task = script.spawn(sites[(n % 2) as usize]);
                script.poll(task, n + 1, (second + 1) * MILLISECOND);
                script.wake(task, n, 20_000);
                if n == 1 {
                    script.end(task, TaskState::Completed);
                }
            }
            script.worker(&crate::entity::runtime::WorkerDelta {
                busy_ns: 300 * MILLISECOND,
                interval_ns: SECOND,
                polls: Some(6),
                ..Default::default()
            });
            script.second()
        })
        .collect()
}

#[test]
fn deltas_add_up_and_rows_replace() {
    let mut script = Script::new("checkout");
    let mut world = world_of(&script);
    for report in busy_seconds(&mut script, 5) {
        assert_eq!(world.apply(report, script.now_unix_ns()), Applied::New);
    }
    let process = only(&world);
    let polls: u64 = process.sites().map(|site| site.totals().poll.count()).sum();
    assert_eq!((process.label().as_ref(), polls), ("checkout#1", 5 * 6));
    assert_eq!(process.alive_tasks(), Some(10));
    assert_eq!(process.task_rows(), 15);
    assert_eq!(process.last_seq(), Some(5));
    assert_eq!(process.lost(), 0);
    assert!(process.busy().is_some_and(|busy| (0.29..0.31).contains(&busy)));
    assert!(process.polls_per_s().is_some_and(|rate| (5.9..6.1).contains(&rate)));
}

#[test]
fn the_same_report_twice_changes_nothing() {
    let mut script = Script::new("checkout");
    let mut world = world_of(&script);
    let reports = busy_seconds(&mut script, 4);
    for report in &reports {
        world.apply(report.clone(), 0);
    }
    let before = totals(&world);
    for report in reports {
        assert_eq!(world.apply(report, 0), Applied::Duplicate);
    }
    assert_eq!(totals(&world), before);
}

#[test]
fn a_snapshot_however_often_and_in_however_many_parts_doubles_nothing() {
    let mut script = Script::new("checkout");
    let mut world = world_of(&script);
    for report in busy_seconds(&mut script, 4) {
        world.apply(report, 0);
    }
    let (sites, mut tasks, workers) = totals(&world);
    // A snapshot tells of the living only; the ended stay as they were.
    tasks.sort_by_key(|task| task.id);
    let windows: Vec<_> = only(&world).sites().map(|site| site.window(10 * SECOND)).collect();
    for parts in [1, 2, 7] {
        for part in script.snapshot(parts) {
            assert_eq!(world.apply(part, 0), Applied::New);
        }
        assert_eq!(totals(&world), (sites.clone(), tasks.clone(), workers.clone()));
    }
    let after: Vec<_> = only(&world).sites().map(|site| site.window(10 * SECOND)).collect();
    assert_eq!(windows, after, "history does not see a snapshot that brings nothing new");
    let mut fresh = world_of(&script);
    for part in script.snapshot(3) {
        fresh.apply(part, 0);
    }
    assert_eq!(totals(&fresh).0, sites);
    assert_eq!(only(&fresh).alive_tasks(), only(&world).alive_tasks());
}

#[test]
fn while_the_first_snapshot_comes_in_totals_are_exact_and_rows_say_that_some_are_missing() {
    let mut script = Script::new("checkout");
    busy_seconds(&mut script, 4);
    let mut whole = world_of(&script);
    for part in script.snapshot(1) {
        whole.apply(part, 0);
    }
    let (sites, tasks, workers) = totals(&whole);
    let mut world = world_of(&script);
    assert_eq!(only(&world).loading(), Some((0, 0)), "greeted, and nothing told");
    let mut parts = script.snapshot(3).into_iter();
    for part in 1..3 {
        assert_eq!(world.apply(parts.next().unwrap(), 0), Applied::New);
        let process = only(&world);
        assert_eq!((process.loading(), process.last_seq()), (Some((part, 3)), None));
        assert_eq!((process.alive_tasks(), process.now_ns()), (Some(8), script.now_ns()));
        let so_far = totals(&world);
        assert_eq!((so_far.0, so_far.2), (sites.clone(), workers.clone()));
        assert!(so_far.1.len() < tasks.len() && so_far.1.iter().all(|row| tasks.contains(row)));
    }
    // It breaks, and is told anew: what came before is kept, and is still not all.
    world.disconnect(script.boot(), "connection reset", 0);
    assert_eq!(only(&world).loading(), Some((2, 3)));
    world.connect(script.hello(), 0).unwrap();
    for part in script.snapshot(2) {
        assert!(only(&world).loading().is_some());
        world.apply(part, 0);
    }
    assert_eq!((only(&world).loading(), totals(&world)), (None, (sites, tasks, workers)));
    // One that is broken off costs nothing: told from the beginning, everything is counted once.
    let mut script = Script::new("checkout");
    let reports = busy_seconds(&mut script, 4);
    let mut anew = world_of(&script);
    anew.apply(script.snapshot(3).swap_remove(0), 0);
    for report in reports {
        assert_eq!(anew.apply(report, 0), Applied::New);
    }
    assert_eq!(only(&anew).alive_tasks(), Some(8));
    assert_eq!((&totals(&anew).0, &totals(&anew).2), (&totals(&world).0, &totals(&world).2));
}

#[test]
fn a_gap_is_counted_and_a_snapshot_heals_the_totals_without_doubling() {
    let mut script = Script::new("checkout");
    let mut world = world_of(&script);
    let mut reports = busy_seconds(&mut script, 6);
    let lost: Vec<Report> = reports.drain(2..4).collect();
    let answers: Vec<_> = reports.into_iter().map(|report| world.apply(report, 0)).collect();
    assert_eq!(answers, [Applied::New, Applied::New, Applied::Gap { missing: 2 }, Applied::New]);
    let process = only(&world);
    assert!(process.needs_snapshot());
    assert_eq!((process.last_seq(), process.gaps().reports, process.lost()), (None, 2, 2));
    let short: u64 = process.sites().map(|site| site.totals().poll.count()).sum();
    assert_eq!(short, 4 * 6);
    for late in lost {
        assert_eq!(world.apply(late, 0), Applied::Duplicate, "its place in the sequence is past");
    }
    for part in script.snapshot(2) {
        assert_eq!(world.apply(part, 0), Applied::New);
    }
    let process = only(&world);
    assert_eq!((process.last_seq(), process.lost()), (Some(6), 2));
    let whole: u64 = process.sites().map(|site| site.totals().poll.count()).sum();
    let window: u64 = process.sites().map(|site| site.window(10 * SECOND).delta.poll.count()).sum();
    assert_eq!((whole, window), (36, 36), "the hole's polls are in history once");
    assert_eq!(process.covered_ns(10 * SECOND), 6 * SECOND);
}

#[test]
fn a_reconnect_with_a_snapshot_puts_the_time_away_into_one_coarse_point() {
    let mut script = Script::new("checkout");
    let mut world = world_of(&script);
    for report in busy_seconds(&mut script, 2) {
        world.apply(report, 0);
    }
    world.disconnect(script.boot(), "connection reset", 0);
    busy_seconds(&mut script, 5);
    world.connect(script.hello(), 0).unwrap();
    for part in script.snapshot(1) {
        world.apply(part, 0);
    }
    let process = only(&world);
    assert_eq!((process.gaps().count, process.gaps().reports), (1, 5));
    let window: u64 = process.sites().map(|site| site.window(10 * SECOND).delta.poll.count()).sum();
    assert_eq!((window, process.covered_ns(10 * SECOND)), (7 * 6, 7 * SECOND));
}

#[test]
fn attaching_late_does_not_take_the_past_for_the_present() {
    let mut script = Script::new("checkout");
    busy_seconds(&mut script, 30);
    let mut world = world_of(&script);
    for part in script.snapshot(1) {
        world.apply(part, 0);
    }
    let process = only(&world);
    assert_eq!((process.covered_ns(10 * SECOND), process.lost()), (0, 0));
    for site in process.sites() {
        assert!(site.totals().poll.count() > 0);
        assert!(site.window(10 * SECOND).delta.poll.is_empty());
    }
}

#[test]
fn without_a_beginning_a_snapshot_is_asked_for() {
    let mut script = Script::new("checkout");
    let mut world = world_of(&script);
    let reports = busy_seconds(&mut script, 3);
    let mut answers = reports.into_iter().skip(1).map(|report| world.apply(report, 0));
    assert_eq!(answers.next(), Some(Applied::NeedsSnapshot));
    assert_eq!(answers.next(), Some(Applied::New));
    assert_eq!(only(&world).last_seq(), None);
    for part in script.snapshot(1) {
        world.apply(part, 0);
    }
    assert_eq!(only(&world).last_seq(), Some(3));
    assert_eq!(world.apply(script.second(), 0), Applied::New);
}

#[test]
fn half_a_snapshot_has_no_effect() {
    let mut script = Script::new("checkout");
    let mut world = world_of(&script);
    for report in busy_seconds(&mut script, 2) {
        world.apply(report, 0);
    }
    let before = totals(&world).0;
    let parts = script.snapshot(3);
    assert_eq!(world.apply(parts[0].clone(), 0), Applied::New);
    assert_eq!(world.apply(parts[0].clone(), 0), Applied::New, "the first part begins again");
    assert_eq!(world.apply(parts[2].clone(), 0), Applied::NeedsSnapshot, "the second is missing");
    assert_eq!((totals(&world).0, only(&world).loading()), (before.clone(), None));
    assert_eq!(world.apply(script.second(), 0), Applied::New);
    let old = Report { seq: 1, kind: ReportKind::Snapshot { part: 0, parts: 1 }, ..parts[0].clone() };
    assert_eq!(world.apply(old, 0), Applied::Duplicate, "an old snapshot does not turn back time");
    assert_eq!(totals(&world).0, before);
}

#[test]
fn a_report_folded_over_a_known_one_is_not_doubled() {
    let mut script = Script::new("checkout");
    let mut world = world_of(&script);
    let mut reports = busy_seconds(&mut script, 3).into_iter();
    let first = reports.next().unwrap();
    world.apply(first.clone(), 0);
    let mut folded = first;
    reports.for_each(|report| folded.fold(report));
    assert_eq!(world.apply(folded, 0), Applied::NeedsSnapshot);
    let polls = |world: &World| only(world).sites().map(|site| site.totals().poll.count()).sum::<u64>();
    assert_eq!(polls(&world), 6);
    script.snapshot(1).into_iter().for_each(|part| {
        world.apply(part, 0);
    });
    assert_eq!(polls(&world), 18);
}

#[test]
fn tasks_that_ended_without_a_listener_leave_with_the_snapshot() {
    let mut script = Script::new("checkout");
    let mut world = world_of(&script);
    let site = script.site("src/a.rs:1:1");
    let (gone, stays) = (script.spawn(site), script.spawn(site));
    world.apply(script.second(), 0);
    script.end(gone, TaskState::Completed);
    let _unheard = script.second();
    for part in script.snapshot(1) {
        world.apply(part, 0);
    }
    let ids: Vec<TaskId> = only(&world).tasks().map(|task| task.id()).collect();
    assert_eq!(ids, [stays]);
}

#[test]
fn labels_number_incarnations_and_a_restart_replaces_the_old_one() {
    let mut world = World::new(WorldLimits::default());
    let hello = |pid| crate::testkit::hello("checkout", pid);
    assert_eq!(world.connect(hello(1), 0).unwrap().label().as_ref(), "checkout#1");
    assert_eq!(world.connect(hello(2), 0).unwrap().label().as_ref(), "checkout#2");
    let live = |world: &World| world.processes().filter(|p| p.presence() == Presence::Live).count();
    assert_eq!(live(&world), 2, "two instances on one host");
    let mut reborn = hello(2);
    reborn.boot = BootId(7);
    assert_eq!(world.connect(reborn, 0).unwrap().label().as_ref(), "checkout#3");
    assert_eq!(live(&world), 2, "the same pid cannot be two processes");
    assert_eq!(world.connect(hello(1), 0).unwrap().label().as_ref(), "checkout#1");
}

#[test]
fn silence_is_stale_and_a_report_heals_it() {
    let mut script = Script::new("checkout");
    let mut world = world_of(&script);
    let start = script.now_unix_ns();
    world.tick(start + 2 * SECOND, |_, _| false);
    assert_eq!(only(&world).presence(), Presence::Live);
    world.tick(start + 4 * SECOND, |_, _| false);
    assert_eq!(only(&world).presence(), Presence::Stale);
    world.apply(script.second(), start + 5 * SECOND);
    assert_eq!(only(&world).presence(), Presence::Live);
}

proptest! {
    /// A sender that cannot send folds any run of deltas; the world must not be able to tell.
    #[test]
    fn folded_reports_equal_unfolded_ones(
        cuts in prop::collection::vec(any::<bool>(), 12),
        seconds in 1u64..12,
    ) {
        let mut script = Script::new("checkout");
        let (mut plain, mut folded) = (world_of(&script), world_of(&script));
        let mut pending: Option<Report> = None;
        for (report, cut) in busy_seconds(&mut script, seconds).into_iter().zip(cuts) {
            plain.apply(report.clone(), 0);
            match &mut pending {
                Some(pending) => pending.fold(report),
                none => *none = Some(report),
            }
            if cut {
                prop_assert_eq!(folded.apply(pending.take().unwrap(), 0), Applied::New);
            }
        }
        if let Some(rest) = pending {
            folded.apply(rest, 0);
        }
        prop_assert_eq!(totals(&plain), totals(&folded));
        let (plain, folded) = (only(&plain), only(&folded));
        prop_assert_eq!(plain.alive_tasks(), folded.alive_tasks());
        prop_assert_eq!(plain.covered_ns(60 * SECOND), folded.covered_ns(60 * SECOND));
        prop_assert_eq!(plain.poll_times(), folded.poll_times());
        let site = SiteId(0);
        let window = |process: &Process| process.site(site).unwrap().window(60 * SECOND);
        prop_assert_eq!(window(plain), window(folded));
    }
}

#[test]
fn stalls_are_the_newest_list_and_edges_add_up_or_are_replaced() {
    let mut script = Script::new("checkout");
    let mut world = world_of(&script);
    let site = script.site("src/cart.rs:88:9");
    script.spawn(site);
    let by_runtime = |count| WakeEdge { from: Waker::Runtime, to: site, count };
    script.stalls(vec![Stall { since_ns: 7, ..Stall::default() }]);
    script.edge(by_runtime(3));
    world.apply(script.second(), 0);
    script.edge(by_runtime(4));
    world.apply(script.second(), 0);
    let edges = |world: &World| only(world).wakers_of(site).collect::<Vec<_>>();
    assert_eq!((only(&world).stalls().len(), edges(&world)), (1, vec![(Waker::Runtime, 7)]));

    for part in script.snapshot(3) {
        world.apply(part, 0);
    }
    assert_eq!((only(&world).stalls().len(), edges(&world)), (1, vec![(Waker::Runtime, 7)]));
    script.stalls(Vec::new());
    world.apply(script.second(), 0);
    assert!(only(&world).stalls().is_empty(), "it came back");
}

#[test]
fn a_slow_poll_that_is_told_again_replaces_what_was_known_of_it() {
    let mut script = Script::new("checkout");
    let mut world = world_of(&script);
    let site = script.site("src/cart.rs:88:9");
    let task = script.spawn(site);
    script.pass(SECOND);
    script.slow_poll(task, 1_000_000, 1_000_000, 0);
    let mut report = script.second();
    let again = SlowPoll { waiters: Some(3), ..report.slow_polls[0].clone() };
    report.slow_polls.push(again);
    world.apply(report, 0);
    let process = only(&world);
    assert_eq!(process.slow_polls_ever(), 1);
    assert_eq!(process.slow_polls_since(0).map(|poll| poll.waiters).collect::<Vec<_>>(), vec![Some(3)]);
    let known = process.site(site).expect("it spawned there");
    assert_eq!(known.slow_polls().map(|poll| poll.waiters).collect::<Vec<_>>(), vec![Some(3)]);
}
