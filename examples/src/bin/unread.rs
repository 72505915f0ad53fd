//! Tasks that end, and whose outcomes are never taken.
//!
//! `ingest` spawns into a `JoinSet` and never asks for what came of it: each ended task stays, with its output. Beside
//! it are four who do it right: `drained` takes outcomes before it spawns more, `detached` drops its handles, `batch`
//! keeps 1,000 handles and then awaits them all, `unasked` keeps a set and lets its tasks go on without it.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin unread
//! cargo run -- attach unread        # in another terminal
//! ```
//!
//! You will see, in **Findings**, `unread-outcomes` with the line of `ingest` after a minute, and nothing at the others.
//!
//! The way out: `while set.try_join_next().is_some() {}` in the loop that spawns, or no set at all.

use std::time::Duration;

use pollscope::JoinSet;

#[pollscope::main(worker_threads = 2)]
async fn main() {
    let service = pollscope::spawn(async {
        let mut requests = tokio::time::interval(Duration::from_millis(10));
        let (mut ingest, mut drained, mut batch) = (JoinSet::new(), JoinSet::new(), Vec::new());
        loop {
            requests.tick().await;
            for request in 0..10_u64 {
                // The mistake: no outcome of `ingest` is ever taken.
                ingest.spawn(async move { vec![request; 16] });
                while drained.try_join_next().is_some() {}
                drained.spawn(async move { vec![request; 16] });
                drop(pollscope::spawn(async move { vec![request; 16] }));
                batch.push(pollscope::spawn(async move { vec![request; 16] }));
            }
            if batch.len() == 1_000 {
                for outcome in batch.drain(..) {
                    outcome.await.expect("it returns");
                }
            }
            let mut unasked = JoinSet::new();
            unasked.spawn(async move { vec![1_u64; 16] });
            tokio::task::yield_now().await;
            unasked.detach_all();
        }
    });
    pollscope_examples::until_stopped().await;
    service.abort();
}
