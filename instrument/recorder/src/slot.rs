//! The one request that may be open, and the place for its answer, between the thread that asks and the
//! signal handler of the thread that is asked.
//!
//! The answering thread does a compare-and-swap and plain writes: nothing that a signal handler may not do. A
//! request that is withdrawn can no longer be answered, however late the signal comes; one whose answer has
//! begun when the asker loses patience keeps the slot until it is written, and it is never read half-written.

use crate::atomic::{AtomicU64, Ordering, UnsafeCell};

/// The phases, in the high half of the word; the asked thread's id is in the low half.
const FREE: u64 = 0;
const ASKED: u64 = 1 << 32;
const ANSWERING: u64 = 2 << 32;
const ANSWERED: u64 = 3 << 32;
const READING: u64 = 4 << 32;
const PHASE: u64 = !0 << 32;

/// See the module.
pub struct Slot<T> {
    word: AtomicU64,
    answer: UnsafeCell<T>,
}

#[expect(unsafe_code, reason = "the answer is handed over by the word's phase")]
// SAFETY: `answer` is reached only in the phases ANSWERING and READING. Each is entered by a
// compare-and-swap (acquire) that one thread wins, and left by a store (release) of that same thread.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    /// No request; `room` is what answers are written into.
    pub fn new(room: T) -> Self {
        Self { word: AtomicU64::new(FREE), answer: UnsafeCell::new(room) }
    }

    /// Opens a request to a thread. `false` while an earlier one is not done with: then nothing changed.
    pub fn ask(&self, tid: u32) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        // An answer that came after its asker had gone is written over.
        let vacant = word == FREE || word & PHASE == ANSWERED;
        vacant && self.pass(word, ASKED | u64::from(tid))
    }

    /// Takes the request back. `false` if its answer has begun, or is there already.
    pub fn withdraw(&self, tid: u32) -> bool {
        self.pass(ASKED | u64::from(tid), FREE)
    }

    /// Answers the request if there is one to this thread. For the signal handler.
    #[expect(unsafe_code, reason = "the answer is handed over by the word's phase")]
    pub fn answer(&self, tid: u32, write: impl FnOnce(&mut T)) {
        let tid = u64::from(tid);
        if self.pass(ASKED | tid, ANSWERING | tid) {
            // SAFETY: this thread entered ANSWERING; see `Sync`.
            self.with_answer(|answer| write(unsafe { &mut *answer }));
            self.word.store(ANSWERED | tid, Ordering::Release);
        }
    }

    /// Reads the answer and frees the slot; `None` while there is none of this thread.
    #[expect(unsafe_code, reason = "the answer is handed over by the word's phase")]
    pub fn collect<R>(&self, tid: u32, read: impl FnOnce(&T) -> R) -> Option<R> {
        let tid = u64::from(tid);
        if !self.pass(ANSWERED | tid, READING | tid) {
            return None;
        }
        // SAFETY: this thread entered READING; see `Sync`.
        let result = self.with_answer(|answer| read(unsafe { &*answer }));
        self.word.store(FREE, Ordering::Release);
        Some(result)
    }

    fn pass(&self, from: u64, to: u64) -> bool {
        self.word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn with_answer<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        #[cfg(not(loom))]
        return f(self.answer.get());
        #[cfg(loom)]
        return self.answer.with_mut(f);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_the_asked_thread_answers_and_only_once() {
        let slot = Slot::new(0);
        slot.answer(7, |_| panic!("not asked"));
        assert!(slot.ask(7) && !slot.ask(8), "one request at a time");
        slot.answer(8, |_| panic!("another thread was asked"));
        assert_eq!(slot.collect(7, |_| ()), None);
        slot.answer(7, |room| *room = 70);
        slot.answer(7, |_| panic!("answered already"));
        assert!(!slot.withdraw(7));
        assert_eq!(slot.collect(8, |_| ()), None);
        assert_eq!(slot.collect(7, |room| *room), Some(70));
        assert_eq!(slot.collect(7, |_| ()), None);
    }

    #[test]
    fn a_late_answer_is_nobodys() {
        let slot = Slot::new(0);
        assert!(slot.ask(7) && slot.withdraw(7));
        slot.answer(7, |_| panic!("withdrawn"));

        // Its asker had gone when this one was written; the next request takes the slot over.
        assert!(slot.ask(7));
        slot.answer(7, |room| *room = 70);
        assert!(slot.ask(8));
        assert_eq!(slot.collect(8, |room| *room), None);
        slot.answer(8, |room| *room = 80);
        assert_eq!(slot.collect(8, |room| *room), Some(80));
    }
}

#[cfg(all(test, loom))]
#[path = "slot/loom.rs"]
mod loom_models;
