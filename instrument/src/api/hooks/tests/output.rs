//! Outputs of wrapped tasks that no handle takes: tokio drops them between the last poll and the task's end.

use std::sync::Mutex;

use pollscope_recorder::Recorder;

use super::*;

const SLOW: Duration = Duration::from_millis(20);

/// What the thread was in, by its task's id, while outputs were dropped.
static DROPPED_IN: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// An output that is dropped slowly.
struct Slow;

impl Drop for Slow {
    fn drop(&mut self) {
        std::thread::sleep(SLOW);
        DROPPED_IN.lock().expect("no panic").push(thread::here().task());
    }
}

/// An output that is dropped at once.
struct Quick(AtomicBool);

impl Drop for Quick {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn run_until_all_have_ended(runtime: Runtime) {
    runtime.block_on(async {
        while runtime.metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    });
    // The hooks run after the tasks have left tokio's list: the workers' end waits for them.
    drop(runtime);
}

#[test]
fn a_slow_drop_of_an_output_that_no_handle_takes_is_a_poll_of_its_task() {
    record();
    for runtime in runtimes() {
        let before = fold().named("drops-slowly").len();
        runtime.block_on(async {
            // In one poll, which ends after the handle is gone.
            let (gone, wait) = std::sync::mpsc::channel::<()>();
            drop(task("drops-slowly").spawn(async move {
                assert!(wait.recv().is_err());
                Slow
            }));
            drop(gone);
        });
        run_until_all_have_ended(runtime);
        let fold = fold();
        let mut rows = fold.named("drops-slowly");
        rows.sort_by_key(|row| row.id);
        assert_eq!(rows.len(), before + 1);
        let row = rows[before];
        assert_eq!((row.polls, row.state), (2, TaskState::Completed));
        assert!(row.max_poll_ns >= SLOW.as_nanos() as u64, "{row:?}");
        let of_it: Vec<_> = fold.slow_polls.iter().filter(|poll| poll.task == row.id).collect();
        let last = of_it.iter().max_by_key(|poll| poll.nth).expect("evidence");
        assert_eq!((last.nth, last.site), (2, row.site));
        assert!(last.wall_ns >= SLOW.as_nanos() as u64, "{last:?}");
        assert!(row.ended_ns >= last.start_ns + last.wall_ns, "it ends with the drop: {row:?}");
        let site = &fold.sites[&row.site];
        let count = rows.len() as u64;
        assert_eq!((site.spawned, site.completed, site.poll.count()), (count, count, 2 * count));
        let dropped_in = DROPPED_IN.lock().expect("no panic").clone();
        assert!(dropped_in.contains(&row.id.0), "a look from outside sees the task: {dropped_in:?}");
    }
}

#[test]
fn an_output_that_a_handle_takes_is_no_poll_of_its_task() {
    record();
    for runtime in runtimes() {
        let before = fold().named("gives-its-output").len();
        runtime.block_on(async {
            let handle = task("gives-its-output").spawn(async { Slow });
            drop(handle.await.expect("returns"));
        });
        run_until_all_have_ended(runtime);
        let fold = fold();
        let rows = fold.named("gives-its-output");
        assert_eq!(rows.len(), before + 1);
        assert!(rows.iter().all(|row| (row.polls, row.state) == (1, TaskState::Completed)), "{rows:?}");
        assert_eq!(fold.sites[&rows[0].site].poll.count(), rows.len() as u64);
    }
}

#[test]
fn a_short_drop_and_one_on_a_runtime_without_hooks_are_nothing() {
    const TASKS: usize = 20;
    record();
    let spawn_all = || {
        let name = "drops-quickly";
        (0..TASKS).for_each(|_| drop(task(name).spawn(async { Quick(AtomicBool::new(false)) })));
    };
    for (nth, runtime) in runtimes().into_iter().enumerate() {
        runtime.block_on(async { spawn_all() });
        run_until_all_have_ended(runtime);
        let fold = fold();
        let rows = fold.named("drops-quickly");
        assert_eq!(rows.len(), (nth + 1) * TASKS);
        let slow = |row: &&&TaskRecord| fold.slow_polls.iter().any(|poll| poll.task == row.id);
        // A machine that is short of CPU may make any of them slow.
        for row in rows.iter().filter(|row| !slow(row)) {
            assert_eq!((row.polls, row.state), (1, TaskState::Completed), "{row:?}");
        }
    }
    assert!(Recorder::global().hooked());
    let plain = Builder::new_current_thread().build().expect("a runtime");
    plain.block_on(async {
        spawn_all();
        while plain.metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(thread::here().task(), 0, "nothing stays open");
    drop(plain);
    let fold = fold();
    assert!(fold.named("drops-quickly").iter().all(|row| row.state == TaskState::Completed));
}
