//! Notices a peer that is gone without a word: asks it now and then, and waits only so long for the answer. Called
//! by the drivers of both kinds of connection.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep};

/// How often a peer is asked.
const INTERVAL: Duration = Duration::from_secs(10);

/// See the module.
pub(super) struct Alive {
    pings: PingPong,
    /// The next question, or the end of waiting for an answer.
    due: Pin<Box<Sleep>>,
    asked: bool,
    patience: Duration,
}

impl Alive {
    /// Answers take at most `patience`. `None` for a connection that is watched already.
    pub(super) fn new(pings: Option<PingPong>, patience: Duration) -> Option<Self> {
        Some(Self { pings: pings?, due: Box::pin(sleep(INTERVAL)), asked: false, patience })
    }

    /// Ready when the peer did not answer in time.
    pub(super) fn poll_lost(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.asked {
                match self.pings.poll_pong(context) {
                    Poll::Ready(Ok(_)) => self.wait(false, INTERVAL),
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => {}
                }
            }
            ready!(self.due.as_mut().poll(context));
            if self.asked || self.pings.send_ping(Ping::opaque()).is_err() {
                return Poll::Ready(());
            }
            self.wait(true, self.patience);
        }
    }

    fn wait(&mut self, asked: bool, time: Duration) {
        self.asked = asked;
        self.due.as_mut().reset(Instant::now() + time);
    }
}
