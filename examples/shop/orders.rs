//! Orders, which one task confirms by mail, some slower than they come.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use tokio::sync::mpsc;

use crate::Shop;

/// How long a mail takes.
const MAIL: Duration = Duration::from_millis(80);
/// Orders that may wait where the channel has a bound.
const BOUND: usize = 64;

/// Where orders are put.
#[derive(Clone)]
pub(crate) enum Counter {
    Unbounded(mpsc::UnboundedSender<String>),
    Bounded(mpsc::Sender<String>),
}

/// The fault: what comes faster than it is confirmed stays in memory.
pub(crate) fn unbounded() -> Counter {
    let (counter, mut orders) = mpsc::unbounded_channel::<String>();
    pollscope::task("mailer").long_lived().spawn(async move {
        while let Some(order) = orders.recv().await {
            mail(&order).await;
        }
    });
    Counter::Unbounded(counter)
}

/// Repaired: an order that finds no room is refused.
pub(crate) fn bounded() -> Counter {
    let (counter, mut orders) = mpsc::channel::<String>(BOUND);
    pollscope::task("mailer").long_lived().spawn(async move {
        while let Some(order) = orders.recv().await {
            mail(&order).await;
        }
    });
    Counter::Bounded(counter)
}

pub(crate) async fn place(State(shop): State<Shop>, order: String) -> StatusCode {
    let is_placed = match &shop.orders {
        Counter::Unbounded(counter) => counter.send(order).is_ok(),
        Counter::Bounded(counter) => counter.try_send(order).is_ok(),
    };
    if is_placed { StatusCode::ACCEPTED } else { StatusCode::TOO_MANY_REQUESTS }
}

async fn mail(order: &str) {
    tokio::time::sleep(MAIL).await;
    tracing::debug!(order, "confirmed");
}
