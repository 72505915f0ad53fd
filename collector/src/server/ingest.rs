//! `Ingest`: one push stream of one process, from its greeting to its end.
//!
//! Never looks into a report: it decodes, hands over and acknowledges. What cannot be read is
//! refused with the reason; what a reconnect can heal ends the stream with a status that says so.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pollscope_model::hello::Hello;
use pollscope_model::report::{Detail, Report};
use pollscope_model::world::Applied;
use pollscope_proto::ingest::{Control, Ingest, IngestDecoder, Message, PushControl, PushMessage, Welcome};
use pollscope_proto::{DecodeError, PROTOCOL, Peer, compatible};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};

use super::held_bytes::{HeldBytes, Share};
use super::stop::Stop;
use crate::fleet::{Fleet, Lease, NoLease, Stopped, Taken};

/// How long a peer may take to its greeting.
const GREETING_DEADLINE: Duration = Duration::from_secs(5);

/// How long a stream waits for the lease of one that may just have lost its connection: longer than it takes
/// until a peer that answers no ping is gone.
const LEASE_DEADLINE: Duration = Duration::from_millis(4_500);

/// How often it asks.
const LEASE_RETRY: Duration = Duration::from_millis(50);

/// Bytes of reports that all streams together may hold before they are folded.
const UNFOLDED: usize = 512 << 20;

/// Acknowledgements and requests that may wait for a peer that does not read them.
const CONTROLS: usize = 16;

/// Serves push streams.
#[derive(Debug)]
pub(super) struct IngestService {
    fleet: Fleet,
    stop: Stop,
    held_bytes: HeldBytes,
}

impl IngestService {
    pub(super) fn new(fleet: &Fleet, stop: &Stop) -> Self {
        Self { fleet: fleet.clone(), stop: stop.clone(), held_bytes: HeldBytes::new(UNFOLDED) }
    }
}

#[tonic::async_trait]
impl Ingest for IngestService {
    type PushStream = ReceiverStream<Result<PushControl, Status>>;

    async fn push(
        &self,
        request: Request<Streaming<PushMessage>>,
    ) -> Result<Response<Self::PushStream>, Status> {
        // `None` on a Unix socket.
        let peer = request.remote_addr();
        let (controls, outbound) = mpsc::channel(CONTROLS);
        let stream = Stream {
            inbound: request.into_inner(),
            reader: IngestDecoder::default(),
            share: Arc::new(self.held_bytes.open()),
            controls: controls.clone(),
        };
        let (fleet, stop) = (self.fleet.clone(), self.stop.clone());
        tokio::spawn(async move {
            if let Err(end) = stream.serve(&fleet, stop).await {
                end.send(peer, &controls).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(outbound)))
    }
}

/// How the collector ends a stream.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("no greeting within 5 s; the first message must be a hello")]
    Silent,
    #[error("the first message was not a hello; is the other side a pollscope process?")]
    NoHello,
    #[error("unreadable message: {0}; is the other side a pollscope process of this version?")]
    Unreadable(#[from] DecodeError),
    #[error("unreadable message: {0}; is the other side a pollscope process of this version?")]
    Garbled(String),
    #[error(transparent)]
    Version(#[from] pollscope_proto::VersionMismatch),
    #[error("a message of another incarnation than the first hello's; a stream speaks for one")]
    WrongBoot,
    #[error("a report is missing before {seq}; reconnect and send a snapshot")]
    Gap { seq: u64 },
    #[error("the collector has forgotten this process; reconnect and send a snapshot")]
    Forgotten,
    #[error(transparent)]
    NoLease(#[from] NoLease),
    #[error(
        "all processes together hold more than the collector may, and this one held most: send fewer sites and \
         names, or push to another collector"
    )]
    Evicted,
    #[error(
        "the reports that wait to be folded hold more than the collector may, and this one was the largest; try \
         again later"
    )]
    Crowded,
    #[error("another stream of this incarnation took over")]
    TakenOver,
    #[error("connection lost")]
    Lost,
    #[error(transparent)]
    Stopping(#[from] Stopped),
}

impl End {
    /// What ended the inbound half. A message that is no protobuf, or over the limit, comes as a
    /// status too; a connection that is gone gets no reason.
    fn of(status: &Status) -> Self {
        tracing::debug!(code = ?status.code(), reason = status.message(), "push stream broke");
        let transport = std::error::Error::source(status).is_some();
        match status.code() {
            Code::Internal | Code::OutOfRange if !transport => Self::Garbled(status.message().to_owned()),
            _ => Self::Lost,
        }
    }

    /// Says to the other side why its stream ends: `Refused` where trying again is of no use, a
    /// status where it is.
    async fn send(&self, peer: Option<SocketAddr>, controls: &mpsc::Sender<Result<PushControl, Status>>) {
        let words = self.to_string();
        let last = match self {
            Self::Lost => return,
            Self::Silent => Err(Status::deadline_exceeded(words)),
            Self::NoLease(NoLease::Taken) => Err(Status::already_exists(words)),
            Self::NoLease(NoLease::Full(_)) | Self::Evicted | Self::Crowded => {
                Err(Status::resource_exhausted(words))
            }
            Self::Gap { .. } | Self::Forgotten | Self::TakenOver => Err(Status::aborted(words)),
            Self::Stopping(_) => Err(Status::unavailable(words)),
            Self::NoHello | Self::Unreadable(_) | Self::Garbled(_) | Self::Version(_) | Self::WrongBoot => {
                tracing::warn!(?peer, reason = words, "push stream refused");
                Ok(PushControl::from(&Control::Refused { reason: words }))
            }
        };
        // Failing means that the other side is gone already.
        let _ = controls.send(last).await;
    }
}

/// Gives a stream its lease. Where the stream of the same process before it has just broken off, the new one waits until that is
/// known here; where that one is alive, the new one is refused.
async fn lease(fleet: &Fleet, hello: Box<Hello>) -> Result<Lease, End> {
    let deadline = Instant::now() + LEASE_DEADLINE;
    loop {
        match fleet.greet(hello.clone()).await? {
            Err(NoLease::Taken) if Instant::now() < deadline => tokio::time::sleep(LEASE_RETRY).await,
            lease => return Ok(lease?),
        }
    }
}

/// An open stream.
struct Stream {
    inbound: Streaming<PushMessage>,
    reader: IngestDecoder,
    /// What the stream holds of reports that are not folded yet.
    share: Arc<Share>,
    controls: mpsc::Sender<Result<PushControl, Status>>,
}

impl Stream {
    async fn serve(mut self, fleet: &Fleet, mut stop: Stop) -> Result<(), End> {
        let hello = tokio::select! {
            hello = tokio::time::timeout(GREETING_DEADLINE, self.hello()) => {
                hello.map_err(|_| End::Silent)??
            }
            () = stop.wait() => return Err(Stopped.into()),
        };
        let (pid, host, boot) = (hello.process.pid, hello.process.host.clone(), hello.boot);
        let mut lease = lease(fleet, hello).await?;
        let label = lease.label.clone();
        tracing::info!(process = %label, pid, host, %boot, "connected");

        let share = self.share.clone();
        let talked = tokio::select! {
            talked = self.talk(fleet, &mut lease, stop) => talked,
            () = share.revoked() => Err(End::Crowded),
        };
        let reason = match &talked {
            Ok(goodbye) => goodbye.clone(),
            Err(end) => end.to_string(),
        };
        tracing::info!(process = %label, pid, %boot, reason, "disconnected");
        fleet.part(lease, &reason).await?;
        talked.map(drop)
    }

    async fn hello(&mut self) -> Result<Box<Hello>, End> {
        let hello = match self.next().await? {
            Message::Hello(hello) => hello,
            Message::Report(_) | Message::Goodbye { .. } => return Err(End::NoHello),
        };
        compatible(Peer::Collector, Peer::Service, hello.protocol, &hello.version)?;
        Ok(hello)
    }

    /// Takes reports until the goodbye of the process; returns its reason.
    async fn talk(&mut self, fleet: &Fleet, lease: &mut Lease, mut stop: Stop) -> Result<String, End> {
        self.send(Control::Welcome(Welcome {
            protocol: PROTOCOL,
            last_seq: lease.last_seq,
            detail: Detail::Top,
        }))
        .await?;
        loop {
            tokio::select! {
                push = self.next() => match push? {
                    Message::Hello(hello) if hello.boot == lease.boot => fleet.renew(lease, hello).await?,
                    Message::Hello(_) => return Err(End::WrongBoot),
                    Message::Goodbye { reason } => return Ok(reason),
                    Message::Report(report) => self.take(fleet, lease, report).await?,
                },
                want = lease.wants.recv() => match want {
                    Some(want) => self.send(want).await?,
                    None => return Err(End::TakenOver),
                },
                () = stop.wait() => return Err(Stopped.into()),
            }
        }
    }

    /// Hands a report over and acknowledges it when it is kept.
    async fn take(&mut self, fleet: &Fleet, lease: &Lease, report: Box<Report>) -> Result<(), End> {
        if report.boot != lease.boot {
            return Err(End::WrongBoot);
        }
        let seq = report.seq;
        let whole = report.kind.is_last_part();
        self.share.set(report.held_bytes());
        let taken = fleet.apply(lease, report).await?;
        self.share.set(0);
        match taken {
            Taken::NoLease => Err(End::TakenOver),
            Taken::OutOfOrder => Err(End::Gap { seq }),
            Taken::Applied(Applied::UnknownProcess) => Err(End::Forgotten),
            Taken::Applied(Applied::Evicted) => Err(End::Evicted),
            Taken::Applied(applied) if applied.wants_snapshot() => Err(End::Gap { seq }),
            Taken::Applied(_) if whole => self.send(Control::Ack { seq }).await,
            Taken::Applied(_) => Ok(()),
        }
    }

    /// The next message of the process. Nothing is lost if the future is dropped.
    async fn next(&mut self) -> Result<Message, End> {
        loop {
            let message = match self.inbound.message().await {
                Ok(Some(message)) => message,
                Ok(None) => return Err(End::Lost),
                Err(status) => return Err(End::of(&status)),
            };
            if let Some(push) = self.reader.decode(message)? {
                return Ok(push);
            }
            self.share.set(self.reader.held_bytes());
        }
    }

    async fn send(&self, control: Control) -> Result<(), End> {
        let sent = self.controls.send(Ok(PushControl::from(&control))).await;
        sent.map_err(|_| End::Lost)
    }
}
