//! What a timeline of events answers, from made-up threads and tasks.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

use super::*;
use crate::entity::event::EventBlock;
use crate::entity::task::WokenBy;
use crate::id::{RuntimeId, SiteId};
use crate::query::answer;
use crate::query::ask::Ask;
use crate::testkit::Script;
use crate::time::{MILLISECOND, SECOND};
use crate::world::{World, WorldLimits};

const MS: u64 = MILLISECOND;

fn poll(task: TaskId, site: SiteId, start_ms: u64, wall_ms: u64, worker: u32) -> Event {
    Event::Poll {
        task,
        site,
        start_ns: start_ms * MS,
        wall_ns: wall_ms * MS,
        worker: Some(WorkerId { runtime: RuntimeId(0), index: worker }),
    }
}

fn wake(task: TaskId, at_ms: u64) -> Event {
    Event::Wake { task, at_ns: at_ms * MS, by: WokenBy::Runtime }
}

/// A second of a process with two sites, and what its two threads recorded from 500 ms on.
fn world(threads: [Vec<Event>; 2]) -> (World, Script, TaskId, [SiteId; 2]) {
    let mut script = Script::new("checkout");
    let sites = [script.site("src/a.rs:1:1"), script.site("src/b.rs:2:2")];
    let task = script.spawn(sites[0]);
    let mut world = World::new(WorldLimits::default());
    world.connect(script.hello(), 0).unwrap();
    let mut report = script.second();
    report.events = threads
        .into_iter()
        .enumerate()
        .map(|(thread, events)| EventBlock {
            thread: thread as u32,
            first: 0,
            from_ns: 500 * MS,
            to_ns: SECOND,
            events,
        })
        .collect();
    world.apply(report, 0);
    (world, script, task, sites)
}

fn ask(world: &World, script: &Script, of: FlightOf, span_ms: u64, columns: u16) -> Flight {
    let query = FlightQuery { boot: script.boot(), of, until_unix_ns: None, span_ns: span_ms * MS, columns };
    match answer(world, &(), &Ask::Flight(query), 0) {
        Answer::Flight(flight) => *flight,
        other => panic!("{other:?}"),
    }
}

fn all() -> FlightOf {
    FlightOf::Workers { first: 0, most: 64 }
}

fn text(lane: &Lane) -> String {
    lane.cells
        .iter()
        .map(|cell| match cell {
            LaneCell::Unknown => '?',
            LaneCell::Blank => ' ',
            LaneCell::Poll { same: true, .. } => '=',
            LaneCell::Poll { site, .. } => (b'1' + site) as char,
        })
        .collect()
}

#[test]
fn a_long_poll_is_one_run_and_what_was_not_recorded_says_so() {
    let (task, a, b) = (TaskId(1), SiteId(0), SiteId(1));
    let one = vec![poll(task, a, 600, 10, 0), poll(task, b, 700, 200, 0)];
    let two = vec![poll(TaskId(2), b, 850, 1, 1), poll(TaskId(3), b, 860, 1, 1)];
    let (world, script, _, _) = world([one, two]);
    let flight = ask(&world, &script, all(), 1_000, 20);
    assert_eq!((flight.column_ns, flight.polls, flight.missed), (50 * MS, 4, 0));
    let Picture::Lanes(lanes) = &flight.picture else { panic!("{flight:?}") };
    let texts: Vec<String> = lanes.lanes.iter().map(text).collect();
    assert_eq!(texts, ["??????????  1 2===  ", "??????????       2  "]);
    assert_eq!(lanes.sites.iter().map(|site| &**site).collect::<Vec<_>>(), ["src/a.rs:1:1", "src/b.rs:2:2"]);
    let longest = flight.longest.unwrap();
    assert_eq!((longest.task, longest.wall_ns, longest.open), (task, 200 * MS, false));
}

#[test]
fn lanes_are_cut_and_the_rest_is_counted() {
    let (world, script, _, _) = world([vec![poll(TaskId(1), SiteId(0), 600, 1, 0)], vec![]]);
    let flight = ask(&world, &script, FlightOf::Workers { first: 0, most: 0 }, 1_000, 10);
    let Picture::Lanes(lanes) = &flight.picture else { panic!("{flight:?}") };
    assert_eq!((lanes.lanes.len(), lanes.more), (0, 1));
}

#[test]
fn a_timeline_tells_running_waiting_and_idle_apart() {
    let task = TaskId(1);
    // Woken by another thread at 600, polled from 650 to 750, woken meanwhile, polled again from 800.
    let one = vec![poll(task, SiteId(0), 650, 100, 0), poll(task, SiteId(0), 800, 50, 0)];
    let two = vec![wake(task, 600), wake(task, 700), wake(TaskId(9), 710)];
    let (world, script, spawned, _) = world([one, two]);
    assert_eq!(spawned, task);
    let flight = ask(&world, &script, FlightOf::Task(task), 1_000, 20);
    let Picture::Timeline(timeline) = &flight.picture else { panic!("{flight:?}") };
    let row = |of: fn(&TimeCell) -> u32| timeline.cells.iter().map(of).collect::<Vec<_>>();
    assert_eq!(row(|c| c.known.into()), [[0; 10], [1; 10]].concat());
    let running = row(|c| c.running.into());
    assert_eq!(running[10..], [0, 0, 0, 1_000, 1_000, 0, 1_000, 0, 0, 0]);
    let sched = row(|c| c.sched.into());
    assert_eq!(sched[10..], [0, 0, 1_000, 0, 0, 1_000, 0, 0, 0, 0]);
    let idle = row(|c| c.idle.into());
    assert_eq!(idle[10..], [1_000, 1_000, 0, 0, 0, 0, 0, 1_000, 1_000, 1_000]);
    assert_eq!(row(|c| c.wakes)[10..], [0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
    assert_eq!((flight.polls, timeline.wakes_seen), (2, true));
}

#[test]
fn odd_questions_have_small_answers() {
    let (world, script, task, _) = world([vec![], vec![]]);
    for (span_ns, columns) in [(0, 0), (u64::MAX, u16::MAX), (1, 7), (u64::MAX, 1)] {
        for of in [all(), FlightOf::Task(task), FlightOf::Task(TaskId(77))] {
            for until_unix_ns in [None, Some(0), Some(u64::MAX)] {
                let query = FlightQuery { boot: script.boot(), of, until_unix_ns, span_ns, columns };
                let answer = answer(&world, &(), &Ask::Flight(query), 0);
                assert!(matches!(answer, Answer::Flight(_)), "{answer:?}");
            }
        }
    }
}

#[test]
fn a_process_that_records_nothing_says_why() {
    let mut script = Script::new("checkout").mode(crate::measured::Mode::Sample);
    let mut world = World::new(WorldLimits::default());
    world.connect(script.hello(), 0).unwrap();
    world.apply(script.second(), 0);
    let flight = ask(&world, &script, all(), 1_000, 10);
    assert!(!flight.begun && flight.why_not.contains("spawn through pollscope"), "{flight:?}");
}
