//! The gRPC service `Feed`: its generated client and server, with the limits of messages set. Waits for nothing and
//! opens no socket; the room above holds what the messages mean, which needs no gRPC.

use tonic::codegen::{Body, Bytes, StdError};

use crate::limits::{MAX_MESSAGE_BYTES, MAX_WISH_BYTES};
pub use crate::wire::feed_client::FeedClient;
pub use crate::wire::feed_server::{Feed, FeedServer};

/// A client over a connection, with the message limit set.
pub fn client<T>(channel: T) -> FeedClient<T>
where
    T: tonic::client::GrpcService<tonic::body::Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as Body>::Error: Into<StdError> + Send,
{
    FeedClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

/// A server, with the message limits set.
pub fn server<T: Feed>(feed: T) -> FeedServer<T> {
    FeedServer::new(feed)
        .max_decoding_message_size(MAX_WISH_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}
