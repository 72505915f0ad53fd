//! A ring of events of a fixed size: one thread writes over the oldest, the drain copies what is new
//! and throws away what may have been written over meanwhile. Neither ever waits for the other.

use super::atomic::{AtomicU64, Ordering, fence};

/// One event, as the ring sees it.
pub(crate) type Words = [u64; 3];

/// See the module.
pub(crate) struct Ring {
    /// Events ever written.
    head: AtomicU64,
    /// A power of two of them.
    slots: Box<[Slot]>,
}

#[repr(transparent)]
struct Slot([AtomicU64; 3]);

impl Ring {
    /// An empty ring for `1 << log2` events. Its memory is the system's until it is written.
    #[cfg(not(loom))]
    pub(crate) fn new(log2: u32) -> Self {
        let words = vec![0_u64; 3 << log2].into_boxed_slice();
        let length = words.len() / 3;
        let words = Box::into_raw(words).cast::<Slot>();
        #[expect(unsafe_code, reason = "zeroed memory that nobody touches costs nothing")]
        // SAFETY: three words have the size and alignment of a `Slot`, any bits are one, and the
        // allocation is `length` of them long.
        let slots = unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(words, length)) };
        Self { head: AtomicU64::new(0), slots }
    }

    #[cfg(loom)]
    fn new(log2: u32) -> Self {
        let slots = (0..1 << log2).map(|_| Slot(std::array::from_fn(|_| AtomicU64::new(0)))).collect();
        Self { head: AtomicU64::new(0), slots }
    }

    /// Writes an event over the oldest. For the one thread that owns the ring at this time.
    #[inline]
    pub(crate) fn push(&self, words: Words) {
        let head = self.head.load(Ordering::Relaxed);
        let slot = &self.slots[head as usize & (self.slots.len() - 1)];
        // A reader that sees any of the words below also sees the head of now, by which it knows that
        // the slot is being written over.
        fence(Ordering::Release);
        for (place, word) in slot.0.iter().zip(words) {
            place.store(word, Ordering::Relaxed);
        }
        self.head.store(head + 1, Ordering::Release);
    }

    /// Events ever written.
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Events that it holds at most.
    pub(crate) fn room(&self) -> u64 {
        self.slots.len() as u64
    }

    /// The events from number `from` on, at most the newest `most`, with the number of the first of
    /// them. Any thread may call it.
    pub(crate) fn read(&self, from: u64, most: u64) -> (u64, Vec<Words>) {
        let room = self.slots.len() as u64;
        let head = self.head();
        let first = from.max(head.saturating_sub(most.min(room))).min(head);
        let mut events: Vec<Words> = (first..head)
            .map(|number| {
                let slot = &self.slots[number as usize & (self.slots.len() - 1)];
                std::array::from_fn(|at| slot.0[at].load(Ordering::Relaxed))
            })
            .collect();
        fence(Ordering::Acquire);
        // The event after the head may be on its way into the slot of the one a whole ring before it.
        let oldest = (self.head.load(Ordering::Relaxed) + 1).saturating_sub(room);
        let spoilt = oldest.saturating_sub(first).min(events.len() as u64);
        events.drain(..spoilt as usize);
        (first + spoilt, events)
    }
}

#[cfg(all(test, loom))]
#[path = "ring/loom.rs"]
mod loom_models;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_there_and_the_numbers_tell_what_is_not() {
        let ring = Ring::new(3);
        assert_eq!(ring.read(0, 100), (0, vec![]));
        (0..5).for_each(|n| ring.push([n, n, n]));
        assert_eq!(ring.read(2, 100), (2, vec![[2; 3], [3; 3], [4; 3]]));
        assert_eq!(ring.read(0, 2), (3, vec![[3; 3], [4; 3]]));
        assert_eq!(ring.read(9, 100), (5, vec![]), "a reader that is ahead waits");
        (5..21).for_each(|n| ring.push([n, n, n]));
        // One less than its room: the oldest may be being written over.
        assert_eq!(ring.read(5, 100), (14, (14..21).map(|n| [n; 3]).collect()));
    }

    #[test]
    fn whatever_is_read_beside_a_writer_is_whole_and_in_order() {
        let ring = Ring::new(6);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (0..200_000_u64).for_each(|n| ring.push([n, !n, n ^ 0x5555])));
            let (mut next, mut missed, mut seen) = (0, 0, 0);
            while next < 200_000 {
                let ended = writer.is_finished();
                let (first, events) = ring.read(next, u64::MAX);
                missed += first - next;
                for (n, words) in (first..).zip(&events) {
                    assert_eq!(*words, [n, !n, n ^ 0x5555]);
                }
                seen += events.len() as u64;
                next = first + events.len() as u64;
                assert!(!ended || next == 200_000, "{next}");
            }
            assert_eq!(missed + seen, 200_000);
        });
    }
}
