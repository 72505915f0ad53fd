//! The answering end of a connection. Called by [`serve`](crate::export::network::serve) with each connection that came in.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use h2::server::SendResponse;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::codegen::http::{Request, Response};
use tonic::codegen::{Bytes, Service};

use super::alive::Alive;
use super::body::{self, Received};

/// How long the beginning of a connection may take.
const BEGINNING: Duration = Duration::from_secs(5);
/// Requests that one peer may have open.
const MAX_STREAMS: u32 = 8;
/// Bytes that the head of one request may take.
const MAX_HEADER_BYTES: u32 = 16 << 10;
/// How long a peer that is asked whether it is there may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers until the peer goes, breaks the protocol, or does not answer any more; or, once it is `closing`, until
/// the streams that are open have ended.
pub(crate) async fn run<S, F>(
    io: impl AsyncRead + AsyncWrite + Unpin,
    service: S,
    mut closing: watch::Receiver<bool>,
) where
    S: Service<
            Request<tonic::body::Body>,
            Response = Response<tonic::body::Body>,
            Error = Infallible,
            Future = F,
        > + Clone
        + Send
        + 'static,
    F: Future<Output = Result<Response<tonic::body::Body>, Infallible>> + Send,
{
    let mut settings = h2::server::Builder::new();
    settings.max_concurrent_streams(MAX_STREAMS).max_header_list_size(MAX_HEADER_BYTES);
    let Ok(Ok(mut connection)) = timeout(BEGINNING, settings.handshake::<_, Bytes>(io)).await else { return };
    let mut alive = Alive::new(connection.ping_pong(), PATIENCE);
    // They end with the connection.
    let mut answers = JoinSet::new();
    let mut closing = pin!(async move { drop(closing.wait_for(|closing| *closing).await) });
    let mut told = false;
    loop {
        let next = poll_fn(|context| {
            if !told && closing.as_mut().poll(context).is_ready() {
                told = true;
                connection.graceful_shutdown();
            }
            if alive.as_mut().is_some_and(|alive| alive.poll_lost(context).is_ready()) {
                return Poll::Ready(None);
            }
            while let Poll::Ready(Some(_)) = answers.poll_join_next(context) {}
            connection.poll_accept(context)
        });
        match next.await {
            Some(Ok((request, respond))) => {
                answers.spawn(answer(request.map(Received::new), respond, service.clone()));
            }
            Some(Err(_)) | None => return,
        }
    }
}

async fn answer<S>(request: Request<Received>, mut respond: SendResponse<Bytes>, mut service: S)
where
    S: Service<Request<tonic::body::Body>, Response = Response<tonic::body::Body>, Error = Infallible>,
{
    let Ok(response) = service.call(request.map(tonic::body::Body::new)).await;
    let (head, content) = response.into_parts();
    let ended = http_body::Body::is_end_stream(&content);
    // What fails is the peer's: it is gone, or it has given the stream up.
    if let Ok(stream) = respond.send_response(Response::from_parts(head, ()), ended)
        && !ended
    {
        let _ = body::send(content, stream).await;
    }
}
