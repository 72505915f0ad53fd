//! A hand-written future that loses its waker.
//!
//! `Slot` answers `Pending` without keeping the waker when another caller is being served: a mistake
//! that every hand-written future can make. Its task waits for a wake that cannot come any more.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin lost_waker
//! cargo run -- attach lost_waker    # in another terminal
//! ```
//!
//! You will see, in **Findings**, `lost-waker` with the line of the spawn below: the task is
//! pending, nothing has woken it, and no waker of it is left anywhere. **Tasks** shows it idle for
//! ever.
//!
//! The way out: clone `cx.waker()` into the shared state before `Poll::Pending` is returned.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

#[pollscope::main(worker_threads = 2)]
async fn main() {
    let service = pollscope::spawn(async {
        // Other work goes on, so that the process as a whole looks healthy.
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
        }
    });
    for _ in 0..3 {
        pollscope::task("take_slot").group("pool").spawn(async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Slot.await;
        });
    }
    pollscope_examples::until_stopped().await;
    service.abort();
}

/// A slot of a pool that is always taken.
struct Slot;

impl Future for Slot {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        // The mistake: the waker goes nowhere.
        Poll::Pending
    }
}
