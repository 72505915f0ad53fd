//! The join handle: tokio's, which also records whether the outcome was ever taken.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pollscope_recorder::tag::Tag;
use tokio::task::{AbortHandle, Id, JoinError};

use crate::api::waker;

/// Tokio's [`JoinHandle`](tokio::task::JoinHandle) of a recorded task.
///
/// Dropping it detaches the task, as with tokio's; a detached task that panics shows as a swallowed
/// panic.
pub struct JoinHandle<T> {
    inner: tokio::task::JoinHandle<T>,
    tag: Option<Tag>,
}

impl<T> JoinHandle<T> {
    #[inline]
    pub(crate) fn new(inner: tokio::task::JoinHandle<T>, tag: Option<Tag>) -> Self {
        Self { inner, tag }
    }

    /// Asks the task to stop at its next await.
    pub fn abort(&self) {
        if let Some(tag) = &self.tag {
            tag.aborted();
        }
        self.inner.abort();
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    /// Tokio's id of the task.
    pub fn id(&self) -> Id {
        self.inner.id()
    }

    /// Tokio's own abort handle. An abort through it shows as a cancelled task, but not in the state of
    /// the join handle.
    pub fn abort_handle(&self) -> AbortHandle {
        self.inner.abort_handle()
    }

    /// Tokio's own handle, for interfaces that ask for it. To the record the outcome then counts as
    /// taken.
    pub fn into_tokio(self) -> tokio::task::JoinHandle<T> {
        if let Some(tag) = self.tag {
            tag.joined();
        }
        self.inner
    }
}

impl<T> Unpin for JoinHandle<T> {}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { inner, tag } = &mut *self;
        let inner = Pin::new(inner);
        let outcome = if tag.is_some() { waker::for_an_end(cx, |cx| inner.poll(cx)) } else { inner.poll(cx) };
        if outcome.is_ready()
            && let Some(tag) = tag.take()
        {
            tag.joined();
        }
        outcome
    }
}

impl<T: fmt::Debug> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
