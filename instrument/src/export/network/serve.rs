//! The `Feed` service: each viewer gets a greeting, a snapshot and every delta after it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use pollscope_model::report::Detail;
use pollscope_proto::feed::{self, AttachRequest, Feed, FeedMessage, Request as Wish};
use pollscope_proto::incoming::{Accept, Bounds, Incoming, Refusal, is_told};
use pollscope_proto::{Peer, compatible};
use pollscope_system::descriptors::share;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::door::{Door, Listener};
use super::http2::server;
use super::lens::Lens;
use crate::export::Shared;
use crate::export::backlog::{Backlog, Next};
use crate::export::greeting::Greeting;
use crate::setup::config::Listen;
use crate::setup::fork::held::{Descriptor, Held};
use crate::setup::notice;
use crate::setup::refusals::Refusals;
use pace::Pace;

mod pace;

/// Viewers at the same time.
const MAX_VIEWERS: usize = 32;
/// How long a client may take to greet.
const GREETING: Duration = Duration::from_secs(5);
/// Messages on their way to one viewer, beside those in its backlog.
const IN_FLIGHT: usize = 4;
/// A viewer that takes nothing for so long is let go.
const STALLED: Duration = Duration::from_secs(60);
/// Connections at the same time, at most the [`SHARE`]th part of the descriptors that the service may have.
const MAX_CONNECTIONS: usize = 64;
const SHARE: u64 = 4;
/// How long a connection may take to its first request.
const FIRST_REQUEST: Duration = Duration::from_secs(5);

/// Serves until told to close, then until the viewers have their goodbye.
pub(super) async fn run(door: Door, shared: Arc<Shared>, closing: oneshot::Receiver<()>) {
    let viewers = Arc::new(Semaphore::new(MAX_VIEWERS));
    let service = FeedService { shared, viewers, pace: Mutex::new(Pace::new(Instant::now())) };
    let bounds = Bounds { connections: share(MAX_CONNECTIONS, SHARE), first_request: FIRST_REQUEST };
    let refused = {
        let address = door.address().clone();
        move |why, count| {
            Refusals::Connections.count();
            if is_told(count) {
                notice::warn(&refused(&address, bounds, why, count));
            }
        }
    };
    match &door.listener {
        Listener::Tcp(listener) => match listener.try_clone().and_then(tokio::net::TcpListener::from_std) {
            Ok(listener) => {
                let _held = Held::of(&listener);
                serve(Incoming::new(listener, bounds, refused), service, closing).await;
            }
            Err(error) => give_up(&door, &error),
        },
        #[cfg(unix)]
        Listener::Unix(socket) => match socket.listener().and_then(tokio::net::UnixListener::from_std) {
            Ok(listener) => {
                let _held = Held::of(&listener);
                serve(Incoming::new(listener, bounds, refused), service, closing).await;
            }
            Err(error) => give_up(&door, &error),
        },
    }
}

async fn serve<L: Accept<Stream: Descriptor>>(
    mut incoming: Incoming<L>,
    service: FeedService,
    mut closing: oneshot::Receiver<()>,
) {
    let service = feed::server(service);
    let (close, closed) = watch::channel(false);
    let mut connections = JoinSet::new();
    loop {
        let next = poll_fn(|context| {
            if Pin::new(&mut closing).poll(context).is_ready() {
                return Poll::Ready(None);
            }
            while let Poll::Ready(Some(_)) = connections.poll_join_next(context) {}
            incoming.poll_accept(context).map(Some)
        });
        let Some(connection) = next.await else { break };
        let held = Held::of(connection.stream());
        let serving = server::run(connection, service.clone(), closed.clone());
        connections.spawn(async move {
            let _held = held;
            serving.await;
        });
    }
    let _ = close.send(true);
    while connections.join_next().await.is_some() {}
}

/// What is said of connections that were not served.
fn refused(address: &Listen, bounds: Bounds, why: Refusal, count: u64) -> String {
    let what = match why {
        Refusal::Full => format!("refused, since {} are open; close a viewer", bounds.connections),
        Refusal::Silent => format!("closed, since no request came within {} s", FIRST_REQUEST.as_secs()),
        Refusal::Failed => "not accepted by the system, perhaps at the limit of descriptors".to_owned(),
    };
    let connections = if count == 1 { "1 connection was" } else { &format!("{count} connections were") };
    format!("{connections} {what} ({address}); the service goes on")
}

fn give_up(door: &Door, error: &dyn std::error::Error) {
    notice::warn(&format!(
        "no viewer can attach any more on {}: {error}; the service goes on",
        door.address()
    ));
}

/// Where viewers come in.
struct FeedService {
    shared: Arc<Shared>,
    viewers: Arc<Semaphore>,
    pace: Mutex<Pace>,
}

#[tonic::async_trait]
impl Feed for FeedService {
    type AttachStream = ReceiverStream<Result<FeedMessage, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        if !self.pace.lock().unwrap_or_else(PoisonError::into_inner).allows(Instant::now()) {
            Refusals::Viewers.count();
            return Err(Status::resource_exhausted(format!(
                "more than {} viewers a second attach: try again in a second",
                pace::PER_SECOND
            )));
        }
        let mut wishes = request.into_inner();
        greeted(&mut wishes).await?;
        let seat = self.viewers.clone().try_acquire_owned().map_err(|_| {
            Refusals::Viewers.count();
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
        self.send(feed::hello(&hello)).await?;
        self.shared.reporter.subscribe(backlog);
        loop {
            let mut report = match backlog.next().await {
                Next::Report(report) => report,
                Next::Overrun => {
                    self.shared.reporter.subscribe(backlog);
                    continue;
                }
                Next::Closed => return self.send(feed::goodbye("the service stopped pollscope")).await,
            };
            if let Some(hello) = greeting.news(&report) {
                self.send(feed::hello(&hello)).await?;
            }
            let grown = {
                let mut lens = self.lens.lock().unwrap_or_else(PoisonError::into_inner);
                let grown = lens.turn(Instant::now());
                lens.show(&mut report);
                grown
            };
            for message in feed::report(&report) {
                self.send(message).await?;
            }
            if grown {
                self.shared.reporter.subscribe(backlog);
            }
        }
    }

    /// `None` when the viewer is gone, or takes nothing for [`STALLED`]: what it is being told is held so long.
    async fn send(&self, message: FeedMessage) -> Option<()> {
        tokio::time::timeout(STALLED, self.out.send(Ok(message))).await.ok()?.ok()
    }
}
