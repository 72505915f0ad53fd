//! What a thread leaves for the drain, in order: the thread never waits, and the drain takes all there is
//! at once. For what is too rare and too large for a ring of words; each letter is an allocation.
//!
//! How many letters may lie here is for the thread to say: it knows how many it wrote, and the drain
//! tells how many it took.

use std::ptr;

use super::atomic::{AtomicPtr, Ordering};

/// See the module.
pub(crate) struct Mailbox<T> {
    /// The newest.
    last: AtomicPtr<Letter<T>>,
}

struct Letter<T> {
    content: T,
    /// The one before.
    before: *mut Letter<T>,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self { last: AtomicPtr::new(ptr::null_mut()) }
    }
}

impl<T> Mailbox<T> {
    /// Leaves a letter. Several threads may.
    pub(crate) fn leave(&self, content: T) {
        let mut before = self.last.load(Ordering::Relaxed);
        let letter = Box::into_raw(Box::new(Letter { content, before }));
        // Fails when the drain took everything just now, or another thread left one.
        while let Err(now) =
            self.last.compare_exchange_weak(before, letter, Ordering::Release, Ordering::Relaxed)
        {
            before = now;
            #[expect(unsafe_code, reason = "the letter is behind a pointer already")]
            // SAFETY: it came from a box above, and is not published before the exchange succeeds.
            unsafe {
                (*letter).before = before;
            }
        }
    }

    /// Takes all letters, the oldest first. Any thread may call it.
    pub(crate) fn take(&self) -> Vec<T> {
        let mut next = self.last.swap(ptr::null_mut(), Ordering::Acquire);
        let mut letters = Vec::new();
        while !next.is_null() {
            #[expect(unsafe_code, reason = "letters are boxes that hang on a word")]
            // SAFETY: every pointer in the chain came from a box in `leave`, whose writing was released by
            // the exchange that hung it here (the later exchanges continue its release sequence). The swap
            // took the chain off, so that this thread alone owns it; each letter is seen once.
            let letter = unsafe { Box::from_raw(next) };
            next = letter.before;
            letters.push(letter.content);
        }
        letters.reverse();
        letters
    }
}

impl<T> Drop for Mailbox<T> {
    fn drop(&mut self) {
        self.take();
    }
}

#[expect(unsafe_code, reason = "the pointers stand for boxes that are handed over whole")]
// SAFETY: a letter is reached by its writer until the exchange, and by its taker after the swap; never by two.
unsafe impl<T: Send> Sync for Mailbox<T> {}
#[expect(unsafe_code, reason = "the pointers stand for boxes that are handed over whole")]
// SAFETY: as above.
unsafe impl<T: Send> Send for Mailbox<T> {}

#[cfg(all(test, loom))]
#[path = "mailbox/loom.rs"]
mod loom_models;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn letters_come_in_order_and_once() {
        let mailbox = Mailbox::default();
        assert!(mailbox.take().is_empty());
        (0..5).for_each(|n| mailbox.leave(n));
        assert_eq!(mailbox.take(), [0, 1, 2, 3, 4]);
        mailbox.leave(5);
        assert_eq!(mailbox.take(), [5]);
        // What is never taken is freed with it.
        mailbox.leave(6);
    }

    #[test]
    fn nothing_is_lost_beside_a_reader() {
        const LETTERS: u32 = if cfg!(miri) { 200 } else { 50_000 };
        let mailbox = Mailbox::default();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (0..LETTERS).for_each(|n| mailbox.leave(n)));
            let mut seen = 0;
            while seen < LETTERS {
                let ended = writer.is_finished();
                for n in mailbox.take() {
                    assert_eq!(n, seen);
                    seen += 1;
                }
                assert!(!ended || seen == LETTERS, "{seen}");
            }
        });
    }
}
