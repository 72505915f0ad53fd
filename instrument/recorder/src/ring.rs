//! A ring of events of a fixed size: one thread writes over the oldest, the drain copies what is new
//! and throws away what may have been written over meanwhile. Neither ever waits for the other.

use super::atomic::{AtomicU64, Ordering, fence};

/// One event, as the ring sees it.
pub(crate) type Words = [u64; 3];

/// See the module.
pub struct Ring {
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
        #[expect(unsafe_code, reason = "zeroed memory that is never touched costs nothing")]
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

    /// Gives the whole pages of its memory back to the system, which fills them with zeros when they are touched
    /// next; how many bytes that were. What was written up to now is gone, and an event that is being written may
    /// be. For a ring that is read from a later number on.
    #[cfg(all(target_os = "linux", not(loom)))]
    #[expect(unsafe_code, reason = "the ring stays, only its memory goes")]
    pub(crate) fn give_back(&self) -> usize {
        let (start, length) = self.pages();
        if length == 0 {
            return 0;
        }
        // SAFETY: the pages lie inside of `slots`, which lives as long as `self`; their bytes are atomics, of which
        // any bits are valid, so that zeros beside a writer are one more store. Where the system refuses (locked
        // memory) nothing changes.
        let refused = unsafe { libc::madvise(start, length, libc::MADV_DONTNEED) };
        if refused == 0 { length } else { 0 }
    }

    /// Elsewhere it keeps its memory.
    #[cfg(not(all(target_os = "linux", not(loom))))]
    pub(crate) fn give_back(&self) -> usize {
        0
    }

    /// The whole pages between its first slot and its last.
    #[cfg(all(target_os = "linux", not(loom)))]
    fn pages(&self) -> (*mut libc::c_void, usize) {
        let page = rustix::param::page_size();
        let slots = self.slots.as_ptr_range();
        let start = (slots.start as usize).next_multiple_of(page);
        let end = slots.end as usize / page * page;
        (start as *mut libc::c_void, end.saturating_sub(start))
    }

    /// How many of its whole pages have memory, and how many there are.
    #[cfg(all(any(test, feature = "testkit"), target_os = "linux", not(loom)))]
    #[expect(unsafe_code, reason = "the system is asked for pages of the ring")]
    pub fn resident(&self) -> (usize, usize) {
        let (start, length) = self.pages();
        let mut pages = vec![0_u8; length / rustix::param::page_size()];
        // SAFETY: the range is mapped while `self` lives, and `pages` has a byte for each page of it.
        let refused = unsafe { libc::mincore(start, length, pages.as_mut_ptr()) };
        assert_eq!(refused, 0, "the pages are known");
        (pages.iter().filter(|page| **page & 1 == 1).count(), pages.len())
    }

    /// Events ever written.
    pub fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Events that it holds at most.
    pub fn room(&self) -> u64 {
        self.slots.len() as u64
    }

    /// The events from number `from` on, at most the newest `most`, with the number of the first of
    /// them. Any thread may call it.
    pub fn read(&self, from: u64, most: u64) -> (u64, Vec<Words>) {
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
    #[cfg(target_os = "linux")]
    fn memory_that_goes_back_beside_a_writer_takes_no_event_that_comes_after() {
        let ring = Ring::new(12);
        let push = |n| ring.push([n, !n, n ^ 0x5555]);
        (0..5_000).for_each(push);
        let (resident, all) = ring.resident();
        // The system may have swapped some out.
        assert!(resident > 0);
        assert_eq!(ring.give_back(), all * rustix::param::page_size());
        assert_eq!(ring.resident().0, 0);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (5_000..200_000).for_each(push));
            while !writer.is_finished() {
                ring.give_back();
            }
        });
        ring.give_back();
        assert_eq!(ring.head(), 200_000, "numbers go on");
        (200_000..204_000).for_each(push);
        assert_eq!(
            ring.read(200_000, u64::MAX).1,
            (200_000..204_000).map(|n| [n, !n, n ^ 0x5555]).collect::<Vec<_>>()
        );
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
