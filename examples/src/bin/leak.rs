//! Tasks that are spawned and never end.
//!
//! Each connection spawns a watcher that waits for a shutdown signal of its own, and no code sends
//! one when the connection closes. A service like this runs for days before it shows.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin leak
//! cargo run -- attach leak          # in another terminal
//! ```
//!
//! You will see, in **Sites**, the line of the spawn below with a number alive that only grows and
//! nothing that ends, and in **Findings**, once the trend is certain, `task-leak`.
//!
//! The way out: `abort` the watcher with its connection, or keep both in one `pollscope::JoinSet`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

#[pollscope::main(worker_threads = 2)]
async fn main() {
    let service = pollscope::spawn(async {
        let mut connections = tokio::time::interval(Duration::from_millis(20));
        loop {
            connections.tick().await;
            pollscope::task("connection").group("net").spawn(connection());
        }
    });
    pollscope_examples::until_stopped().await;
    service.abort();
}

async fn connection() {
    let closed = Arc::new(Notify::new());
    let watcher = Arc::clone(&closed);
    pollscope::task("watcher").group("net").spawn(async move { watcher.notified().await });
    tokio::time::sleep(Duration::from_millis(5)).await;
    // The mistake: `closed.notify_one()` is missing.
}
