//! Exactness: what was spawned, polled and woken is what the reports say, to the last one.

mod quiet;
mod threads;

use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use pollscope_model::entity::site::SiteDelta;
use pollscope_model::entity::task::{HandleState, TaskKind, TaskRecord, TaskState, WokenBy};
use pollscope_model::measured::Mode;
use pollscope_model::report::ReportKind;
use pollscope_recorder::clock;
use tokio::runtime::Runtime;

use super::intake;
use crate::task;
use crate::testkit::{fold, fold_until, record};

const TASKS: usize = 10_000;

fn runtimes() -> [(&'static str, Runtime); 2] {
    let multi = tokio::runtime::Builder::new_multi_thread().worker_threads(3).build().expect("a runtime");
    let current = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    [("multi", multi), ("current", current)]
}

/// Wakes itself `yields` times, then leaves its waker in the gate and waits for that one wake.
fn known_work(yields: usize, gate: Arc<Mutex<Vec<Waker>>>) -> impl Future<Output = ()> {
    let mut polls = 0;
    poll_fn(move |cx| {
        polls += 1;
        if polls <= yields {
            cx.waker().wake_by_ref();
        } else if polls == yields + 1 {
            gate.lock().expect("not poisoned").push(cx.waker().clone());
        } else {
            return Poll::Ready(());
        }
        Poll::Pending
    })
}

#[test]
fn ten_thousand_tasks_of_known_polls_and_wakes() {
    record();
    let mut before = SiteDelta::default();
    for (flavor, runtime) in runtimes() {
        let name = format!("exact-{flavor}");
        let gate = Arc::new(Mutex::new(Vec::new()));
        let waker_thread = std::thread::spawn({
            let gate = Arc::clone(&gate);
            move || {
                let mut woken = 0;
                while woken < TASKS {
                    let wakers = std::mem::take(&mut *gate.lock().expect("not poisoned"));
                    woken += wakers.len();
                    wakers.into_iter().for_each(Waker::wake);
                    std::thread::yield_now();
                }
            }
        });
        runtime.block_on(async {
            let handles: Vec<_> =
                (0..TASKS).map(|i| task(&name).spawn(known_work(i % 5, Arc::clone(&gate)))).collect();
            for handle in handles {
                handle.await.expect("the task returns");
            }
        });
        waker_thread.join().expect("no panic");

        let fold = fold();
        let rows = fold.named(&name);
        assert_eq!(rows.len(), TASKS);
        let mut per_yields = [0; 5];
        for row in &rows {
            per_yields[row.self_wakes as usize] += 1;
            assert_eq!(
                (row.polls, row.wakes, row.waker_clones, row.waker_drops, row.wakers),
                (row.self_wakes + 2, row.self_wakes + 1, 1, 1, 0),
            );
            assert_eq!((row.state, row.handle), (TaskState::Completed, HandleState::Joined));
            assert_eq!(
                (row.kind, row.mode, row.woken_by),
                (TaskKind::Async, Mode::Wrap, WokenBy::OtherThread)
            );
            assert!(row.spawned_ns <= row.ended_ns && row.busy_ns >= row.max_poll_ns);
            assert!(row.future_bytes > 0);
        }
        assert_eq!(per_yields, [TASKS / 5; 5]);
        // Both runtimes spawn at one line, so that the site has the sum.
        let site = &fold.sites[&rows[0].site];
        let so_far: Vec<_> = fold.tasks.values().filter(|row| row.site == site.site).collect();
        assert_eq!(site.spawned - before.spawned, TASKS as u64);
        assert_site_equals_tasks(site, &so_far);
        assert_eq!(site.completed, site.spawned);
        assert_eq!((site.cancelled, site.panicked, site.ended), (0, 0, 0));
        before = site.clone();
        assert_eq!(fold.losses.total(), 0);
    }
}

fn assert_site_equals_tasks(site: &SiteDelta, rows: &[&TaskRecord]) {
    let sum = |f: fn(&TaskRecord) -> u64| rows.iter().map(|row| f(row)).sum::<u64>();
    let max = |f: fn(&TaskRecord) -> u64| rows.iter().map(|row| f(row)).max().unwrap_or(0);
    assert_eq!(site.spawned, rows.len() as u64);
    assert_eq!((site.wakes, site.self_wakes), (sum(|r| r.wakes), sum(|r| r.self_wakes)));
    assert_eq!((site.poll.count(), site.poll.sum()), (sum(|r| r.polls), sum(|r| r.busy_ns)));
    assert_eq!((site.sched.count(), site.sched.sum()), (sum(|r| r.polls), sum(|r| r.scheduled_ns)));
    assert_eq!(site.life.count(), rows.len() as u64);
    assert!(site.poll.max() >= max(|r| r.max_poll_ns));
    assert_eq!(site.max_future_bytes, max(|r| r.future_bytes));
}

#[test]
fn new_tasks_show_at_the_next_tick_and_a_snapshot_has_them_in_parts() {
    record();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    // Never polled: no thread runs the runtime.
    let handles: Vec<_> = (0..1_000)
        .map(|_| task("unpolled").group("idle").spawn_on(std::future::pending::<()>(), runtime.handle()))
        .collect();
    let fold = fold();
    let ids: Vec<_> = fold.named("unpolled").into_iter().map(|row| row.id).collect();
    assert_eq!(ids.len(), 1_000);
    for row in fold.named("unpolled") {
        assert_eq!((row.state, row.polls), (TaskState::Scheduled, 0));
        assert_eq!(row.scheduled_since_ns, row.spawned_ns);
        assert_eq!(&*fold.dict.name(row.group), "idle");
    }
    let parts = fold.drain.snapshot(300);
    assert!(parts.len() >= 4);
    for (at, part) in parts.iter().enumerate() {
        assert_eq!(part.kind, ReportKind::Snapshot { part: at as u32, parts: parts.len() as u32 });
        assert!(part.tasks.len() <= 300);
        assert_eq!(part.seq, parts[0].seq);
    }
    let shown: std::collections::HashSet<_> = parts.iter().flat_map(|p| &p.tasks).map(|t| t.id).collect();
    assert!(ids.iter().all(|id| shown.contains(id)));
    assert!(parts[0].sites.iter().any(|site| site.spawned >= 1_000));
    drop(fold);

    drop(runtime);
    drop(handles);
    let fold = self::fold();
    assert!(fold.named("unpolled").iter().all(|row| row.state == TaskState::Cancelled));
}

#[test]
fn nothing_is_said_twice() {
    record();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let _handle = task("quiet").spawn_on(std::future::pending::<()>(), runtime.handle());
    let mut fold = fold();
    let id = fold.one("quiet").expect("drained").id;
    for _ in 0..3 {
        let report = fold.drain.tick();
        assert!(report.tasks.iter().all(|row| row.id != id));
        // What others did meanwhile must not be lost to them.
        fold.take(report);
    }
}

#[test]
fn who_wanted_no_rows_and_comes_back_misses_none() {
    record();
    let reader = intake::Subscription::begin(None);
    reader.wants_rows(false);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let gate = Arc::new(Mutex::new(Vec::new()));
    let spawn = |_| task("unread").spawn_on(known_work(1, Arc::clone(&gate)), runtime.handle());
    let handles: Vec<_> = (0..10).map(spawn).collect();
    let ids: HashSet<_> = fold().named("unread").into_iter().map(|row| row.id).collect();
    assert_eq!(ids.len(), handles.len());
    let told = || reader.take(clock::now_ns(), false).tasks;
    assert!(told().is_empty());

    reader.wants_rows(true);
    let rows = intake::rows(0..intake::slots());
    assert_eq!(rows.iter().filter(|row| ids.contains(&row.id)).count(), ids.len());
    runtime.block_on(async {
        while gate.lock().expect("not poisoned").len() < ids.len() {
            tokio::task::yield_now().await;
        }
        gate.lock().expect("not poisoned").drain(..).for_each(Waker::wake);
        for handle in handles {
            handle.await.expect("the task returns");
        }
    });
    let changed: Vec<_> = [told(), told()].concat();
    let ended = changed.iter().filter(|row| row.state == TaskState::Completed && ids.contains(&row.id));
    assert_eq!(ended.map(|row| row.id).collect::<HashSet<_>>(), ids);
}

#[test]
fn a_running_poll_and_its_end_are_seen() {
    record();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    crate::observe(runtime.handle(), "running-test");
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let handle = task("stuck").spawn_on(
        async move {
            let _ = wait.recv();
        },
        runtime.handle(),
    );
    let (id, start) = fold_until("the running poll", |fold| {
        let row = fold.one("stuck")?;
        (row.state == TaskState::Running).then_some((row.id, row.poll_start_ns))
    });
    assert!(start > 0);
    // Long enough to be slow whatever the limit of 1 ms means to this machine.
    std::thread::sleep(std::time::Duration::from_millis(5));
    release.send(()).expect("still waiting");
    runtime.block_on(handle).expect("the task returns");
    let fold = fold();
    let row = fold.one("stuck").expect("drained");
    assert_eq!((row.state, row.polls, row.poll_start_ns), (TaskState::Completed, 1, 0));
    let slow = fold.slow_polls.iter().find(|poll| poll.task == id).expect("evidence of the slow poll");
    assert!(slow.wall_ns >= 5_000_000 && slow.nth == 1);
    if pollscope_recorder::split::unreadable().is_none() {
        // It slept in a channel: mostly blocked, or preempted on a loaded machine, but never busy.
        assert!(slow.busy_ns.expect("measured") < slow.wall_ns / 2, "{slow:?}");
    }
    assert_eq!(fold.sites[&row.site].slow_polls, 1);
}
