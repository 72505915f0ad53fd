//! Single polls and wakes on the other side of the wire: for the viewer that asks, and for no other.

use std::time::Duration;

use pollscope::{Flight, Guard, Listen};
use pollscope_model::entity::event::Event;
use pollscope_model::world::{Process, TaskRow};
use pollscope_proto::EventsRequest;
use pollscope_proto::feed::Request;
use pollscope_proto::ingest::Control;

use crate::rig::collector::{Collector, Store};
use crate::rig::viewer::Viewer;
use crate::rig::{alone, block_on, until};

const SECOND_NS: u64 = 1_000_000_000;

fn start(flight: Flight) -> (Guard, String) {
    let guard = pollscope::builder()
        .listen(Listen::Tcp(([127, 0, 0, 1], 0).into()))
        .interval(Duration::from_millis(20))
        .flight(flight)
        .try_init()
        .unwrap();
    let target = guard.local_addr().unwrap().to_string();
    (guard, target)
}

/// A task of that name that is polled so many times.
pub(crate) async fn yields(name: &str, times: usize) {
    let work = async move {
        for _ in 1..times {
            tokio::task::yield_now().await;
        }
    };
    pollscope::task(name).spawn(work).await.unwrap();
}

/// Polls and wakes of the task of that name, as far as they came here.
pub(crate) fn seen(process: &Process, name: &str) -> (usize, usize) {
    let named = |task: &TaskRow<'_>| &*process.dictionary().name(task.name()) == name;
    let Some(task) = process.tasks().find(named).map(|task| task.record().id) else { return (0, 0) };
    let of_task = || process.tracks().flat_map(|track| track.ended_after(0)).filter(|e| e.task() == task);
    let polls = of_task().filter(|event| matches!(event, Event::Poll { .. })).count();
    (polls, of_task().count() - polls)
}

#[test]
fn who_asks_gets_every_poll_and_wake_and_nobody_else_does() {
    let _alone = alone();
    let (_guard, target) = start(Flight::Demand);
    block_on(async {
        let mut asking = Viewer::attach(&target).await.unwrap();
        let mut other = Viewer::attach(&target).await.unwrap();
        asking.watch_until(|process| process.last_seq().is_some()).await;
        asking.ask(&Request::Events(EventsRequest { last_ns: SECOND_NS, ttl_ns: 60 * SECOND_NS })).await;
        // A thread that never polled anything has nothing to tell.
        yields("first", 1).await;
        asking.watch_until(|process| process.tracks().next().is_some()).await;
        yields("asked-for", 500).await;
        asking.watch_until(|process| seen(process, "asked-for") == (500, 499)).await;
        assert_eq!(asking.process().missed_events(), 0);
        other.watch_until(|process| process.tasks().next().is_some()).await;
        assert_eq!(other.process().tracks().count(), 0);
    });
}

#[test]
fn a_dump_goes_to_everybody_and_brings_the_past() {
    let _alone = alone();
    let (guard, target) = start(Flight::Always);
    block_on(async {
        let mut viewer = Viewer::attach(&target).await.unwrap();
        viewer.watch_until(|process| process.last_seq().is_some()).await;
        yields("before-the-dump", 300).await;
        assert_eq!(viewer.process().tracks().count(), 0);
        let dumped = tokio::task::spawn_blocking(move || (guard.dump(Duration::from_secs(60)), guard));
        viewer.watch_until(|process| seen(process, "before-the-dump") == (300, 299)).await;
        let (events, _guard) = dumped.await.unwrap();
        assert!(events >= 599, "{events}");
    });
}

#[test]
fn a_collector_that_asks_gets_them_too() {
    let _alone = alone();
    let store = Store::new();
    let collector = Collector::start(&store);
    let _guard = pollscope::builder()
        .listen(Listen::Off)
        .interval(Duration::from_millis(20))
        .endpoint(&collector.url())
        .try_init()
        .unwrap();
    block_on(async {
        let boot = || store.lock().hellos.first().map(|hello| hello.boot);
        until("it is connected", || store.lock().last.is_some()).await;
        let boot = boot().unwrap();
        let holds = |what: &dyn Fn(&Process) -> bool| store.lock().world.process(boot).is_some_and(what);
        collector.say.send(Control::Events(EventsRequest { last_ns: 0, ttl_ns: 60 * SECOND_NS })).unwrap();
        // A thread that never polled anything has nothing to tell.
        yields("first", 1).await;
        until("events come", || holds(&|process| process.tracks().next().is_some())).await;
        yields("pushed", 200).await;
        until("all are there", || holds(&|process| seen(process, "pushed") == (200, 199))).await;
    });
    drop(collector);
}

#[test]
fn where_nothing_is_recorded_a_dump_says_so() {
    let _alone = alone();
    for flight in [Flight::Off, Flight::Demand] {
        let (guard, _) = start(flight);
        assert_eq!(guard.dump(Duration::from_secs(60)), 0, "{flight:?}");
    }
}
