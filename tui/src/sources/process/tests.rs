//! A process source against a made-up process that serves a real `Feed` on a real socket.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pollscope_model::hello::{Hello, ProtocolVersion};
use pollscope_model::query::ask::{Answer, Ask};
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::{Page, Query};
use pollscope_model::testkit::{self, Script};
use pollscope_proto::feed::{self, AttachRequest, Feed, FeedMessage};
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{Request, Response, Status as RpcStatus, Streaming};

use super::*;
use crate::sources::endpoint::Endpoint;
use crate::sources::inbox::Inbox;
use crate::sources::{SourceEvent, Status};

/// Longer than anything takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
const PROCESSES: QuestionId = QuestionId(5);
const TASKS: QuestionId = QuestionId(6);

/// Tells its greeting, as many parts of a snapshot of two as it may, and then holds the line.
struct Fake {
    script: Script,
    parts: usize,
}

#[tonic::async_trait]
impl Feed for Fake {
    type AttachStream = ReceiverStream<Result<FeedMessage, RpcStatus>>;

    async fn attach(
        &self,
        mut requests: Request<Streaming<AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, RpcStatus> {
        let (script, parts) = (self.script.clone(), self.parts);
        let (tell, told) = mpsc::channel(16);
        tokio::spawn(async move {
            let _ = tell.send(Ok(feed::hello(&script.hello()))).await;
            for message in script.snapshot(2).iter().take(parts).flat_map(feed::report) {
                let _ = tell.send(Ok(message)).await;
            }
            while let Ok(Some(_)) = requests.get_mut().message().await {}
        });
        Ok(Response::new(ReceiverStream::new(told)))
    }
}

/// A made-up process. Dropping it kills it: every connection breaks.
struct Running {
    _runtime: tokio::runtime::Runtime,
}

fn start(socket: &Path, hello: Hello) -> Running {
    start_telling(2, socket, hello)
}

fn start_telling(parts: usize, socket: &Path, hello: Hello) -> Running {
    let mut script = Script::of(hello);
    let site = script.site("src/cart.rs:88:9");
    script.spawn(site);
    script.second();
    let _ = std::fs::remove_file(socket);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(async { UnixListener::bind(socket) }).unwrap();
    runtime.spawn(
        tonic::transport::Server::builder()
            .add_service(feed::server(Fake { script, parts }))
            .serve_with_incoming(UnixListenerStream::new(listener)),
    );
    Running { _runtime: runtime }
}

fn watch(watched: Watched, folders: Vec<PathBuf>) -> (ProcessSource, Inbox) {
    let inbox = Inbox::default();
    let places = Places { folders, elsewhere: false };
    let mut source = ProcessSource::open_in(watched, places, inbox.sink()).unwrap();
    source.ask(vec![(PROCESSES, Ask::Page(Query::all(Kind::Processes, 100)))]);
    (source, inbox)
}

/// Waits until the events satisfy the predicate.
fn wait<T>(inbox: &Inbox, what: &str, mut until: impl FnMut(&Inbox) -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = inbox.count();
        if let Some(found) = until(inbox) {
            return found;
        }
        assert!(Instant::now() < deadline, "never saw {what}; the last status is {:?}", inbox.status());
        inbox.wait(seen, Instant::now() + Duration::from_millis(100));
    }
}

fn connected(inbox: &Inbox) -> Option<String> {
    match inbox.status() {
        Some(Status::Connected { label }) => Some(label.to_string()),
        _ => None,
    }
}

fn page_with(inbox: &Inbox, rows: usize) -> Option<Page> {
    match inbox.take(PROCESSES) {
        Some(Answer::Page(page)) if page.rows.len() == rows => Some(page),
        _ => None,
    }
}

#[test]
fn a_process_is_greeted_folded_and_asked() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("a.sock");
    let _running = start(&socket, testkit::hello("checkout", 412));
    let (_source, inbox) = watch(Watched::Address(Endpoint::Unix(socket)), Vec::new());
    let label = wait(&inbox, "a connection", connected);
    assert!(label.contains("checkout"), "{label}");
    wait(&inbox, "the process's row", |inbox| page_with(inbox, 1));
}

#[test]
fn a_restarted_service_is_found_again_at_the_same_place() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("a.sock");
    let running = start(&socket, testkit::hello("checkout", 412));
    let (_source, inbox) = watch(Watched::Address(Endpoint::Unix(socket.clone())), Vec::new());
    wait(&inbox, "a connection", connected);
    drop(running);
    wait(&inbox, "the loss", |inbox| matches!(inbox.status(), Some(Status::Lost { .. })).then_some(()));
    let _again = start(&socket, testkit::hello("checkout", 413));
    wait(&inbox, "a new connection", connected);
    wait(&inbox, "the old process's row beside the new one", |inbox| page_with(inbox, 2));
}

#[test]
fn half_a_snapshot_is_shown_as_such_and_never_taken_for_all() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("a.sock");
    let hello = testkit::hello("checkout", 412);
    let running = start_telling(1, &socket, hello.clone());
    let (mut source, inbox) = watch(Watched::Address(Endpoint::Unix(socket.clone())), Vec::new());
    let half = |page: &Page| page.meta.loading == Some(50);
    wait(&inbox, "the first part", |inbox| page_with(inbox, 1).filter(half));
    assert_eq!(connected(&inbox), None, "a wait for all of it goes on");
    // It dies in the middle, and comes back under the same boot: the snapshot begins anew.
    drop(running);
    wait(&inbox, "the loss", |inbox| matches!(inbox.status(), Some(Status::Lost { .. })).then_some(()));
    let _again = start(&socket, hello);
    wait(&inbox, "a connection", connected);
    source.ask(vec![(TASKS, Ask::Page(Query::all(Kind::Tasks, 100)))]);
    let tasks = wait(&inbox, "the tasks", |inbox| match inbox.take(TASKS) {
        Some(Answer::Page(page)) => Some(page),
        _ => None,
    });
    assert_eq!((tasks.meta.loading, tasks.total), (None, 1));
}

#[test]
fn another_protocol_version_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("a.sock");
    let mut hello = testkit::hello("checkout", 412);
    hello.protocol = ProtocolVersion { major: 9, minor: 0 };
    let _running = start(&socket, hello);
    let (_source, inbox) = watch(Watched::Address(Endpoint::Unix(socket)), Vec::new());
    let reason = wait(&inbox, "a refusal", |inbox| match inbox.status() {
        Some(Status::Refused { reason }) => Some(reason),
        _ => None,
    });
    assert!(reason.contains("speaks protocol") && reason.contains("upgrade"), "{reason}");
}

#[test]
fn a_name_means_the_processes_of_that_name_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    // Two processes that certainly live, whatever listens in their name.
    let sockets = [std::process::id(), 1].map(|pid| dir.path().join(format!("{pid}.sock")));
    let _checkout = start(&sockets[0], testkit::hello("checkout", 412));
    let _payments = start(&sockets[1], testkit::hello("payments", 413));
    let folders = vec![dir.path().to_path_buf()];

    let (_source, inbox) = watch(Watched::Machine, folders.clone());
    wait(&inbox, "both", |inbox| page_with(inbox, 2));

    let (_source, inbox) = watch(Watched::Name("payments".to_owned()), folders);
    let label = wait(&inbox, "a connection", connected);
    assert!(label.contains("payments"), "{label}");
    wait(&inbox, "the one of that name", |inbox| page_with(inbox, 1));
}

#[test]
fn sockets_that_were_left_behind_or_do_not_speak_are_no_targets() {
    let dir = tempfile::tempdir().unwrap();
    // A socket without a listener, under the number of a living process.
    drop(std::os::unix::net::UnixListener::bind(dir.path().join("1.sock")).unwrap());
    // One that accepts and hangs up.
    let mute = dir.path().join(format!("{}.sock", std::os::unix::process::parent_id()));
    let mute = std::os::unix::net::UnixListener::bind(mute).unwrap();
    std::thread::spawn(move || mute.incoming().for_each(drop));
    let socket = dir.path().join(format!("{}.sock", std::process::id()));
    let _checkout = start(&socket, testkit::hello("checkout", 412));
    for watched in [Watched::Name("checkout".to_owned()), Watched::Machine] {
        let statuses = Arc::new(Mutex::new(Vec::new()));
        let told = statuses.clone();
        let sink = move |event| {
            if let SourceEvent::Status(status) = event {
                told.lock().unwrap().push(status);
            }
            true
        };
        let places = Places { folders: vec![dir.path().to_path_buf()], elsewhere: false };
        let _source = ProcessSource::open_in(watched, places, Box::new(sink)).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while !statuses.lock().unwrap().iter().any(|status| matches!(status, Status::Connected { .. })) {
            assert!(Instant::now() < deadline, "{statuses:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        let statuses = statuses.lock().unwrap();
        let failed = |status: &&Status| matches!(status, Status::Lost { .. } | Status::Refused { .. });
        assert_eq!(statuses.iter().find(failed), None, "{statuses:?}");
    }
}
