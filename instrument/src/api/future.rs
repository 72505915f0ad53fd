//! The wrapped future: two clock reads round each poll, a waker of our own, and the task's end.
//!
//! A future that is dropped before its end (abort, a dropped join set, a runtime's shutdown) is dropped in a turn of its
//! own, which is timed and counted as the task's last poll: tokio's hooks tell of such a turn as of a poll, too. An
//! output that no handle takes is dropped by tokio after that poll: where its hooks run, they tell when that is over
//! ([`output`](crate::api::hooks::output)); on stock tokio it is not seen.

use std::future::Future;
use std::mem::needs_drop;
use std::pin::Pin;
use std::task::{Context, Poll};

use pollscope_recorder::life::Life;

use crate::api::waker;

/// A future whose polls are recorded, or a job of the blocking pool.
pub(crate) struct Instrumented<F> {
    /// Gone when it is done: what dropping it takes is its last poll's, since tokio would drop it next. First, so that
    /// what one does that is dropped before comes before the end, too.
    future: Option<F>,
    life: Life,
}

impl<F> Instrumented<F> {
    /// Wraps a future whose life has begun.
    #[inline]
    pub(crate) fn new(future: F, life: Life) -> Self {
        Self { future: Some(future), life }
    }
}

impl<R, F: FnOnce() -> R> Instrumented<F> {
    /// Runs the job: its one poll.
    #[inline]
    pub(crate) fn run(mut self) -> R {
        let Some(job) = self.future.take() else { unreachable!("it was wrapped with one, and runs once") };
        let mut open = self.life.open_poll();
        let result = job();
        open.returned(true, false);
        result
    }
}

impl<F> Drop for Instrumented<F> {
    #[inline]
    fn drop(&mut self) {
        if !self.life.is_over() {
            self.drop_unfinished();
        }
    }
}

impl<F> Instrumented<F> {
    #[cold]
    fn drop_unfinished(&mut self) {
        let mut open = self.life.open_drop();
        // In place, as a pinned value has to be.
        self.future = None;
        open.dropped();
    }
}

impl<F: Future> Future for Instrumented<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        #[expect(unsafe_code, reason = "pin projection")]
        // SAFETY: `future` is pinned structurally: it is never moved out while it is pinned (`run` takes what never was),
        // `Drop` drops it in place, and `Instrumented` is `Unpin` only if `F` is. `life` is never pinned.
        let (mut future, life) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.life)
        };
        poll_recorded(life, cx, |cx| {
            // Once it is done no executor asks again.
            let Some(running) = future.as_mut().as_pin_mut() else { return Poll::Pending };
            let result = running.poll(cx);
            if result.is_ready() {
                future.set(None);
            }
            result
        })
    }
}

/// One poll of a future whose life is recorded: `poll` polls it, and what else that does is part of it.
#[inline]
pub(crate) fn poll_recorded<T>(
    life: &mut Life,
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    if life.is_over() {
        // A poll after the end gets what the future itself makes of it.
        return poll(cx);
    }
    // Never moved: copying it would wait for its own stores.
    let mut open = life.open_poll();
    let result = match open.state() {
        Some(state) => {
            state.inner.update(cx.waker());
            waker::with(state, |waker| poll(&mut Context::from_waker(waker)))
        }
        None => poll(cx),
    };
    open.returned(result.is_ready(), needs_drop::<T>());
    if result.is_pending() && !tokio::task::coop::has_budget_remaining() {
        open.forced_yield();
    }
    result
}
