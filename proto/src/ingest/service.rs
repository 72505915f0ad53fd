//! The gRPC service `Ingest`: its generated client and server, with the limits of messages set. Waits for nothing and
//! opens no socket; the room above holds what the messages mean, which needs no gRPC.

use tonic::codegen::{Body, Bytes, StdError};

use crate::limits::MAX_MESSAGE_BYTES;
pub use crate::wire::ingest_client::IngestClient;
pub use crate::wire::ingest_server::{Ingest, IngestServer};

/// A client over a connection, with the message limit set.
pub fn client<T>(channel: T) -> IngestClient<T>
where
    T: tonic::client::GrpcService<tonic::body::Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as Body>::Error: Into<StdError> + Send,
{
    IngestClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

/// A server, with the message limit set.
pub fn server<T: Ingest>(ingest: T) -> IngestServer<T> {
    IngestServer::new(ingest)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}
