//! A handler that waits for a lock with its whole thread.
//!
//! The stock is behind a `std::sync::Mutex`, which is right as long as no holder keeps it for long. But
//! a thread that has nothing to do with the runtime exports the stock every 300 ms and holds the lock
//! for 120 ms of slow writing. A handler that comes meanwhile blocks its worker until then, and every
//! other task of that worker with it. Four visitors ask over HTTP.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin mutex_held
//! cargo run -- attach mutex_held    # in another terminal
//! ```
//!
//! You will see, in **Findings**, `blocking-poll` of kind *blocked* with the line of the spawn below:
//! polls of up to 120 ms of which next to nothing was on the CPU. The stack that was taken meanwhile
//! leads through `Mutex::lock` to `reserve`: the waiter, not the thread that holds the lock.
//! The `heartbeat` in **Tasks** polls in microseconds and waits up to 120 ms for a worker.
//!
//! The way out: copy what is to be written and let go of the lock before the slow part.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::routing::get;

/// Items that are left.
static STOCK: Mutex<u64> = Mutex::new(1_000_000);

#[pollscope::main(worker_threads = 2)]
async fn main() -> std::io::Result<()> {
    std::thread::Builder::new().name("stock-export".to_owned()).spawn(export)?;
    let heartbeat = pollscope::task("heartbeat").long_lived().spawn(async {
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        loop {
            tick.tick().await;
        }
    });
    let app = Router::new().route("/reserve", get(handle));
    let served = pollscope_examples::serve_visitors(app, &["/reserve"], 4, Duration::from_millis(25)).await;
    heartbeat.abort();
    served
}

async fn handle() -> String {
    match pollscope::task("reserve").group("http").spawn(reserve()).await {
        Ok(left) => format!("{left} left\n"),
        Err(error) => format!("{error}\n"),
    }
}

async fn reserve() -> u64 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    // The mistake is elsewhere; this is where it hurts.
    let mut stock = STOCK.lock().unwrap_or_else(PoisonError::into_inner);
    *stock = stock.saturating_sub(1);
    *stock
}

/// Writes the stock to somewhere slow, with the lock in its hand all the while.
fn export() {
    loop {
        std::thread::sleep(Duration::from_millis(180));
        let stock = STOCK.lock().unwrap_or_else(PoisonError::into_inner);
        write_slowly(*stock);
    }
}

/// Stands for a disk or a peer that takes 120 ms.
fn write_slowly(_: u64) {
    std::thread::sleep(Duration::from_millis(120));
}
