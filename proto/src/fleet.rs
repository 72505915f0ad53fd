//! `Fleet`: collector to viewer.
//!
//! A collector implements [`Fleet`] and answers with [`answer`]; a viewer sends [`AskRequest`]s and
//! [`WatchRequest`]s through [`FleetClient`] and reads with an [`AnswerDecoder`].

#[cfg(feature = "grpc")]
mod service;

use pollscope_model::hello::ProtocolVersion;
use pollscope_model::query::ask::{Answer, Ask};
use prost::Message;

use crate::convert::field::{Field, message};
use crate::convert::{DecodeError, Reason, answer as convert, at_most, query};
pub use crate::greeting::ClientHello;
use crate::limits::{MAX_ANSWER_BYTES, MAX_FRAME_BYTES, MAX_STANDING};
use crate::version::{PROTOCOL, RELEASE};
use crate::wire;
#[cfg(feature = "grpc")]
pub use service::{Fleet, FleetClient, FleetServer, client, server};
pub use wire::{
    AnswerPart, AskRequest, ClientHello as WireClientHello, FleetHello as WireFleetHello, WatchRequest,
};

/// The collector's greeting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FleetHello {
    /// Wire protocol that the collector speaks.
    pub protocol: ProtocolVersion,
    /// Version of the collector.
    pub version: String,
    /// What to call it, such as its host and address.
    pub label: String,
}

impl FleetHello {
    /// The greeting of this build.
    pub fn new(label: impl Into<String>) -> Self {
        Self { protocol: PROTOCOL, version: RELEASE.to_owned(), label: label.into() }
    }
}

message! { "fleet": FleetHello = wire::FleetHello { protocol, version, label } }

impl From<&FleetHello> for WireFleetHello {
    fn from(hello: &FleetHello) -> Self {
        hello.to_wire()
    }
}

impl TryFrom<WireFleetHello> for FleetHello {
    type Error = DecodeError;

    fn try_from(hello: WireFleetHello) -> Result<Self, DecodeError> {
        Field::from_wire("fleet", hello)
    }
}

impl From<&ClientHello> for WireClientHello {
    fn from(client: &ClientHello) -> Self {
        client.to_wire()
    }
}

impl TryFrom<WireClientHello> for ClientHello {
    type Error = DecodeError;

    fn try_from(client: WireClientHello) -> Result<Self, DecodeError> {
        Field::from_wire("client", client)
    }
}

impl From<&Ask> for AskRequest {
    fn from(ask: &Ask) -> Self {
        Self { ask: Some(query::ask_to_wire(ask)) }
    }
}

impl TryFrom<AskRequest> for Ask {
    type Error = DecodeError;

    fn try_from(request: AskRequest) -> Result<Self, DecodeError> {
        query::ask_from_wire(request.ask.ok_or(DecodeError::missing("ask"))?)
    }
}

/// A question that is answered again and again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StandingQuery {
    /// The viewer's number for it; its answers carry it.
    pub id: u64,
    /// The question.
    pub ask: Ask,
    /// Milliseconds from one answer to the next.
    pub interval_ms: u32,
}

impl From<&[StandingQuery]> for WatchRequest {
    fn from(standing: &[StandingQuery]) -> Self {
        Self {
            standing: standing
                .iter()
                .map(|standing| wire::Standing {
                    id: standing.id,
                    ask: Some(query::ask_to_wire(&standing.ask)),
                    interval_ms: standing.interval_ms,
                })
                .collect(),
        }
    }
}

impl TryFrom<WatchRequest> for Vec<StandingQuery> {
    type Error = DecodeError;

    fn try_from(request: WatchRequest) -> Result<Self, DecodeError> {
        at_most("watch.standing", MAX_STANDING, request.standing.len())?;
        request
            .standing
            .into_iter()
            .map(|standing| {
                let ask = standing.ask.ok_or(DecodeError::missing("watch.standing.ask"))?;
                let ask = query::ask_from_wire(ask)?;
                Ok(StandingQuery { id: standing.id, ask, interval_ms: standing.interval_ms })
            })
            .collect()
    }
}

/// An answer to the standing question of that number (0 for [`AskRequest`]), as the messages that
/// carry it, to be sent in this order with nothing between. An answer over [`MAX_ANSWER_BYTES`]
/// becomes [`Answer::No`] with the remedy.
pub fn answer(id: u64, answer: &Answer) -> Vec<AnswerPart> {
    let mut bytes = convert::answer_to_wire(answer).encode_to_vec();
    if bytes.len() > MAX_ANSWER_BYTES {
        let reason = format!(
            "the answer takes {} MiB, more than the limit of {} MiB: ask for fewer rows",
            bytes.len() >> 20,
            MAX_ANSWER_BYTES >> 20
        );
        bytes = convert::answer_to_wire(&Answer::No(reason.into())).encode_to_vec();
    }
    let mut parts: Vec<AnswerPart> = bytes
        .chunks(MAX_FRAME_BYTES)
        .map(|piece| AnswerPart { id, last: false, piece: piece.to_vec() })
        .collect();
    if let Some(part) = parts.last_mut() {
        part.last = true;
    }
    parts
}

/// Reads one stream of answers. Bounded: it holds at most one unfinished answer of limited size.
#[derive(Debug, Default)]
pub struct AnswerDecoder {
    unfinished: Option<(u64, Vec<u8>)>,
}

impl AnswerDecoder {
    /// Takes the next message; gives the question's number and the answer when it is complete. After
    /// an error the stream is of no more use.
    pub fn decode(&mut self, part: AnswerPart) -> Result<Option<(u64, Answer)>, DecodeError> {
        let (id, bytes) = match self.unfinished.take() {
            None => (part.id, part.piece),
            Some((id, _)) if id != part.id => {
                return Err(DecodeError::new("answer.id", Reason::OutOfRange(part.id)));
            }
            Some((id, mut bytes)) => {
                at_most("answer.piece", MAX_ANSWER_BYTES, bytes.len().saturating_add(part.piece.len()))?;
                bytes.extend_from_slice(&part.piece);
                (id, bytes)
            }
        };
        if !part.last {
            self.unfinished = Some((id, bytes));
            return Ok(None);
        }
        let answer = wire::Answer::decode(bytes.as_slice())
            .map_err(|error| DecodeError::new("answer", Reason::Malformed(error.to_string())))?;
        Ok(Some((id, convert::answer_from_wire(answer)?)))
    }
}
