//! What sells now, as server-sent events: one task for each listener carries the news to its response.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::Event;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use crate::Shop;

type Events =
    Sse<tokio_stream::adapters::Map<ReceiverStream<Arc<str>>, fn(Arc<str>) -> Result<Event, Infallible>>>;

/// News, as long as the shop runs.
pub(crate) async fn publish(news: broadcast::Sender<Arc<str>>) {
    let mut next = tokio::time::interval(Duration::from_millis(100));
    for number in 0_u64.. {
        next.tick().await;
        // Fails while there is no listener.
        let _ = news.send(format!("sold {number}").into());
    }
}

/// The fault: the task does not see that its listener has gone.
pub(crate) async fn for_ever(State(shop): State<Shop>) -> Events {
    let (carried, response) = mpsc::channel(16);
    let mut news = shop.news.subscribe();
    pollscope::task("listener").spawn(async move {
        loop {
            match news.recv().await {
                Ok(one) => {
                    let _ = carried.send(one).await;
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    });
    events(response)
}

/// Repaired: the task ends with its listener.
pub(crate) async fn while_listened(State(shop): State<Shop>) -> Events {
    let (carried, response) = mpsc::channel(16);
    let mut news = shop.news.subscribe();
    pollscope::task("listener").spawn(async move {
        loop {
            let next = tokio::select! {
                next = news.recv() => next,
                () = carried.closed() => return,
            };
            match next {
                Ok(one) => {
                    if carried.send(one).await.is_err() {
                        return;
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    });
    events(response)
}

fn events(response: mpsc::Receiver<Arc<str>>) -> Events {
    let event: fn(Arc<str>) -> _ = |one| Ok(Event::default().data(one));
    Sse::new(ReceiverStream::new(response).map(event))
}
