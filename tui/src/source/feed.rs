//! One stream from one process: the greeting, then its reports, until it breaks.

use std::time::Duration;

use pollscope_model::hello::Hello;
use pollscope_model::report::{Detail, Report};
use pollscope_proto::feed::{self, AttachRequest, FeedMessage, Message, Reader, Request};
use pollscope_proto::{ClientHello, DetailRequest, Peer, compatible};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::endpoint::{Endpoint, PATIENCE, PeerError};
use crate::fmt::clean;

/// For how long detail is asked for; asked again in half that time.
const DETAIL_TTL: Duration = Duration::from_secs(60);

/// What a stream says next.
#[derive(Debug)]
pub enum Next {
    /// The process says anew what it measures: a runtime was attached.
    Hello(Box<Hello>),
    /// A report.
    Report(Box<Report>),
    /// The process ended in good order.
    Goodbye(String),
}

/// An open stream.
pub struct Stream {
    /// Who is at the other end.
    pub hello: Hello,
    messages: Streaming<FeedMessage>,
    reader: Reader,
    requests: mpsc::Sender<AttachRequest>,
    renew: tokio::time::Interval,
}

impl Stream {
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
        let mut reader = Reader::default();
        let first = messages.message().await.map_err(|status| PeerError::of(&status))?;
        let first = first.ok_or_else(|| PeerError::Broken("it hung up without a greeting".to_owned()))?;
        let hello = match reader.take(first) {
            Ok(Some(Message::Hello(hello))) => *hello,
            Ok(_) => return Err(PeerError::Broken("its first message is no greeting".to_owned())),
            Err(error) => return Err(PeerError::Broken(error.to_string())),
        };
        compatible(Peer::Viewer, Peer::Service, hello.protocol, &hello.version)
            .map_err(|mismatch| PeerError::Version(mismatch.to_string()))?;
        let mut renew = tokio::time::interval(DETAIL_TTL / 2);
        renew.reset();
        Ok(Self { hello, messages, reader, requests, renew })
    }

    /// Waits for what comes next. Safe to be cancelled.
    pub async fn next(&mut self) -> Result<Next, PeerError> {
        loop {
            let message = tokio::select! {
                message = self.messages.message() => message,
                _ = self.renew.tick() => {
                    // A full channel means that the last one still waits to be sent.
                    let _ = self.requests.try_send(want_detail());
                    continue;
                }
            };
            let message = message.map_err(|status| PeerError::of(&status))?;
            let message = message.ok_or_else(|| PeerError::Broken("the connection ended".to_owned()))?;
            match self.reader.take(message) {
                Ok(None) => {}
                Ok(Some(Message::Report(report))) => return Ok(Next::Report(report)),
                Ok(Some(Message::Goodbye { reason })) => {
                    return Ok(Next::Goodbye(clean(&reason).into_owned()));
                }
                Ok(Some(Message::Hello(hello))) if hello.boot == self.hello.boot => {
                    self.hello = Hello::clone(&hello);
                    return Ok(Next::Hello(hello));
                }
                Ok(Some(Message::Hello(_))) => {
                    return Err(PeerError::Broken("another process speaks on its stream".to_owned()));
                }
                Err(error) => return Err(PeerError::Broken(error.to_string())),
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
