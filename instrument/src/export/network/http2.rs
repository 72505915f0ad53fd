//! HTTP/2 under gRPC: carries requests and answers over one connection, for the [`server`] that viewers attach to
//! and for the [`client`] that pushes to a collector. tonic has a transport of its own; it brings a server framework
//! and a balancing client, a third of all crates that this one would add to a service. Never retries, listens or
//! resolves anything: the callers do.

mod alive;
mod body;
pub(super) mod client;
pub(super) mod server;
#[cfg(test)]
mod tests;
