//! What services have in common: a client's greeting and the request for detail.

use pollscope_model::hello::ProtocolVersion;
use pollscope_model::report::Detail;

use crate::version::{PROTOCOL, RELEASE};

/// The greeting of a reader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientHello {
    /// Wire protocol that the client speaks.
    pub protocol: ProtocolVersion,
    /// Version of the client.
    pub version: String,
    /// What to call the client in the other side's log.
    pub label: String,
}

impl ClientHello {
    /// The greeting of this build.
    pub fn new(label: impl Into<String>) -> Self {
        Self { protocol: PROTOCOL, version: RELEASE.to_owned(), label: label.into() }
    }
}

/// A request for detail, which lapses by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DetailRequest {
    /// How much.
    pub detail: Detail,
    /// For how long, in nanoseconds; asking again renews it.
    pub ttl_ns: u64,
}

/// A request for single polls and wakes, which lapses by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventsRequest {
    /// How far back to begin, in nanoseconds, as far as the process remembers; 0 goes on from what
    /// was sent last.
    pub last_ns: u64,
    /// For how long, in nanoseconds; asking again renews it.
    pub ttl_ns: u64,
}
