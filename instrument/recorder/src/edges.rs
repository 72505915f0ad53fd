//! Who wakes whom, as one thread sees it: wakes per pair of spawn sites, in a table of fixed size that
//! its thread writes with plain stores and the drain reads.
//!
//! A pair keeps its place for good, so that finding it again is one multiplication and mostly one
//! comparison. How often a site was woken is the sum of its edges, which the drain makes; a pair that finds no
//! place is in no edge, and the waking thread counts it at the site.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};

use pollscope_model::entity::edge::Waker;
use pollscope_model::id::SiteId;

use super::room::Room;
use super::tally::Tally;

const PLACES: usize = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 10;
/// Places that a pair may take; more would make every wake of a full table slow.
const TRIES: usize = 8;

/// Who wakes, in 32 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct From(u32);

impl From {
    pub(crate) const RUNTIME: Self = Self(0);
    pub(crate) const OTHER_THREAD: Self = Self(1);

    /// A task of that site.
    #[inline]
    pub(crate) fn site(site: u32) -> Self {
        Self(site + 2)
    }
}

/// See the module. What every wake looks at comes first. Takes no memory before the thread's first poll or wake, and
/// 26 KiB from then on.
#[derive(Default)]
#[repr(C)]
pub struct Edges {
    places: Room<[Place; PLACES]>,
    index: Room<Index>,
    is_closed: AtomicBool,
}

/// What a wake does not need that finds its pair. Slices, since an array would be built on the stack, which may be
/// small.
struct Index {
    /// Index of each pair's place plus one, in the order of their coming: what the drain walks.
    order: Box<[AtomicU16]>,
    taken: AtomicU16,
    /// The drain's own: each place's count at its last visit.
    seen: Box<[Tally]>,
}

#[derive(Default)]
struct Place {
    /// `(to + 1) << 32 | from`; 0 for none.
    pair: AtomicU64,
    count: Tally,
}

impl Edges {
    /// Counts a wake of a task of site `to`; `false` if the pair found no place. For the thread that these edges
    /// belong to.
    #[inline]
    #[must_use]
    pub(crate) fn add(&self, from: From, to: u32) -> bool {
        let Some(places) = self.places.get() else { return self.add_first(from, to) };
        let pair = (u64::from(to) + 1) << 32 | u64::from(from.0);
        let at = first_place(pair);
        let place = &places[at];
        if place.pair.load(Ordering::Relaxed) == pair {
            place.count.add(1);
            true
        } else {
            self.add_elsewhere(places, pair, at)
        }
    }

    /// No pair finds a place from now on. For a thread whose wakes are in no total, before its first.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    #[cold]
    fn add_first(&self, from: From, to: u32) -> bool {
        self.allocate();
        !self.is_closed.load(Ordering::Relaxed) && self.add(from, to)
    }

    /// Allocates what wakes need, so that none does inside of a poll. For the thread that these edges belong to.
    pub(crate) fn allocate(&self) {
        if !self.is_closed.load(Ordering::Relaxed) {
            self.places.get_or_make(|| array(zeros()));
            self.index.get_or_make(|| Box::new(Index::new()));
        }
    }

    /// Pairs that have a place.
    pub(crate) fn pairs(&self) -> usize {
        self.index.get().map_or(0, |index| index.taken.load(Ordering::Relaxed).into())
    }

    /// Each pair with how often it was seen so far, and how often up to the drain's last visit.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Waker, SiteId, u64, u64)> {
        self.taken().map(|(seen, place)| {
            let (from, to) = place.ends();
            (from, to, place.count.get(), seen.get())
        })
    }

    /// How often each pair was seen so far. For the books of sessions, beside the drain.
    #[cfg(any(feature = "check", test))]
    pub fn totals(&self) -> impl Iterator<Item = (Waker, SiteId, u64)> {
        self.taken().map(|(_, place)| {
            let (from, to) = place.ends();
            (from, to, place.count.get())
        })
    }

    /// How often each pair was seen since the last call, or so far if it is the `first` of a drain;
    /// those that were not are left out. For the drain.
    pub(crate) fn changes(&self, first: bool) -> impl Iterator<Item = (Waker, SiteId, u64)> {
        self.taken().filter_map(move |(seen, place)| {
            let count = place.count.get();
            let before = if first { 0 } else { seen.get() };
            seen.set(count);
            let (from, to) = place.ends();
            (count > before).then(|| (from, to, count - before))
        })
    }

    /// The places that are taken, in the order of their coming, each with its count at the drain's last visit.
    fn taken(&self) -> impl Iterator<Item = (&Tally, &Place)> {
        self.index.get().zip(self.places.get()).into_iter().flat_map(|(index, places)| {
            let taken = index.taken.load(Ordering::Relaxed) as usize;
            index.order.iter().take(taken).filter_map(|at| {
                // 0 while the thread is about to say where it put the pair.
                let at = at.load(Ordering::Acquire).checked_sub(1)? as usize;
                Some((&index.seen[at], &places[at]))
            })
        })
    }

    #[cold]
    fn add_elsewhere(&self, places: &[Place; PLACES], pair: u64, first: usize) -> bool {
        for at in (first..first + TRIES).map(|at| at % PLACES) {
            let place = &places[at];
            let mut there = place.pair.load(Ordering::Relaxed);
            if there == 0 {
                // Threads that are ending share one table, so that two may want one place.
                match place.pair.compare_exchange(0, pair, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => {
                        let index = self.index.get_or_make(|| Box::new(Index::new()));
                        let nth = index.taken.fetch_add(1, Ordering::Relaxed) as usize;
                        index.order[nth].store(at as u16 + 1, Ordering::Release);
                        there = pair;
                    }
                    Err(other) => there = other,
                }
            }
            if there == pair {
                place.count.add(1);
                return true;
            }
        }
        false
    }
}

impl Place {
    /// Of a place that is taken.
    fn ends(&self) -> (Waker, SiteId) {
        let pair = self.pair.load(Ordering::Relaxed);
        let from = match pair as u32 {
            0 => Waker::Runtime,
            1 => Waker::OtherThread,
            site => Waker::Site(SiteId(site - 2)),
        };
        (from, SiteId((pair >> 32) as u32 - 1))
    }
}

impl Index {
    fn new() -> Self {
        Self { order: zeros(), taken: AtomicU16::new(0), seen: zeros() }
    }
}

/// The same memory; as a slice of another length it would be a fault of this file.
#[expect(clippy::unnecessary_box_returns, reason = "too large for the stack of any thread")]
fn array<T>(slice: Box<[T]>) -> Box<[T; PLACES]> {
    slice.try_into().unwrap_or_else(|_| unreachable!("as many as places"))
}

fn zeros<T: Default>() -> Box<[T]> {
    std::iter::repeat_with(T::default).take(PLACES).collect()
}

/// 2^64 divided by the golden ratio: neighbours land far apart.
#[inline]
fn first_place(pair: u64) -> usize {
    (pair.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACE_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn every_pair_that_has_a_place_is_counted_to_the_last_wake() {
        let edges = Edges::default();
        assert_eq!(edges.changes(true).count(), 0);
        let froms = [From::RUNTIME, From::OTHER_THREAD, From::site(0), From::site(65_535)];
        for (nth, from) in froms.into_iter().enumerate() {
            for to in 0..50 {
                (0..=nth).for_each(|_| assert!(edges.add(from, to)));
            }
        }
        let seen: HashMap<_, _> = edges.changes(true).map(|(from, to, count)| ((from, to), count)).collect();
        assert_eq!(seen.len(), 200);
        for to in (0..50).map(SiteId) {
            assert_eq!(seen[&(Waker::Runtime, to)], 1);
            assert_eq!(seen[&(Waker::OtherThread, to)], 2);
            assert_eq!(seen[&(Waker::Site(SiteId(0)), to)], 3);
            assert_eq!(seen[&(Waker::Site(SiteId(65_535)), to)], 4);
        }
        assert!(edges.add(From::RUNTIME, 3));
        let changes: Vec<_> = edges.changes(false).collect();
        assert_eq!(changes, [(Waker::Runtime, SiteId(3), 1)]);
        assert_eq!(edges.changes(true).map(|(_, _, count)| count).sum::<u64>(), 501);
    }

    #[test]
    fn a_full_table_keeps_the_pairs_that_it_has() {
        let edges = Edges::default();
        assert!(edges.add(From::site(1), 1));
        let refused = (0..10_000).filter(|to| !edges.add(From::site(7), *to)).count();
        assert!(edges.add(From::site(1), 1));
        let seen: Vec<_> = edges.changes(true).collect();
        assert!(seen.len() <= PLACES && seen.len() > PLACES / 2, "{}", seen.len());
        assert_eq!(seen[0], (Waker::Site(SiteId(1)), SiteId(1), 2));
        assert!(seen[1..].iter().all(|(_, _, count)| *count == 1));
        assert_eq!(seen.len() - 1 + refused, 10_000);
    }
}
