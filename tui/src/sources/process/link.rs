//! One process's stream, opened again whenever it breaks.

use pollscope_model::hello::Hello;
use pollscope_model::monitor::Message;
use pollscope_model::report::Report;
use tokio::sync::{mpsc, watch as cell};

use crate::sources::Pauses;
use crate::sources::endpoint::{Endpoint, PeerError};
use crate::sources::feed::{Flights, Stream};

/// What happened on a link.
#[derive(Debug)]
pub(super) enum LinkEvent {
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
        /// A goodbye came before.
        orderly: bool,
    },
}

/// A link's number and what happened on it.
pub(super) type Event = (usize, LinkEvent);

/// Keeps the stream open until the receiver is gone, or a peer of another version was met.
pub(super) async fn keep(
    link: usize,
    endpoint: Endpoint,
    flights: cell::Receiver<Flights>,
    events: mpsc::Sender<Event>,
) {
    let mut pauses = Pauses::default();
    loop {
        let end = match Stream::open(&endpoint).await {
            Ok(stream) => {
                pauses = Pauses::default();
                match forward(link, stream.with_flights(flights.clone()), &events).await {
                    Some(end) => end,
                    None => return,
                }
            }
            Err(error) => End::Broken(error),
        };
        let (last, orderly) = match &end {
            End::Goodbye(_) => (false, true),
            End::Broken(error) => (matches!(error, PeerError::Version(_) | PeerError::OtherService), false),
        };
        let reason = match end {
            End::Goodbye(reason) => reason,
            End::Broken(error) => error.words().to_owned(),
        };
        let down = LinkEvent::Down { reason, last, orderly };
        if events.send((link, down)).await.is_err() || last {
            return;
        }
        pauses.wait().await;
    }
}

/// How a stream ended.
enum End {
    /// The process sent a goodbye, with its reason.
    Goodbye(String),
    /// It broke, or could not be opened.
    Broken(PeerError),
}

/// Forwards the messages of the stream until it ends; `None` if the receiver is gone.
async fn forward(link: usize, mut stream: Stream, events: &mpsc::Sender<Event>) -> Option<End> {
    events.send((link, LinkEvent::Up(Box::new(stream.hello.clone())))).await.ok()?;
    loop {
        match stream.next().await {
            Ok(Message::Hello(hello)) => events.send((link, LinkEvent::Up(hello))).await.ok()?,
            Ok(Message::Report(report)) => events.send((link, LinkEvent::Report(report))).await.ok()?,
            Ok(Message::Goodbye { reason }) => return Some(End::Goodbye(reason)),
            Err(error) => return Some(End::Broken(error)),
        }
    }
}
