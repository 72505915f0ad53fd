//! A message in its wire form, for rooms that keep many of them in memory: a tenth of the model's size.

use prost::Message as _;

use crate::convert::DecodeError;
use crate::feed::{self, FeedDecoder, FeedMessage, Message};

/// One whole message, packed.
#[derive(Clone, Debug)]
pub struct PackedMessage {
    frames: Box<[Box<[u8]>]>,
}

impl PackedMessage {
    /// Packs a message.
    pub fn new(message: &Message) -> Self {
        let messages = match message {
            Message::Hello(hello) => vec![feed::hello(hello)],
            Message::Report(report) => feed::report(report),
            Message::Goodbye { reason } => vec![feed::goodbye(reason)],
        };
        Self { frames: messages.iter().map(|message| message.encode_to_vec().into()).collect() }
    }

    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.frames.iter().map(|frame| frame.len() + size_of::<Box<[u8]>>()).sum::<usize>()
            + size_of::<Self>()
    }

    /// The message again.
    pub fn unpack(&self) -> Result<Message, DecodeError> {
        let mut reader = FeedDecoder::default();
        for frame in &self.frames {
            let frame = FeedMessage::decode(&frame[..]).map_err(|error| DecodeError::undecodable(&error))?;
            if let Some(message) = reader.decode(frame)? {
                return Ok(message);
            }
        }
        Err(DecodeError::missing("feed.message"))
    }
}
