//! A task of the storm, and the door at which it waits.

use std::future::Future;
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::books::{Books, Expected};

/// Where a task leaves its waker. Knocking wakes it for nothing, opening lets it through.
#[derive(Default)]
pub(crate) struct Door {
    waker: Mutex<Option<Waker>>,
    open: AtomicBool,
}

impl Door {
    /// Wakes the waiting task, without letting it through.
    pub(crate) fn knock(&self, books: &Books) {
        let waker = self.waker.lock().expect("not poisoned").clone();
        if let Some(waker) = waker {
            books.wakes.up();
            waker.wake();
        }
    }

    /// Lets it through, for good.
    pub(crate) fn open(&self, books: &Books) {
        self.open.store(true, Ordering::SeqCst);
        if let Some(waker) = self.take() {
            books.wakes.up();
            waker.wake_by_ref();
        }
    }

    /// Takes the waker away; if no other thread opens the door, the task waits until it is aborted.
    pub(crate) fn take(&self) -> Option<Waker> {
        self.waker.lock().expect("not poisoned").take()
    }

    fn wait(&self, waker: &Waker) -> bool {
        *self.waker.lock().expect("not poisoned") = Some(waker.clone());
        self.open.load(Ordering::SeqCst)
    }
}

/// How a task ends unless it is aborted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Returns,
    Panics,
    /// Waits at its door first.
    Waits,
}

/// The task.
pub(crate) struct Victim {
    fate: Fate,
    /// Polls in which it wakes itself.
    yields: u32,
    door: Arc<Door>,
    books: Arc<Books>,
    over: bool,
}

impl Victim {
    /// It is spawned right after.
    pub(crate) fn new(fate: Fate, yields: u32, door: &Arc<Door>, books: &Arc<Books>) -> Self {
        books.spawned.up();
        Self { fate, yields, door: Arc::clone(door), books: Arc::clone(books), over: false }
    }
}

impl Future for Victim {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.books.polls.up();
        if self.yields > 0 {
            self.yields -= 1;
            self.books.wakes.up();
            self.books.self_wakes.up();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.fate {
            Fate::Waits if !self.door.wait(cx.waker()) => return Poll::Pending,
            Fate::Panics => {
                self.over = true;
                self.books.panicked.up();
                panic_any(Expected);
            }
            Fate::Waits | Fate::Returns => {}
        }
        self.over = true;
        self.books.completed.up();
        Poll::Ready(())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        if !self.over {
            self.books.cancelled.up();
        }
    }
}
