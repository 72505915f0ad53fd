//! Reports on their way to a collector that comes and goes.

use std::time::{Duration, Instant};

use pollscope::{Builder, Flight, Listen, Status};
use pollscope_model::report::Detail;
use pollscope_model::world::Applied;
use pollscope_proto::DetailRequest;
use pollscope_proto::ingest::Control;

use crate::flight::{seen, yields};
use crate::rig::collector::{Collector, Store};
use crate::rig::{alone, block_on, until};

fn reporting_to(url: &str) -> Builder {
    pollscope::builder().listen(Listen::Off).interval(Duration::from_millis(20)).name("pushing").endpoint(url)
}

#[test]
fn reports_arrive_in_order_after_one_snapshot() {
    let _alone = alone();
    let store = Store::new();
    let collector = Collector::start(&store);
    let guard = reporting_to(&collector.url()).try_init().unwrap();
    block_on(until("reports arrive", || store.reports() > 10));
    drop(guard);
    let memory = store.lock();
    assert_eq!((memory.hellos.len(), memory.snapshots), (1, 1));
    assert_eq!(memory.hellos[0].process.name, "pushing");
    assert!(memory.applied.iter().all(|applied| *applied == Applied::New), "{:?}", memory.applied);
    assert_eq!(memory.goodbyes.len(), 1);
}

#[cfg(unix)]
#[test]
fn a_collector_can_be_at_a_unix_socket() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (store, path) = (Store::new(), folder.path().join("collector.sock"));
    let _collector = Collector::start_on(&store, &path);
    let guard = reporting_to(&format!("unix:{}", path.display())).try_init().unwrap();
    block_on(until("reports arrive", || store.reports() > 5));
    drop(guard);
    let memory = store.lock();
    assert_eq!((memory.hellos.len(), memory.snapshots, memory.goodbyes.len()), (1, 1, 1));
    assert!(memory.applied.iter().all(|applied| *applied == Applied::New), "{:?}", memory.applied);
}

#[cfg(unix)]
#[test]
fn a_collector_in_the_folder_of_recordings_hears_also_a_process_that_ends_at_once() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new();
    let socket = folder.path().join(pollscope_proto::ingest::FOLDER_SOCKET);
    let _collector = Collector::start_on(&store, &socket);
    let builder = || pollscope::builder().listen(Listen::Off).interval(Duration::from_secs(60));
    let guard = builder().record(folder.path()).try_init().unwrap();
    block_on(async { pollscope::spawn(async {}).await.unwrap() });
    drop(guard);
    let memory = store.lock();
    assert_eq!((memory.hellos.len(), memory.goodbyes.len()), (1, 1));
    let polls = |process: &pollscope_model::world::Process| -> u64 {
        process.sites().map(|site| site.totals().poll.count()).sum()
    };
    assert!(
        memory.world.processes().map(polls).sum::<u64>() >= 1,
        "the task was polled, and nothing told of it"
    );
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [pollscope_proto::ingest::FOLDER_SOCKET], "no file is written beside it");
}

#[cfg(unix)]
#[test]
fn a_collector_in_the_folder_of_recordings_gets_the_single_polls_that_are_always_recorded() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new();
    let _collector = Collector::start_on(&store, &folder.path().join(pollscope_proto::ingest::FOLDER_SOCKET));
    let builder = pollscope::builder().listen(Listen::Off).interval(Duration::from_millis(20));
    let _guard = builder.record(folder.path()).flight(Flight::Always).try_init().unwrap();
    block_on(async {
        yields("kept", 200).await;
        let kept = || store.lock().world.processes().any(|process| seen(process, "kept") == (200, 199));
        until("every poll and wake is there", kept).await;
    });
}

#[test]
fn a_collector_that_forgot_nothing_gets_what_it_missed_and_nothing_twice() {
    let _alone = alone();
    let store = Store::new();
    let collector = Collector::start(&store);
    let address = collector.address;
    let _guard = reporting_to(&collector.url()).try_init().unwrap();
    block_on(async {
        until("reports arrive", || store.reports() > 5).await;
        // What arrives now is kept, and the process does not know it.
        store.lock().silent = true;
        let before = store.reports();
        until("reports arrive unacknowledged", || store.reports() > before + 3).await;
    });
    collector.kill();
    let before = store.reports();
    store.lock().silent = false;
    let collector = Collector::start_at(&store, address);
    block_on(until("reports arrive again", || store.reports() > before + 5));
    let memory = store.lock();
    assert_eq!((memory.hellos.len(), memory.snapshots), (2, 1));
    assert!(memory.applied.iter().all(|applied| *applied == Applied::New), "{:?}", memory.applied);
    drop(memory);
    drop(collector);
}

#[test]
fn a_collector_that_forgot_everything_gets_a_snapshot() {
    let _alone = alone();
    let store = Store::new();
    let collector = Collector::start(&store);
    let address = collector.address;
    let _guard = reporting_to(&collector.url()).try_init().unwrap();
    block_on(until("reports arrive", || store.reports() > 5));
    collector.kill();
    let store = Store::new();
    let _collector = Collector::start_at(&store, address);
    block_on(until("reports arrive again", || store.reports() > 5));
    let memory = store.lock();
    assert_eq!((memory.hellos.len(), memory.snapshots), (1, 1));
    assert!(memory.applied.iter().all(|applied| *applied == Applied::New), "{:?}", memory.applied);
}

#[test]
fn a_collector_that_acknowledges_nothing_costs_bounded_memory_and_no_total() {
    let _alone = alone();
    let store = Store::new();
    store.lock().silent = true;
    let collector = Collector::start(&store);
    let guard = reporting_to(&collector.url()).interval(Duration::from_millis(10)).try_init().unwrap();
    block_on(async {
        until("the window is full", || store.reports() >= 64).await;
        let folded = || store.lock().last.as_ref().map_or(0, |report| report.losses.reports_folded);
        assert_eq!(folded(), 0);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(500) {
            guard.report();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(store.reports() <= 66, "{} reports without an acknowledgement", store.reports());
        let seq = store.lock().last.as_ref().map_or(0, |report| report.seq);
        collector.say.send(Control::Ack { seq }).unwrap();
        store.lock().silent = false;
        until("folded reports arrive", || folded() > 0).await;
    });
    let memory = store.lock();
    assert!(memory.applied.iter().all(|applied| *applied == Applied::New), "{:?}", memory.applied);
}

#[test]
fn no_collector_costs_nothing_and_stopping_does_not_wait_for_it() {
    let _alone = alone();
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let guard = reporting_to(&format!("http://{unused}")).try_init().unwrap();
    assert_eq!(guard.status(), Status::Recording);
    assert!(guard.report().is_some());
    guard.flush();
    drop(guard);
}

#[test]
fn a_collector_that_comes_late_is_found() {
    let _alone = alone();
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _guard = reporting_to(&format!("http://{address}")).try_init().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let store = Store::new();
    let _collector = Collector::start_at(&store, address);
    block_on(until("reports arrive", || store.reports() > 3));
    assert!(store.lock().applied.iter().all(|applied| *applied == Applied::New));
}

#[test]
fn detail_is_given_for_as_long_as_it_was_asked() {
    let _alone = alone();
    let store = Store::new();
    store.lock().detail = Detail::Top;
    let collector = Collector::start(&store);
    let _guard = reporting_to(&collector.url()).try_init().unwrap();
    let detail = || store.lock().last.as_ref().map(|report| report.detail);
    block_on(async {
        until("the usual detail", || detail() == Some(Detail::Top)).await;
        let snapshots = store.lock().snapshots;
        let request = DetailRequest { detail: Detail::Full, ttl_ns: 300_000_000 };
        collector.say.send(Control::Detail(request)).unwrap();
        until("full detail", || detail() == Some(Detail::Full)).await;
        until("a snapshot of all tasks", || store.lock().snapshots == snapshots + 1).await;
        until("the usual detail again", || detail() == Some(Detail::Top)).await;
    });
    assert!(store.lock().applied.iter().all(|applied| *applied == Applied::New));
}

#[test]
fn a_collector_that_lost_its_way_gets_a_snapshot() {
    let _alone = alone();
    let store = Store::new();
    let collector = Collector::start(&store);
    let _guard = reporting_to(&collector.url()).try_init().unwrap();
    block_on(async {
        until("reports arrive", || store.reports() > 5).await;
        collector.end.send(tonic::Status::aborted("send a snapshot")).unwrap();
        until("a second snapshot", || store.lock().snapshots == 2).await;
        let before = store.reports();
        until("reports arrive again", || store.reports() > before + 5).await;
    });
    assert!(store.lock().applied.iter().all(|applied| *applied == Applied::New));
}

#[test]
fn a_collector_that_refuses_is_not_asked_again_soon() {
    let _alone = alone();
    let store = Store::new();
    store.lock().refusing = true;
    let collector = Collector::start(&store);
    let guard = reporting_to(&collector.url()).try_init().unwrap();
    block_on(until("it was asked", || store.lock().refused > 0));
    guard.flush();
    assert!(guard.report().is_some());
    drop(guard);
    assert_eq!(store.lock().refused, 1);
    assert_eq!(store.reports(), 0);
}
