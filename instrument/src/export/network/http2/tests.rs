//! Both ends against each other, and the server against peers that say too little.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body as _, Frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::codegen::{Bytes, Service};

use super::client::Connection;
use super::server;

/// How a client begins: its preface, and settings that change nothing.
const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Answers with what it is asked.
#[derive(Clone)]
struct Echo;

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        ready(Ok(Response::new(request.into_body())))
    }
}

struct Frames(VecDeque<Frame<Bytes>>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

fn serve(io: DuplexStream) -> (tokio::task::JoinHandle<()>, watch::Sender<bool>) {
    let (close, closing) = watch::channel(false);
    (tokio::spawn(server::run(io, Echo, closing)), close)
}

#[tokio::test]
async fn bodies_larger_than_any_window_arrive_whole_with_their_trailers() {
    let (ours, theirs) = duplex(4_096);
    let (server, close) = serve(theirs);
    let mut client = Connection::begin(ours, "service".parse().unwrap(), ()).await.unwrap();
    let sent: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let frames = [Frame::data(sent.clone().into()), Frame::trailers(trailers.clone())];
    poll_fn(|context| client.poll_ready(context)).await.unwrap();
    let request = Request::post("/echo").body(Body::new(Frames(frames.into()))).unwrap();
    let mut answer = client.call(request).await.unwrap().into_body();
    let (mut received, mut ended) = (Vec::new(), None);
    while let Some(frame) = poll_fn(|context| Pin::new(&mut answer).poll_frame(context)).await {
        match frame.unwrap().into_data() {
            Ok(data) => received.extend_from_slice(&data),
            Err(frame) => ended = frame.into_trailers().ok(),
        }
    }
    assert!(received == sent, "{} of {} bytes came", received.len(), sent.len());
    assert_eq!(ended, Some(trailers));
    assert!(answer.is_end_stream());
    close.send(true).unwrap();
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_begin_is_let_go() {
    let (mut ours, theirs) = duplex(4_096);
    let (server, _close) = serve(theirs);
    let begun = tokio::time::Instant::now();
    server.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 5);
    let mut told = Vec::new();
    ours.read_to_end(&mut told).await.expect("the connection is closed behind the server's settings");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_nothing_is_let_go() {
    let (mut ours, theirs) = duplex(4_096);
    let (server, _close) = serve(theirs);
    ours.write_all(BEGINNING).await.unwrap();
    let begun = tokio::time::Instant::now();
    server.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 30, "asked after ten seconds, and given twenty for an answer");
}

#[tokio::test]
async fn a_connection_without_requests_ends_when_the_server_closes() {
    let (ours, theirs) = duplex(4_096);
    let (server, close) = serve(theirs);
    let client = Connection::begin(ours, "service".parse().unwrap(), ()).await.unwrap();
    close.send(true).unwrap();
    server.await.unwrap();
    drop(client);
}
