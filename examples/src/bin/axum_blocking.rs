//! Two handlers of an axum service that block, each at a line of its own.
//!
//! axum spawns every connection at one line of its own code, so that the spawn site says nothing about which handler
//! takes the time.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin axum_blocking
//! cargo run -- attach axum_blocking  # in another terminal
//! ```
//!
//! Built with `--cfg tokio_unstable` you will see, in **Findings**, `blocking-poll` twice: with the line of the sleep
//! below, *blocked*, and with that of the hash, *busy*. Enter shows the stack of each. **Sites** has one line for both,
//! `serve/mod.rs` of axum.
//!
//! The way out: `tokio::time::sleep(..).await` for the one, `pollscope::spawn_blocking` for the other.

use std::hash::{DefaultHasher, Hasher};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;

#[pollscope::main(worker_threads = 2)]
async fn main() -> std::io::Result<()> {
    let app = Router::new().route("/login", get(login)).route("/catalog", get(catalog));
    pollscope_examples::serve_visitors(app, &["/login", "/catalog"], 2, Duration::from_millis(100)).await
}

async fn login() -> &'static str {
    std::thread::sleep(Duration::from_millis(60));
    "welcome\n"
}

async fn catalog() -> String {
    let begin = Instant::now();
    let mut hasher = DefaultHasher::new();
    while begin.elapsed() < Duration::from_millis(40) {
        hasher.write(&[7; 4_096]);
    }
    format!("{:x}\n", hasher.finish())
}
