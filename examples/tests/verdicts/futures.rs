//! Futures written by hand, with the mistakes that such futures make. For the suite of verdicts, and for the programs
//! that try fix texts.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// A slot of a pool.
#[derive(Default)]
pub(crate) struct Slot {
    free: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Slot {
    /// The slot is free, which the one that waits for it is told if its waker was kept.
    pub(crate) fn free(&self) {
        self.free.store(true, Ordering::SeqCst);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        waker.into_iter().for_each(Waker::wake);
    }
}

/// Waits for the slot; it keeps a waker, or forgets to.
pub(crate) struct Take(pub(crate) Arc<Slot>, pub(crate) bool);

impl Future for Take {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.1 {
            *self.0.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        }
        if self.0.free.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Asks again and again.
#[derive(Default)]
pub(crate) struct Spin(AtomicU32);

impl Future for Spin {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.fetch_add(1, Ordering::Relaxed) > 30_000 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
