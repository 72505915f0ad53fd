//! How long hooked tasks wait for a worker, where their runtime tracks it.

use std::time::Duration;

use pollscope_model::entity::site::SiteDelta;
use pollscope_model::measured::Metric;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::{known_polls, rows_at};
use crate::task;
use crate::testkit::{Fold, fold, record};

const LONG: Duration = Duration::from_millis(20);
const LONG_NS: u64 = LONG.as_nanos() as u64;

/// One worker, which the test's own body keeps.
fn tracked() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.track_task_schedule_latency();
    crate::attach(&mut builder);
    builder.build().expect("a runtime")
}

/// The totals of a line whose tasks have ended, after what is left to tell: that rows and site agree.
fn totals(fold: &Fold, line: u32) -> &SiteDelta {
    let site = fold.site_at(file!(), line).expect("drained");
    let rows = rows_at(fold, file!(), line);
    assert_eq!(site.sched.sum(), rows.iter().map(|row| row.scheduled_ns).sum::<u64>());
    assert_eq!(Some(site.sched.max()), rows.iter().map(|row| row.max_sched_ns).max());
    site
}

#[test]
fn a_task_that_waits_for_a_blocked_worker_has_that_in_its_sites_histogram() {
    record();
    let runtime = tracked();
    let line = line!() + 3;
    runtime.block_on(async {
        let (tell, told) = oneshot::channel();
        let victim = tokio::spawn(told);
        tokio::task::yield_now().await;
        // The victim is due since then, and its worker sleeps.
        tell.send(()).expect("it waits");
        std::thread::sleep(LONG);
        victim.await.expect("no panic").expect("was told");
    });
    drop(runtime);
    let fold = fold();
    let site = totals(&fold, line);
    assert_eq!((site.poll.count(), site.sched.count()), (2, 2));
    assert!(site.sched.max() >= LONG_NS, "{}", site.sched.max());
    assert!(site.poll.max() < LONG_NS, "the wait is no poll's time");
    assert!(rows_at(&fold, file!(), line).iter().all(|row| row.measures(Metric::ScheduleDelay)));
}

#[test]
fn a_runtime_that_does_not_track_delays_leaves_them_unmeasured() {
    record();
    let mut builder = Builder::new_current_thread();
    crate::attach(&mut builder);
    let runtime = builder.build().expect("a runtime");
    let line = line!() + 2;
    runtime.block_on(async {
        let victim = tokio::spawn(known_polls(3));
        std::thread::sleep(LONG);
        victim.await.expect("no panic");
    });
    drop(runtime);
    let fold = fold();
    let site = totals(&fold, line);
    assert_eq!((site.poll.count(), site.sched.count()), (4, 0));
    assert!(rows_at(&fold, file!(), line).iter().all(|row| !row.measures(Metric::ScheduleDelay)));
}

#[test]
fn a_wrapped_poll_is_counted_once_and_by_its_own_wake() {
    record();
    let runtime = tracked();
    runtime.block_on(async {
        let wrapped = task("wrapped-in-tracked").spawn(known_polls(5));
        wrapped.await.expect("returns");
    });
    drop(runtime);
    let fold = fold();
    let row = fold.one("wrapped-in-tracked").expect("a row");
    let site = &fold.sites[&row.site];
    assert_eq!((site.poll.count(), site.sched.count(), site.sched.sum()), (6, 6, row.scheduled_ns));
}

#[test]
fn a_slow_poll_tells_the_hooked_tasks_that_waited_for_it_and_not_itself() {
    record();
    let runtime = tracked();
    let line = line!() + 3;
    runtime.block_on(async {
        // Woken inside of its own slow polls: it is due since their ends.
        let slow = tokio::spawn(async {
            for _ in 0..3 {
                std::thread::sleep(LONG);
                known_polls(1).await;
            }
        });
        slow.await.expect("no panic");
        let victims = [(); 3].map(|()| tokio::spawn(async {}));
        for victim in victims {
            victim.await.expect("no panic");
        }
    });
    let alone = slow_polls(line);
    assert!(alone.len() >= 3 && alone.iter().all(|waiters| *waiters == 0), "{alone:?}");
    let line = line!() + 2;
    runtime.block_on(async {
        let slow = tokio::spawn(async { std::thread::sleep(LONG) });
        let victims = [(); 3].map(|()| tokio::spawn(async {}));
        slow.await.expect("no panic");
        for victim in victims {
            victim.await.expect("no panic");
        }
    });
    drop(runtime);
    assert_eq!(slow_polls(line), [3]);
}

/// The tasks that waited for each slow poll of a line.
fn slow_polls(line: u32) -> Vec<u32> {
    let fold = fold();
    let site = fold.site_at(file!(), line).expect("drained").site;
    let polls = fold.slow_polls.iter().filter(|poll| poll.site == site);
    polls.map(|poll| poll.waiters.unwrap_or(0)).collect()
}
