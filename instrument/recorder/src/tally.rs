//! A counter with one writer: plain loads and stores, readable by any thread at any time.

use super::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// See the module. Adding costs a load and a store and needs no lock prefix; two writers would lose
/// counts, so each tally belongs to one thread, or to the thread that polls its task.
#[derive(Debug, Default)]
pub struct Tally(AtomicU64);

impl Tally {
    /// Zero.
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds; only for the one writer.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Adds, after all that the writer wrote before: what [`Tally::acquire`] sees of it comes with that. Only for the
    /// one writer.
    #[inline]
    pub(crate) fn publish(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Release);
    }

    /// The value, with all that was written before it was [published](Tally::publish).
    #[inline]
    pub(crate) fn acquire(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Adds beside other writers that do the same; costs a locked instruction.
    #[inline]
    pub(crate) fn add_shared(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Raises to at least `value`; only for the one writer.
    #[inline]
    pub(crate) fn raise(&self, value: u64) {
        if value > self.0.load(Ordering::Relaxed) {
            self.0.store(value, Ordering::Relaxed);
        }
    }

    /// Sets; only for the one writer.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value as last seen.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A word that one thread at a time writes and any thread may read at any time, in as many bytes as it needs.
macro_rules! note {
    ($($(#[$doc:meta])* $name:ident($atomic:ident, $number:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $name($atomic);

        impl $name {
            /// Sets; only for the one writer.
            #[inline]
            pub(crate) fn set(&self, value: $number) {
                self.0.store(value, Ordering::Relaxed);
            }

            /// The value as last seen.
            #[inline]
            pub fn get(&self) -> $number {
                self.0.load(Ordering::Relaxed)
            }
        }
    )*};
}

note! {
    /// Sixteen bits.
    Note16(AtomicU16, u16);
    /// Thirty-two bits.
    Note32(AtomicU32, u32);
}
