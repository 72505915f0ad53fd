//! The holds on a task's record: one by its future, one by each wrapped waker. Together they own one
//! `Arc`, and the last to leave lets go of it.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use super::task::TaskState;

/// The future's own hold on its record: one holder of the executor's waker, and of the memory.
pub(crate) struct Hold(ManuallyDrop<Arc<TaskState>>);

impl Hold {
    /// The first hold, which [`InnerWaker::new`] already counted.
    pub(crate) fn first(state: Arc<TaskState>) -> Self {
        Self(ManuallyDrop::new(state))
    }
}

impl std::ops::Deref for Hold {
    type Target = TaskState;

    fn deref(&self) -> &TaskState {
        &self.0
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "the holders own the memory together")]
        // SAFETY: this hold was counted once, by `InnerWaker::new`, and is given back once, here.
        unsafe {
            TaskState::leave(Arc::as_ptr(&self.0));
        }
    }
}

impl TaskState {
    /// Gives one hold back; the last one also lets go of the memory.
    ///
    /// # Safety
    /// The caller owns one counted hold on this record and does not use it afterwards.
    #[expect(unsafe_code, reason = "the wrapped wakers carry plain pointers")]
    pub(crate) unsafe fn leave(state: *const Self) {
        // SAFETY: the caller's hold keeps the record alive up to the release.
        if unsafe { &*state }.inner.release() {
            // SAFETY: the holders together own the one `Arc` that `Hold::first` took, and the last is gone.
            drop(unsafe { Arc::from_raw(state) });
        }
    }
}
