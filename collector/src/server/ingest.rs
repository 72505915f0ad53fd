//! `Ingest`: one push stream of one process, from its greeting to its end.
//!
//! Never looks into a report: it decodes, hands over and acknowledges. What cannot be read is
//! refused with the reason; what a reconnect can heal ends the stream with a status that says so.

use std::net::SocketAddr;
use std::time::Duration;

use pollscope_model::hello::Hello;
use pollscope_model::report::{Detail, Report, ReportKind};
use pollscope_model::world::{Applied, TooManyProcesses};
use pollscope_proto::ingest::{Control, Ingest, Push, PushControl, PushMessage, Reader, Welcome};
use pollscope_proto::{DecodeError, PROTOCOL, Peer, compatible};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};

use super::stop::Stop;
use crate::fleet::{Fleet, Seat, Stopped};

/// How long a peer may take to say who it is.
const GREETING_DEADLINE: Duration = Duration::from_secs(5);

/// Acknowledgements and requests that may wait for a peer that does not read them.
const CONTROLS: usize = 16;

/// Serves push streams.
#[derive(Debug)]
pub(super) struct IngestService {
    fleet: Fleet,
    stop: Stop,
}

impl IngestService {
    pub(super) fn new(fleet: &Fleet, stop: &Stop) -> Self {
        Self { fleet: fleet.clone(), stop: stop.clone() }
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
        let stream =
            Stream { inbound: request.into_inner(), reader: Reader::default(), controls: controls.clone() };
        let (fleet, stop) = (self.fleet.clone(), self.stop.clone());
        tokio::spawn(async move {
            if let Err(end) = stream.serve(&fleet, stop).await {
                end.tell(peer, &controls).await;
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
    Full(#[from] TooManyProcesses),
    #[error("another stream of this incarnation took over")]
    TakenOver,
    #[error("connection lost")]
    Lost,
    #[error(transparent)]
    Stopping(#[from] Stopped),
}

impl End {
    /// What ended the inbound half. A message that is no protobuf, or over the limit, comes as a
    /// status too; a connection that is gone has no use for words.
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
    async fn tell(&self, peer: Option<SocketAddr>, controls: &mpsc::Sender<Result<PushControl, Status>>) {
        let words = self.to_string();
        let last = match self {
            Self::Lost => return,
            Self::Silent => Err(Status::deadline_exceeded(words)),
            Self::Full(_) => Err(Status::resource_exhausted(words)),
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

/// An open stream.
struct Stream {
    inbound: Streaming<PushMessage>,
    reader: Reader,
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
        let mut seat = fleet.greet(hello).await??;
        let label = seat.label.clone();
        tracing::info!(process = %label, pid, host, %boot, "connected");

        let talked = self.talk(fleet, &mut seat, stop).await;
        let reason = match &talked {
            Ok(goodbye) => goodbye.clone(),
            Err(end) => end.to_string(),
        };
        tracing::info!(process = %label, pid, %boot, reason, "disconnected");
        fleet.part(seat, &reason).await?;
        talked.map(drop)
    }

    async fn hello(&mut self) -> Result<Box<Hello>, End> {
        let hello = match self.next().await? {
            Push::Hello { hello, .. } => hello,
            Push::Report(_) | Push::Goodbye { .. } => return Err(End::NoHello),
        };
        compatible(Peer::Collector, Peer::Service, hello.protocol, &hello.version)?;
        Ok(hello)
    }

    /// Takes reports until the process says goodbye; returns its reason.
    async fn talk(&mut self, fleet: &Fleet, seat: &mut Seat, mut stop: Stop) -> Result<String, End> {
        self.say(Control::Welcome(Welcome {
            protocol: PROTOCOL,
            last_seq: seat.last_seq,
            detail: Detail::Top,
            interval_ns: 0,
        }))
        .await?;
        loop {
            tokio::select! {
                push = self.next() => match push? {
                    Push::Hello { hello, .. } if hello.boot == seat.boot => fleet.renew(seat, hello).await?,
                    Push::Hello { .. } => return Err(End::WrongBoot),
                    Push::Goodbye { reason } => return Ok(reason),
                    Push::Report(report) => self.take(fleet, seat, report).await?,
                },
                want = seat.wants.recv() => match want {
                    Some(want) => self.say(want).await?,
                    None => return Err(End::TakenOver),
                },
                () = stop.wait() => return Err(Stopped.into()),
            }
        }
    }

    /// Hands a report over and acknowledges it when it is kept.
    async fn take(&mut self, fleet: &Fleet, seat: &Seat, report: Box<Report>) -> Result<(), End> {
        if report.boot != seat.boot {
            return Err(End::WrongBoot);
        }
        let seq = report.seq;
        let whole = match report.kind {
            ReportKind::Delta => true,
            ReportKind::Snapshot { part, parts } => part + 1 >= parts,
        };
        match fleet.apply(seat, report).await? {
            None => Err(End::TakenOver),
            Some(Applied::UnknownProcess) => Err(End::Forgotten),
            Some(applied) if applied.wants_snapshot() => Err(End::Gap { seq }),
            Some(_) if whole => self.say(Control::Ack { seq }).await,
            Some(_) => Ok(()),
        }
    }

    /// The next thing that the process says. Nothing is lost if the future is dropped.
    async fn next(&mut self) -> Result<Push, End> {
        loop {
            let message = match self.inbound.message().await {
                Ok(Some(message)) => message,
                Ok(None) => return Err(End::Lost),
                Err(status) => return Err(End::of(&status)),
            };
            if let Some(push) = self.reader.take(message)? {
                return Ok(push);
            }
        }
    }

    async fn say(&self, control: Control) -> Result<(), End> {
        let sent = self.controls.send(Ok(PushControl::from(&control))).await;
        sent.map_err(|_| End::Lost)
    }
}
