//! A handler that is fast, except for a few requests.
//!
//! Of a hundred lookups ninety-eight find their entry in the cache and take 2 ms; two go to the
//! store and take 120 ms. No mean shows it, and no single request is an error.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin tail
//! cargo run -- attach tail          # in another terminal
//! ```
//!
//! You will see, in **Sites** and in the detail of a `lookup`, two separate modes; in **Findings**
//! `tail-latency` with the line of the spawn below.
//!
//! The way out: make the slow way visible (a scope or a task name of its own) and bound it.

use std::time::Duration;

#[pollscope::main(worker_threads = 2)]
async fn main() {
    let service = pollscope::spawn(async {
        let mut requests = tokio::time::interval(Duration::from_millis(2));
        for request in 0_u32.. {
            requests.tick().await;
            pollscope::task("lookup").group("http").spawn(lookup(request));
        }
    });
    pollscope_examples::until_stopped().await;
    service.abort();
}

async fn lookup(request: u32) {
    let cached = !request.is_multiple_of(50);
    let time = if cached { Duration::from_millis(2) } else { Duration::from_millis(120) };
    tokio::time::sleep(time).await;
}
