//! The executor's own waker, kept behind the wrapped ones, and the count of those.
//!
//! Wrapped wakers of one task share one data pointer for the task's whole life, so the executor's
//! waker has to be found from it by any thread at any time. A poll lends it; the first clone of a
//! wrapped waker makes it the record's own, so that a task which never waits costs its executor no waker.
//! From then on it stays in place and is read without a lock; in the rare case that the task is later polled with
//! another waker (it moved into another combinator) a locked replacement goes in front for good.
//!
//! The count of holders is exact and decides the end: the task's future is one holder, each wrapped
//! waker another, and the last holder drops the executor's waker. That breaks the cycle of task,
//! future, waker and task at the moment when the future is done and no waker of it is left.

use std::mem::ManuallyDrop;
use std::task::Waker;

use super::atomic::{AtomicPtr, AtomicU64, Mutex, Ordering, UnsafeCell};

const ONE: u64 = 1;
const ONE_CLONE: u64 = 1 << 32;
/// What wakes are handed on to outlives the poll.
const KEPT: u64 = 1 << 31;
/// That is the first waker, which is the record's own.
const OWNED: u64 = 1 << 30;
const HOLDERS: u64 = OWNED - 1;

/// Who wakes, other than the task itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum By {
    /// Another task, from within its poll.
    Task,
    /// The runtime between two polls: timers, I/O, joins.
    Runtime,
    /// A thread that runs no task.
    OtherThread,
}

/// See the module.
pub struct InnerWaker {
    /// Holders and two flags in the low half, clones ever made (wrapping) in the high half: one operation counts both.
    counts: AtomicU64,
    /// By who woke: see [`By`].
    wakes: [AtomicU64; 3],
    /// Lent by the poll that is open, or owned. Written by the polling thread before the first wrapped waker exists
    /// and by the last holder.
    first: UnsafeCell<Option<ManuallyDrop<Waker>>>,
    /// Null until a poll came with another waker than the first.
    replacement: AtomicPtr<Mutex<Waker>>,
}

#[expect(unsafe_code, reason = "the first waker is shared without a lock")]
// SAFETY: `first` is written only while no other thread can reach it: by `update` before the first
// wrapped waker is handed out, and by the last holder in `release`. In between it is only read, and
// `Waker` is `Sync`; what it wakes is alive: until it is kept only the open poll's own borrows of it reach it, and
// from then on it is owned, or there is a replacement. Everything else is atomic or locked.
unsafe impl Sync for InnerWaker {}

impl InnerWaker {
    /// No waker is stored yet; the holder count is zero.
    pub(crate) fn new() -> Self {
        Self {
            counts: AtomicU64::new(0),
            wakes: std::array::from_fn(|_| AtomicU64::new(0)),
            first: UnsafeCell::new(None),
            replacement: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// For a new task, held by its future alone. The last holder of the one before has left.
    #[inline]
    #[expect(unsafe_code, reason = "the first waker is shared without a lock")]
    pub(crate) fn reset(&self) {
        self.counts.store(ONE, Ordering::Relaxed);
        // SAFETY: no other thread has the record. What a poll of the task before lent was not the record's own.
        self.first.with_mut_ref(|first| unsafe { *first = None });
        self.wakes.iter().for_each(|wakes| wakes.store(0, Ordering::Relaxed));
    }

    /// Takes note of the waker that this poll comes with, which is lent for as long as it is open.
    ///
    /// Only for the thread that polls the future, before it does.
    #[inline]
    #[expect(unsafe_code, reason = "the first waker is shared without a lock")]
    pub fn update(&self, waker: &Waker) {
        if self.counts.load(Ordering::Relaxed) & KEPT == 0 {
            // SAFETY: the same waker, which is not dropped here and, while it is lent, neither where it comes from.
            let lent = ManuallyDrop::new(unsafe { Waker::new(waker.data(), waker.vtable()) });
            // SAFETY: no wrapped waker was ever kept, so no thread reads between two polls.
            self.first.with_mut_ref(|first| unsafe { *first = Some(lent) });
            return;
        }
        // SAFETY: only read from when it was kept until the last holder leaves. It may be no waker's any more, if there
        // is a replacement: comparing does not touch what it is of.
        let same = self
            .first
            .with_ref(|first| unsafe { (*first).as_ref().is_some_and(|first| first.will_wake(waker)) });
        if !same || !self.replacement.load(Ordering::Relaxed).is_null() {
            self.replace(waker);
        }
    }

    #[cold]
    #[expect(unsafe_code, reason = "the replacement is published through a pointer")]
    fn replace(&self, waker: &Waker) {
        let current = self.replacement.load(Ordering::Relaxed);
        if current.is_null() {
            let fresh = Box::into_raw(Box::new(Mutex::new(waker.clone())));
            self.replacement.store(fresh, Ordering::Release);
            // A wake either comes before this in the order of its counter, and then the poll that follows
            // sees what it woke for; or after it, and then it sees the replacement.
            for wakes in &self.wakes {
                wakes.fetch_add(0, Ordering::AcqRel);
            }
            return;
        }
        // SAFETY: the replacement lives until the last holder leaves, and the future is one.
        let current = unsafe { &*current };
        let mut current = current.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !current.will_wake(waker) {
            let old = std::mem::replace(&mut *current, waker.clone());
            drop(current);
            drop(old);
        }
    }

    /// Counts a wake by any thread. It must come before [`InnerWaker::forward`]: a changed waker is
    /// ordered by it.
    #[inline]
    pub(crate) fn count_wake(&self, by: By) {
        self.wakes[by as usize].fetch_add(1, Ordering::AcqRel);
    }

    /// Wakes the executor's task. The caller is a holder, or inside the task's poll.
    #[inline]
    #[expect(unsafe_code, reason = "the first waker is shared without a lock")]
    pub(crate) fn forward(&self) {
        let replacement = self.replacement.load(Ordering::Acquire);
        if replacement.is_null() {
            self.first.with_ref(|first| {
                // SAFETY: only read between the first poll and the last holder's leave; see above for what it wakes.
                if let Some(first) = unsafe { &*first } {
                    first.wake_by_ref();
                }
            });
        } else {
            // SAFETY: it lives until the last holder leaves.
            wake_replaced(unsafe { &*replacement });
        }
    }

    /// One more holder: a wrapped waker was cloned, from another or from that of the poll that is open.
    #[inline]
    #[expect(clippy::disallowed_methods, reason = "a wrapped count would free memory that is in use")]
    pub fn hold(&self) {
        if self.counts.load(Ordering::Relaxed) & KEPT == 0 && self.keep() {
            return;
        }
        let before = self.counts.fetch_add(ONE_CLONE + ONE, Ordering::Relaxed);
        if before & HOLDERS > HOLDERS / 2 {
            // Half a billion leaked wakers: the same end that `Arc` has for it.
            std::process::abort();
        }
    }

    /// The first holder beside the future: the lent waker becomes the record's own. `false` if another thread, to
    /// which the open poll lent its waker, was faster.
    #[inline(never)]
    #[expect(unsafe_code, reason = "the first waker is shared without a lock")]
    fn keep(&self) -> bool {
        let own = self.first.with_ref(|first| {
            // SAFETY: the poll that lent it is open, and no thread writes meanwhile.
            let lent: &Waker = unsafe { (*first).as_ref()? };
            let own = lent.clone();
            let is_same = own.will_wake(lent);
            Some((own, is_same))
        });
        let Some((own, is_same)) = own else { return false };
        let (own, flags) = if is_same {
            (Some(own), KEPT | OWNED)
        } else {
            self.replace_lent(own);
            (None, KEPT)
        };
        // Until one is kept only a thread that keeps one writes here.
        let counts = self.counts.load(Ordering::Relaxed);
        let held = (counts | flags) + ONE_CLONE + ONE;
        let is_first = counts & KEPT == 0
            && self.counts.compare_exchange(counts, held, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if is_first {
            // `first` is it, as it lies.
            std::mem::forget(own);
        }
        is_first
    }

    /// Keeps the clone of an executor that lends another kind of waker than its clones are.
    #[cold]
    #[expect(unsafe_code, reason = "the replacement is published through a pointer")]
    fn replace_lent(&self, own: Waker) {
        let fresh = Box::into_raw(Box::new(Mutex::new(own)));
        let null = std::ptr::null_mut();
        if self.replacement.compare_exchange(null, fresh, Ordering::Release, Ordering::Relaxed).is_err() {
            // SAFETY: it came from `Box::into_raw`, and was never published.
            drop(unsafe { Box::from_raw(fresh) });
        }
    }

    /// One holder less. `true` for the last: the executor's waker is gone then and so is the right to
    /// touch the task's memory through this hold.
    #[inline]
    pub(crate) fn release(&self) -> bool {
        let counts = self.counts.load(Ordering::Acquire);
        if counts & HOLDERS == ONE {
            // Only a holder makes another: this one is alone, and no other thread writes here.
            self.counts.store(counts - ONE, Ordering::Relaxed);
        } else {
            if self.counts.fetch_sub(ONE, Ordering::Release) & HOLDERS != ONE {
                return false;
            }
            // All that others did before they left, as a fence would see; which ThreadSanitizer does not know.
            let _ = self.counts.load(Ordering::Acquire);
        }
        if counts & KEPT != 0 {
            self.clear(counts & OWNED != 0);
        }
        true
    }

    #[expect(unsafe_code, reason = "the wakers are shared without a lock")]
    fn clear(&self, is_owned: bool) {
        if is_owned {
            // SAFETY: the last holder is alone.
            let first = self.first.with_mut_ref(|first| unsafe { (*first).take() });
            drop(first.map(ManuallyDrop::into_inner));
        }
        let replacement = self.replacement.load(Ordering::Acquire);
        if !replacement.is_null() {
            self.replacement.store(std::ptr::null_mut(), Ordering::Relaxed);
            // SAFETY: it came from `Box::into_raw` in `replace`, and the last holder alone can reach it.
            drop(unsafe { Box::from_raw(replacement) });
        }
    }

    /// Holders, and clones ever made modulo 2^32.
    pub(crate) fn counts(&self) -> (u32, u32) {
        let counts = self.counts.load(Ordering::Relaxed);
        ((counts & HOLDERS) as u32, (counts >> 32) as u32)
    }

    /// Wakes counted by [`InnerWaker::count_wake`], one number for each [`By`].
    pub fn wakes(&self) -> [u64; 3] {
        self.wakes.each_ref().map(|wakes| wakes.load(Ordering::Acquire))
    }
}

#[cold]
#[inline(never)]
fn wake_replaced(waker: &Mutex<Waker>) {
    let current = waker.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    current.wake();
}

/// The same two closures over std's cell and loom's, so that loom sees every access.
trait Access<T> {
    fn with_ref<R>(&self, f: impl FnOnce(*const T) -> R) -> R;
    fn with_mut_ref<R>(&self, f: impl FnOnce(*mut T) -> R) -> R;
}

impl<T> Access<T> for UnsafeCell<T> {
    #[inline]
    fn with_ref<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        #[cfg(not(loom))]
        return f(self.get());
        #[cfg(loom)]
        return self.with(f);
    }

    #[inline]
    fn with_mut_ref<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        #[cfg(not(loom))]
        return f(self.get());
        #[cfg(loom)]
        return self.with_mut(f);
    }
}

#[cfg(all(test, loom))]
#[path = "inner/loom.rs"]
mod loom_models;
