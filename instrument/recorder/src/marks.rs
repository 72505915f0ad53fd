//! What the drain is to look at: one bit for each record of a chunk, set by the thread that wrote to it.
//!
//! The drain takes a word of bits and then reads the records. A writer that finds its bit set leaves it
//! at that, so it may miss a drain that took the bit a moment before: therefore the drain looks at
//! everything it took once more at the next tick. `Word::set` has no such gap.

use super::atomic::{AtomicU64, Ordering};

/// Records per chunk.
pub const CHUNK: usize = 256;
const WORDS: usize = CHUNK / 64;

/// See the module.
pub struct Marks([Word; WORDS]);

/// The marks of 64 records that lie side by side.
pub(crate) struct Word(AtomicU64);

impl Marks {
    /// Nothing to look at.
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Word(AtomicU64::new(0))))
    }

    /// Where a record has its mark.
    pub(crate) fn word(&self, at: u8) -> &Word {
        &self.0[usize::from(at) / 64]
    }

    /// Takes one word's marks, before the records are read. For the drain.
    pub fn take(&self, word: usize) -> u64 {
        let word = &self.0[word].0;
        if word.load(Ordering::Relaxed) == 0 { 0 } else { word.swap(0, Ordering::AcqRel) }
    }
}

impl Word {
    /// Marks a record unless it is marked: mostly one load. What was written just before shows at the
    /// next tick, or at the one after.
    #[inline]
    pub(crate) fn note(&self, at: u8) {
        if self.0.load(Ordering::Relaxed) & bit(at) == 0 {
            self.set(at);
        }
    }

    /// Marks a record in any case: either the drain takes it after this, or it has seen all that was
    /// written before.
    #[inline]
    pub(crate) fn set(&self, at: u8) {
        self.0.fetch_or(bit(at), Ordering::AcqRel);
    }
}

#[inline]
fn bit(at: u8) -> u64 {
    1 << (at % 64)
}

#[cfg(all(test, loom))]
#[path = "marks/loom.rs"]
mod loom_models;
