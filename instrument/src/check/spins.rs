//! A future that keeps waking itself: the storm of the self-test, and of tests. It stores nothing and never waits.

use std::future::poll_fn;
use std::task::Poll;

/// Wakes itself so many times, each time in a poll of its own.
pub(crate) async fn spins(times: u64) {
    let mut left = times;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
