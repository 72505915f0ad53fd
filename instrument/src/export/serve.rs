//! The `Feed` service: each viewer gets a greeting, a snapshot and every delta after it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pollscope_model::report::Detail;
use pollscope_proto::feed::{self, AttachRequest, Feed, FeedMessage, Request as Wish};
use pollscope_proto::{Peer, compatible};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use super::Shared;
use super::backlog::{Backlog, Next};
use super::door::{Door, Listener};
use super::greeting::Greeting;
use super::lens::Lens;
use crate::notice;

/// Viewers at the same time.
const MAX_VIEWERS: usize = 32;
/// How long a client may take to greet.
const GREETING: Duration = Duration::from_secs(5);
/// Messages on their way to one viewer, beside those in its backlog.
const IN_FLIGHT: usize = 4;
/// Bytes that may be under way to one viewer before it has read any.
const WINDOW: u32 = 1 << 20;

/// Serves until told to close, then until the viewers have their goodbye.
pub(super) async fn run(door: Door, shared: Arc<Shared>, closing: oneshot::Receiver<()>) {
    let viewers = Arc::new(Semaphore::new(MAX_VIEWERS));
    let server = Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .http2_keepalive_interval(Some(Duration::from_secs(10)));
    let service = feed::server(Desk { shared, viewers });
    let close = async {
        let _ = closing.await;
    };
    let outcome = match &door.listener {
        Listener::Tcp(listener) => {
            let listener = listener.try_clone().and_then(tokio::net::TcpListener::from_std);
            match listener.map(|listener| TcpIncoming::from(listener).with_nodelay(Some(true))) {
                Ok(incoming) => server.serve_with_incoming_shutdown(service, incoming, close).await,
                Err(error) => return give_up(&door, &error),
            }
        }
        #[cfg(unix)]
        Listener::Unix(socket) => {
            let listener = socket.listener().and_then(tokio::net::UnixListener::from_std);
            match listener.map(tokio_stream::wrappers::UnixListenerStream::new) {
                Ok(incoming) => server.serve_with_incoming_shutdown(service, incoming, close).await,
                Err(error) => return give_up(&door, &error),
            }
        }
    };
    if let Err(error) = outcome {
        give_up(&door, &error);
    }
}

fn give_up(door: &Door, error: &dyn std::error::Error) {
    notice::warn(&format!("nobody can attach any more on {}: {error}; the service goes on", door.address()));
}

/// Where viewers come in.
struct Desk {
    shared: Arc<Shared>,
    viewers: Arc<Semaphore>,
}

#[tonic::async_trait]
impl Feed for Desk {
    type AttachStream = ReceiverStream<Result<FeedMessage, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let mut wishes = request.into_inner();
        greeted(&mut wishes).await?;
        let seat = self.viewers.clone().try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!("{MAX_VIEWERS} viewers are attached already: close one"))
        })?;
        let (out, stream) = mpsc::channel(IN_FLIGHT);
        let lens = Arc::new(Mutex::new(Lens::new(Detail::Full)));
        let backlog = self.shared.new_backlog();
        let ear = Ear { lens: lens.clone(), backlog: backlog.clone(), shared: self.shared.clone() };
        let listening = tokio::spawn(ear.listen(wishes));
        let viewer = Viewer { shared: self.shared.clone(), backlog, out, lens, _seat: seat };
        tokio::spawn(async move {
            viewer.feed().await;
            listening.abort();
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// Reads the greeting and judges it.
async fn greeted(wishes: &mut Streaming<AttachRequest>) -> Result<(), Status> {
    let first = tokio::time::timeout(GREETING, wishes.message())
        .await
        .map_err(|_| Status::deadline_exceeded("no greeting came: the first message must be a hello"))??
        .ok_or_else(|| Status::invalid_argument("no greeting came: the first message must be a hello"))?;
    match read(first)? {
        Wish::Hello(client) => compatible(Peer::Service, Peer::Viewer, client.protocol, &client.version)
            .map_err(|mismatch| Status::failed_precondition(mismatch.to_string())),
        Wish::Watch(_) | Wish::Events(_) => {
            Err(Status::invalid_argument("the first message must be a hello"))
        }
    }
}

fn read(wish: AttachRequest) -> Result<Wish, Status> {
    Wish::try_from(wish).map_err(|error| Status::invalid_argument(error.to_string()))
}

/// What listens to a viewer.
struct Ear {
    lens: Arc<Mutex<Lens>>,
    backlog: Arc<Backlog>,
    shared: Arc<Shared>,
}

impl Ear {
    /// Listens to what the viewer wants, until it has nothing more to say.
    async fn listen(self, mut wishes: Streaming<AttachRequest>) {
        while let Ok(Some(wish)) = wishes.message().await {
            match read(wish) {
                Ok(Wish::Watch(detail)) => {
                    self.lens.lock().unwrap_or_else(PoisonError::into_inner).ask(detail, Instant::now());
                }
                Ok(Wish::Events(events)) => self.shared.ask_for_events(&self.backlog, events),
                Ok(Wish::Hello(_)) | Err(_) => {}
            }
        }
    }
}

/// One viewer.
struct Viewer {
    shared: Arc<Shared>,
    backlog: Arc<Backlog>,
    out: mpsc::Sender<Result<FeedMessage, Status>>,
    lens: Arc<Mutex<Lens>>,
    _seat: OwnedSemaphorePermit,
}

impl Viewer {
    /// Until the viewer or the process goes. A viewer that went is noticed at the next report.
    async fn feed(&self) -> Option<()> {
        let backlog = &self.backlog;
        let (mut greeting, hello) = Greeting::new(self.shared.clone());
        self.say(feed::hello(&hello)).await?;
        self.shared.reporter.subscribe(backlog);
        loop {
            let mut report = match backlog.next().await {
                Next::Report(report) => report,
                Next::Overrun => {
                    self.shared.reporter.subscribe(backlog);
                    continue;
                }
                Next::Closed => return self.say(feed::goodbye("the service stopped pollscope")).await,
            };
            if let Some(hello) = greeting.news(&report) {
                self.say(feed::hello(&hello)).await?;
            }
            let grown = {
                let mut lens = self.lens.lock().unwrap_or_else(PoisonError::into_inner);
                let grown = lens.turn(Instant::now());
                lens.show(&mut report);
                grown
            };
            for message in feed::report(&report) {
                self.say(message).await?;
            }
            if grown {
                self.shared.reporter.subscribe(backlog);
            }
        }
    }

    /// `None` when the viewer is gone.
    async fn say(&self, message: FeedMessage) -> Option<()> {
        self.out.send(Ok(message)).await.ok()
    }
}
