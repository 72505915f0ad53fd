//! Who waited for a slow poll, to the last task.

use std::sync::mpsc;
use std::time::Duration;

use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::id::TaskId;
use tokio::runtime::{Builder, Runtime};

use crate::JoinHandle;
use crate::task;
use crate::testkit::{fold, fold_until, record};

const WAITERS: u32 = 37;

/// Blocks until it is told to go on, and tells when it does.
fn blocker(name: &str, runtime: &Runtime) -> (JoinHandle<()>, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (begins, has_begun) = mpsc::channel();
    let (go_on, wait) = mpsc::channel();
    let handle = task(name).spawn_on(
        async move {
            begins.send(()).expect("the test listens");
            wait.recv().expect("the test says so");
        },
        runtime.handle(),
    );
    (handle, has_begun, go_on)
}

/// The slow poll of the one task of that name, with that many waiters.
fn slow_poll_of(name: &str, waiters: u32) -> SlowPoll {
    fold_until(&format!("{waiters} tasks that waited for {name}"), |fold| {
        let id: TaskId = fold.one(name)?.id;
        let poll = fold.slow_polls.iter().find(|poll| poll.task == id)?;
        (poll.waiters.unwrap_or(0) == waiters).then(|| poll.clone())
    })
}

#[test]
fn tasks_that_were_ready_before_waited_all_of_it() {
    record();
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let (blocked, _has_begun, go_on) = blocker("harm-current", &runtime);
    let ready: Vec<_> =
        (0..WAITERS).map(|_| task("harm-ready").spawn_on(async {}, runtime.handle())).collect();
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        go_on.send(()).expect("it waits");
    });
    runtime.block_on(async {
        blocked.await.expect("it returns");
        for handle in ready {
            handle.await.expect("it returns");
        }
        // A task that comes later did not wait.
        task("harm-later").spawn(async {}).await.expect("it returns");
    });
    release.join().expect("no panic");
    let poll = slow_poll_of("harm-current", WAITERS);
    assert_eq!(poll.max_waited_ns, Some(poll.wall_ns));
    assert_eq!(poll.waited_ns, Some(u64::from(WAITERS) * poll.wall_ns));
    let waits: Vec<_> = fold().named("harm-ready").iter().map(|row| row.scheduled_ns).collect();
    assert!(waits.iter().all(|waited| *waited >= poll.wall_ns), "{waits:?} {poll:?}");
}

#[test]
fn tasks_that_became_ready_meanwhile_waited_from_then_on() {
    record();
    let runtime = Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let (blocked, has_begun, go_on) = blocker("harm-one-worker", &runtime);
    has_begun.recv().expect("it begins");
    // Slow even if nothing else takes time.
    std::thread::sleep(Duration::from_millis(2));
    let ready: Vec<_> =
        (0..WAITERS).map(|_| task("harm-meanwhile").spawn_on(async {}, runtime.handle())).collect();
    go_on.send(()).expect("it waits");
    runtime.block_on(async {
        blocked.await.expect("it returns");
        for handle in ready {
            handle.await.expect("it returns");
        }
    });
    let poll = slow_poll_of("harm-one-worker", WAITERS);
    let end = poll.start_ns + poll.wall_ns;
    let fold = fold();
    let waits: Vec<_> = fold.named("harm-meanwhile").iter().map(|row| end - row.spawned_ns).collect();
    assert_eq!(poll.waited_ns, Some(waits.iter().sum()));
    assert_eq!(poll.max_waited_ns, waits.iter().copied().max());
}

#[test]
fn tasks_that_another_worker_took_did_not_wait() {
    record();
    let runtime = Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let (blocked, has_begun, go_on) = blocker("harm-two-workers", &runtime);
    has_begun.recv().expect("it begins");
    std::thread::sleep(Duration::from_millis(2));
    let others: Vec<_> =
        (0..WAITERS).map(|_| task("harm-elsewhere").spawn_on(async {}, runtime.handle())).collect();
    runtime.block_on(async {
        for handle in others {
            handle.await.expect("it returns");
        }
    });
    go_on.send(()).expect("it waits");
    runtime.block_on(blocked).expect("it returns");
    let poll = slow_poll_of("harm-two-workers", 0);
    assert_eq!(poll.waited_ns.unwrap_or(0), 0);
}

#[test]
fn what_waited_for_several_counts_for_each() {
    record();
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let sleeps = || async { std::thread::sleep(Duration::from_millis(5)) };
    let first = task("harm-first").spawn_on(sleeps(), runtime.handle());
    let second = task("harm-second").spawn_on(sleeps(), runtime.handle());
    let last = task("harm-last").spawn_on(async {}, runtime.handle());
    runtime.block_on(async {
        for handle in [first, second, last] {
            handle.await.expect("it returns");
        }
    });
    let first = slow_poll_of("harm-first", 2);
    let second = slow_poll_of("harm-second", 1);
    assert_eq!(first.waited_ns, Some(2 * first.wall_ns));
    assert_eq!(second.waited_ns, Some(second.wall_ns));
}
