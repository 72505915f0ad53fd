//! A lock-free stack of shared nodes: any thread pushes, the drain takes all at once.
//!
//! The link lives in the node, so pushing allocates nothing; a node may be in one stack at a time,
//! which its owner's flag guarantees. Without a single `pop` there is no ABA problem.

use std::sync::Arc;

use super::atomic::{AtomicPtr, Ordering};

/// A node's own link.
pub(crate) trait Linked: Sized {
    /// The link; only [`Stack`] touches it.
    fn next(&self) -> &AtomicPtr<Self>;
}

/// See the module.
pub(crate) struct Stack<T: Linked> {
    head: AtomicPtr<T>,
}

impl<T: Linked> Stack<T> {
    /// An empty stack.
    pub(crate) fn new() -> Self {
        Self { head: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// Pushes a node that is in no stack.
    pub(crate) fn push(&self, node: Arc<T>) {
        let node = Arc::into_raw(node).cast_mut();
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            #[expect(unsafe_code, reason = "the link is in the node")]
            // SAFETY: `node` is an `Arc` that this stack now owns; nobody takes it before it is published.
            unsafe { &*node }.next().store(head, Ordering::Relaxed);
            match self.head.compare_exchange_weak(head, node, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes all nodes, newest first. A node that was yielded may be pushed again at once.
    pub(crate) fn take(&self) -> Taken<T> {
        if self.head.load(Ordering::Relaxed).is_null() {
            return Taken { head: std::ptr::null_mut() };
        }
        Taken { head: self.head.swap(std::ptr::null_mut(), Ordering::Acquire) }
    }
}

impl<T: Linked> Drop for Stack<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// The nodes of one [`Stack::take`].
pub(crate) struct Taken<T: Linked> {
    head: *mut T,
}

impl<T: Linked> Iterator for Taken<T> {
    type Item = Arc<T>;

    #[expect(unsafe_code, reason = "the link is in the node")]
    fn next(&mut self) -> Option<Arc<T>> {
        if self.head.is_null() {
            return None;
        }
        // SAFETY: the pointer came from `Arc::into_raw` in `push` and is taken here exactly once.
        let node = unsafe { Arc::from_raw(self.head) };
        self.head = node.next().load(Ordering::Relaxed);
        Some(node)
    }
}

impl<T: Linked> Drop for Taken<T> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

#[cfg(all(test, loom))]
#[path = "stack/loom.rs"]
mod loom_models;
