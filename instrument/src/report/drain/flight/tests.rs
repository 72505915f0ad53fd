//! Single events are exact: what was polled and woken is there once, in order, and what was written
//! over is counted.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pollscope_model::entity::event::{Event, EventBlock};
use pollscope_model::entity::task::WokenBy;
use pollscope_model::id::TaskId;

use crate::check::spins::spins;
use crate::testkit::{Fold, fold, record};

const LONG: Duration = Duration::from_secs(60);

/// What the blocks of several reports say together.
#[derive(Default)]
struct Seen {
    /// By thread: the next number, up to when it is known, and how many were never told.
    threads: HashMap<u32, (u64, u64, u64)>,
    events: Vec<(u32, Event)>,
}

impl Seen {
    fn take(&mut self, blocks: Vec<EventBlock>) {
        for block in blocks {
            let (next, until_ns, missed) = self.threads.entry(block.thread).or_insert((block.first, 0, 0));
            assert!(block.first >= *next, "told twice: {} after {next}", block.first);
            // An event has its time before it has its place, so a block may reach back behind the last look.
            assert!(block.to_ns >= *until_ns && block.to_ns >= block.from_ns, "{}", block.first);
            *missed += block.first - *next;
            (*next, *until_ns) = (block.first + block.events.len() as u64, block.to_ns);
            assert!(block.events.is_sorted_by_key(Event::end_ns));
            self.events.extend(block.events.into_iter().map(|event| (block.thread, event)));
        }
    }

    /// Events that were never told of the one thread that runs this test's tasks.
    fn missed(&self, task: TaskId) -> u64 {
        let (thread, _) = self.events.iter().rev().find(|(_, event)| event.task() == task).expect("seen");
        self.threads[thread].2
    }

    fn polls_of(&self, task: TaskId) -> Vec<(u64, u64)> {
        let polls = self.events.iter().filter_map(|(_, event)| match *event {
            Event::Poll { task: of, start_ns, wall_ns, .. } if of == task => Some((start_ns, wall_ns)),
            _ => None,
        });
        polls.collect()
    }

    fn wakes_of(&self, task: TaskId) -> Vec<WokenBy> {
        let wakes = self.events.iter().filter_map(|(_, event)| match *event {
            Event::Wake { task: of, by, .. } if of == task => Some(by),
            _ => None,
        });
        wakes.collect()
    }
}

fn id_of(fold: &Fold, name: &str) -> TaskId {
    fold.one(name).unwrap_or_else(|| panic!("no task {name}")).id
}

/// The request ends, and with it the recording.
fn lapse(fold: &mut Fold) {
    fold.drain.source.flights.wanted_until = Some(Instant::now());
    assert_eq!(fold.drain.events(), vec![]);
}

/// One reader at a time: there is one recorder, and all share its switch.
#[test]
fn every_poll_and_wake_is_one_event_and_what_was_written_over_is_counted() {
    record();
    // Everything of this test happens on this thread.
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let spin = |name: &'static str, times| {
        let task = crate::task(name).spawn_on(spins(times), runtime.handle());
        runtime.block_on(task).expect("no panic");
    };
    let mut seen = Seen::default();

    // Without a reader nothing is recorded.
    spin("flight-unseen", 100);
    let mut fold = fold();
    assert_eq!(fold.drain.events(), vec![]);
    fold.drain.ask_for_events(0, LONG);
    seen.take(fold.drain.events());
    drop(fold);

    spin("flight-some", 1_000);
    let mut fold = crate::testkit::fold();
    seen.take(fold.drain.events());
    let task = id_of(&fold, "flight-some");
    let polls = seen.polls_of(task);
    assert_eq!((polls.len(), seen.missed(task)), (1_001, 0));
    assert!(polls.is_sorted_by_key(|(start_ns, _)| *start_ns));
    assert!(
        polls.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0),
        "a task is polled once at a time"
    );
    assert_eq!(seen.wakes_of(task), vec![WokenBy::Itself; 1_000]);
    assert_eq!(polls.iter().map(|(_, wall_ns)| wall_ns).sum::<u64>(), fold.tasks[&task].busy_ns);
    assert_eq!(seen.polls_of(id_of(&fold, "flight-unseen")), vec![]);
    drop(fold);

    // More than a ring holds between two reports: the newest are there, the others are counted.
    spin("flight-many", 100_000);
    let mut fold = crate::testkit::fold();
    seen.take(fold.drain.events());
    let task = id_of(&fold, "flight-many");
    let (kept, missed) = (seen.polls_of(task).len() + seen.wakes_of(task).len(), seen.missed(task));
    assert!(kept >= 1_000 && missed > 0, "{kept} kept, {missed} missed");
    assert_eq!(kept as u64 + missed, 200_001);

    // Another reader wants the past as well: it is told again, by the same numbers.
    fold.drain.ask_for_events(60_000_000_000, LONG);
    let mut again = Seen::default();
    again.take(fold.drain.events());
    let (first, told) = (seen.polls_of(task), again.polls_of(task));
    assert!(told.len() >= 500 && told.last() == first.last(), "{} polls", told.len());

    lapse(&mut fold);
    drop(fold);
    spin("flight-after", 10);
    let mut fold = crate::testkit::fold();
    fold.drain.ask_for_events(60_000_000_000, LONG);
    let mut later = Seen::default();
    later.take(fold.drain.events());
    assert_eq!(later.polls_of(id_of(&fold, "flight-after")), vec![], "it was off meanwhile");
    drop(fold);

    // What is recorded between the last look and the end of the request was not asked for: it is not missing.
    spin("flight-last", 10);
    let mut fold = crate::testkit::fold();
    lapse(&mut fold);
    fold.drain.ask_for_events(0, LONG);
    later.take(fold.drain.events());
    drop(fold);
    spin("flight-next", 10);
    let mut fold = crate::testkit::fold();
    later.take(fold.drain.events());
    let task = id_of(&fold, "flight-next");
    assert_eq!((later.polls_of(task).len(), later.missed(task)), (11, 0));
    lapse(&mut fold);

    memory_goes_back(&mut fold);
    drop(fold);
    let mut fold = crate::testkit::fold();
    fold.drain.ask_for_events(60_000_000_000, LONG);
    later.take(fold.drain.events());
    drop(fold);
    spin("flight-again", 10);
    let mut fold = crate::testkit::fold();
    later.take(fold.drain.events());
    let task = id_of(&fold, "flight-again");
    assert_eq!((later.polls_of(task).len(), later.missed(task)), (11, 0), "the ring is used again");
    lapse(&mut fold);
}

/// Minutes after the last reader, and not before.
#[cfg(target_os = "linux")]
fn memory_goes_back(fold: &mut Fold) {
    let ring = pollscope_recorder::thread::here().flight.own().expect("this thread recorded");
    let flights = &mut fold.drain.source.flights;
    let off = flights.off.expect("no reader is left");
    assert!(ring.resident().0 > 0, "it was written all round");
    flights.turn(off + super::KEPT.saturating_sub(Duration::from_secs(1)), 0);
    assert!(ring.resident().0 > 0, "a reader may come back soon");
    flights.turn(off + super::KEPT, 0);
    assert_eq!((ring.resident().0, flights.off), (0, None));
}

#[cfg(not(target_os = "linux"))]
fn memory_goes_back(_: &mut Fold) {}
