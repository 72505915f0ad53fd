//! Tokio's ids as numbers: they are opaque, but dense, and a hasher may look inside.

use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Builds hashers for maps keyed by tokio's ids.
pub(crate) type BuildIdHasher = BuildHasherDefault<IdHasher>;

/// Spreads a dense number over the whole word, in one multiplication.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0.rotate_left(8) ^ u64::from(*byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        // 2^64 divided by the golden ratio: neighbours land far apart.
        self.0 = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The hash of a task's or a runtime's id: distinct for distinct ids, never 0, and well spread in its upper bits.
#[inline]
pub(crate) fn hash(id: impl Hash) -> u64 {
    let mut hasher = IdHasher::default();
    id.hash(&mut hasher);
    hasher.finish()
}
