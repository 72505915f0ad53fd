//! A handler that computes for too long without a pause.
//!
//! Every half second a task hashes for some 150 ms in one poll. Unlike `blocking`, the thread works
//! all the time; to the other tasks of its worker that makes no difference.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin cpu
//! cargo run -- attach cpu           # in another terminal
//! ```
//!
//! You will see, in **Findings**, `blocking-poll` of kind *busy* with the line of the spawn below,
//! and in **Task detail** of a `checksum` a poll time of 150 ms.
//!
//! The way out: `pollscope::spawn_blocking`, or `tokio::task::yield_now().await` every now and then.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::hint::black_box;
use std::time::{Duration, Instant};

#[pollscope::main(worker_threads = 2)]
async fn main() {
    let service = pollscope::spawn(async {
        let mut uploads = tokio::time::interval(Duration::from_millis(500));
        loop {
            uploads.tick().await;
            pollscope::task("checksum").group("uploads").spawn(async { black_box(checksum()) });
        }
    });
    pollscope_examples::until_stopped().await;
    service.abort();
}

/// A hot loop; by the clock, so that it takes as long on every machine.
fn checksum() -> u64 {
    let begin = Instant::now();
    let mut hasher = DefaultHasher::new();
    while begin.elapsed() < Duration::from_millis(150) {
        (0..1_000_u32).for_each(|block| block.hash(&mut hasher));
    }
    hasher.finish()
}
