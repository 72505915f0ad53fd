//! Outcomes, handles, labels: what became of a task and who cared.

use std::future::{Future, pending, poll_fn};
use std::task::Poll;
use std::time::Duration;

use pollscope_model::entity::site::SiteDelta;
use pollscope_model::entity::task::{HandleState, TaskKind, TaskRecord, TaskState, WokenBy};
use pollscope_recorder::clock;

use crate::runtime::TOKIO;
use crate::testkit::{Fold, alone, fold, fold_until, record};
use crate::{JoinSet, Traced as _, scope, spawn, task};

fn current() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn of<'a>(fold: &'a Fold, name: &str) -> (&'a TaskRecord, &'a SiteDelta) {
    let row = fold.one(name).expect("drained");
    (row, &fold.sites[&row.site])
}

/// A panic without its message in the test's output.
fn silent_panic() {
    std::panic::resume_unwind(Box::new("expected"));
}

#[test]
fn returned_aborted_and_dropped_with_the_runtime() {
    record();
    let runtime = current();
    runtime.block_on(async {
        assert_eq!(task("returns").spawn(async { 7 }).await.expect("returns"), 7);
        let aborted = task("aborted").spawn(pending::<()>());
        tokio::task::yield_now().await;
        aborted.abort();
        assert!(aborted.await.expect_err("aborted").is_cancelled());
    });
    let left = task("left-over").spawn_on(pending::<()>(), runtime.handle());
    drop(runtime);
    let fold = fold();
    let (row, site) = of(&fold, "returns");
    assert_eq!((row.state, row.handle), (TaskState::Completed, HandleState::Joined));
    assert_eq!((site.completed, site.cancelled), (1, 0));
    let (row, site) = of(&fold, "aborted");
    assert_eq!((row.state, row.handle), (TaskState::Cancelled, HandleState::Aborted));
    assert_eq!((site.completed, site.cancelled, site.life.count()), (0, 1, 1));
    let (row, _) = of(&fold, "left-over");
    assert_eq!((row.state, row.handle), (TaskState::Cancelled, HandleState::Held));
    drop(left);
}

#[test]
fn a_panic_is_the_users_and_is_swallowed_only_when_nobody_takes_it() {
    record();
    current().block_on(async {
        let joined = task("panic-joined").spawn(async { silent_panic() });
        let error = joined.await.expect_err("panics");
        assert_eq!(error.into_panic().downcast_ref(), Some(&"expected"));

        let late = task("panic-dropped-late").spawn(async { silent_panic() });
        while !late.is_finished() {
            tokio::task::yield_now().await;
        }
        drop(late);

        drop(task("panic-detached").spawn(async {
            tokio::task::yield_now().await;
            silent_panic();
        }));
        drop(task("detached-and-fine").spawn(tokio::time::sleep(Duration::from_millis(1))));
        fold_all_ended(&["panic-detached", "detached-and-fine"]).await;
    });
    let fold = fold();
    let counts = |name| {
        let (row, site) = of(&fold, name);
        (row.state, row.handle, site.panicked, site.swallowed_panics, site.detached_failures)
    };
    assert_eq!(counts("panic-joined"), (TaskState::Panicked, HandleState::Joined, 1, 0, 0));
    assert_eq!(counts("panic-dropped-late").3, 1);
    assert_eq!(counts("panic-dropped-late").4, 0);
    assert_eq!(counts("panic-detached"), (TaskState::Panicked, HandleState::Dropped, 1, 1, 1));
    assert_eq!(counts("detached-and-fine"), (TaskState::Completed, HandleState::Dropped, 0, 0, 0));
}

async fn fold_all_ended(names: &[&str]) {
    for name in names {
        while !fold().one(name).is_some_and(|row| row.state.is_ended()) {
            tokio::task::yield_now().await;
        }
    }
}

#[test]
fn a_join_set_tells_joined_from_aborted_and_detached() {
    record();
    let file = file!();
    let (joined, aborted, detached) = current().block_on(async {
        let mut set = JoinSet::new();
        let joined = line!() + 1;
        set.spawn(async { 1 });
        set.spawn_blocking(|| 2);
        set.spawn_on(async { 3 }, &tokio::runtime::Handle::current());
        assert_eq!((set.len(), set.is_empty()), (3, false));
        assert_eq!(format!("{set:?}"), "JoinSet { len: 3 }");
        let mut outputs = set.join_all().await;
        outputs.sort_unstable();
        assert_eq!(outputs, vec![1, 2, 3]);

        let mut set: JoinSet<()> = JoinSet::default();
        let aborted = line!() + 1;
        set.spawn(pending());
        assert!(set.try_join_next().is_none());
        set.shutdown().await;
        assert!(set.is_empty());

        let mut set: JoinSet<()> = JoinSet::new();
        let detached = line!() + 1;
        set.spawn(async { silent_panic() });
        set.detach_all();
        assert!(set.join_next().await.is_none());
        while fold().site_at(file, detached).is_none_or(|site| site.panicked == 0) {
            tokio::task::yield_now().await;
        }
        let collected: JoinSet<u8> = (0..3).map(|i| async move { i }).collect();
        assert_eq!(collected.join_all().await.len(), 3);
        (joined, aborted, detached)
    });
    let fold = fold();
    let site = |line| fold.site_at(file, line).expect("drained");
    let handle = |line| {
        let id = site(line).site;
        fold.tasks.values().find(|row| row.site == id).map(|row| row.handle)
    };
    assert_eq!((site(joined).completed, handle(joined)), (1, Some(HandleState::Joined)));
    assert_eq!((site(aborted).cancelled, handle(aborted)), (1, Some(HandleState::Aborted)));
    assert_eq!((site(detached).swallowed_panics, site(detached).detached_failures), (1, 1));
}

#[test]
fn a_blocking_job_is_a_task_of_one_poll() {
    record();
    let runtime = current();
    let line = line!() + 1;
    let answer = runtime.block_on(async { crate::spawn_blocking(|| 42).await });
    assert_eq!(answer.expect("returns"), 42);
    let panics = runtime.block_on(async { task("job-panics").spawn_blocking(silent_panic).await });
    assert!(panics.expect_err("panics").is_panic());
    let fold = fold();
    let site = fold.site_at(file!(), line).expect("drained");
    assert_eq!((site.spawned, site.completed, site.poll.count(), site.sched.count()), (1, 1, 1, 1));
    let (row, _) = of(&fold, "job-panics");
    assert_eq!((row.kind, row.state, row.polls), (TaskKind::Blocking, TaskState::Panicked, 1));
}

#[test]
fn local_tasks_may_be_unsendable() {
    record();
    let local = tokio::task::LocalSet::new();
    local.block_on(&current(), async {
        let shared = std::rc::Rc::new(5);
        let handle = task("local").spawn_local({
            let shared = std::rc::Rc::clone(&shared);
            async move {
                tokio::task::yield_now().await;
                *shared
            }
        });
        assert_eq!(handle.await.expect("returns"), 5);
    });
    let fold = fold();
    let (row, _) = of(&fold, "local");
    assert_eq!((row.kind, row.state, row.polls), (TaskKind::Local, TaskState::Completed, 2));
}

/// Calls the function when it is dropped.
struct OnDrop(fn());

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0();
    }
}

/// Done at once; what it holds goes when the executor drops it.
fn done_with(held: OnDrop) -> impl Future<Output = ()> + Send {
    poll_fn(move |_| {
        let _ = &held;
        Poll::Ready(())
    })
}

#[test]
fn dropping_a_future_that_is_done_belongs_to_its_last_poll() {
    record();
    current().block_on(async {
        let slow = OnDrop(|| std::thread::sleep(Duration::from_millis(3)));
        task("dropped-slowly").spawn(done_with(slow)).await.expect("returns");
        let error = task("dropped-with-a-panic").spawn(done_with(OnDrop(silent_panic))).await;
        assert!(error.expect_err("panics").is_panic());
    });
    let fold = fold();
    let (row, site) = of(&fold, "dropped-slowly");
    assert_eq!((row.state, row.polls), (TaskState::Completed, 1));
    assert!(row.max_poll_ns >= 3_000_000 && site.poll.sum() == row.busy_ns, "{row:?}");
    let (row, site) = of(&fold, "dropped-with-a-panic");
    assert_eq!((row.state, row.handle), (TaskState::Panicked, HandleState::Joined));
    assert_eq!((site.completed, site.panicked, site.poll.count()), (0, 1, 1));
}

#[test]
fn whoever_joins_is_due_since_the_tasks_end() {
    record();
    let (ended, resumed) = current().block_on(async {
        let child = task("joined-child").spawn(async {
            // After it was first waited for, with a poll that is no delay of the waiting task.
            tokio::task::yield_now().await;
            std::thread::sleep(Duration::from_millis(3));
            clock::now_ns()
        });
        let join = async { (child.await.expect("returns"), clock::now_ns()) };
        task("joining").spawn(join.traced("the join")).await.expect("returns")
    });
    let fold = fold();
    let (row, site) = of(&fold, "the join");
    assert_eq!((row.polls, row.wakes, row.woken_by), (2, 1, WokenBy::Runtime));
    assert_eq!(site.sched.count(), 1);
    assert!(row.max_sched_ns <= resumed - ended, "{row:?}: {ended} to {resumed}");
}

#[test]
fn labels_parents_and_scopes_reach_the_children() {
    record();
    current().block_on(async {
        let outer = task("scope-parent").group("shop").long_lived().spawn(scope("checkout", async {
            let child = task("scope-child").spawn(async {
                task("scope-grandchild").spawn(async {}).await.expect("returns");
            });
            child.await.expect("returns");
        }));
        outer.await.expect("returns");
        task("scope-outside").spawn(async {}).await.expect("returns");
    });
    let fold = fold();
    let (parent, _) = of(&fold, "scope-parent");
    let (child, _) = of(&fold, "scope-child");
    let (grandchild, _) = of(&fold, "scope-grandchild");
    let (outside, _) = of(&fold, "scope-outside");
    assert!(parent.long_lived && !child.long_lived);
    assert_eq!(&*fold.dict.name(parent.group), "shop");
    assert_eq!((child.parent, grandchild.parent), (Some(parent.id), Some(child.id)));
    assert_eq!((parent.parent, outside.parent), (None, None));
    let scope = |row: &TaskRecord| fold.dict.name(row.scope).to_string();
    assert_eq!([parent, child, grandchild, outside].map(scope), ["", "checkout", "checkout", ""]);
}

#[test]
fn a_forced_yield_is_counted() {
    record();
    current().block_on(async {
        let handle = task("budget").spawn(async {
            let semaphore = tokio::sync::Semaphore::new(1);
            for _ in 0..1_000 {
                drop(semaphore.acquire().await);
            }
        });
        handle.await.expect("returns");
    });
    let fold = fold();
    let (row, site) = of(&fold, "budget");
    assert!(row.forced_yields > 0);
    assert_eq!((row.forced_yields, row.polls), (site.forced_yields, row.forced_yields + 1));
}

#[test]
fn the_site_is_the_callers_line() {
    record();
    let line = line!() + 1;
    current().block_on(async { spawn(async {}).await.expect("returns") });
    let fold = fold_until("the site", |fold| fold.site_at(file!(), line).cloned());
    assert_eq!(fold.spawned, 1);
}

#[test]
fn without_init_it_is_plain_tokio() {
    if !alone("api::spawn::tests::without_init_it_is_plain_tokio") {
        return;
    }
    current().block_on(async {
        assert_eq!(spawn(async { 1 }).await.expect("returns"), 1);
        assert_eq!(task("named").spawn_blocking(|| 2).await.expect("returns"), 2);
        assert_eq!(scope("s", async { 3 }).await, 3);
        let mut set = JoinSet::new();
        set.spawn(async { 4 });
        assert_eq!(set.join_next().await.expect("one").expect("returns"), 4);
    });
    let fold = fold();
    assert!(fold.tasks.is_empty() && fold.sites.is_empty());
    assert!(pollscope_recorder::thread::read().states().len() == 0, "a thread state was made");
}

#[test]
fn over_the_cap_tasks_are_counted_per_site_and_the_loss_is_told() {
    if !alone("api::spawn::tests::over_the_cap_tasks_are_counted_per_site_and_the_loss_is_told") {
        return;
    }
    let settings = pollscope_recorder::Settings { max_tasks: 100, ..Default::default() };
    pollscope_recorder::Recorder::global().start(settings, TOKIO);
    let line = line!() + 2;
    current().block_on(async {
        let handles: Vec<_> = (0..1_000).map(|_| spawn(tokio::task::yield_now())).collect();
        for handle in handles {
            handle.await.expect("returns");
        }
    });
    {
        let fold = fold();
        let site = fold.site_at(file!(), line).expect("drained");
        assert_eq!((site.spawned, site.completed, site.poll.count()), (1_000, 1_000, 2_000));
        assert!(fold.tasks.len() <= 100 && fold.tasks.len() > 60, "{}", fold.tasks.len());
        assert_eq!(fold.losses.tasks_uncounted, 1_000 - fold.tasks.len() as u64);
    }
    // What was drained makes room again.
    current().block_on(async { task("after").spawn(async {}).await.expect("returns") });
    assert!(fold().one("after").is_some());
}

#[test]
fn ended_tasks_whose_handle_is_held_take_no_record_from_new_ones() {
    if !alone("api::spawn::tests::ended_tasks_whose_handle_is_held_take_no_record_from_new_ones") {
        return;
    }
    pollscope_recorder::Recorder::global()
        .start(pollscope_recorder::Settings { max_tasks: 64, ..Default::default() }, TOKIO);
    let runtime = current();
    let ended = || fold().sites.values().map(SiteDelta::all_ended).sum::<u64>();
    let (mut set, mut handles) = (JoinSet::new(), Vec::new());
    let (in_set, in_vec) = (line!() + 10, line!() + 11);
    for round in 1..=40 {
        runtime.block_on(async {
            for nth in 0..10 {
                // One in ten panics.
                let body = move || async move {
                    if nth == 0 {
                        silent_panic();
                    }
                };
                set.spawn(body());
                handles.push(spawn(body()));
            }
            while ended() < 20 * round {
                tokio::task::yield_now().await;
            }
        });
    }
    let counts = |line| {
        let fold = fold();
        let site = fold.site_at(file!(), line).expect("drained");
        (site.panicked, site.swallowed_panics, site.outcomes_left, site.unread_outcomes())
    };
    assert_eq!(counts(in_set), (40, 0, 400, 400));
    assert_eq!(counts(in_vec), (40, 0, 400, 400));
    assert_eq!(fold().losses.tasks_uncounted, 0, "a record for each");
    // Eight hundred outcomes are held, and a new task is seen, and its panic.
    runtime.block_on(async {
        drop(task("new").spawn(async { silent_panic() }));
        tokio::task::yield_now().await;
    });
    let (row, swallowed) = {
        let fold = fold();
        let (row, site) = of(&fold, "new");
        (row.state, site.swallowed_panics)
    };
    assert_eq!((row, swallowed), (TaskState::Panicked, 1));
    // What becomes of the handles is counted all the same: half of the vector's panics are looked at.
    let rest = handles.split_off(200);
    runtime.block_on(async {
        for handle in handles {
            drop(handle.await);
        }
    });
    assert_eq!(counts(in_vec), (40, 0, 400, 200));
    rest.iter().for_each(crate::JoinHandle::abort);
    drop(rest);
    assert_eq!(counts(in_vec), (40, 20, 400, 0));
    for _ in 0..300 {
        assert!(set.try_join_next().is_some());
    }
    let panics_left = 40 - counts(in_set).1;
    assert_eq!(counts(in_set), (40, 0, 400, 100));
    drop(set);
    let (panicked, swallowed, _, unread) = counts(in_set);
    assert_eq!((panicked, unread), (40, 0));
    assert!((1..=panics_left).contains(&swallowed), "{swallowed}");
}

#[test]
fn wakers_that_are_held_for_ever_take_no_record_from_new_tasks() {
    if !alone("api::spawn::tests::wakers_that_are_held_for_ever_take_no_record_from_new_tasks") {
        return;
    }
    pollscope_recorder::Recorder::global()
        .start(pollscope_recorder::Settings { max_tasks: 64, ..Default::default() }, TOKIO);
    let (runtime, mut wakers) = (current(), Vec::new());
    for _ in 0..12 {
        let held = runtime.block_on(async {
            let keeps = || poll_fn(|cx| Poll::Ready(cx.waker().clone()));
            let tasks: Vec<_> = (0..5).map(|_| task("waker-held").spawn(keeps())).collect();
            let mut held = Vec::new();
            for task in tasks {
                held.push(task.await.expect("returns"));
            }
            held
        });
        wakers.extend(held);
        drop(fold());
    }
    let with_waker = fold().named("waker-held").iter().filter(|row| row.wakers == 1).count();
    assert_eq!(with_waker, 60);
    let new: Vec<_> = (0..32).map(|_| task("beside").spawn_on(pending::<()>(), runtime.handle())).collect();
    let seen = fold().named("beside").len();
    assert_eq!(seen, 32);
    drop((new, wakers));
}

#[test]
fn the_size_told_is_the_futures_own_boxed_or_not() {
    record();
    let holds_much = |bytes: [u8; 8 << 10]| async move {
        tokio::task::yield_now().await;
        std::hint::black_box(&bytes).len()
    };
    let (spawned, traced, job) = (holds_much([0; 8 << 10]), holds_much([0; 8 << 10]), [0_u8; 8 << 10]);
    let size = size_of_val(&spawned) as u64;
    current().block_on(async {
        task("size-spawned").spawn(spawned).await.expect("returns");
        traced.traced("size-traced").await;
        task("size-job").spawn_blocking(move || job.len()).await.expect("returns");
    });
    let fold = fold();
    let told = |name| fold.one(name).expect("drained").future_bytes;
    assert_eq!((told("size-spawned"), told("size-traced"), told("size-job")), (size, size, 8 << 10));
}

/// Blocks the thread that drops it.
struct SlowToDrop;

const BLOCKS: Duration = Duration::from_millis(20);

impl Drop for SlowToDrop {
    fn drop(&mut self) {
        std::thread::sleep(BLOCKS);
    }
}

#[test]
fn a_future_that_is_dropped_before_its_end_is_dropped_in_a_poll_of_its_own() {
    async fn holds() {
        let _held = SlowToDrop;
        pending::<()>().await;
    }
    record();
    let runtime = current();
    let held = SlowToDrop;
    runtime.block_on(async {
        let aborted = task("drop-aborted").spawn(holds());
        let never_polled = async move {
            let _held = held;
            pending::<()>().await;
        };
        tokio::task::yield_now().await;
        let unpolled = task("drop-unpolled").spawn(never_polled);
        unpolled.abort();
        aborted.abort();
        assert!(aborted.await.expect_err("aborted").is_cancelled());
        assert!(unpolled.await.expect_err("aborted").is_cancelled());
        drop(task("drop-at-shutdown").spawn(holds()));
        tokio::task::yield_now().await;
    });
    drop(runtime);
    let fold = fold();
    for (name, polls) in [("drop-aborted", 2), ("drop-unpolled", 1), ("drop-at-shutdown", 2)] {
        let (row, site) = of(&fold, name);
        assert_eq!((row.state, row.polls), (TaskState::Cancelled, polls), "{name}");
        // The recorder's clock and the kernel's differ a little.
        assert!(row.max_poll_ns >= BLOCKS.as_nanos() as u64 / 10 * 9, "{name}: {row:?}");
        assert_eq!((site.poll.count(), site.poll.sum()), (polls, row.busy_ns), "{name}");
        // The abort was no wake, and the drop nothing that was due.
        assert_eq!(site.sched.count(), polls - 1, "{name}");
        // On a busy machine its other poll may be slow, too.
        let slow: Vec<_> = fold.slow_polls.iter().filter(|poll| poll.task == row.id).collect();
        assert_eq!(slow.len() as u64, site.slow_polls, "{name}");
        assert!(slow.iter().any(|poll| poll.nth == polls), "{name}: {slow:?}");
    }
}

#[test]
fn a_panic_while_a_future_is_dropped_is_the_tasks() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            silent_panic();
        }
    }
    record();
    let runtime = current();
    runtime.block_on(async {
        let held = Panics;
        let aborted = task("drop-panics").spawn(async move {
            let _held = held;
            pending::<()>().await;
        });
        tokio::task::yield_now().await;
        aborted.abort();
        assert!(aborted.await.is_err());
    });
    let fold = fold();
    let (row, site) = of(&fold, "drop-panics");
    assert_eq!((row.state, site.panicked, site.cancelled), (TaskState::Panicked, 1, 0));
}
