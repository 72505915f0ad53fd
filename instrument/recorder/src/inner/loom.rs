//! Every interleaving of the waker's protocol.

use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering as StdOrdering};
use std::task::{Wake, Waker};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::super::claims::{COMPLETED, Claims};
use super::{By, InnerWaker};

/// An executor's waker that counts how often it was woken and whether it was dropped.
#[derive(Default)]
struct Executor {
    woken: AtomicUsize,
}

impl Wake for Executor {
    fn wake(self: StdArc<Self>) {
        self.woken.fetch_add(1, StdOrdering::SeqCst);
    }
}

fn executor() -> (StdArc<Executor>, Waker) {
    let executor = StdArc::new(Executor::default());
    (executor.clone(), Waker::from(executor))
}

/// Of a task that begins.
fn held() -> Arc<InnerWaker> {
    let inner = InnerWaker::new();
    inner.reset();
    Arc::new(inner)
}

/// The executor's waker is dropped exactly once, by the last holder, and never while another
/// thread still wakes through it.
#[test]
fn loom_the_last_holder_drops_the_executors_waker() {
    loom::model(|| {
        let (executor, waker) = executor();
        let inner = held();
        inner.update(&waker);
        drop(waker);
        let wakers: Vec<_> = (0..2)
            .map(|_| {
                inner.hold();
                let inner = Arc::clone(&inner);
                thread::spawn(move || {
                    inner.count_wake(By::Task);
                    inner.forward();
                    usize::from(inner.release())
                })
            })
            .collect();
        let future = usize::from(inner.release());
        let last = wakers.into_iter().map(|waker| waker.join().expect("no panic")).sum::<usize>();
        assert_eq!(future + last, 1);
        assert_eq!(executor.woken.load(StdOrdering::SeqCst), 2);
        assert_eq!(StdArc::strong_count(&executor), 1);
        assert_eq!(inner.counts(), (0, 2));
        assert_eq!(inner.wakes(), [2, 0, 0]);
    });
}

/// A poll that lends its waker to another thread as well: both clone it at once, and the executor's is kept once.
#[test]
fn loom_two_that_keep_the_lent_waker_keep_one() {
    loom::model(|| {
        let (executor, waker) = executor();
        let inner = held();
        inner.update(&waker);
        let other = {
            let inner = Arc::clone(&inner);
            thread::spawn(move || {
                inner.hold();
                inner.count_wake(By::OtherThread);
                inner.forward();
            })
        };
        inner.hold();
        // It borrows from the poll, which waits for it.
        other.join().expect("no panic");
        drop(waker);
        assert_eq!(StdArc::strong_count(&executor), 2);
        inner.forward();
        assert!(!inner.release() && !inner.release());
        assert!(inner.release());
        assert_eq!(executor.woken.load(StdOrdering::SeqCst), 2);
        assert_eq!(StdArc::strong_count(&executor), 1);
        assert_eq!(inner.counts(), (0, 2));
    });
}

/// A leaf that becomes ready on a thread of its own, wakes the task and lets its waker go.
fn leaf(inner: &Arc<InnerWaker>, ready: &Arc<AtomicBool>) -> thread::JoinHandle<()> {
    let (inner, ready) = (Arc::clone(inner), Arc::clone(ready));
    thread::spawn(move || {
        ready.store(true, Ordering::Release);
        inner.count_wake(By::Task);
        inner.forward();
        inner.release();
    })
}

/// A task that is polled with a new waker while its leaf becomes ready: either the poll sees the leaf
/// ready, or the new waker is woken. A wake is never lost to the waker that went away.
#[test]
fn loom_a_changed_waker_loses_no_wake() {
    loom::model(|| {
        let ((_old, old_waker), (new, new_waker)) = (executor(), executor());
        let inner = held();
        let ready = Arc::new(AtomicBool::new(false));
        inner.update(&old_waker);
        inner.hold();
        let leaf = leaf(&inner, &ready);
        inner.update(&new_waker);
        let seen = ready.load(Ordering::Acquire);
        leaf.join().expect("no panic");
        assert!(seen || new.woken.load(StdOrdering::SeqCst) == 1);
        assert!(inner.release());
    });
}

/// The same when the waker had been changed before.
#[test]
fn loom_a_waker_changed_twice_loses_no_wake() {
    loom::model(|| {
        let ((_, first), (_, second), (last, last_waker)) = (executor(), executor(), executor());
        let inner = held();
        let ready = Arc::new(AtomicBool::new(false));
        inner.update(&first);
        inner.hold();
        inner.update(&second);
        let leaf = leaf(&inner, &ready);
        inner.update(&last_waker);
        let seen = ready.load(Ordering::Acquire);
        leaf.join().expect("no panic");
        assert!(seen || last.woken.load(StdOrdering::SeqCst) == 1);
        assert!(inner.release());
        drop(last_waker);
        assert_eq!(StdArc::strong_count(&last), 1);
    });
}

/// A wake while the poll runs that ends the task, under the drain's eyes: the wake gets through, the
/// executor's waker goes with the last holder, and the record is given up by exactly one: by the drain if
/// it got to know the task, else by the last holder.
#[test]
fn loom_a_wake_races_with_the_last_poll_and_the_drain() {
    loom::model(|| {
        let (executor, waker) = executor();
        let inner = InnerWaker::new();
        inner.reset();
        let claims = Claims::none();
        // The holders' and the drain's.
        claims.born(1, 2, 0);
        let task = Arc::new((inner, claims));
        // The first poll leaves a waker behind.
        task.0.update(&waker);
        task.0.hold();
        let wake = {
            let task = Arc::clone(&task);
            thread::spawn(move || {
                task.0.count_wake(By::OtherThread);
                task.0.forward();
                usize::from(task.0.release() && task.1.give_up(1) == 0)
            })
        };
        let drain = {
            let task = Arc::clone(&task);
            thread::spawn(move || task.1.adopt())
        };
        task.0.update(&waker);
        let waived = task.1.end(COMPLETED, true).waived;
        let mut given_up = usize::from(waived && task.1.give_up(1) == 0);
        given_up += usize::from(task.0.release() && task.1.give_up(1) == 0);
        given_up += wake.join().expect("no panic");
        let known = drain.join().expect("no panic");
        assert_eq!(known, !waived);
        assert_eq!(given_up, usize::from(waived));
        assert_eq!(task.1.is_last(), known);
        assert_eq!(task.0.wakes().iter().sum::<u64>(), 1);
        assert_eq!(executor.woken.load(StdOrdering::SeqCst), 1);
        drop(waker);
        assert_eq!(StdArc::strong_count(&executor), 1);
    });
}
