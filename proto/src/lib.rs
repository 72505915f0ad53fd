//! The wire: pollscope's protobuf schema, the code generated from it, and the conversions between
//! it and the model.
//!
//! Prost types exist in this crate only: a server names [`feed::AttachRequest`] and its like in its
//! signatures, and turns them into the model's types ([`feed::Request`], [`feed::Message`], …) before
//! it looks at them. Decoding is total: a corrupt or hostile message gives a [`DecodeError`] that
//! names the field, never a panic, and never an allocation that the message's own bytes did not pay
//! for. Nothing here opens a socket or spawns, and only `incoming` waits.
//!
//! The services themselves need the feature `grpc`; messages and recordings do without.

#[cfg(feature = "grpc")]
mod codec;
mod convert;
pub mod feed;
pub mod fleet;
mod greeting;
#[cfg(feature = "incoming")]
pub mod incoming;
pub mod ingest;
pub mod limits;
#[cfg(feature = "recording")]
pub mod recording;
pub mod version;

pub use convert::DecodeError;
pub use greeting::{ClientHello, DetailRequest, EventsRequest};
pub use limits::MAX_MESSAGE_BYTES;
pub use version::{PROTOCOL, Peer, VersionMismatch, compatible};

/// The generated code, exactly as the schema gives it.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated; the schema's comments are its documentation"
)]
pub(crate) mod wire {
    include!("generated/pollscope.v1.rs");
}
