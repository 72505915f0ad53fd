//! Viewers that attach to a process.

use std::time::Duration;

use pollscope::{Listen, Status};
use pollscope_model::hello::ProtocolVersion;
use pollscope_model::measured::{Coverage, Metric};
use pollscope_model::report::{Detail, ReportKind};
use pollscope_proto::feed::{ClientHello, Message, Request};
use pollscope_proto::{DetailRequest, PROTOCOL};
use tonic::Code;

use crate::rig::viewer::Viewer;
use crate::rig::{alone, block_on, until};

fn quick(listen: Listen) -> pollscope::Builder {
    pollscope::builder().listen(listen).interval(Duration::from_millis(20)).name("attached")
}

fn tcp() -> Listen {
    Listen::Tcp(([127, 0, 0, 1], 0).into())
}

/// The greeting, then a snapshot, then deltas without a gap.
async fn sees_the_process(target: &str) {
    let mut viewer = Viewer::attach(target).await.unwrap();
    assert_eq!(viewer.hello.process.name, "attached");
    assert_eq!(viewer.hello.process.pid, std::process::id());
    assert_eq!(viewer.hello.capabilities.len(), Metric::ALL.len());
    viewer.watch_until(|process| process.last_seq() >= Some(1)).await;
    let start = viewer.process().last_seq().unwrap();
    viewer.watch_until(|process| process.last_seq() > Some(start + 5)).await;
    assert_eq!(viewer.process().lost(), 0);
}

#[test]
fn over_a_unix_socket() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("service.sock");
    let guard = quick(Listen::Unix(path.clone())).try_init().unwrap();
    assert_eq!(guard.local_addr(), Some(&Listen::Unix(path.clone())));
    block_on(sees_the_process(&format!("unix:{}", path.display())));
    drop(guard);
    assert!(!path.exists(), "the socket's file stays behind");
}

#[test]
fn over_tcp() {
    let _alone = alone();
    let guard = quick(tcp()).try_init().unwrap();
    block_on(sees_the_process(&guard.local_addr().unwrap().to_string()));
}

#[test]
fn two_at_once_and_each_gets_everything() {
    let _alone = alone();
    let guard = quick(tcp()).try_init().unwrap();
    let target = guard.local_addr().unwrap().to_string();
    block_on(async {
        let one = tokio::spawn({
            let target = target.clone();
            async move { sees_the_process(&target).await }
        });
        sees_the_process(&target).await;
        one.await.unwrap();
    });
}

#[test]
fn one_that_asks_for_less_gets_less_for_a_while_and_then_a_snapshot() {
    let _alone = alone();
    let guard = quick(tcp()).try_init().unwrap();
    let target = guard.local_addr().unwrap().to_string();
    block_on(async {
        let mut viewer = Viewer::attach(&target).await.unwrap();
        let first = viewer.next_report().await;
        assert!(matches!(first.kind, ReportKind::Snapshot { part: 0, .. }), "{:?}", first.kind);
        viewer.ask(&Request::Watch(DetailRequest { detail: Detail::Top, ttl_ns: 300_000_000 })).await;
        while viewer.next_report().await.detail == Detail::Full {}
        while viewer.next_report().await.detail == Detail::Top {}
        while viewer.next_report().await.kind == ReportKind::Delta {}
    });
}

#[test]
fn one_that_came_early_is_told_when_a_runtime_is_observed() {
    let _alone = alone();
    let guard = quick(tcp()).try_init().unwrap();
    let target = guard.local_addr().unwrap().to_string();
    block_on(async {
        let mut viewer = Viewer::attach(&target).await.unwrap();
        assert_eq!(viewer.hello.coverage(Metric::WorkerBusy), Coverage::NoTask);
        let boot = viewer.hello.boot;
        pollscope::observe(&tokio::runtime::Handle::current(), "the test's");
        while viewer.hello.coverage(Metric::WorkerBusy) == Coverage::NoTask {
            viewer.next_report().await;
        }
        assert_eq!(viewer.hello.boot, boot);
    });
}

#[test]
fn one_that_leaves_is_forgotten_and_another_can_come() {
    let _alone = alone();
    let guard = quick(tcp()).try_init().unwrap();
    let target = guard.local_addr().unwrap().to_string();
    block_on(async {
        // More than can be attached at the same time.
        for _ in 0..40 {
            let mut attached = Viewer::attach(&target).await;
            let start = std::time::Instant::now();
            while attached.as_ref().is_err_and(|status| status.code() == Code::ResourceExhausted) {
                assert!(start.elapsed() < crate::rig::DEADLINE, "seats are not given back");
                tokio::time::sleep(Duration::from_millis(20)).await;
                attached = Viewer::attach(&target).await;
            }
            attached.unwrap().next_report().await;
        }
    });
}

#[test]
fn one_of_another_major_version_is_told_in_words() {
    let _alone = alone();
    let guard = quick(tcp()).try_init().unwrap();
    let target = guard.local_addr().unwrap().to_string();
    block_on(async {
        let protocol = ProtocolVersion { major: PROTOCOL.major + 1, minor: 0 };
        let client = ClientHello { protocol, version: "9.0.0".into(), label: "from the future".into() };
        let status = Viewer::attach_as(&target, client).await.err().unwrap();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(status.message().contains("the service is older"), "{}", status.message());
        Viewer::attach(&target).await.unwrap();
    });
}

#[test]
fn the_end_of_the_guard_is_a_goodbye() {
    let _alone = alone();
    let guard = quick(tcp()).try_init().unwrap();
    let target = guard.local_addr().unwrap().to_string();
    block_on(async {
        let mut viewer = Viewer::attach(&target).await.unwrap();
        viewer.next_report().await;
        let ended = tokio::task::spawn_blocking(move || drop(guard));
        loop {
            match viewer.next().await {
                Some(Message::Report(_)) => {}
                Some(Message::Goodbye { reason }) => break assert!(reason.contains("stopped"), "{reason}"),
                other => panic!("expected a goodbye, got {other:?}"),
            }
        }
        assert!(viewer.next().await.is_none());
        ended.await.unwrap();
    });
}

#[test]
fn a_taken_port_and_a_taken_path_are_said_and_the_rest_goes_on() {
    let _alone = alone();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = Listen::Tcp(taken.local_addr().unwrap());
    let error = quick(listen.clone()).try_init().unwrap_err().to_string();
    assert!(error.contains(&listen.to_string()) && error.contains("the port is taken"), "{error}");
    let guard = quick(listen).init();
    assert_eq!((guard.status(), guard.local_addr()), (Status::Recording, None));
    assert!(guard.report().is_some());
    drop(guard);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("taken.sock");
    let _owner = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let error = quick(Listen::Unix(path.clone())).try_init().unwrap_err().to_string();
    assert!(error.contains("taken.sock") && error.contains("a living process"), "{error}");
    let guard = quick(Listen::Unix(path)).init();
    assert_eq!((guard.status(), guard.local_addr()), (Status::Recording, None));
}

#[test]
fn an_address_that_the_network_can_reach_is_refused() {
    let _alone = alone();
    let error = quick(Listen::Tcp(([0, 0, 0, 0], 0).into())).try_init().unwrap_err().to_string();
    assert!(error.contains("0.0.0.0:0") && error.contains("use a loopback address"), "{error}");
}

#[test]
fn a_second_guard_does_nothing_and_says_so() {
    let _alone = alone();
    let first = quick(Listen::Off).try_init().unwrap();
    let second = quick(Listen::Off).init();
    assert_eq!(second.status(), Status::Secondary);
    assert!(second.report().is_none());
    assert!(quick(Listen::Off).try_init().is_err());
    drop(second);
    assert_eq!(first.status(), Status::Recording);
    drop(first);
    let third = quick(Listen::Off).try_init().unwrap();
    assert_eq!(third.status(), Status::Recording);
}

#[test]
fn guards_are_counted_in_whatever_order_they_end() {
    let _alone = alone();
    let runs = || pollscope::dump(Duration::ZERO).is_some();
    let first = quick(Listen::Off).init();
    let second = quick(Listen::Off).init();
    drop(first);
    assert!(runs(), "the second keeps it recording");
    let third = quick(Listen::Off).init();
    assert_eq!(third.status(), Status::Secondary);
    drop(second);
    assert!(runs());
    drop(third);
    assert!(!runs());

    // Tests of one process begin while the guards of others end.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let guard = quick(Listen::Off).init();
                    assert_ne!(guard.status(), Status::Off);
                    assert!(runs());
                }
            });
        }
    });
    assert!(!runs());
    assert_eq!(quick(Listen::Off).try_init().unwrap().status(), Status::Recording);
}

#[test]
#[cfg(target_os = "linux")]
fn threads_are_named_and_gone_after_the_guard() {
    let _alone = alone();
    let ours = || -> Vec<String> {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        let mut names: Vec<String> =
            names.map(|name| name.trim().to_owned()).filter(|name| name.starts_with("pollscope")).collect();
        names.sort();
        names
    };
    assert_eq!(ours(), Vec::<String>::new());
    let guard = quick(tcp()).try_init().unwrap();
    // The kernel keeps 15 letters.
    block_on(until("its threads run", || ours() == ["pollscope-drain", "pollscope-io", "pollscope-watch"]));
    drop(guard);
    assert_eq!(ours(), Vec::<String>::new());
}
