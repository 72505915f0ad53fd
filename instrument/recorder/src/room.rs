//! Room for something that is made on first use, in one word; finding it again is one load. Unlike a
//! `OnceLock` it has no state beside the pointer, and the thread that loses the race drops its value.

use std::sync::atomic::{AtomicPtr, Ordering};

/// See the module.
pub struct Room<T: Send + Sync>(AtomicPtr<T>);

impl<T: Send + Sync> Room<T> {
    /// Nothing yet.
    pub const fn empty() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// What is in it, if it was made.
    #[inline]
    #[expect(unsafe_code, reason = "a pointer that is set once")]
    pub fn get(&self) -> Option<&T> {
        // SAFETY: null, or from `Box::into_raw` in `make` and owned by this room until its end.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// What is in it, made now if it was not.
    #[inline]
    pub fn get_or_make(&self, make: fn() -> Box<T>) -> &T {
        match self.get() {
            Some(made) => made,
            None => self.make(make, |_| {}),
        }
    }

    /// The same; the thread whose value is kept calls `then` with it, once.
    pub(crate) fn get_or_make_then(&self, make: fn() -> Box<T>, then: impl FnOnce(&T)) -> &T {
        match self.get() {
            Some(made) => made,
            None => self.make(make, then),
        }
    }

    #[cold]
    #[inline(never)]
    #[expect(unsafe_code, reason = "a pointer that is set once")]
    fn make(&self, make: fn() -> Box<T>, then: impl FnOnce(&T)) -> &T {
        let made = Box::into_raw(make());
        let set = self.0.compare_exchange(std::ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire);
        let kept = match set {
            Ok(_) => {
                // SAFETY: from `Box::into_raw`, and owned by this room until its end.
                then(unsafe { &*made });
                made
            }
            Err(first) => {
                // SAFETY: this one was never published.
                drop(unsafe { Box::from_raw(made) });
                first
            }
        };
        // SAFETY: from `Box::into_raw`, here or in another call, and owned by this room until its end.
        unsafe { &*kept }
    }
}

impl<T: Send + Sync> Default for Room<T> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<T: Send + Sync> Drop for Room<T> {
    fn drop(&mut self) {
        let made = *self.0.get_mut();
        if !made.is_null() {
            #[expect(unsafe_code, reason = "a pointer that is set once")]
            // SAFETY: from `Box::into_raw` in `make`, and `&mut self` shows that no reference is left.
            drop(unsafe { Box::from_raw(made) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_first_makes_it_for_all() {
        let room = Room::<u64>::empty();
        assert!(room.get().is_none());
        let make: fn() -> Box<u64> = || Box::new(7);
        let seen: Vec<usize> = std::thread::scope(|scope| {
            let threads = [(); 4].map(|()| {
                scope.spawn(|| {
                    let made = room.get_or_make(make);
                    assert_eq!(*made, 7);
                    std::ptr::from_ref(made) as usize
                })
            });
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert!(seen.iter().all(|at| *at == seen[0]));
    }
}
