//! Runtimes that were only handed to us, with no word of their threads: what a report says while their workers are
//! stuck.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pollscope_model::entity::runtime::WorkerDelta;
use pollscope_model::entity::stall::Stall;
use pollscope_model::id::{RuntimeId, WorkerId};
use pollscope_model::measured::Mode;
use tokio::runtime::Runtime;

use crate::rig::{Rig, Seen};

/// Of the calling thread: runtime by name, worker, thread.
type Place = (&'static str, usize, u32);

fn place(runtime: &'static str) -> Place {
    let index = tokio::runtime::worker_index().unwrap();
    (runtime, index, rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs())
}

/// A runtime that other code built.
fn plain(name: &str, workers: usize) -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(workers).enable_all().build().unwrap();
    pollscope::observe(runtime.handle(), name);
    runtime
}

/// The same when the threads of all its workers are known: only workers that work are asked again.
fn known(rig: &Rig, name: &str, workers: usize) -> Runtime {
    let runtime = plain(name, workers);
    let _busy = busy(&runtime, 2 * workers);
    rig.until("the workers' threads", |seen| {
        let is_known = |index| worker(seen, name, index).is_some_and(|worker| worker.tid.is_some());
        (0..workers).all(is_known).then_some(())
    });
    runtime
}

/// What a report calls a runtime, once it is told.
fn id_of(seen: &Seen, runtime: &str) -> Option<RuntimeId> {
    Some(seen.report.runtimes.iter().find(|one| &*seen.dict.name(one.name) == runtime)?.id)
}

/// The same of a worker.
fn worker_id(seen: &Seen, runtime: &str, index: usize) -> Option<WorkerId> {
    Some(WorkerId { runtime: id_of(seen, runtime)?, index: index as u32 })
}

/// A worker, if it is told.
pub(crate) fn worker<'a>(seen: &'a Seen, runtime: &str, index: usize) -> Option<&'a WorkerDelta> {
    let id = worker_id(seen, runtime, index)?;
    seen.report.workers.iter().find(|worker| worker.id == id)
}

#[inline(never)]
fn sleeps_here(until: &AtomicBool) {
    while !until.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The line in [`sleeps_here`].
const SLEEPS_AT: u32 = line!() - 5;

#[inline(never)]
fn locks_here(lock: &Mutex<u32>) -> u32 {
    let mut held = lock.lock().unwrap();
    *held += 1;
    *held
}

const LOCKS_AT: u32 = line!() - 5;

#[inline(never)]
fn burns_here(is_over: &dyn Fn() -> bool) {
    while !is_over() {}
}

const BURNS_AT: u32 = line!() - 3;

#[inline(never)]
fn blocks_there(until: &Receiver<()>) {
    let received = until.recv();
    let _ = black_box(received);
}

/// The line in [`blocks_there`].
const BLOCKS_AT: u32 = line!() - 5;

/// Tells where it is, and blocks there. For tasks without an await before that: one that was woken waits in its
/// worker's LIFO slot, and behind one that blocks it stays there.
fn blocks(runtime: &'static str, tell: &Sender<Place>, until: &Receiver<()>) {
    tell.send(place(runtime)).unwrap();
    blocks_there(until);
    black_box(until);
}

/// The same as a task.
fn spawn_blocks(runtime: &Runtime, name: &'static str, tell: &Sender<Place>, until: Receiver<()>) {
    let tell = tell.clone();
    runtime.spawn(async move { blocks(name, &tell, &until) });
}

/// Tasks that never end by themselves, with polls as short as they should be, in the very function that others
/// stay in.
fn busy(runtime: &Runtime, tasks: usize) -> Stop {
    let stop = Arc::new(AtomicBool::new(false));
    for _ in 0..tasks {
        let stop = Arc::clone(&stop);
        runtime.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let begin = Instant::now();
                burns_here(&|| begin.elapsed() > Duration::from_micros(200));
                tokio::task::yield_now().await;
            }
        });
    }
    Stop(stop)
}

/// What was told, with a nudge for the runtime now and then: of its workers one that gets stuck has not always woken
/// another to take what waits behind.
fn told_by<T>(runtime: &Runtime, told: &Receiver<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        match told.recv_timeout(Duration::from_millis(20)) {
            Ok(told) => return told,
            Err(RecvTimeoutError::Timeout) => drop(runtime.spawn(async {})),
            Err(RecvTimeoutError::Disconnected) => panic!("the sender is gone"),
        }
    }
    panic!("no answer");
}

/// Dropped, it stops them.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Spawns what gets stuck where it is until the other half is dropped, and tells where that is.
fn gets_stuck(
    runtime: &Runtime,
    name: &'static str,
    here: impl FnOnce(&AtomicBool) + Send + 'static,
) -> (Place, Stop) {
    let stop = Arc::new(AtomicBool::new(false));
    let (tell, told) = channel();
    let until = Arc::clone(&stop);
    runtime.spawn(async move {
        tell.send(place(name)).unwrap();
        here(&until);
        black_box(&until);
    });
    (told_by(runtime, &told), Stop(stop))
}

/// The stall of that worker, as soon as all is told of it.
fn stall_at(rig: &Rig, (runtime, index, tid): Place) -> Stall {
    let stall = rig.until("the stall of that worker", |seen| {
        let id = worker_id(seen, runtime, index)?;
        let stall = seen.stalls().find(|stall| stall.worker == Some(id))?;
        // Never another thread's, not even for a moment.
        assert!(stall.tid.is_none_or(|told| told == tid), "{stall:?} is not of {tid}");
        seen.is_complete(stall).then(|| stall.clone())
    });
    assert_eq!(stall.tid, Some(tid));
    stall
}

/// A guard, where stacks are taken.
fn start() -> Option<Rig> {
    let rig = Rig::start(Mode::Sample);
    // That is told once there is a runtime.
    let first = plain("first", 1);
    let possible = rig.stacks();
    drop(first);
    if possible {
        return Some(rig);
    }
    rig.end();
    None
}

fn until_none_is_stuck_in(rig: &Rig, runtime: &str) {
    rig.until("the end of the stalls", |seen| {
        let id = id_of(seen, runtime)?;
        let of_it = |stall: &Stall| stall.worker.is_some_and(|worker| worker.runtime == id);
        (!seen.stalls().any(of_it)).then_some(())
    });
}

/// One of three workers gets stuck among busy ones, until `look` has seen what is told of it.
fn is_told(
    name: &'static str,
    here: impl FnOnce(&AtomicBool) + Send + 'static,
    look: impl FnOnce(&Rig, &Stall),
) {
    let Some(rig) = start() else { return };
    let runtime = known(&rig, name, 3);
    let _busy = busy(&runtime, 2);
    let (place, stop) = gets_stuck(&runtime, name, here);
    look(&rig, &stall_at(&rig, place));
    drop(stop);
    until_none_is_stuck_in(&rig, name);
    drop(runtime);
    rig.end();
}

#[test]
fn the_line_that_sleeps_is_named() {
    is_told("sleeps", sleeps_here, |rig, stall| {
        rig.assert_waits(stall, "sleeps_here", SLEEPS_AT, "observed.rs", &["clock_nanosleep", "running"]);
    });
}

#[test]
fn the_line_that_waits_for_a_lock_is_named() {
    let lock = Arc::new(Mutex::new(0));
    let theirs = Arc::clone(&lock);
    let held = lock.lock().unwrap();
    let locks = move |_: &AtomicBool| {
        black_box(locks_here(&theirs));
    };
    is_told("locks", locks, |rig, stall| {
        rig.assert_waits(stall, "locks_here", LOCKS_AT, "observed.rs", &["futex_wait"]);
        drop(held);
    });
}

#[test]
fn a_thread_that_never_sleeps_is_found_among_others_that_never_do() {
    let burns = |until: &AtomicBool| burns_here(&|| until.load(Ordering::Relaxed));
    is_told("burns", burns, |rig, stall| {
        // Of a loop, any line.
        let line = rig.line_of(stall, "burns_here");
        assert!((BURNS_AT - 1..=BURNS_AT + 1).contains(&line), "{line}");
        let word = stall.waiting_in.map(|word| rig.seen().dict.name(word).to_string());
        assert!(matches!(word.as_deref(), Some("running" | "runnable")), "{word:?}");
    });
}

#[test]
fn the_threads_of_a_runtime_that_nobody_observes_are_not_taken() {
    let Some(rig) = start() else { return };
    let foreign = tokio::runtime::Builder::new_multi_thread().worker_threads(3).build().unwrap();
    let _busy = busy(&foreign, 1);
    let (_, stop_first) = gets_stuck(&foreign, "foreign", sleeps_here);
    let runtime = known(&rig, "known", 2);
    let (place, stop) = gets_stuck(&runtime, "known", sleeps_here);
    let burns = |until: &AtomicBool| burns_here(&|| until.load(Ordering::Relaxed));
    let (_, stop_last) = gets_stuck(&foreign, "foreign", burns);
    let stall = stall_at(&rig, place);
    rig.assert_waits(&stall, "sleeps_here", SLEEPS_AT, "observed.rs", &["clock_nanosleep", "running"]);
    drop((stop, stop_first, stop_last));
    drop((runtime, foreign));
    rig.end();
}

#[test]
fn all_workers_of_two_runtimes_are_stuck_and_none_is_taken_for_another() {
    let Some(rig) = start() else { return };
    let runtimes = [("left", known(&rig, "left", 2)), ("right", known(&rig, "right", 3))];
    let (mut places, mut releases) = (Vec::new(), Vec::new());
    for (name, runtime) in &runtimes {
        let (tell, told) = channel();
        for _ in 0..runtime.metrics().num_workers() {
            let (release, until) = channel();
            spawn_blocks(runtime, name, &tell, until);
            releases.push(release);
            // Also threads of the pool, which are no workers.
            let (release, until) = channel();
            runtime.spawn_blocking(move || blocks_there(&until));
            releases.push(release);
        }
        places.extend((0..runtime.metrics().num_workers()).map(|_| told_by(runtime, &told)));
    }
    for place in places {
        let stall = stall_at(&rig, place);
        rig.assert_waits(&stall, "blocks_there", BLOCKS_AT, "observed.rs", &["futex_wait"]);
    }
    assert_eq!(rig.seen().stalls().count(), 5);
    drop(releases);
    until_none_is_stuck_in(&rig, "left");
    until_none_is_stuck_in(&rig, "right");
    drop(runtimes);
    rig.end();
}

#[test]
fn a_worker_that_went_on_elsewhere_is_found_there() {
    let Some(rig) = start() else { return };
    let runtime = known(&rig, "moved", 1);
    let (tell, told) = channel();
    let (release, until) = channel();
    // Its first thread is known.
    spawn_blocks(&runtime, "moved", &tell, until);
    stall_at(&rig, told_by(&runtime, &told));
    drop(release);
    until_none_is_stuck_in(&rig, "moved");
    let (release_aside, until) = channel();
    let (inside, is_inside) = channel();
    let aside = runtime.spawn(async move {
        tokio::task::block_in_place(|| {
            inside.send(()).unwrap();
            blocks_there(&until);
        });
    });
    is_inside.recv().unwrap();
    // What is known is where it was.
    let (release, until) = channel();
    spawn_blocks(&runtime, "moved", &tell, until);
    let place = told_by(&runtime, &told);
    rig.until("that it is not there", |seen| {
        let is_nobodys = worker(seen, "moved", 0).is_some_and(|worker| worker.tid.is_none());
        (is_nobodys && seen.stalls().any(|stall| stall.tid.is_none())).then_some(())
    });
    drop(release);
    rig.until("where it is now", |seen| (worker(seen, "moved", 0)?.tid == Some(place.2)).then_some(()));
    let (release, until) = channel();
    spawn_blocks(&runtime, "moved", &tell, until);
    assert_eq!(told_by(&runtime, &told), place);
    stall_at(&rig, place);
    drop((release, release_aside));
    runtime.block_on(aside).unwrap();
    drop(runtime);
    rig.end();
}

#[test]
fn the_thread_that_runs_a_current_thread_runtime_is_found() {
    let Some(rig) = start() else { return };
    let (tell, told) = channel();
    let (go, is_known) = tokio::sync::oneshot::channel();
    let (release, until) = channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        pollscope::observe(runtime.handle(), "alone");
        runtime.block_on(async {
            is_known.await.unwrap();
            blocks("alone", &tell, &until);
        });
    });
    rig.until("its thread", |seen| worker(seen, "alone", 0)?.tid);
    go.send(()).unwrap();
    let place = told.recv().unwrap();
    let stall = stall_at(&rig, place);
    rig.assert_waits(&stall, "blocks_there", BLOCKS_AT, "observed.rs", &["futex_wait"]);
    drop(release);
    until_none_is_stuck_in(&rig, "alone");
    thread.join().unwrap();
    rig.end();
}
