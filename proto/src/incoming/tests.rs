//! Connections that are too many, silent, or cannot be accepted.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_stream::StreamExt;

use super::*;

type Told = Arc<Mutex<Vec<(Refusal, u64)>>>;

fn reporting() -> (Told, impl Fn(Refusal, u64) + Send + Sync + 'static) {
    let told = Told::default();
    let to = told.clone();
    (told, move |why, count| to.lock().unwrap().push((why, count)))
}

async fn listener() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

const PATIENT: Duration = Duration::from_secs(600);
/// How long this test waits for what comes.
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_connection_over_the_bound_is_closed_and_a_place_that_is_free_is_taken_again() {
    let (listener, address) = listener().await;
    let (told, report) = reporting();
    let mut incoming = Incoming::new(listener, Bounds { connections: 2, first_request: PATIENT }, report);
    let mut peers = Vec::new();
    let mut served = VecDeque::new();
    for _ in 0..2 {
        peers.push(TcpStream::connect(address).await.unwrap());
        served.push_back(incoming.next().await.unwrap().unwrap());
    }
    let mut third = TcpStream::connect(address).await.unwrap();
    let closed = tokio::select! {
        read = third.read_u8() => read.is_err(),
        _ = incoming.next() => false,
    };
    assert!(closed, "it was served");
    assert_eq!(*told.lock().unwrap(), [(Refusal::Full, 1)]);
    served.pop_front();
    let _fourth = TcpStream::connect(address).await.unwrap();
    incoming.next().await.unwrap().unwrap();
}

#[tokio::test]
async fn a_silent_connection_ends_and_one_with_a_request_does_not() {
    let (listener, address) = listener().await;
    let (told, report) = reporting();
    let soon = Duration::from_millis(50);
    let mut incoming = Incoming::new(listener, Bounds { connections: 9, first_request: soon }, report);
    let mut silent = TcpStream::connect(address).await.unwrap();
    // What is no request does not count.
    silent.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut served = incoming.next().await.unwrap().unwrap();
    let mut bytes = Vec::new();
    let ended = timeout(DEADLINE, served.read_to_end(&mut bytes)).await.expect("it stays");
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(*told.lock().unwrap(), [(Refusal::Silent, 1)]);

    let mut asking = TcpStream::connect(address).await.unwrap();
    let mut served = incoming.next().await.unwrap().unwrap();
    asking.write_all(&[&[0; 24][..], b"\0\0\0\x01\0\0\0\0\x01"].concat()).await.unwrap();
    let mut request = [0; 33];
    served.read_exact(&mut request).await.unwrap();
    let silence = timeout(soon * 4, served.read_u8()).await;
    assert!(silence.is_err(), "it has begun a request and may take its time: {silence:?}");
}

/// Fails for so many calls, as at the limit of descriptors.
struct Failing(usize, TcpListener);

impl Accept for Failing {
    type Stream = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = left;
                Poll::Ready(Err(io::Error::from_raw_os_error(24)))
            }
            None => Accept::poll_accept(&mut self.1, cx),
        }
    }
}

#[tokio::test]
async fn an_error_of_accept_is_followed_by_a_pause_that_grows() {
    let (listener, address) = listener().await;
    let (told, report) = reporting();
    let bounds = Bounds { connections: 9, first_request: PATIENT };
    let mut incoming = Incoming::new(Failing(3, listener), bounds, report);
    let _peer = TcpStream::connect(address).await.unwrap();
    let begun = Instant::now();
    incoming.next().await.unwrap().unwrap();
    assert!(begun.elapsed() >= FIRST_PAUSE * 7, "{:?}", begun.elapsed());
    assert_eq!(*told.lock().unwrap(), [1, 2, 3].map(|count| (Refusal::Failed, count)));
}
