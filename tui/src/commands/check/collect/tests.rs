//! Made-up processes that push into a folder.

use pollscope_model::hello::Hello;
use pollscope_model::report::Report;
use pollscope_model::testkit::Script;
use pollscope_model::time::MILLISECOND;
use pollscope_model::world::Process;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::sync::mpsc::Sender;
use tonic::transport::Channel;

use super::*;
use crate::commands::recordings::{by_process, in_folder};
use crate::sources::endpoint::Endpoint;

/// Generous: a test waits this long only when it fails.
const DEADLINE: Duration = Duration::from_secs(60);

/// One connection of a process.
struct Pushing {
    out: Sender<PushMessage>,
    controls: Streaming<PushControl>,
    _channel: Channel,
}

impl Pushing {
    async fn begin(folder: &Path, hello: &Hello) -> (Self, Option<u64>) {
        let channel = Endpoint::Unix(folder.join(FOLDER_SOCKET)).connect().await.expect("it listens");
        let (out, messages) = mpsc::channel(8);
        out.send(ingest::hello(hello)).await.expect("there is room");
        let pushed = ingest::client(channel.clone()).push(ReceiverStream::new(messages)).await;
        let controls = pushed.expect("it is taken").into_inner();
        let mut pushing = Self { out, controls, _channel: channel };
        match pushing.next_control().await {
            Some(Control::Welcome(welcome)) => (pushing, welcome.last_seq),
            other => panic!("no welcome: {other:?}"),
        }
    }

    async fn next_control(&mut self) -> Option<Control> {
        let control = tokio::time::timeout(DEADLINE, self.controls.message()).await.expect("an answer");
        control.ok().flatten().map(|message| Control::try_from(message).expect("it can be read"))
    }

    /// Sends a report, and waits until it is written.
    async fn report(&mut self, report: &Report) {
        for message in ingest::report(report) {
            self.out.send(message).await.expect("there is room");
        }
        assert_eq!(self.next_control().await, Some(Control::Ack { seq: report.seq }));
    }

    async fn end(mut self) {
        self.out.send(ingest::goodbye("it ended")).await.expect("there is room");
        assert_eq!(self.next_control().await, None);
    }
}

fn polls(folder: &Path) -> Vec<(u64, bool)> {
    let grouped = by_process(&in_folder(folder).expect("files")).expect("recordings");
    assert!(grouped.silent.is_empty());
    let mut control = Vec::new();
    for parts in grouped.processes {
        let folded = parts.fold(None).expect("it can be read");
        let monitor = folded.whole.monitor();
        let sites = monitor.world().processes().flat_map(Process::sites);
        control.push((sites.map(|site| site.totals().poll.count()).sum(), folded.whole.ended()));
    }
    control
}

#[tokio::test]
async fn each_process_has_its_recording_and_one_that_was_cut_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let collecting = Collecting::begin(folder.path()).expect("it listens");
    let (mut whole, mut cut) = (Script::new("a_whole"), Script::new("b_cut"));
    let (of_whole, of_cut) = (whole.site("src/cart.rs:88:9"), cut.site("src/cart.rs:88:9"));
    let (first, second) = (whole.spawn(of_whole), cut.spawn(of_cut));
    let (mut ends, last) = Pushing::begin(folder.path(), &whole.hello()).await;
    assert_eq!(last, None);
    let (mut stays, _) = Pushing::begin(folder.path(), &cut.hello()).await;
    whole.poll(first, 3, MILLISECOND);
    ends.report(&whole.second()).await;
    cut.poll(second, 5, MILLISECOND);
    stays.report(&cut.second()).await;
    ends.end().await;
    collecting.end().await;
    assert_eq!(polls(folder.path()), [(3, true), (5, false)]);
    assert!(!folder.path().join(FOLDER_SOCKET).exists(), "the socket stays behind");
}

#[tokio::test]
async fn a_process_that_comes_back_goes_on_in_the_same_recording() {
    let folder = tempfile::tempdir().expect("a folder");
    let collecting = Collecting::begin(folder.path()).expect("it listens");
    let mut script = Script::new("back");
    let site = script.site("src/cart.rs:88:9");
    let task = script.spawn(site);
    let (mut pushing, _) = Pushing::begin(folder.path(), &script.hello()).await;
    script.poll(task, 3, MILLISECOND);
    let report = script.second();
    pushing.report(&report).await;
    drop(pushing);
    let (mut pushing, last) = Pushing::begin(folder.path(), &script.hello()).await;
    assert_eq!(last, Some(report.seq));
    script.poll(task, 4, MILLISECOND);
    pushing.report(&script.second()).await;
    pushing.end().await;
    collecting.end().await;
    assert_eq!(polls(folder.path()), [(7, true)]);
    assert_eq!(in_folder(folder.path()).expect("files").len(), 1);
}

#[tokio::test]
async fn a_folder_whose_path_is_too_long_for_an_address_has_a_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let deep = folder.path().join("x".repeat(120));
    fs::create_dir(&deep).expect("a folder");
    let collecting = Collecting::begin(&deep).expect("it listens");
    let socket = deep.join(FOLDER_SOCKET).canonicalize().expect("it leads to the socket");
    let place = socket.parent().expect("a folder").to_owned();
    let mut script = Script::new("deep");
    let (pushing, _) = Pushing::begin(&place, &script.hello()).await;
    let _ = script.second();
    drop(pushing);
    collecting.end().await;
    assert!(!place.exists() && deep.join(FOLDER_SOCKET).symlink_metadata().is_err());
}

/// Whether the server closes the connection, which says nothing.
async fn is_closed(mut connection: UnixStream) -> bool {
    let mut heard = Vec::new();
    // The server's settings come first; a reset is an end as well.
    let read = tokio::time::timeout(DEADLINE / 2, connection.read_to_end(&mut heard)).await;
    read.is_ok()
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    let bounds = Bounds { connections: 2, first_request: Duration::from_millis(50) };
    let collecting = Collecting::within(folder.path(), bounds).expect("it listens");
    let connection = UnixStream::connect(folder.path().join(FOLDER_SOCKET)).await.expect("it listens");
    assert!(is_closed(connection).await, "it stays");
    collecting.end().await;
}

#[tokio::test]
async fn more_connections_than_are_taken_are_closed_and_the_others_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let bounds = Bounds { connections: 2, first_request: DEADLINE };
    let collecting = Collecting::within(folder.path(), bounds).expect("it listens");
    let mut script = Script::new("pushes");
    let (mut first, _) = Pushing::begin(folder.path(), &script.hello()).await;
    let (second, _) = Pushing::begin(folder.path(), &Script::new("too").hello()).await;
    let third = UnixStream::connect(folder.path().join(FOLDER_SOCKET)).await.expect("it listens");
    assert!(is_closed(third).await, "it stays");
    let site = script.site("src/cart.rs:88:9");
    let task = script.spawn(site);
    script.poll(task, 3, MILLISECOND);
    first.report(&script.second()).await;
    first.end().await;
    drop(second);
    collecting.end().await;
    assert!(polls(folder.path()).contains(&(3, true)));
}
