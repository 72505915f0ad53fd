//! Threads that are stuck, and what a report says of them while they are.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test, and a measurement that is to be read")]

mod observed;
mod outside;
mod rig;
mod stopped;

use std::hint::black_box;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use pollscope::Traced;
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::measured::Mode;
use rig::{Rig, runtime};

#[inline(never)]
fn blocks_here(until: &Receiver<()>) {
    let received = until.recv();
    // No call is the last, which an optimizing compiler would turn into a jump.
    let _ = black_box(received);
}

/// The line in [`blocks_here`].
const BLOCKS_AT: u32 = line!() - 6;

async fn handler(until: Receiver<()>) {
    tokio::task::yield_now().await;
    blocks_here(&until);
    black_box(&until);
}

#[test]
fn a_blocked_task_is_seen_while_it_is_blocked() {
    for mode in [Mode::Wrap, Mode::Hooks] {
        if mode == Mode::Hooks && !cfg!(tokio_unstable) {
            continue;
        }
        let rig = Rig::start(mode);
        let runtime = runtime(2);
        let (release, until) = channel();
        match mode {
            Mode::Wrap => drop(pollscope::spawn_on(handler(until), runtime.handle())),
            _ => drop(runtime.spawn(handler(until))),
        }
        let stall = rig.stall();
        assert!(stall.task.is_some() && stall.site.is_some() && stall.tid.is_some(), "{stall:?}");
        rig.assert_line(&stall, "blocks_here", BLOCKS_AT);
        drop(release);
        // What was seen while it was open is the evidence of the poll when it is over.
        let poll = rig.until("the slow poll", |seen| {
            // On a busy machine the one before it may have been slow, too.
            let is_it = |poll: &&SlowPoll| Some(poll.task) == stall.task && poll.start_ns == stall.since_ns;
            seen.report.slow_polls.iter().find(is_it).cloned()
        });
        assert_eq!(poll.stack, stall.stack);
        rig.until("the end of the stall", |seen| seen.stalls().next().is_none().then_some(()));
        drop(runtime);
        rig.end();
    }
}

#[test]
fn a_future_that_is_no_task_is_seen_too() {
    let rig = Rig::start(Mode::Wrap);
    let (release, until) = channel();
    let thread = std::thread::Builder::new().name("plain".to_owned());
    let plain = thread.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(handler(until).traced("body"));
    });
    let stall = rig.stall();
    assert_eq!(&*rig.seen().dict.name(stall.thread), "plain");
    rig.assert_line(&stall, "blocks_here", BLOCKS_AT);
    drop(release);
    plain.unwrap().join().unwrap();
    rig.end();
}

#[test]
fn a_stuck_worker_is_seen_in_sample_mode() {
    let rig = Rig::start(Mode::Sample);
    let runtime = runtime(2);
    rig.until("the workers' threads", |seen| {
        let known = seen.report.workers.iter().filter(|worker| worker.tid.is_some()).count();
        (known == 2).then_some(())
    });
    let (release, until) = channel();
    let stuck = runtime.spawn(handler(until));
    let stall = rig.stall();
    assert!(stall.task.is_none() && stall.worker.is_some(), "{stall:?}");
    rig.assert_line(&stall, "blocks_here", BLOCKS_AT);
    drop(release);
    runtime.block_on(stuck).unwrap();
    rig.until("the end of the stall", |seen| seen.stalls().next().is_none().then_some(()));
    // A runtime that does not run any more stands still, and is not stuck.
    drop(runtime);
    rig.end();
}

#[test]
fn a_stuck_current_thread_runtime_is_seen_in_sample_mode() {
    let rig = Rig::start(Mode::Sample);
    if rig.stacks() {
        let (release, until) = channel();
        let thread = std::thread::spawn(move || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            pollscope::attach(builder.enable_time());
            let runtime = builder.build().unwrap();
            pollscope::observe(runtime.handle(), "current");
            runtime.block_on(async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                handler(until).await;
            });
            runtime
        });
        let stall = rig.stall();
        rig.assert_line(&stall, "blocks_here", BLOCKS_AT);
        drop(release);
        let runtime = thread.join().unwrap();
        // It exists, with counters that say "active", and does not run.
        rig.until("the end of the stall", |seen| seen.stalls().next().is_none().then_some(()));
        drop(runtime);
    }
    rig.end();
}

#[test]
fn a_worker_that_is_busy_with_short_polls_does_not_stand_still() {
    let rig = Rig::start(Mode::Sample);
    let runtime = runtime(1);
    let begin = Instant::now();
    let spinner = runtime.spawn(async move {
        let mut polls = 0;
        while begin.elapsed() < Duration::from_secs(3) {
            let poll = Instant::now();
            while poll.elapsed() < Duration::from_micros(500) {
                black_box(());
            }
            polls += 1;
            tokio::task::yield_now().await;
        }
        polls
    });
    while !spinner.is_finished() {
        assert_eq!(rig.seen().stalls().count(), 0);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(runtime.block_on(spinner).unwrap() > 100);
    drop(runtime);
    rig.end();
}

#[test]
fn a_worker_that_gave_its_queue_away_is_not_stuck() {
    for mode in [Mode::Wrap, Mode::Sample] {
        let rig = Rig::start(mode);
        let runtime = runtime(1);
        let (release, until) = channel::<()>();
        let (inside, is_inside) = channel();
        let aside = pollscope::spawn_on(
            async move {
                tokio::task::block_in_place(|| {
                    inside.send(()).unwrap();
                    blocks_here(&until);
                });
            },
            runtime.handle(),
        );
        is_inside.recv().unwrap();
        // The queue goes on elsewhere.
        let task = runtime.block_on(runtime.spawn(async { 1 })).unwrap();
        assert_eq!(task, 1);
        // Its new thread gets stuck: that one is told, and it alone.
        let (release_other, until) = channel();
        let stuck = pollscope::spawn_on(handler(until), runtime.handle());
        let stall = rig.until("the stall", |seen| seen.stalls().next().cloned());
        rig.until("the one stall", |seen| (seen.stalls().count() == 1).then_some(()));
        if mode == Mode::Wrap {
            drop(release_other);
            runtime.block_on(stuck).unwrap();
            let over = rig.until("the slow poll", |seen| seen.report.slow_polls.first().cloned());
            assert_eq!(Some(over.task), stall.task);
        } else {
            drop(release_other);
            runtime.block_on(stuck).unwrap();
        }
        drop(release);
        runtime.block_on(aside).unwrap();
        drop(runtime);
        rig.end();
    }
}

#[test]
fn jobs_of_the_blocking_pool_may_take_long() {
    let rig = Rig::start(Mode::Wrap);
    let runtime = runtime(1);
    let (release, until) = channel::<()>();
    let (inside, is_inside) = channel();
    let entered = runtime.enter();
    let job = pollscope::spawn_blocking(move || {
        inside.send(()).unwrap();
        blocks_here(&until);
    });
    drop(entered);
    is_inside.recv().unwrap();
    let (release_other, until) = channel();
    let stuck = pollscope::spawn_on(handler(until), runtime.handle());
    // The job began first.
    let stall = rig.until("the stall", |seen| seen.stalls().next().cloned());
    assert_eq!(rig.seen().stalls().filter(|one| one.task == stall.task).count(), 1);
    assert_eq!(rig.seen().stalls().count(), 1);
    assert!(stall.worker.is_some(), "{stall:?}");
    drop((release, release_other));
    runtime.block_on(async { (job.await.unwrap(), stuck.await.unwrap()) });
    drop(runtime);
    rig.end();
}

#[test]
fn without_a_limit_nobody_looks() {
    let rig = Rig::start_with(pollscope::builder().no_stalls());
    assert!(!rig::threads().iter().any(|name| name == "pollscope-watch"));
    rig.end();
}
