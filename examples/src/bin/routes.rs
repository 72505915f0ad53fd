//! Requests as tasks, by route: one route of an axum service blocks its thread.
//!
//! All that was added to the router is one line, with the feature `axum` of `pollscope`:
//!
//! ```diff
//!  Router::new()
//!      .route("/fast/{id}", get(fast))
//!      .route("/slow/{id}", get(slow))
//! +    .layer(pollscope::tower::layer())
//! ```
//!
//! ```sh
//! cargo run -p pollscope-examples --bin routes
//! cargo run -- attach routes        # in another terminal
//! ```
//!
//! You will see, in **Sites**, `GET /slow/{id}` and `GET /fast/{id}` with the poll times and latencies of their
//! requests. **Findings** has `blocking-poll` at `GET /slow/{id}`, with the line of the sleep below; nothing is said
//! of `/fast`, nor of the task of the connection, in whose poll all of this happens.
//!
//! The way out: `tokio::time::sleep(..).await`, or `pollscope::spawn_blocking` for what must block.

use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;

#[pollscope::main(worker_threads = 2)]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/fast/{id}", get(fast))
        .route("/slow/{id}", get(slow))
        .layer(pollscope::tower::layer());
    let (slow, fast) = (app.clone(), app);
    let slow = pollscope_examples::serve_visitors(slow, &["/slow/7"], 1, Duration::from_millis(200));
    let fast = pollscope_examples::serve_visitors(fast, &["/fast/7"], 1, Duration::from_millis(20));
    tokio::try_join!(slow, fast)?;
    Ok(())
}

async fn fast(Path(id): Path<u32>) -> String {
    tokio::time::sleep(Duration::from_millis(2)).await;
    format!("price {id}\n")
}

async fn slow(Path(id): Path<u32>) -> String {
    std::thread::sleep(Duration::from_millis(30));
    format!("price {id}\n")
}
