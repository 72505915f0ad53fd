//! How messages become bytes on a gRPC stream, for the generated services.

use std::marker::PhantomData;

use prost::Message;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Sends messages of one kind and receives those of another, as protobuf.
#[derive(Clone, Debug)]
pub(crate) struct Protobuf<S, R>(PhantomData<(S, R)>);

impl<S, R> Default for Protobuf<S, R> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<S, R> Codec for Protobuf<S, R>
where
    S: Message + Send + 'static,
    R: Message + Default + Send + 'static,
{
    type Encode = S;
    type Decode = R;
    type Encoder = MessageCodec<S>;
    type Decoder = MessageCodec<R>;

    fn encoder(&mut self) -> MessageCodec<S> {
        MessageCodec(PhantomData)
    }

    fn decoder(&mut self) -> MessageCodec<R> {
        MessageCodec(PhantomData)
    }
}

/// One direction of [`Protobuf`].
#[derive(Clone, Debug)]
pub(crate) struct MessageCodec<M>(PhantomData<M>);

impl<M: Message> Encoder for MessageCodec<M> {
    type Item = M;
    type Error = Status;

    fn encode(&mut self, message: M, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(into).map_err(|error| Status::internal(error.to_string()))
    }
}

impl<M: Message + Default> Decoder for MessageCodec<M> {
    type Item = M;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<M>, Status> {
        M::decode(from).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
