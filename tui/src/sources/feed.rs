//! One stream from one process: the greeting, then its reports, until it breaks.

use std::sync::Arc;
use std::time::Duration;

use pollscope_model::hello::Hello;
use pollscope_model::id::BootId;
use pollscope_model::report::Detail;
use pollscope_proto::feed::{self, AttachRequest, FeedDecoder, FeedMessage, Message, Request};
use pollscope_proto::{ClientHello, DetailRequest, EventsRequest, Peer, compatible};
use tokio::sync::{mpsc, watch as cell};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::endpoint::{Endpoint, PATIENCE, PeerError};
use crate::output::fmt::clean;

/// For how long detail is asked for; asked again in half that time.
const DETAIL_TTL: Duration = Duration::from_secs(60);

/// For how long single polls are asked for; asked again in a third of that time.
const EVENTS_TTL: Duration = Duration::from_secs(15);
/// How far back they are asked for at first.
const EVENTS_BACK: Duration = Duration::from_secs(30);

/// Processes whose single polls are looked at.
pub type Flights = Arc<[BootId]>;

/// An open stream.
pub struct Stream {
    /// Who is at the other end.
    pub hello: Hello,
    messages: Streaming<FeedMessage>,
    reader: FeedDecoder,
    requests: mpsc::Sender<AttachRequest>,
    renew: tokio::time::Interval,
    flights: Option<cell::Receiver<Flights>>,
    /// When single polls were asked for last.
    flight_asked: Option<Instant>,
}

impl Stream {
    /// The same, which also asks for single polls while its process is among those of the cell.
    #[must_use]
    pub fn with_flights(mut self, mut flights: cell::Receiver<Flights>) -> Self {
        flights.mark_changed();
        self.flights = Some(flights);
        self
    }

    /// Connects and reads the greeting.
    pub async fn open(endpoint: &Endpoint) -> Result<Self, PeerError> {
        let channel = endpoint.connect().await?;
        match tokio::time::timeout(PATIENCE, Self::attach(channel)).await {
            Ok(stream) => stream,
            Err(_) => Err(PeerError::Broken(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    async fn attach(channel: tonic::transport::Channel) -> Result<Self, PeerError> {
        let (requests, stream) = mpsc::channel(4);
        let greeting = Request::Hello(ClientHello::new(format!("pollscope (pid {})", std::process::id())));
        // The channel is empty and has room: neither send can fail.
        let _ = requests.try_send(AttachRequest::from(&greeting));
        let _ = requests.try_send(want_detail());
        let mut messages = feed::client(channel)
            .attach(ReceiverStream::new(stream))
            .await
            .map_err(|status| PeerError::of(&status))?
            .into_inner();
        let mut reader = FeedDecoder::default();
        let first = messages.message().await.map_err(|status| PeerError::of(&status))?;
        let first = first.ok_or_else(|| PeerError::Broken("it hung up without a greeting".to_owned()))?;
        let hello = match reader.decode(first) {
            Ok(Some(Message::Hello(hello))) => *hello,
            Ok(_) => return Err(PeerError::Broken("its first message is no greeting".to_owned())),
            Err(error) => return Err(PeerError::Broken(error.to_string())),
        };
        compatible(Peer::Viewer, Peer::Service, hello.protocol, &hello.version)
            .map_err(|mismatch| PeerError::Version(mismatch.to_string()))?;
        let mut renew = tokio::time::interval(DETAIL_TTL / 2);
        renew.reset();
        Ok(Self { hello, messages, reader, requests, renew, flights: None, flight_asked: None })
    }

    fn ask_for_events(&mut self) {
        let goes_on = self.flight_asked.is_some_and(|asked| asked.elapsed() < EVENTS_TTL);
        let last_ns = if goes_on { 0 } else { EVENTS_BACK.as_nanos() as u64 };
        let request = Request::Events(EventsRequest { last_ns, ttl_ns: EVENTS_TTL.as_nanos() as u64 });
        // A full channel means that the process does not listen; the next request is due in a while.
        let _ = self.requests.try_send(AttachRequest::from(&request));
        self.flight_asked = Some(Instant::now());
    }

    /// Waits for what comes next. Safe to be cancelled.
    pub async fn next(&mut self) -> Result<Message, PeerError> {
        loop {
            let message = tokio::select! {
                message = self.messages.message() => message,
                _ = self.renew.tick() => {
                    // A full channel means that the last one still waits to be sent.
                    let _ = self.requests.try_send(want_detail());
                    continue;
                }
                () = flight_due(&mut self.flights, self.hello.boot, self.flight_asked) => {
                    self.ask_for_events();
                    continue;
                }
            };
            let message = message.map_err(|status| PeerError::of(&status))?;
            let message = message.ok_or_else(|| PeerError::Broken("the connection ended".to_owned()))?;
            match self.reader.decode(message) {
                Ok(None) => {}
                Ok(Some(report @ Message::Report(_))) => return Ok(report),
                Ok(Some(Message::Goodbye { reason })) => {
                    return Ok(Message::Goodbye { reason: clean(&reason).into_owned() });
                }
                Ok(Some(Message::Hello(hello))) if hello.boot == self.hello.boot => {
                    self.hello = Hello::clone(&hello);
                    return Ok(Message::Hello(hello));
                }
                Ok(Some(Message::Hello(_))) => {
                    return Err(PeerError::Broken("another process speaks on its stream".to_owned()));
                }
                Err(error) => return Err(PeerError::Broken(error.to_string())),
            }
        }
    }
}

/// Returns when single polls are to be asked for: at once when a screen begins to show them, then
/// again and again.
async fn flight_due(flights: &mut Option<cell::Receiver<Flights>>, boot: BootId, asked: Option<Instant>) {
    let Some(flights) = flights else { return std::future::pending().await };
    loop {
        let wanted = flights.borrow_and_update().contains(&boot);
        let due = asked.map_or_else(Instant::now, |asked| asked + EVENTS_TTL / 3);
        tokio::select! {
            () = tokio::time::sleep_until(due), if wanted => return,
            changed = flights.changed() => {
                if changed.is_err() {
                    return std::future::pending().await;
                }
            }
        }
    }
}

fn want_detail() -> AttachRequest {
    AttachRequest::from(&Request::Watch(DetailRequest {
        detail: Detail::Full,
        ttl_ns: DETAIL_TTL.as_nanos() as u64,
    }))
}
