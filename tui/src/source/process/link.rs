//! One process's stream, opened again whenever it breaks.

use pollscope_model::hello::Hello;
use pollscope_model::report::Report;
use tokio::sync::{mpsc, watch as cell};

use crate::source::Pauses;
use crate::source::endpoint::{Endpoint, PeerError};
use crate::source::feed::{Flights, Next, Stream};

/// What happened on a link.
#[derive(Debug)]
pub(super) enum Happened {
    /// The process greeted.
    Up(Box<Hello>),
    /// It reported.
    Report(Box<Report>),
    /// The stream broke, or could not be opened; it is tried again unless `last`.
    Down {
        /// Why, in words.
        reason: String,
        /// It will not be tried again.
        last: bool,
    },
}

/// A link's number and what happened on it.
pub(super) type Event = (usize, Happened);

/// Keeps the stream open until the receiver is gone, or a peer of another version was met.
pub(super) async fn keep(
    link: usize,
    endpoint: Endpoint,
    flights: cell::Receiver<Flights>,
    events: mpsc::Sender<Event>,
) {
    let mut pauses = Pauses::default();
    loop {
        let error = match Stream::open(&endpoint).await {
            Ok(stream) => {
                pauses = Pauses::default();
                match forward(link, stream.with_flights(flights.clone()), &events).await {
                    Some(error) => error,
                    None => return,
                }
            }
            Err(error) => error,
        };
        let last = matches!(error, PeerError::Version(_) | PeerError::OtherService);
        let down = Happened::Down { reason: error.words().to_owned(), last };
        if events.send((link, down)).await.is_err() || last {
            return;
        }
        pauses.wait().await;
    }
}

/// Hands on what the stream says until it breaks; `None` if nobody listens any more.
async fn forward(link: usize, mut stream: Stream, events: &mpsc::Sender<Event>) -> Option<PeerError> {
    events.send((link, Happened::Up(Box::new(stream.hello.clone())))).await.ok()?;
    loop {
        match stream.next().await {
            Ok(Next::Hello(hello)) => events.send((link, Happened::Up(hello))).await.ok()?,
            Ok(Next::Report(report)) => events.send((link, Happened::Report(report))).await.ok()?,
            Ok(Next::Goodbye(reason)) => return Some(PeerError::Broken(reason)),
            Err(error) => return Some(error),
        }
    }
}
