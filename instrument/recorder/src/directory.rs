//! Which record is whose, by a number that is never used twice: a table of fixed size in which a task is put down
//! when it is spawned and struck off when it is over, each with one locked instruction and no lock.
//!
//! A number has one place; a task whose place is taken by another is put down elsewhere by the caller. Not a map for
//! everything, therefore; and nothing here waits for long: only a look-up holds a place, for as long as it takes to
//! claim the record, and it seldom meets the removal of the same record. A thread that meets a holder which has lost its
//! CPU sleeps between its tries, so that the holder can run: under real-time scheduling a thread that spins
//! would keep a holder of lower priority from the CPU for ever.

use std::time::Duration;

use super::atomic::{AtomicPtr, AtomicU64, Ordering, spin_loop};

/// The place is free.
const FREE: u64 = 0;
/// A thread holds the place. Numbers are below it.
const HELD: u64 = 1 << 63;

/// Tries before a thread sleeps: a holder that runs is gone after a few.
const SPINS: u32 = 256;
/// The first sleep and the longest, each twice as long as the one before.
const SLEEPS: [Duration; 2] = [Duration::from_micros(20), Duration::from_millis(1)];

/// Waits for the holder of a place.
struct Wait {
    spins: u32,
    sleep: Duration,
}

impl Wait {
    fn new() -> Self {
        Self { spins: 0, sleep: SLEEPS[0] }
    }

    /// Between two tries.
    #[cold]
    fn pause(&mut self) {
        // A model has no time, and its spinning lets the others go on.
        if cfg!(loom) || self.spins < SPINS {
            self.spins += 1;
            spin_loop();
        } else {
            std::thread::sleep(self.sleep);
            self.sleep = (self.sleep * 2).min(SLEEPS[1]);
        }
    }
}

/// See the module.
pub struct Directory<T: 'static, const PLACES: usize> {
    places: [Place<T>; PLACES],
}

struct Place<T> {
    number: AtomicU64,
    record: AtomicPtr<T>,
}

impl<T> Place<T> {
    #[cfg(not(loom))]
    const fn free() -> Self {
        Self { number: AtomicU64::new(FREE), record: AtomicPtr::new(std::ptr::null_mut()) }
    }
}

impl<T: Sync + 'static, const PLACES: usize> Directory<T, PLACES> {
    /// Empty. Where zeroes come from the operating system, what is not used takes no memory.
    #[cfg(not(loom))]
    #[expect(clippy::new_without_default, reason = "only statics hold one")]
    pub const fn new() -> Self {
        Self { places: [const { Place::free() }; PLACES] }
    }

    fn place(&self, number: u64) -> &Place<T> {
        &self.places[number as usize % PLACES]
    }

    /// Puts a record down under a number from 1 that no other task uses; `false` if its place is taken.
    #[inline]
    #[must_use]
    pub fn insert(&self, number: u64, record: &'static T) -> bool {
        let place = self.place(number);
        if place.number.load(Ordering::Relaxed) != FREE
            || place.number.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            return false;
        }
        place.record.store(std::ptr::from_ref(record).cast_mut(), Ordering::Relaxed);
        place.number.store(number, Ordering::Release);
        true
    }

    /// Strikes a number off; what it stood for is the caller's.
    #[inline]
    pub fn remove(&self, number: u64) -> Option<&'static T> {
        let place = self.place(number);
        let mut wait = Wait::new();
        while place.number.load(Ordering::Acquire) & !HELD == number {
            let record = place.record.load(Ordering::Relaxed);
            if place.number.compare_exchange(number, FREE, Ordering::Release, Ordering::Relaxed).is_ok() {
                return of(record);
            }
            wait.pause();
        }
        None
    }

    /// What a number stands for. It is not struck off before `claim` has returned, which takes no longer than a claim
    /// does.
    pub fn find(&self, number: u64, claim: impl FnOnce(&'static T)) -> Option<&'static T> {
        let place = self.place(number);
        let mut wait = Wait::new();
        while place.number.load(Ordering::Relaxed) & !HELD == number {
            let held = number | HELD;
            if place.number.compare_exchange(number, held, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                let record = of(place.record.load(Ordering::Relaxed));
                record.map(claim);
                place.number.store(number, Ordering::Release);
                return record;
            }
            wait.pause();
        }
        None
    }
}

#[inline]
#[expect(unsafe_code, reason = "the room of a reference that a plain store can replace")]
fn of<T: Sync>(record: *const T) -> Option<&'static T> {
    // SAFETY: null, or a `&'static T` that `insert` stored.
    unsafe { record.as_ref() }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
#[path = "directory/loom.rs"]
mod loom_models;
