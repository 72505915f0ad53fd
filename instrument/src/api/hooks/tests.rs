//! Every task of a hooked runtime, exactly once.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use pollscope_model::entity::task::{TaskRecord, TaskState};
use pollscope_model::measured::Mode;
use pollscope_recorder::clock;
use pollscope_recorder::thread;
use tokio::runtime::{Builder, Runtime};
use tokio::task::Id;

use super::Callbacks;
use crate::task;
use crate::testkit::{Fold, fold, record};

#[cfg(all(target_pointer_width = "64", target_has_atomic = "64"))]
mod delay;
mod output;

const TASKS: usize = 10_000;

fn runtimes() -> [Runtime; 2] {
    let mut multi = Builder::new_multi_thread();
    multi.worker_threads(3);
    let mut current = Builder::new_current_thread();
    [&mut multi, &mut current].map(|builder| {
        crate::attach(builder);
        builder.enable_all().build().expect("a runtime")
    })
}

async fn known_polls(pending: usize) {
    let mut polls = 0;
    poll_fn(move |cx| {
        polls += 1;
        if polls > pending {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn rows_at<'f>(fold: &'f Fold, file: &str, line: u32) -> Vec<&'f TaskRecord> {
    let site = fold.site_at(file, line).expect("drained").site;
    fold.tasks.values().filter(|row| row.site == site).collect()
}

/// A task of this line, whose hooks the test calls itself.
#[track_caller]
fn spawned() -> (Runtime, Id) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let id = runtime.spawn(std::future::pending::<()>()).id();
    super::on_spawn(id, Location::caller());
    (runtime, id)
}

/// Closes a poll when the thread's other values are gone, its state among them.
struct CloseLast(Cell<Option<Id>>);

static STATE_WAS_GONE: AtomicBool = AtomicBool::new(false);

impl Drop for CloseLast {
    fn drop(&mut self) {
        STATE_WAS_GONE.store(thread::known().is_none(), Ordering::Relaxed);
        if let Some(id) = self.0.take() {
            super::after_poll(id);
        }
    }
}

thread_local! {
    static CLOSE_LAST: CloseLast = const { CloseLast(Cell::new(None)) };
}

#[test]
fn a_poll_that_is_closed_after_its_threads_state_is_gone_touches_nothing() {
    record();
    let thread = std::thread::spawn(|| {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let id = runtime.spawn(pending::<()>()).id();
        // Values are dropped in the opposite order of their first use: that of the hooks last, the state first.
        super::after_poll(id);
        CLOSE_LAST.with(|last| last.0.set(Some(id)));
        let here = Location::caller();
        super::on_spawn(id, here);
        super::before_poll(id);
        here.line()
    });
    let line = thread.join().expect("no panic");
    assert!(STATE_WAS_GONE.load(Ordering::Relaxed));
    let fold = fold();
    let site = fold.site_at(file!(), line).expect("drained");
    assert_eq!((site.spawned, site.poll.count()), (1, 0), "the poll is in no total");
}

#[test]
fn ten_thousand_plain_tasks_are_counted_exactly() {
    record();
    let mut runs = 0;
    let line = line!() + 6;
    for runtime in runtimes() {
        runs += 1;
        runtime.block_on(async {
            for i in 0..TASKS {
                // Not through pollscope.
                tokio::spawn(known_polls(i % 5));
            }
            while runtime.metrics().num_alive_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        });
        // The hooks run after the tasks have left tokio's list: the workers' end waits for them.
        drop(runtime);
        let fold = fold();
        let rows = rows_at(&fold, file!(), line);
        assert_eq!(rows.len(), runs * TASKS);
        let mut per_polls = [0; 6];
        for row in &rows {
            per_polls[row.polls as usize] += 1;
            assert_eq!((row.mode, row.state), (Mode::Hooks, TaskState::Completed));
            assert_eq!((row.wakes, row.scheduled_ns, row.future_bytes), (0, 0, 0));
        }
        assert_eq!(per_polls[1..], [runs * TASKS / 5; 5]);
        let site = fold.site_at(file!(), line).expect("drained");
        let count = rows.len() as u64;
        assert_eq!((site.spawned, site.ended, site.completed), (count, count, 0));
        assert_eq!(site.poll.count(), rows.iter().map(|row| row.polls).sum::<u64>());
        assert_eq!(site.poll.sum(), rows.iter().map(|row| row.busy_ns).sum::<u64>());
        assert_eq!(site.life.count(), count);
    }
}

#[test]
fn a_wrapped_task_in_a_hooked_runtime_is_one_task() {
    record();
    for runtime in runtimes() {
        let before = fold().named("wrapped-in-hooks").len();
        runtime.block_on(async {
            let handles: Vec<_> = (0..100).map(|_| task("wrapped-in-hooks").spawn(known_polls(3))).collect();
            for handle in handles {
                handle.await.expect("returns");
            }
        });
        drop(runtime);
        let fold = fold();
        let rows = fold.named("wrapped-in-hooks");
        assert_eq!(rows.len(), before + 100);
        let site = &fold.sites[&rows[0].site];
        assert_eq!(fold.tasks.values().filter(|row| row.site == site.site).count(), rows.len());
        assert_eq!((site.spawned, site.completed, site.ended), (rows.len() as u64, rows.len() as u64, 0));
        assert_eq!(site.poll.count(), 4 * rows.len() as u64);
        assert!(rows.iter().all(|row| row.mode == Mode::Wrap && row.polls == 4));
    }
}

#[test]
fn an_aborted_task_ends_and_blocking_jobs_are_ignored() {
    record();
    for runtime in runtimes() {
        let line = line!() + 3;
        runtime.block_on(async {
            tokio::task::spawn_blocking(|| ()).await.expect("returns");
            let handle = tokio::spawn(std::future::pending::<()>());
            tokio::task::yield_now().await;
            handle.abort();
            assert!(handle.await.expect_err("aborted").is_cancelled());
            // Alive until the runtime goes.
            tokio::spawn(std::future::pending::<()>());
        });
        drop(runtime);
        let fold = fold();
        for line in [line, line + 5] {
            let site = fold.site_at(file!(), line).expect("drained");
            assert_eq!(site.spawned, site.ended);
            assert!(rows_at(&fold, file!(), line).iter().all(|row| row.state == TaskState::Completed));
        }
        assert!(fold.site_at(file!(), line - 1).is_none());
    }
}

#[test]
fn tasks_beyond_the_tables_places_are_known_too() {
    const ALIVE: usize = super::known::PLACES + 2_000;
    record();
    let runtime = runtimes().into_iter().next().expect("two");
    let line = line!() + 4;
    let polled = Arc::new(AtomicUsize::new(0));
    for _ in 0..ALIVE {
        let polled = Arc::clone(&polled);
        runtime.spawn(async move {
            polled.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            pending::<()>().await;
        });
    }
    while polled.load(Ordering::Relaxed) < ALIVE {
        std::thread::yield_now();
    }
    // Known tasks have a row, however many end at once.
    drop(fold());
    drop(runtime);
    let fold = fold();
    let site = fold.site_at(file!(), line).expect("drained");
    assert_eq!((site.spawned, site.ended), (ALIVE as u64, ALIVE as u64));
    assert_eq!(site.poll.count(), rows_at(&fold, file!(), line).iter().map(|row| row.polls).sum::<u64>());
}

#[test]
fn a_hooked_runtime_is_observed_without_being_told() {
    record();
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).name("hooked-by-name");
    crate::attach_with(&mut builder, Callbacks::new());
    let runtime = builder.build().expect("a runtime");
    let seen = |gone: bool| {
        crate::testkit::fold_until("the runtime", |fold| {
            let known = fold.runtimes.iter().find(|known| &*fold.dict.name(known.name) == "hooked-by-name");
            known.filter(|known| known.gone == gone).cloned()
        })
    };
    assert_eq!(seen(false).workers, 1);
    drop(runtime);
    assert_eq!(seen(true).alive_tasks, None);
}

/// Tokio calls the hook after a poll when the task may be polled elsewhere already.
#[test]
fn a_poll_that_begins_elsewhere_before_the_hook_of_the_last_one_ran_keeps_its_own_time() {
    record();
    let began = clock::now_ns();
    let (_runtime, id) = spawned();
    let line = line!() - 1;
    super::before_poll(id);
    std::thread::spawn(move || {
        super::before_poll(id);
        std::thread::spawn(move || super::before_poll(id)).join().expect("no panic");
        super::after_poll(id);
    })
    .join()
    .expect("no panic");
    let open = rows_at(&fold(), file!(), line)[0].clone();
    // Tokio ended the first when it began the second. The third thread's is the one that is open.
    assert_eq!((open.polls, open.state), (2, TaskState::Running));
    super::after_poll(id);
    super::on_terminate(id);
    let fold = fold();
    let row = rows_at(&fold, file!(), line)[0];
    let elapsed = clock::now_ns() - began;
    assert_eq!(row.polls, 3);
    assert!(row.max_poll_ns <= elapsed && row.busy_ns <= 2 * elapsed, "{row:?} in {elapsed}");
    assert_eq!(fold.site_at(file!(), line).expect("drained").poll.sum(), row.busy_ns);
}

/// What tokio may do: a task that is woken in its poll is polled elsewhere before the hook that ends the first one.
#[test]
fn a_poll_whose_last_hook_comes_after_the_tasks_end_has_its_time_in_the_row() {
    record();
    let (_runtime, id) = spawned();
    let line = line!() - 1;
    let row = || {
        let fold = fold();
        let [row] = rows_at(&fold, file!(), line)[..] else { panic!("one row") };
        (row.state, row.polls, row.busy_ns)
    };
    super::before_poll(id);
    let pause = Duration::from_millis(2);
    let elsewhere = || {
        super::before_poll(id);
        std::thread::sleep(pause);
        super::on_terminate(id);
        super::after_poll(id);
    };
    std::thread::scope(|scope| scope.spawn(elsewhere).join()).expect("no panic");
    let (state, polls, first_ns) = row();
    assert!(state.is_ended());
    assert_eq!(polls, 2);
    super::after_poll(id);
    let (_, polls, both_ns) = row();
    assert_eq!(polls, 2);
    assert!(both_ns >= first_ns + pause.as_nanos() as u64, "{both_ns} and {first_ns}");
}
