//! Who woke whom, how many wakers there are, and that primitives take ours for the one they know.

use std::future::{Future, pending, poll_fn};
use std::mem::ManuallyDrop;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};

use pollscope_model::entity::task::{TaskState, WokenBy};

use crate::Traced as _;
use crate::task;
use crate::testkit::{fold, fold_until, record};

fn current() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Pending once, with the waker left in the slot.
async fn park(slot: Arc<Mutex<Option<Waker>>>) {
    let mut parked = false;
    poll_fn(move |cx| {
        if parked {
            return Poll::Ready(());
        }
        parked = true;
        *slot.lock().expect("not poisoned") = Some(cx.waker().clone());
        Poll::Pending
    })
    .await;
}

#[test]
fn the_waking_task_is_named() {
    record();
    let slot = Arc::new(Mutex::new(None));
    current().block_on(async {
        let woken = task("woken-by-task").spawn(park(Arc::clone(&slot)));
        let waker = task("the-waker").spawn(async move {
            loop {
                if let Some(waker) = slot.lock().expect("not poisoned").take() {
                    return waker.wake();
                }
                tokio::task::yield_now().await;
            }
        });
        waker.await.expect("no panic");
        woken.await.expect("no panic");
    });
    let fold = fold();
    let waker = fold.one("the-waker").expect("drained").id;
    let woken = fold.one("woken-by-task").expect("drained");
    assert_eq!((woken.woken_by, woken.wakes, woken.self_wakes), (WokenBy::Task(waker), 1, 0));
}

#[test]
fn a_timer_and_a_deferred_yield_are_the_runtime_and_a_foreign_thread_is_one() {
    record();
    let slot = Arc::new(Mutex::new(None));
    current().block_on(async {
        let timer = task("woken-by-timer").spawn(tokio::time::sleep(std::time::Duration::from_millis(1)));
        let yielded = task("woken-by-yield").spawn(tokio::task::yield_now());
        let foreign = task("woken-by-thread").spawn(park(Arc::clone(&slot)));
        timer.await.expect("no panic");
        yielded.await.expect("no panic");
        let waker = slot.lock().expect("not poisoned").take().expect("parked by now");
        std::thread::spawn(move || waker.wake()).join().expect("no panic");
        foreign.await.expect("no panic");
    });
    let fold = fold();
    let by = |name| fold.one(name).map(|row| row.woken_by);
    assert_eq!(by("woken-by-timer"), Some(WokenBy::Runtime));
    assert_eq!(by("woken-by-yield"), Some(WokenBy::Runtime));
    assert_eq!(by("woken-by-thread"), Some(WokenBy::OtherThread));
}

#[test]
fn waking_oneself_is_a_self_wake_also_from_inside_a_traced_part() {
    use crate::Traced as _;
    record();
    current().block_on(async {
        let handle = task("self-waker").spawn(async {
            let outer = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            let mut polls = 0;
            poll_fn(|_| {
                polls += 1;
                if polls > 3 {
                    return Poll::Ready(());
                }
                // The outer task's waker, woken while an inner future is the innermost.
                outer.wake_by_ref();
                Poll::Pending
            })
            .traced("inner-of-self-waker")
            .await;
        });
        handle.await.expect("no panic");
    });
    let fold = fold();
    let row = fold.one("self-waker").expect("drained");
    assert_eq!((row.woken_by, row.wakes, row.self_wakes), (WokenBy::Itself, 3, 3));
    let inner = fold.one("inner-of-self-waker").expect("drained");
    assert_eq!((inner.parent, inner.polls, inner.wakes), (Some(row.id), 4, 0));
}

#[test]
fn a_waker_that_is_dropped_leaves_a_task_that_nobody_can_wake() {
    record();
    let runtime = current();
    let slot = Arc::new(Mutex::new(None));
    let kept = task("waker-kept").spawn_on(park(Arc::clone(&slot)), runtime.handle());
    let never = task("waker-never-taken").spawn_on(pending::<()>(), runtime.handle());
    runtime.block_on(async {
        while slot.lock().expect("not poisoned").is_none() {
            tokio::task::yield_now().await;
        }
    });
    {
        let fold = fold();
        let wakers = |name| fold.one(name).map(|row| (row.state, row.wakers));
        assert_eq!(wakers("waker-kept"), Some((TaskState::Idle, 1)));
        assert_eq!(wakers("waker-never-taken"), Some((TaskState::Idle, 0)));
    }
    drop(slot.lock().expect("not poisoned").take());
    let row =
        fold_until("the lost waker", |fold| fold.one("waker-kept").filter(|row| row.wakers == 0).cloned());
    assert_eq!((row.state, row.waker_clones, row.waker_drops, row.wakes), (TaskState::Idle, 1, 1, 0));
    drop((runtime, kept, never));
}

#[test]
fn the_waker_stays_the_same_across_polls_and_executors_wakers() {
    record();
    let runtime = current();
    // The same future, polled under two different wakers of tokio.
    let mut first: Option<Waker> = None;
    let mut polls = 0;
    let mut future = std::pin::pin!(crate::Traced::traced(
        poll_fn(move |cx| {
            let known = first.get_or_insert_with(|| cx.waker().clone());
            assert!(known.will_wake(cx.waker()));
            polls += 1;
            if polls == 3 {
                return Poll::Ready(());
            }
            // Reaches the executor that polls now, not the one that polled first.
            known.wake_by_ref();
            Poll::Pending
        }),
        "same-waker",
    ));
    let mut once = std::task::Context::from_waker(Waker::noop());
    assert!(std::future::Future::poll(future.as_mut(), &mut once).is_pending());
    runtime.block_on(future);
    let fold = fold();
    let row = fold.one("same-waker").expect("drained");
    assert_eq!((row.polls, row.wakes, row.self_wakes, row.waker_clones), (3, 2, 2, 1));
}

#[test]
fn schedule_delay_counts_from_the_wake_or_from_the_end_of_the_poll() {
    record();
    current().block_on(async {
        let handle = task("delayed").spawn(async {
            poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::Ready(())
            })
            .await;
            let mut woken = false;
            poll_fn(move |cx| {
                if std::mem::replace(&mut woken, true) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                // The wake is long before the poll's end: this time is the poll, not a delay.
                std::thread::sleep(std::time::Duration::from_millis(30));
                Poll::Pending
            })
            .await;
        });
        // The first delay counts from the spawn.
        std::thread::sleep(std::time::Duration::from_millis(20));
        handle.await.expect("no panic");
    });
    let fold = fold();
    let row = fold.one("delayed").expect("drained");
    assert!(row.max_sched_ns >= 20_000_000, "{row:?}");
    assert!(row.scheduled_ns < row.max_sched_ns + 30_000_000, "{row:?}");
    assert!(row.max_poll_ns >= 30_000_000, "{row:?}");
    assert_eq!(fold.sites[&row.site].sched.count(), 2);
}

/// An executor that counts its wakes.
#[derive(Default)]
struct Executor(AtomicUsize);

impl Wake for Executor {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Lends a waker that does not own its executor, as some do: its clones are of another kind.
#[expect(unsafe_code, reason = "a waker with a table of its own")]
fn lent_by(executor: &Arc<Executor>) -> ManuallyDrop<Waker> {
    static LENT: RawWakerVTable = RawWakerVTable::new(
        |data| {
            // SAFETY: made of an `Arc` that is alive while this is lent.
            let executor = unsafe {
                Arc::increment_strong_count(data.cast::<Executor>());
                Arc::from_raw(data.cast::<Executor>())
            };
            let waker = ManuallyDrop::new(Waker::from(executor));
            RawWaker::new(waker.data(), waker.vtable())
        },
        |_| unreachable!("it has no owner"),
        |data| {
            // SAFETY: as above.
            unsafe { &*data.cast::<Executor>() }.0.fetch_add(1, Ordering::Relaxed);
        },
        |_| unreachable!("it has no owner"),
    );
    // SAFETY: the table keeps the contract for as long as the executor is there, which the caller has.
    ManuallyDrop::new(unsafe { Waker::new(Arc::as_ptr(executor).cast(), &LENT) })
}

/// Polls it once.
fn poll_with<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

#[test]
fn the_executors_waker_is_cloned_only_for_who_keeps_one() {
    record();
    let executor = Arc::new(Executor::default());
    let own = Waker::from(Arc::clone(&executor));
    let held = || Arc::strong_count(&executor) - 1;
    let wakes_by_ref = poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Ready(held())
    });
    let done = pin!(wakes_by_ref.traced("keeps-none"));
    assert_eq!(poll_with(done, &own), Poll::Ready(1));
    let slot = Arc::new(Mutex::new(None));
    let mut parked = pin!(park(Arc::clone(&slot)).traced("keeps-one"));
    assert!(poll_with(parked.as_mut(), &own).is_pending());
    assert_eq!(held(), 2);
    let kept = slot.lock().expect("not poisoned").take().expect("parked");
    drop((kept.clone(), kept.clone()));
    assert_eq!(held(), 2);
    kept.wake();
    assert_eq!(executor.0.load(Ordering::Relaxed), 2);
    assert!(poll_with(parked.as_mut(), &own).is_ready());
    assert_eq!(held(), 1);
}

#[test]
fn an_executor_may_lend_another_kind_of_waker_than_its_clones_are() {
    record();
    let executor = Arc::new(Executor::default());
    let slot = Arc::new(Mutex::new(None));
    {
        let lent = lent_by(&executor);
        let mut parked = pin!(park(Arc::clone(&slot)).traced("lent-another-kind"));
        assert!(poll_with(parked.as_mut(), &lent).is_pending());
        assert_eq!(Arc::strong_count(&executor), 2);
        slot.lock().expect("not poisoned").as_ref().expect("parked").wake_by_ref();
        assert!(poll_with(parked.as_mut(), &lent).is_ready());
    }
    let kept = slot.lock().expect("not poisoned").take().expect("still there");
    kept.wake();
    assert_eq!((executor.0.load(Ordering::Relaxed), Arc::strong_count(&executor)), (2, 1));
}
