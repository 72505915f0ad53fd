//! Threads that end: their states are given back, and what they counted is not.

use std::pin::pin;
use std::sync::Barrier;
use std::task::Context;
use std::time::Duration;

use pollscope_recorder::{flight, thread};

use crate::Traced;
use crate::check::book::{Book, Settings};
use crate::check::spins::spins;
use crate::testkit::{alone, fold, fold_until, record};

use super::*;

const AT_ONCE: u64 = 500;
const BATCHES: u64 = 12;
const THREADS: u64 = AT_ONCE * BATCHES;
/// Every so many threads one has a slow poll.
const SLOW: u64 = 100;
/// What the test's own threads have.
const FEW: usize = 8;

/// Polls it to its end, on this thread, without a runtime.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(ready) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return ready;
        }
    }
}

/// Three polls and two wakes.
fn first() {
    run(spins(2).traced("ended-first"));
}

/// Two polls and a wake.
fn second() {
    run(spins(1).traced("ended-second"));
}

/// Lets them go on also when the test fails meanwhile.
struct GoOn<'a>(&'a Barrier);

impl Drop for GoOn<'_> {
    fn drop(&mut self) {
        self.0.wait();
    }
}

/// Starts them all and waits for their end. `meanwhile` is called when each has a state and has counted something, and
/// before the rest.
fn threads(count: u64, meanwhile: impl FnOnce(), of_thread: impl Fn(u64, &dyn Fn()) + Sync) {
    let (begun, go_on) = (Barrier::new(count as usize + 1), Barrier::new(count as usize + 1));
    std::thread::scope(|scope| {
        let start = |nth| {
            let (of_thread, begun, go_on) = (&of_thread, &begun, &go_on);
            let start = move || {
                of_thread(nth, &|| {
                    begun.wait();
                    go_on.wait();
                });
            };
            let threads = std::thread::Builder::new().stack_size(256 << 10);
            threads.spawn_scoped(scope, start).expect("a thread starts")
        };
        let started: Vec<_> = (0..count).map(start).collect();
        begun.wait();
        {
            let _go_on = GoOn(&go_on);
            meanwhile();
        }
        // The scope waits for what they run; their states go after that.
        for thread in started {
            thread.join().expect("no panic");
        }
    });
}

fn states() -> usize {
    thread::read().states().len()
}

fn shards() -> usize {
    thread::read().shards().map(|shards| shards.iter().count()).sum()
}

fn polls() -> u64 {
    let threads = thread::read();
    threads.sum(thread::Thread::polls, threads.rest().polls)
}

#[test]
fn six_thousand_short_threads_leave_their_totals_and_nothing_else() {
    if !alone("report::drain::tests::threads::six_thousand_short_threads_leave_their_totals_and_nothing_else")
    {
        return;
    }
    record();
    let book = Book::open(Settings {
        name: "ended".to_owned(),
        slow_poll: Duration::from_secs(60),
        stall: None,
        policy: String::new(),
    })
    .expect("a number is free");
    let mut of_book: Vec<SiteDelta> = Vec::new();
    let polls_before = polls();
    for batch in 0..BATCHES {
        let meanwhile = || {
            assert!(states() >= AT_ONCE as usize, "each has one");
            assert_eq!(fold().losses.total(), 0);
            if batch % 2 == 0 {
                of_book.extend(book.report().sites);
            }
        };
        threads(AT_ONCE, meanwhile, |nth, wait| {
            let entered = (nth % 2 == 1).then(|| book.enter());
            first();
            wait();
            second();
            if nth % SLOW == 0 {
                run(async { std::thread::sleep(Duration::from_millis(3)) }.traced("ended-slow"));
            }
            drop(entered);
        });
        assert!(states() <= AT_ONCE as usize + FEW, "{} after {batch}", states());
    }
    let slow = THREADS / SLOW;
    let told = fold_until("every slow poll and no state without a thread", |fold| {
        let id = |name| fold.named(name).into_iter().map(|row| row.id).collect::<HashSet<_>>();
        let slow_tasks = id("ended-slow");
        let told = fold.slow_polls.iter().filter(|poll| slow_tasks.contains(&poll.task)).count() as u64;
        (told >= slow && states() <= FEW).then_some(told)
    });
    assert_eq!(told, slow, "each is told once");
    assert!(shards() <= 4 * FEW, "{} shares of sites", shards());
    of_book.extend(book.last_report().sites);

    let fold = fold();
    let polls_of = |name: &str| {
        let site = fold.named(name)[0].site;
        let site = &fold.sites[&site];
        assert_eq!((site.spawned, site.completed, site.life.count()), (THREADS, THREADS, THREADS), "{name}");
        assert_eq!((site.wakes, site.self_wakes), (site.poll.count() - THREADS, site.wakes), "{name}");
        assert_eq!(site.sched.count(), site.wakes, "{name}");
        let edges = fold.edges.iter().filter(|((to, _), _)| *to == site.site).map(|(_, n)| n).sum::<u64>();
        assert_eq!(edges, site.wakes, "{name}");
        let rows = fold.named(name);
        let sums =
            rows.iter().fold((0, 0), |(poll, sched), row| (poll + row.busy_ns, sched + row.scheduled_ns));
        assert_eq!((site.poll.sum(), site.sched.sum()), sums, "{name}");
        site.poll.count()
    };
    assert_eq!((polls_of("ended-first"), polls_of("ended-second")), (3 * THREADS, 2 * THREADS));
    assert_eq!(polls() - polls_before, 5 * THREADS + slow, "of the gauge");
    let of_book = |of: fn(&SiteDelta) -> u64| of_book.iter().map(of).sum::<u64>();
    assert_eq!(of_book(|site| site.spawned), THREADS);
    assert_eq!(of_book(|site| site.life.count()), THREADS);
    assert_eq!(of_book(|site| site.poll.count()), 5 * THREADS / 2);
    assert_eq!(of_book(|site| site.wakes), 3 * THREADS / 2);
    assert_eq!(book.live_tasks(), 0);
    assert_eq!(fold.losses.total(), 0);
}

#[test]
fn a_thread_beyond_the_limit_is_a_loss_and_its_tasks_have_their_rows() {
    if !alone(
        "report::drain::tests::threads::a_thread_beyond_the_limit_is_a_loss_and_its_tasks_have_their_rows",
    ) {
        return;
    }
    record();
    drop(fold());
    thread::set_most_states(states() + 2);
    threads(
        5,
        || assert_eq!(fold().losses.threads_uncounted, 3),
        |_, wait| {
            first();
            wait();
            second();
        },
    );
    thread::set_most_states(states() + 8);
    threads(5, || {}, |_, wait| wait());
    threads(
        5,
        || {},
        |_, wait| {
            second();
            wait();
        },
    );
    fold_until("no state without a thread", |_| (states() <= FEW).then_some(()));
    let fold = fold();
    for (name, tasks, counted) in [("ended-first", 5, 2), ("ended-second", 10, 7)] {
        let rows = fold.named(name);
        assert_eq!(rows.len(), tasks, "{name}");
        let polls = if name == "ended-first" { 3 } else { 2 };
        assert!(rows.iter().all(|row| (row.polls, row.wakes) == (polls, polls - 1)), "{name}");
        let site = &fold.sites[&rows[0].site];
        assert_eq!((site.spawned, site.completed), (counted, counted), "{name}");
        assert_eq!((site.poll.count(), site.wakes), (polls * counted, (polls - 1) * counted), "{name}");
    }
    assert_eq!((fold.losses.threads_uncounted, fold.losses.total()), (3, 3));
}

#[test]
fn a_state_stays_as_long_as_its_ring_may_be_read() {
    if !alone("report::drain::tests::threads::a_state_stays_as_long_as_its_ring_may_be_read") {
        return;
    }
    record();
    threads(
        2,
        || {},
        |_, wait| {
            first();
            wait();
        },
    );
    // The states without a thread get none.
    flight::switch(true);
    threads(
        1,
        || {},
        |_, wait| {
            first();
            wait();
        },
    );
    flight::switch(false);
    let left =
        || thread::read().states().filter(|thread| !thread.is_taken()).map(|thread| thread.index).collect();
    let left: Vec<u32> =
        fold_until("all others gone", |_| Some(left()).filter(|left: &Vec<_>| left.len() <= 1));
    let events = thread::at(left[0], |thread| thread.flight.own().map(|ring| ring.read(0, u64::MAX).1.len()));
    assert_eq!(events.flatten(), Some(3 + 2), "polls and wakes");
}
