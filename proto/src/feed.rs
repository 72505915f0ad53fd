//! `Feed`: process to the viewers that attach.
//!
//! A server implements [`Feed`] and answers with [`hello`], [`report`] and [`goodbye`]; a client
//! sends [`Request`]s through [`FeedClient`] and reads with a [`FeedDecoder`].

#[cfg(feature = "grpc")]
mod service;

use pollscope_model::hello::Hello;
pub use pollscope_model::monitor::Message;
use pollscope_model::report::Report;
use prost::Message as _;

use crate::convert::field::Field;
use crate::convert::{self, Assembler, DecodeError};
pub use crate::greeting::{ClientHello, DetailRequest, EventsRequest};
use crate::wire;
#[cfg(feature = "grpc")]
pub use service::{Feed, FeedClient, FeedServer, client, server};
pub use wire::{AttachRequest, FeedMessage};

/// What a viewer says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// First, and once.
    Hello(ClientHello),
    /// At any time after it.
    Watch(DetailRequest),
    /// At any time after it.
    Events(EventsRequest),
}

impl From<&Request> for AttachRequest {
    fn from(request: &Request) -> Self {
        use wire::attach_request::Request as Wire;
        Self {
            request: Some(match request {
                Request::Hello(client) => Wire::Hello(client.to_wire()),
                Request::Watch(detail) => Wire::Watch(detail.to_wire()),
                Request::Events(events) => Wire::Events(events.to_wire()),
            }),
        }
    }
}

impl TryFrom<AttachRequest> for Request {
    type Error = DecodeError;

    fn try_from(message: AttachRequest) -> Result<Self, DecodeError> {
        use wire::attach_request::Request as Wire;
        match message.request.ok_or(DecodeError::missing("attach.request"))? {
            Wire::Hello(client) => Ok(Self::Hello(Field::from_wire("client", client)?)),
            Wire::Watch(detail) => Ok(Self::Watch(Field::from_wire("detail", detail)?)),
            Wire::Events(events) => Ok(Self::Events(Field::from_wire("events", events)?)),
        }
    }
}

/// The process's greeting.
pub fn hello(hello: &Hello) -> FeedMessage {
    message(wire::feed_message::Message::Hello(hello.to_wire()))
}

/// A report: one message if it fits, else several, to be sent in this order with nothing between.
pub fn report(report: &Report) -> Vec<FeedMessage> {
    convert::to_frames(report)
        .into_iter()
        .map(|frame| message(wire::feed_message::Message::Report(frame)))
        .collect()
}

/// The process's last message.
pub fn goodbye(reason: &str) -> FeedMessage {
    let reason = convert::clip(reason);
    message(wire::feed_message::Message::Goodbye(wire::Goodbye { reason }))
}

fn message(message: wire::feed_message::Message) -> FeedMessage {
    FeedMessage { message: Some(message) }
}

/// The message's bytes, as they travel inside of the transport's frames.
pub fn to_bytes(message: &FeedMessage) -> Vec<u8> {
    message.encode_to_vec()
}

/// The message of those bytes.
pub fn from_bytes(bytes: &[u8]) -> Result<FeedMessage, DecodeError> {
    let unreadable = |error: prost::DecodeError| convert::Reason::Malformed(error.to_string());
    FeedMessage::decode(bytes).map_err(|error| DecodeError::new("feed.message", unreadable(error)))
}

/// Reads one stream of feed messages.
#[derive(Debug, Default)]
pub struct FeedDecoder {
    frames: Assembler,
}

impl FeedDecoder {
    /// Takes the next message; `None` if it was a frame of a report that is not complete yet. After
    /// an error the stream is of no more use.
    pub fn decode(&mut self, message: FeedMessage) -> Result<Option<Message>, DecodeError> {
        use wire::feed_message::Message as Wire;
        Ok(match message.message.ok_or(DecodeError::missing("feed.message"))? {
            Wire::Hello(hello) => Some(Message::Hello(Box::new(Field::from_wire("hello", hello)?))),
            Wire::Report(frame) => self.frames.push(frame)?.map(|report| Message::Report(Box::new(report))),
            Wire::Goodbye(bye) => {
                Some(Message::Goodbye { reason: convert::checked("goodbye.reason", bye.reason)? })
            }
        })
    }
}
