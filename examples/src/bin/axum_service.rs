//! An ordinary axum service, with pollscope.
//!
//! All that was added:
//!
//! ```diff
//! -#[tokio::main]
//! +#[pollscope::main]
//! -    tokio::spawn(audit(cart));
//! +    pollscope::spawn(audit(cart));
//! ```
//!
//! The first pair alone shows workers and, built with `--cfg tokio_unstable`, the tasks that
//! libraries spawn, axum's per connection for one. The second shows of its own tasks who woke them, how long
//! they waited for a worker, and what became of them, on any build.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin axum_service
//! cargo run -- attach axum_service  # in another terminal
//! ```

use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;

#[pollscope::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new().route("/", get(|| async { "carts\n" })).route("/cart/{id}", get(cart));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    #[expect(clippy::print_stdout, reason = "the address is what a user of the service needs to know")]
    {
        println!("serving on http://{}/cart/7", listener.local_addr()?);
    }
    axum::serve(listener, app).with_graceful_shutdown(pollscope_examples::until_stopped()).await
}

async fn cart(Path(cart): Path<u32>) -> String {
    tokio::time::sleep(Duration::from_millis(2)).await;
    pollscope::spawn(audit(cart));
    format!("cart {cart}\n")
}

async fn audit(cart: u32) {
    tokio::time::sleep(Duration::from_millis(20)).await;
    tracing::debug!(cart, "seen");
}
