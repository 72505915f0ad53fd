//! Who woke whom, to the last wake.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::time::Duration;

use pollscope_model::entity::edge::Waker as From;
use pollscope_model::entity::task::WakesBy;
use pollscope_model::id::SiteId;
use tokio::runtime::{Builder, Runtime};

use crate::check::spins::spins;
use crate::task;
use crate::testkit::{Fold, fold, record};

const BY_A_TASK: u64 = 300;
const BY_ITSELF: u64 = 20;
const BY_A_THREAD: u64 = 5_000;
const THREADS: u64 = 4;
const BY_THE_RUNTIME: u64 = 7;

fn runtimes() -> [(&'static str, Runtime); 2] {
    let multi = Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("a runtime");
    let current = Builder::new_current_thread().enable_time().build().expect("a runtime");
    [("multi", multi), ("current", current)]
}

/// Sleeps a few times, wakes itself, then hands its waker out and waits for the end.
async fn woken(give: mpsc::Sender<Waker>, done: Arc<AtomicBool>) {
    for _ in 0..BY_THE_RUNTIME {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    spins(BY_ITSELF).await;
    let mut give = Some(give);
    poll_fn(|cx| {
        if let Some(give) = give.take() {
            give.send(cx.waker().clone()).expect("the test waits for it");
        }
        if done.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Wakes from within a task's poll, the last time after all others are through.
fn waking(waker: Waker, others: &mpsc::Receiver<()>, done: &AtomicBool) {
    for _ in 1..BY_A_TASK {
        waker.wake_by_ref();
    }
    while others.recv().is_ok() {}
    done.store(true, Ordering::Release);
    waker.wake();
}

fn sum_to(fold: &Fold, site: SiteId) -> u64 {
    fold.edges.iter().filter(|((to, _), _)| *to == site).map(|(_, count)| count).sum()
}

#[test]
fn every_wake_has_its_kind_and_its_edge() {
    record();
    let mut before = 0;
    for (flavor, runtime) in runtimes() {
        let (woken_name, waking_name) = (format!("edges-woken-{flavor}"), format!("edges-waking-{flavor}"));
        let done = Arc::new(AtomicBool::new(false));
        let (give, take) = mpsc::channel();
        let (hold, others) = mpsc::channel();
        runtime.block_on(async {
            let woken = task(&woken_name).spawn(woken(give, Arc::clone(&done)));
            let waker = loop {
                match take.try_recv() {
                    Ok(waker) => break waker,
                    Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            };
            let foreign: Vec<_> = (0..THREADS)
                .map(|_| {
                    let (waker, hold) = (waker.clone(), hold.clone());
                    std::thread::spawn(move || {
                        for _ in 0..BY_A_THREAD {
                            waker.wake_by_ref();
                        }
                        drop((waker, hold));
                    })
                })
                .collect();
            drop(hold);
            let waking = task(&waking_name).spawn(async move { waking(waker, &others, &done) });
            waking.await.expect("it returns");
            woken.await.expect("it returns");
            for thread in foreign {
                thread.join().expect("no panic");
            }
        });

        let fold = fold();
        let row = fold.one(&woken_name).expect("drained");
        let by = WakesBy { tasks: BY_A_TASK, runtime: BY_THE_RUNTIME, threads: THREADS * BY_A_THREAD };
        assert_eq!(row.wakes_by(), Some(by));
        assert_eq!(row.self_wakes, BY_ITSELF);
        // Both runtimes spawn at the same lines.
        let times = before + 1;
        let edge = |from| fold.edges.get(&(row.site, from)).copied().unwrap_or(0);
        let waking = fold.one(&waking_name).expect("drained").site;
        assert_eq!(edge(From::Site(waking)), times * BY_A_TASK);
        assert_eq!(edge(From::Site(row.site)), times * BY_ITSELF);
        assert_eq!(edge(From::OtherThread), times * THREADS * BY_A_THREAD);
        assert_eq!(edge(From::Runtime), times * BY_THE_RUNTIME);
        assert_eq!(sum_to(&fold, row.site), fold.sites[&row.site].wakes);
        before = times;
    }
}

#[test]
fn a_snapshot_has_the_sum_of_all_changes() {
    record();
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    for _ in 0..3 {
        let yielded = task("edges-snapshot").spawn_on(
            poll_fn({
                let mut left = 5;
                move |cx| {
                    left -= 1;
                    cx.waker().wake_by_ref();
                    if left == 0 { Poll::Ready(()) } else { Poll::Pending }
                }
            }),
            runtime.handle(),
        );
        runtime.block_on(yielded).expect("it returns");
        drop(fold());
    }
    let fold = fold();
    let site = fold.named("edges-snapshot")[0].site;
    assert_eq!(fold.edges[&(site, From::Site(site))], 15);
    let snapshot = fold.drain.snapshot(usize::MAX);
    let known = snapshot[0].edges.iter().find(|edge| edge.to == site).expect("it is there");
    assert_eq!((known.from, known.count), (From::Site(site), 15));
}
