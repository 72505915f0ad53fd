//! A viewer: attaches, reads, folds into a world.

use pollscope_model::hello::Hello;
use pollscope_model::report::Report;
use pollscope_model::world::{Applied, Process, World, WorldLimits};
use pollscope_proto::feed::{self, AttachRequest, ClientHello, FeedDecoder, FeedMessage, Message, Request};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tonic::{Status, Streaming};

use super::DEADLINE;

pub(crate) struct Viewer {
    stream: Streaming<FeedMessage>,
    requests: mpsc::Sender<AttachRequest>,
    reader: FeedDecoder,
    pub(crate) hello: Hello,
    pub(crate) world: World,
}

impl Viewer {
    pub(crate) async fn attach(target: &str) -> Result<Self, Status> {
        Self::attach_as(target, ClientHello::new("a test")).await
    }

    pub(crate) async fn attach_as(target: &str, client: ClientHello) -> Result<Self, Status> {
        let url = if target.starts_with("unix:") { target.to_owned() } else { format!("http://{target}") };
        let channel = Endpoint::from_shared(url)
            .unwrap()
            .connect()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let (requests, outgoing) = mpsc::channel(4);
        requests.send(AttachRequest::from(&Request::Hello(client))).await.unwrap();
        let mut stream = feed::client(channel).attach(ReceiverStream::new(outgoing)).await?.into_inner();
        let mut reader = FeedDecoder::default();
        let first = reader.decode(stream.message().await?.expect("a greeting")).unwrap();
        let Some(Message::Hello(hello)) = first else { panic!("expected a greeting, got {first:?}") };
        let mut world = World::new(WorldLimits::default());
        world.connect(Hello::clone(&hello), hello.anchor.unix_ns).unwrap();
        Ok(Self { stream, requests, reader, hello: *hello, world })
    }

    /// The next message other than a fresh greeting.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            let message = timeout(DEADLINE, self.stream.message()).await.expect("silence").ok()??;
            match self.reader.decode(message).unwrap() {
                Some(Message::Hello(hello)) => self.hello = *hello,
                Some(message) => return Some(message),
                None => {}
            }
        }
    }

    pub(crate) async fn next_report(&mut self) -> Report {
        match self.next().await {
            Some(Message::Report(report)) => *report,
            other => panic!("expected a report, got {other:?}"),
        }
    }

    /// Folds reports until the process looks right; every one of them must follow the one before.
    pub(crate) async fn watch_until(&mut self, holds: impl Fn(&Process) -> bool) {
        let start = std::time::Instant::now();
        loop {
            let report = self.next_report().await;
            let now = self.hello.anchor.to_unix_ns(report.end_ns);
            let applied = self.world.apply(report, now);
            assert_eq!(applied, Applied::New);
            if holds(self.process()) {
                return;
            }
            assert!(start.elapsed() < DEADLINE, "still not so");
        }
    }

    pub(crate) fn process(&self) -> &Process {
        self.world.process(self.hello.boot).unwrap()
    }

    pub(crate) async fn ask(&self, request: &Request) {
        self.requests.send(AttachRequest::from(request)).await.unwrap();
    }
}
