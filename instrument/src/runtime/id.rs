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

/// What makes the number itself of an id.
#[derive(Default)]
struct AsNumber(u64);

impl Hasher for AsNumber {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |number, byte| number << 8 | u64::from(*byte));
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A task's or a runtime's id as the number that it is: from 1, dense and never used twice.
#[inline]
pub(crate) fn number(id: impl Hash) -> u64 {
    let mut hasher = AsNumber::default();
    id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_tasks_are_their_own_and_small() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut numbers: Vec<_> = (0..100).map(|_| number(runtime.spawn(async {}).id())).collect();
        assert!(numbers.iter().all(|number| (1..1 << 32).contains(number)), "{numbers:?}");
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 100);
    }
}
