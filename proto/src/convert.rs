//! Model to wire and back. One direction cannot fail, the other says which field it could not read.

pub(crate) mod answer;
mod assembler;
mod column;
mod dict;
mod edge;
mod event;
pub(crate) mod field;
mod flight;
mod greeting;
mod hist;
mod numbers;
pub(crate) mod query;
mod report;
mod site;
mod slow;
mod task;
mod text;

pub(crate) use assembler::Assembler;
pub(crate) use report::to_frames;
pub(crate) use text::{checked, clip};

/// A message that could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unreadable message: {field}: {reason}")]
pub struct DecodeError {
    field: &'static str,
    reason: Reason,
}

/// What is wrong with a field.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Reason {
    #[error("missing")]
    Missing,
    #[error("{got} values where {expected} are needed")]
    Length { expected: usize, got: usize },
    #[error("{got} are more than the limit of {limit}")]
    TooMany { limit: usize, got: usize },
    #[error("{0} stands for nothing")]
    Unknown(u64),
    #[error("`{0}` stands for nothing")]
    UnknownName(String),
    #[error("{0} is out of range")]
    OutOfRange(u64),
    #[error("frame {got} of {frames} where {expected} was due")]
    Frame { expected: u32, got: u32, frames: u32 },
    #[error("{0}")]
    Malformed(String),
    #[error("belongs to another report than the frames before it")]
    OtherReport,
}

impl DecodeError {
    pub(crate) fn new(field: &'static str, reason: Reason) -> Self {
        Self { field, reason }
    }

    pub(crate) fn missing(field: &'static str) -> Self {
        Self::new(field, Reason::Missing)
    }

    /// Bytes that are no message of their kind.
    #[cfg(feature = "recording")]
    pub(crate) fn undecodable(error: &prost::DecodeError) -> Self {
        Self::new("recording.message", Reason::Malformed(error.to_string()))
    }

    /// The field that could not be read.
    pub fn field(&self) -> &'static str {
        self.field
    }
}

/// Refuses a list that is longer than the limit, before anything is made of it.
pub(crate) fn at_most(field: &'static str, limit: usize, got: usize) -> Result<(), DecodeError> {
    if got > limit { Err(DecodeError::new(field, Reason::TooMany { limit, got })) } else { Ok(()) }
}

pub(crate) fn to_u32(field: &'static str, value: u64) -> Result<u32, DecodeError> {
    u32::try_from(value).map_err(|_| DecodeError::new(field, Reason::OutOfRange(value)))
}
