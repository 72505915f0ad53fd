//! Bodies on a stream: what a peer sends, as tonic reads it, and what tonic writes, as the peer has room for it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use h2::{Reason, RecvStream, SendStream};
use http_body::{Body, Frame};
use tonic::Status;
use tonic::codegen::Bytes;

/// What the peer sends on one stream. Its window is given back as it is read.
pub(crate) struct Received {
    stream: RecvStream,
    data_ended: bool,
    ended: bool,
}

impl Received {
    pub(super) fn new(stream: RecvStream) -> Self {
        Self { ended: stream.is_end_stream(), data_ended: false, stream }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.data_ended {
            match ready!(self.stream.poll_data(context)) {
                Some(Ok(bytes)) => {
                    // Fails for a stream that ended meanwhile, whose window is of no more use.
                    let _ = self.stream.flow_control().release_capacity(bytes.len());
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.data_ended = true,
            }
        }
        let trailers = ready!(self.stream.poll_trailers(context)).transpose();
        Poll::Ready(trailers.map(|trailers| trailers.map(Frame::trailers)))
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_next(context));
        // Trailers, and errors, are the last that a stream says.
        self.ended = next.as_ref().is_none_or(|frame| frame.as_ref().map_or(true, Frame::is_trailers));
        Poll::Ready(match next {
            // The peer has said all that it had to say and wants no more from this side.
            Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => None,
            next => next.map(|frame| frame.map_err(|error| status(&error))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

/// What a broken stream or connection is for gRPC.
pub(super) fn status(error: &h2::Error) -> Status {
    match error.reason() {
        Some(Reason::CANCEL) => Status::cancelled(error.to_string()),
        _ => Status::unavailable(error.to_string()),
    }
}

/// Writes a body until it ends or the peer wants no more of it.
pub(super) async fn send(
    mut body: tonic::body::Body,
    mut stream: SendStream<Bytes>,
) -> Result<(), h2::Error> {
    loop {
        let next = poll_fn(|context| {
            // A peer that gives the stream up is noticed also while there is nothing to write.
            if let Poll::Ready(reset) = stream.poll_reset(context) {
                return Poll::Ready(Err(reset.map_or_else(|error| error, h2::Error::from)));
            }
            Pin::new(&mut body).poll_frame(context).map(Ok)
        });
        match next.await? {
            None => return stream.send_data(Bytes::new(), true),
            Some(Err(_)) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Ok(());
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => send_data(data, &mut stream).await?,
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    return stream.send_trailers(trailers);
                }
            },
        }
    }
}

async fn send_data(mut data: Bytes, stream: &mut SendStream<Bytes>) -> Result<(), h2::Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = poll_fn(|context| stream.poll_capacity(context)).await;
        let room = room.unwrap_or_else(|| Err(Reason::STREAM_CLOSED.into()))?.min(data.len());
        if room > 0 {
            stream.send_data(data.split_to(room), false)?;
        }
    }
    Ok(())
}
