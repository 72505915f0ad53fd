//! Real tasks on the other side of the wire: every number is exact, also when the way breaks.

use std::time::Duration;

use pollscope::Listen;
use pollscope_model::entity::task::TaskState;
use pollscope_model::report::Report;
use pollscope_model::world::{Applied, Process, TaskRow};

use crate::rig::collector::{Collector, Store};
use crate::rig::viewer::Viewer;
use crate::rig::{alone, block_on, until};

/// What the sites of this file count together: tasks spawned, ended, and polls.
fn totals(process: &Process) -> (u64, u64, u64) {
    let ours = |id| process.dictionary().site(id).file.ends_with("transport/tasks.rs");
    process.sites().filter(|site| ours(site.id())).fold((0, 0, 0), |sum, site| {
        let totals = site.totals();
        (sum.0 + totals.spawned, sum.1 + totals.all_ended(), sum.2 + totals.poll.count())
    })
}

fn totals_of(report: &Report) -> (u64, u64, u64) {
    let mut dictionary = pollscope_model::dict::Dictionary::default();
    report.dict.iter().for_each(|entry| dictionary.insert(entry.clone()));
    let ours = |id| dictionary.site(id).file.ends_with("transport/tasks.rs");
    report.sites.iter().filter(|site| ours(site.site)).fold((0, 0, 0), |sum, site| {
        (sum.0 + site.spawned, sum.1 + site.all_ended(), sum.2 + site.poll.count())
    })
}

#[test]
fn ten_thousand_new_tasks_are_all_there_and_so_are_their_ends() {
    let _alone = alone();
    let guard = pollscope::builder()
        .listen(Listen::Tcp(([127, 0, 0, 1], 0).into()))
        .interval(Duration::from_millis(50))
        .try_init()
        .unwrap();
    let target = guard.local_addr().unwrap().to_string();
    block_on(async {
        let mut viewer = Viewer::attach(&target).await.unwrap();
        viewer.watch_until(|process| process.last_seq().is_some()).await;
        let before = totals(viewer.process());
        let (go, gate) = tokio::sync::watch::channel(false);
        let tasks: Vec<_> = (0..10_000)
            .map(|_| {
                let mut gate = gate.clone();
                pollscope::task("waiter").group("crowd").spawn(async move {
                    let _ = gate.wait_for(|open| *open).await;
                })
            })
            .collect();
        let waiting = |process: &Process| {
            let named = |task: &TaskRow<'_>| {
                &*process.dictionary().name(task.name()) == "waiter" && task.state() == TaskState::Idle
            };
            process.tasks().filter(named).count()
        };
        viewer.watch_until(|process| waiting(process) == 10_000).await;
        assert_eq!(totals(viewer.process()).0, before.0 + 10_000);

        // A late viewer finds them in its snapshot. Both are read all the time: a viewer that is not read for ten
        // seconds is dropped.
        let late = async {
            let mut late = Viewer::attach(&target).await.unwrap();
            late.watch_until(|process| waiting(process) == 10_000).await;
            late
        };
        let mut late = tokio::select! {
            late = late => late,
            () = viewer.watch_until(|_| false) => unreachable!("it never holds"),
        };

        go.send(true).unwrap();
        let ends = async {
            for task in tasks {
                task.await.unwrap();
            }
        };
        let all_ended = |process: &Process| totals(process).1 == before.1 + 10_000;
        tokio::join!(ends, viewer.watch_until(all_ended), late.watch_until(all_ended));
        for viewer in [&viewer, &late] {
            assert_eq!(totals(viewer.process()), (before.0 + 10_000, before.1 + 10_000, before.2 + 20_000));
            // The evidence of a slow poll may find the drain at work on a loaded machine; counts may not be lost.
            let process = viewer.process();
            assert_eq!(process.lost(), process.losses().slow_polls, "{:?}", process.losses());
        }
    });
}

#[test]
fn a_collector_that_is_killed_again_and_again_has_every_number_in_the_end() {
    let _alone = alone();
    let store = Store::new();
    let mut collector = Some(Collector::start(&store));
    let address = collector.as_ref().unwrap().address;
    let guard = pollscope::builder()
        .listen(Listen::Off)
        .interval(Duration::from_millis(10))
        .endpoint(&format!("http://{address}"))
        .try_init()
        .unwrap();
    let spawned = block_on(async {
        let mut spawned = 0;
        for round in 1..=600 {
            let tasks: Vec<_> = (0..50).map(|_| pollscope::spawn(tokio::task::yield_now())).collect();
            for task in tasks {
                task.await.unwrap();
                spawned += 1;
            }
            if round % 60 == 0 {
                if let Some(up) = collector.take() {
                    tokio::task::spawn_blocking(move || up.kill()).await.unwrap();
                } else {
                    let store = store.clone();
                    let back = tokio::task::spawn_blocking(move || Collector::start_at(&store, address));
                    collector = Some(back.await.unwrap());
                }
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if collector.is_none() {
            let store = store.clone();
            collector = Some(
                tokio::task::spawn_blocking(move || Collector::start_at(&store, address)).await.unwrap(),
            );
        }
        let report = tokio::task::block_in_place(|| guard.report()).unwrap();
        let (truth, boot) = (totals_of(&report), report.boot);
        until("the collector has every number", || {
            store.lock().world.process(boot).is_some_and(|process| totals(process) == truth)
        })
        .await;
        assert!(truth.0 >= spawned, "{truth:?} of {spawned}");
        spawned
    });
    assert!(spawned > 0);
    let memory = store.lock();
    assert!(memory.hellos.len() > 1, "the collector was never lost");
    assert!(memory.applied.iter().all(|applied| *applied == Applied::New), "{:?}", memory.applied);
    drop(memory);
    drop(collector);
}
