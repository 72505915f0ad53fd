//! A shop as it is built every day: axum, tower, tracing, SQLite, argon2, server-sent events. With four faults that
//! people really make, and, as `shop repaired`, without them.
//!
//! | fault | where | what you will see |
//! |---|---|---|
//! | a password is hashed in the handler | `login.rs` | `blocking-poll`, busy, `POST /login` |
//! | a `std::sync::Mutex` is held for a query | `price.rs` | `blocking-poll`, blocked and busy, `GET /price/{id}` |
//! | a task for each listener outlives it | `events.rs` | `task-leak` |
//! | orders wait in a channel without a bound | `orders.rs` | nothing yet: channels are not watched |
//!
//! ```sh
//! cargo run -p pollscope-examples --bin shop                     # says its address
//! cargo run -p pollscope-examples --bin shop_load -- ADDRESS     # in a second terminal
//! cargo run -- attach shop                                       # in a third
//! ```
//!
//! What pollscope needs here is `#[pollscope::main]`, one line for the routes, and `pollscope::spawn` where the shop
//! spawns.

mod catalog;
mod events;
mod login;
mod orders;
mod price;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::{get, post};
use rusqlite::Connection;
use tokio::sync::broadcast;
use tower_http::trace::TraceLayer;

/// What every handler may need.
#[derive(Clone)]
struct Shop {
    /// Of the one customer.
    password: Arc<str>,
    catalog: Arc<Mutex<Connection>>,
    prices: Arc<Mutex<Connection>>,
    orders: orders::Counter,
    news: broadcast::Sender<Arc<str>>,
}

#[pollscope::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    let is_repaired = is_repaired();
    let shop = Shop {
        password: login::hashed("correct horse battery staple")?.into(),
        catalog: Arc::new(Mutex::new(catalog::open()?)),
        prices: Arc::new(Mutex::new(price::open()?)),
        orders: if is_repaired { orders::bounded() } else { orders::unbounded() },
        news: broadcast::channel(64).0,
    };
    pollscope::task("news").long_lived().spawn(events::publish(shop.news.clone()));
    let routes = Router::new()
        .route("/", get(|| async { "welcome\n" }))
        .route("/health", get(|| async { "fine\n" }))
        .route("/catalog", get(catalog::list))
        .route("/product/{id}", get(catalog::product))
        .route("/order", post(orders::place));
    let routes = if is_repaired {
        routes
            .route("/login", post(login::in_pool))
            .route("/price/{id}", get(price::in_pool))
            .route("/events", get(events::while_listened))
    } else {
        routes
            .route("/login", post(login::in_handler))
            .route("/price/{id}", get(price::in_handler))
            .route("/events", get(events::for_ever))
    };
    let app = routes.layer(TraceLayer::new_for_http()).layer(pollscope::tower::layer()).with_state(shop);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    #[expect(clippy::print_stdout, reason = "the address is what a user of the service needs to know")]
    {
        println!("serving on {}", listener.local_addr()?);
    }
    // Listeners of events never go by themselves: the process ends while they are there.
    tokio::select! {
        served = axum::serve(listener, app) => served?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the rim: the example's own words")]
fn is_repaired() -> bool {
    std::env::args().skip(1).any(|word| word == "repaired")
}
