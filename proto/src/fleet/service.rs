//! The gRPC service `Fleet`: its generated client and server, with the limits of messages set. Waits for nothing and
//! opens no socket; the room above holds what the messages mean, which needs no gRPC.

use tonic::codegen::{Body, Bytes, StdError};

use crate::limits::MAX_MESSAGE_BYTES;
pub use crate::wire::fleet_client::FleetClient;
pub use crate::wire::fleet_server::{Fleet, FleetServer};

/// A client over a connection, with the message limit set.
pub fn client<T>(channel: T) -> FleetClient<T>
where
    T: tonic::client::GrpcService<tonic::body::Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as Body>::Error: Into<StdError> + Send,
{
    FleetClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

/// A server, with the message limit set.
pub fn server<T: Fleet>(fleet: T) -> FleetServer<T> {
    FleetServer::new(fleet)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}
