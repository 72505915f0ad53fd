//! Totals are exact whatever happens to the streams.

use pollscope_model::measured::Mode;
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::Page;
use pollscope_proto::ingest;
use tokio::task::JoinSet;
use tonic::Code;

use crate::rig::{Pusher, Rig, service, soon, sum, texts};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_processes_at_once_are_counted_exactly() {
    let rig = Rig::start().await;
    let mut pushing = JoinSet::new();
    for number in 0..40 {
        let mut counted = service("worker", number);
        let (mut pusher, _) = Pusher::welcomed(&rig, &counted.hello()).await;
        pushing.spawn(async move {
            for _ in 0..10 {
                pusher.push(&counted.delta(5 + u64::from(number))).await;
            }
            (pusher, counted)
        });
    }
    let pushed = pushing.join_all().await;
    let tasks = pushed.iter().map(|(_, counted)| counted.tasks()).sum::<u64>();
    let polls = pushed.iter().map(|(_, counted)| counted.polls()).sum::<u64>();

    let sites = rig.page(Kind::Sites).await;
    assert_eq!((sum(&sites, "spawned"), sum(&sites, "polls")), (tasks, polls));
    assert_eq!(sites.meta.lost, 0);
    let processes = rig.page(Kind::Processes).await;
    assert_eq!(processes.total, 40);
    assert_eq!(sum(&processes, "tasks"), tasks);
    drop(pushed);
    rig.stop().await.unwrap();
}

#[tokio::test]
async fn a_report_that_arrives_twice_counts_once() {
    let rig = Rig::start().await;
    let mut counted = service("worker", 1);
    let (mut pusher, welcome) = Pusher::welcomed(&rig, &counted.hello()).await;
    assert_eq!(welcome.last_seq, None);
    let report = counted.delta(100);
    pusher.push(&report).await;
    pusher.push(&report).await;
    drop(pusher);

    let (mut pusher, welcome) = Pusher::welcomed(&rig, &counted.hello()).await;
    assert_eq!(welcome.last_seq, Some(1));
    pusher.push(&report).await;
    pusher.push(&counted.delta(11)).await;

    let sites = rig.page(Kind::Sites).await;
    assert_eq!((sum(&sites, "spawned"), sum(&sites, "polls")), (111, 333));
    let tasks = rig.page(Kind::Processes).await;
    assert_eq!(sum(&tasks, "tasks"), 111);
}

#[tokio::test]
async fn after_a_missing_report_a_snapshot_makes_totals_exact() {
    let rig = Rig::start().await;
    let mut counted = service("worker", 1);
    let (mut pusher, _) = Pusher::welcomed(&rig, &counted.hello()).await;
    pusher.push(&counted.delta(10)).await;
    drop(counted.delta(10));
    pusher.send(&counted.delta(10)).await;
    let end = pusher.end().await;
    assert_eq!(end.code(), Code::Aborted);
    assert!(end.message().contains("missing before 3"), "{end}");

    let (mut pusher, welcome) = Pusher::welcomed(&rig, &counted.hello()).await;
    assert_eq!(welcome.last_seq, Some(1), "nothing of what came after the hole was taken");
    pusher.push(&counted.snapshot()).await;
    pusher.push(&counted.delta(1)).await;
    let sites = rig.page(Kind::Sites).await;
    assert_eq!((sum(&sites, "spawned"), sum(&sites, "polls")), (31, 93));
    assert_eq!(sites.meta.lost, 2, "the gap is shown, with the report that was not taken for it");
}

#[tokio::test]
async fn a_new_collector_learns_everything_from_a_snapshot() {
    let rig = Rig::start().await;
    let mut counted = service("worker", 1);
    let (mut pusher, _) = Pusher::welcomed(&rig, &counted.hello()).await;
    pusher.push(&counted.delta(1_000)).await;
    rig.stop().await.unwrap();
    drop(counted.delta(500));

    let rig = Rig::start().await;
    let (mut pusher, welcome) = Pusher::welcomed(&rig, &counted.hello()).await;
    assert_eq!(welcome.last_seq, None);
    pusher.push(&counted.snapshot()).await;
    pusher.push(&counted.delta(7)).await;
    let sites = rig.page(Kind::Sites).await;
    assert_eq!((sum(&sites, "spawned"), sum(&sites, "polls")), (1_507, 4_521));
}

#[tokio::test]
async fn a_snapshot_of_many_messages_is_taken_whole() {
    let rig = Rig::start().await;
    let mut counted = service("worker", 1);
    drop(counted.delta(20_000));
    let snapshot = counted.snapshot();
    assert!(ingest::report(&snapshot).len() > 1, "the test needs more than one message");
    let (mut pusher, _) = Pusher::welcomed(&rig, &counted.hello()).await;
    pusher.push(&snapshot).await;
    let tasks = rig.page(Kind::Tasks).await;
    assert_eq!((tasks.total, tasks.rows.len()), (20_000, 20_000));
    assert_eq!(sum(&tasks, "polls"), counted.polls());
}

#[tokio::test]
async fn a_second_stream_of_an_incarnation_waits_for_the_end_of_the_first() {
    let rig = Rig::start().await;
    let mut counted = service("worker", 1);
    let (mut first, _) = Pusher::welcomed(&rig, &counted.hello()).await;
    first.push(&counted.delta(10)).await;

    let mut second = Pusher::open(&rig).await;
    second.send_message(ingest::hello(&counted.hello())).await;
    let refused = tokio::spawn(async move { second.end().await });
    while !refused.is_finished() {
        // It goes on, and is not taken for silent.
        first.push(&counted.delta(1)).await;
        tokio::task::yield_now().await;
    }
    let end = refused.await.unwrap();
    assert_eq!(end.code(), Code::AlreadyExists);
    assert!(end.message().contains("another stream speaks for this incarnation"), "{end}");

    first.push(&counted.delta(10)).await;
    drop(first);
    // Whatever the collector knows of the end of the first by now.
    let (mut second, welcome) = Pusher::welcomed(&rig, &counted.hello()).await;
    assert!(welcome.last_seq.is_some());
    second.push(&counted.delta(10)).await;
    let processes = rig.page(Kind::Processes).await;
    assert_eq!(texts(&processes, "state"), ["live"]);
    assert_eq!(sum(&processes, "tasks"), counted.tasks());
}

#[tokio::test]
async fn a_restart_shows_the_new_one_live_and_the_old_one_gone() {
    let rig = Rig::start().await;
    let mut old = service("checkout", 1);
    let (mut pusher, _) = Pusher::welcomed(&rig, &old.hello()).await;
    pusher.push(&old.delta(10)).await;
    drop(pusher);
    let gone = |page: &Page| texts(page, "state") == ["gone"];
    rig.page_when("the old one to be gone", Kind::Processes, gone).await;

    let mut new = service("checkout", 2);
    let (mut pusher, _) = Pusher::welcomed(&rig, &new.hello()).await;
    pusher.push(&new.delta(3)).await;
    let page = rig.page(Kind::Processes).await;
    let mut states: Vec<_> = texts(&page, "state");
    states.sort();
    assert_eq!(states, ["gone", "live"]);
    assert_eq!(sum(&page, "tasks"), 13, "the last state of what is gone is kept");

    pusher.send_message(ingest::goodbye("deployed anew")).await;
    drop(pusher);
    let gone = |page: &Page| texts(page, "state") == ["gone", "gone"];
    rig.page_when("both to be gone", Kind::Processes, gone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_from_one_process_holds_up_nobody() {
    let rig = Rig::start().await;
    let mut flooding = service("flood", 1);
    let (mut flood, _) = Pusher::welcomed(&rig, &flooding.hello()).await;
    let report = flooding.delta(2_000);
    let flood = tokio::spawn(async move {
        flood.push(&report).await;
        // The same again and again: as much work to read, and no reason to end the stream.
        loop {
            flood.send(&report).await;
            while let Some(control) = flood.waiting().await {
                if !matches!(control, Ok(Some(_))) {
                    return;
                }
            }
        }
    });

    let mut counted = service("worker", 2);
    let (mut pusher, _) = Pusher::welcomed(&rig, &counted.hello()).await;
    for _ in 0..20 {
        pusher.push(&counted.delta(10)).await;
    }
    let both = |page: &Page| sum(page, "tasks") == 2_200;
    rig.page_when("both to be counted", Kind::Processes, both).await;
    assert!(!flood.is_finished(), "the flood goes on");
    rig.stop().await.unwrap();
    soon("the flood to end with the collector", flood).await.unwrap();
}

#[tokio::test]
async fn a_process_may_say_anew_who_it_is() {
    let rig = Rig::start().await;
    let mut counted = service("worker", 1);
    let (mut pusher, _) = Pusher::welcomed(&rig, &counted.hello()).await;
    pusher.push(&counted.delta(1)).await;
    assert_eq!(texts(&rig.page(Kind::Processes).await, "mode"), ["wrap"]);
    let mut hello = counted.hello();
    hello.mode = Mode::Hooks;
    pusher.send_message(ingest::hello(&hello)).await;
    pusher.push(&counted.delta(1)).await;
    let page = rig.page(Kind::Processes).await;
    assert_eq!((texts(&page, "mode"), sum(&page, "tasks")), (vec!["hooks".to_owned()], 2));
}
