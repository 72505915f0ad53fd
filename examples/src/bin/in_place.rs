//! Two handlers that block for a second, of which only one holds up other tasks.
//!
//! `thumbnails` waits inside of `block_in_place`, which hands its worker's other tasks to another thread
//! first. `invoices` just waits.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin in_place
//! cargo run -- attach in_place      # in another terminal
//! ```
//!
//! You will see, in **Findings**, `stuck-poll` or `blocking-poll` at `invoices` and nothing at `thumbnails`;
//! in the detail of one of its tasks a slow poll is `in place`.
//!
//! The way out for `invoices` is the same: `tokio::task::block_in_place`, or better
//! `pollscope::spawn_blocking`.

use std::time::Duration;

#[pollscope::main(worker_threads = 2)]
async fn main() {
    let thumbnails = pollscope::task("thumbnails").long_lived().spawn(thumbnails());
    let invoices = pollscope::task("invoices").long_lived().spawn(invoices());
    pollscope_examples::until_stopped().await;
    thumbnails.abort();
    invoices.abort();
}

async fn thumbnails() {
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        tokio::task::block_in_place(|| std::thread::sleep(Duration::from_secs(1)));
    }
}

async fn invoices() {
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        std::thread::sleep(Duration::from_secs(1));
    }
}
