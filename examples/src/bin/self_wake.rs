//! A task that wakes itself instead of waiting.
//!
//! `Spin` asks to be polled again at once as long as its flag is down: a busy loop in the clothes of
//! a future. It answers, it even lets others run, and it burns a core.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin self_wake
//! cargo run -- attach self_wake     # in another terminal
//! ```
//!
//! You will see, in **Tasks**, `wait_for_flag` with a million polls and as many wakes of its own;
//! in **Findings** `self-wake-storm` with the line of the spawn below; in **Workers** one that is
//! never idle.
//!
//! The way out: wait for something that wakes, such as `tokio::sync::Notify` or `watch`.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

#[pollscope::main(worker_threads = 2)]
async fn main() {
    let flag = Arc::new(AtomicBool::new(false));
    let waiting = pollscope::task("wait_for_flag").group("sync").spawn(Spin(Arc::clone(&flag)));
    pollscope_examples::until_stopped().await;
    flag.store(true, Ordering::Relaxed);
    // It ends by itself now; if it panicked there is nothing to save.
    let _ = waiting.await;
}

/// Resolves once the flag is up.
struct Spin(Arc<AtomicBool>);

impl Future for Spin {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        // The mistake: nothing has happened, and still it wants to be asked again.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
