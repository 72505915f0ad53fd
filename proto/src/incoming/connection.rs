//! One accepted connection: ends by itself unless its peer begins a request in time. Made by the stream of
//! [`Incoming`](super::Incoming) connections.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::{ConnectionPermit, Refusal};

/// Bytes that an HTTP/2 client sends before its first frame.
const PREFACE: usize = 24;
/// Bytes of a frame before its content: three of length, one of type, five more.
const FRAME_HEAD: usize = 9;
/// The type of the frame that begins a request.
const HEADERS: u8 = 1;

/// A connection of a server. Its place is free again when it is dropped.
pub struct Connection<S> {
    stream: S,
    /// Until the first request has begun.
    waiting: Option<Waiting>,
    place: ConnectionPermit,
}

struct Waiting {
    deadline: Pin<Box<Sleep>>,
    seen: Frames,
}

impl<S> Connection<S> {
    pub(super) fn new(stream: S, first_request: Duration, place: ConnectionPermit) -> Self {
        let waiting = Waiting { deadline: Box::pin(sleep(first_request)), seen: Frames::default() };
        Self { stream, waiting: Some(waiting), place }
    }

    /// What was accepted.
    pub fn stream(&self) -> &S {
        &self.stream
    }
}

/// Follows the frames of an HTTP/2 connection, whatever pieces they come in.
struct Frames {
    /// Bytes before the next frame's head.
    skip: usize,
    head: [u8; FRAME_HEAD],
    /// Bytes of the head that are there.
    have: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self { skip: PREFACE, head: [0; FRAME_HEAD], have: 0 }
    }
}

impl Frames {
    /// Whether a request has begun within these bytes, which follow the ones before.
    fn begin_request(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = (FRAME_HEAD - self.have).min(bytes.len());
            self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == FRAME_HEAD {
                let [long, middle, short, kind, ..] = self.head;
                if kind == HEADERS {
                    return true;
                }
                self.have = 0;
                self.skip = usize::from(long) << 16 | usize::from(middle) << 8 | usize::from(short);
            }
        }
        false
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if let Some(waiting) = &mut this.waiting {
            if waiting.seen.begin_request(&buf.filled()[before..]) {
                this.waiting = None;
            } else if waiting.deadline.as_mut().poll(cx).is_ready() {
                // The deadline is over: it must not be polled again.
                this.waiting = None;
                this.place.0.refuse(Refusal::Silent);
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(feature = "tonic-server")]
impl<S: tonic::transport::server::Connected> tonic::transport::server::Connected for Connection<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let [.., long, middle, short] = length.to_be_bytes();
        [vec![long, middle, short, kind, 0, 0, 0, 0, 1], vec![HEADERS; length]].concat()
    }

    #[test]
    fn a_request_is_seen_in_whatever_pieces_it_comes() {
        let settings_only = [vec![HEADERS; PREFACE], frame(4, 18), frame(8, 4), frame(4, 0)].concat();
        let request = [settings_only.clone(), frame(HEADERS, 5)].concat();
        for piece in [1, 2, 7, 24, 33, 1_000] {
            let mut frames = Frames::default();
            assert!(!settings_only.chunks(piece).any(|bytes| frames.begin_request(bytes)), "{piece}");
            let mut frames = Frames::default();
            assert!(request.chunks(piece).any(|bytes| frames.begin_request(bytes)), "{piece}");
        }
    }
}
