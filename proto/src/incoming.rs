//! The connections of a gRPC server of ours, bounded: how many at a time, and how long one may take to its
//! first request. An error of `accept` is followed by a pause, since at the limit of descriptors the next call
//! fails at once.
//!
//! Never opens a socket and never ends: the caller brings the listener and the figures. The service's door and
//! the collector's server use it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::time::{Sleep, sleep};
use tokio_stream::Stream;

pub use connection::Connection;
mod connection;

/// The first pause after an error of `accept`; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How much is let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Connections at a time; a further one is closed at once.
    pub connections: usize,
    /// How long a connection may take to begin its first request.
    pub first_request: Duration,
}

/// Why a connection was not served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// As many as the bound were open.
    Full,
    /// It began no request in time.
    Silent,
    /// The system could not accept it, as at the limit of descriptors.
    Failed,
}

/// Whether the refusal of that number is worth a line: the first, the second, the fourth, and so on.
pub const fn is_told(count: u64) -> bool {
    count.is_power_of_two()
}

/// Where connections come from.
pub trait Accept: Unpin {
    /// One connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next one.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Stream>>;
}

impl Accept for TcpListener {
    type Stream = tokio::net::TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Stream>> {
        let (stream, _) = ready!(Self::poll_accept(self, cx))?;
        // Small messages are not held back; where that is refused they are late and nothing else.
        let _ = stream.set_nodelay(true);
        Poll::Ready(Ok(stream))
    }
}

#[cfg(unix)]
impl Accept for UnixListener {
    type Stream = tokio::net::UnixStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Stream>> {
        Self::poll_accept(self, cx).map_ok(|(stream, _)| stream)
    }
}

/// Called for a refusal with the count of its kind.
type Report = dyn Fn(Refusal, u64) + Send + Sync;

/// What all connections of a listener share.
struct Shared {
    open: AtomicUsize,
    refused: [AtomicU64; 3],
    report: Box<Report>,
}

impl Shared {
    fn refuse(&self, why: Refusal) {
        let count = self.refused[why as usize].fetch_add(1, Ordering::Relaxed) + 1;
        (self.report)(why, count);
    }
}

/// One of the places that connections take; free again when it is dropped.
struct ConnectionPermit(Arc<Shared>);

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The connections that a server takes.
pub struct Incoming<L> {
    listener: L,
    bounds: Bounds,
    shared: Arc<Shared>,
    pause: Option<Pin<Box<Sleep>>>,
    next_pause: Duration,
}

impl<L: Accept> Incoming<L> {
    /// Connections of that listener. `report` is called at each refusal with the count of its kind so far; it costs
    /// every one of them, so that it says something at some of them only: see [`is_told`].
    pub fn new(listener: L, bounds: Bounds, report: impl Fn(Refusal, u64) + Send + Sync + 'static) -> Self {
        let shared =
            Shared { open: AtomicUsize::new(0), refused: Default::default(), report: Box::new(report) };
        Self { listener, bounds, shared: Arc::new(shared), pause: None, next_pause: FIRST_PAUSE }
    }

    /// A place for one more; `None` if all are taken. Only this stream takes places.
    fn place(&self) -> Option<ConnectionPermit> {
        let open = self.shared.open.load(Ordering::Relaxed);
        (open < self.bounds.connections).then(|| {
            self.shared.open.fetch_add(1, Ordering::Relaxed);
            ConnectionPermit(self.shared.clone())
        })
    }
}

impl<L: Accept> Incoming<L> {
    /// The next connection that is let in.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Connection<L::Stream>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match ready!(self.listener.poll_accept(cx)) {
                Ok(stream) => {
                    self.next_pause = FIRST_PAUSE;
                    match self.place() {
                        Some(place) => {
                            return Poll::Ready(Connection::new(stream, self.bounds.first_request, place));
                        }
                        None => self.shared.refuse(Refusal::Full),
                    }
                }
                Err(error) if is_of_one_peer(&error) => {}
                Err(_) => {
                    self.shared.refuse(Refusal::Failed);
                    self.pause = Some(Box::pin(sleep(self.next_pause)));
                    self.next_pause = (self.next_pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

/// For tonic's server. It has no end and yields no error.
impl<L: Accept> Stream for Incoming<L> {
    type Item = io::Result<Connection<L::Stream>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_accept(cx).map(|connection| Some(Ok(connection)))
    }
}

/// A connection that broke before it was accepted says nothing of the next.
fn is_of_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests;
