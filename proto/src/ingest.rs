//! `Ingest`: process to collector.
//!
//! A process sends [`hello`], [`report`] and [`goodbye`] through [`IngestClient`] and reads
//! [`Control`]s; a collector implements [`Ingest`], reads with an [`IngestDecoder`] and answers [`Control`]s.

#[cfg(feature = "grpc")]
mod service;

use pollscope_model::hello::{Hello, ProtocolVersion};
pub use pollscope_model::monitor::Message;
use pollscope_model::report::{Detail, Report};

use crate::convert::field::{Field, message};
use crate::convert::{self, Assembler, DecodeError};
pub use crate::greeting::{DetailRequest, EventsRequest};
use crate::wire;
#[cfg(feature = "grpc")]
pub use service::{Ingest, IngestClient, IngestServer, client, server};
pub use wire::{PushControl, PushMessage};

/// The name of the Unix socket in a folder of recordings at which a collector takes what processes would write into
/// that folder.
pub const FOLDER_SOCKET: &str = pollscope_system::run_notes::SOCKET;

/// What the collector says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Control {
    /// First, and once, unless refused.
    Welcome(Welcome),
    /// Everything up to this sequence number is kept.
    Ack {
        /// The sequence number.
        seq: u64,
    },
    /// How much of the tasks the reports should carry from now on.
    Detail(DetailRequest),
    /// Single polls and wakes that the reports should carry from now on.
    Events(EventsRequest),
    /// The stream ends, and trying again soon is of no use.
    Refused {
        /// Why, and what to do, in words.
        reason: String,
    },
}

/// The collector takes the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Welcome {
    /// Wire protocol that the collector speaks.
    pub protocol: ProtocolVersion,
    /// Highest sequence number that it has of this incarnation.
    pub last_seq: Option<u64>,
    /// How much of the tasks it wants when no viewer watches.
    pub detail: Detail,
}

message! {
    "welcome": Welcome = wire::Welcome { protocol, last_seq, detail }
    // Not asked for yet.
    to |welcome| { interval_ns: 0 }
    from |wire| {}
}

/// The process's greeting.
pub fn hello(hello: &Hello) -> PushMessage {
    message(wire::push_message::Message::Hello(wire::PushHello { hello: hello.to_wire(), token: None }))
}

/// A report: one message if it fits, else several, to be sent in this order with nothing between.
pub fn report(report: &Report) -> Vec<PushMessage> {
    convert::to_frames(report)
        .into_iter()
        .map(|frame| message(wire::push_message::Message::Report(frame)))
        .collect()
}

/// The process's last message.
pub fn goodbye(reason: &str) -> PushMessage {
    let reason = convert::clip(reason);
    message(wire::push_message::Message::Goodbye(wire::Goodbye { reason }))
}

fn message(message: wire::push_message::Message) -> PushMessage {
    PushMessage { message: Some(message) }
}

/// Reads one stream of push messages.
#[derive(Debug, Default)]
pub struct IngestDecoder {
    frames: Assembler,
}

impl IngestDecoder {
    /// Bytes that the frames of an unfinished report hold.
    pub fn held_bytes(&self) -> usize {
        self.frames.held_bytes()
    }

    /// Takes the next message; `None` if it was a frame of a report that is not complete yet. After
    /// an error the stream is of no more use.
    pub fn decode(&mut self, message: PushMessage) -> Result<Option<Message>, DecodeError> {
        use wire::push_message::Message as Wire;
        Ok(match message.message.ok_or(DecodeError::missing("push.message"))? {
            Wire::Hello(push) => Some(Message::Hello(Box::new(Field::from_wire("push.hello", push.hello)?))),
            Wire::Report(frame) => self.frames.push(frame)?.map(|report| Message::Report(Box::new(report))),
            Wire::Goodbye(bye) => {
                Some(Message::Goodbye { reason: convert::checked("goodbye.reason", bye.reason)? })
            }
        })
    }
}

impl From<&Control> for PushControl {
    fn from(control: &Control) -> Self {
        use wire::push_control::Control as Wire;
        Self {
            control: Some(match control {
                Control::Welcome(welcome) => Wire::Welcome(welcome.to_wire()),
                Control::Ack { seq } => Wire::Ack(wire::Ack { seq: *seq }),
                Control::Detail(detail) => Wire::Detail(detail.to_wire()),
                Control::Events(events) => Wire::Events(events.to_wire()),
                Control::Refused { reason } => Wire::Refused(wire::Refused { reason: convert::clip(reason) }),
            }),
        }
    }
}

impl TryFrom<PushControl> for Control {
    type Error = DecodeError;

    fn try_from(control: PushControl) -> Result<Self, DecodeError> {
        use wire::push_control::Control as Wire;
        Ok(match control.control.ok_or(DecodeError::missing("push.control"))? {
            Wire::Welcome(welcome) => Self::Welcome(Field::from_wire("welcome", welcome)?),
            Wire::Ack(ack) => Self::Ack { seq: ack.seq },
            Wire::Detail(detail) => Self::Detail(Field::from_wire("detail", detail)?),
            Wire::Events(events) => Self::Events(Field::from_wire("events", events)?),
            Wire::Refused(refused) => {
                Self::Refused { reason: convert::checked("refused.reason", refused.reason)? }
            }
        })
    }
}
