//! An exponential histogram with one writer, which is the thread that polls, and the drain as its reader.
//!
//! The value that came last waits outside of its bucket until the next one comes. A poll's time is known
//! only at its very end, and a store to a place that depends on it would hold up what the executor does
//! next; with the value of the poll before, everything is at hand. The reader adds the value that waits.
//!
//! **Exact.** The writer, in this order: the bucket of the value that waited, the one that waits now, the
//! count. So the buckets hold as many as the count says, or one less: with one less, the one that waits
//! belongs to them; with as many, it is there already, or its count is still to come.

use pollscope_model::hist::{BUCKETS, Hist, bucket_of};

use super::atomic::{AtomicU64, Ordering, fence, spin_loop};
use super::room::Room;

/// Four powers of two: what one site's polls usually fall into.
#[cfg(not(loom))]
const CHUNK: usize = 64;
/// A model checker tries each load.
#[cfg(loom)]
const CHUNK: usize = 1;
const CHUNKS: usize = BUCKETS.div_ceil(CHUNK);

/// How often the reader looks before it does without the value that waits: a histogram that several
/// threads write, while they end, may never add up. With one writer every other look or so succeeds.
const TRIES: u32 = 256;

/// It shares no cache line with another thread's.
#[repr(align(64))]
struct Chunk([AtomicU64; CHUNK]);

/// See the module. Values below 65 µs need one line of it, beside their bucket's.
#[repr(C, align(64))]
pub struct HistShard {
    count: AtomicU64,
    sum: AtomicU64,
    max: AtomicU64,
    /// The last value, while the count is not 0.
    waits: AtomicU64,
    chunks: [Room<Chunk>; CHUNKS],
}

impl Default for HistShard {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        let chunks = std::array::from_fn(|_| Room::empty());
        Self { count: zero(), sum: zero(), max: zero(), waits: zero(), chunks }
    }
}

impl HistShard {
    /// Counts one value; allocates 512 bytes when the one before is the first of its four powers of two, and says
    /// whether it did. Only for the one writer.
    #[inline]
    pub fn record(&self, value: u64) -> bool {
        let count = self.count.load(Ordering::Relaxed);
        let mut has_allocated = false;
        // A reader that sees the bucket sees the count of before.
        fence(Ordering::Release);
        if count != 0 {
            let (bucket, is_new) = self.bucket(bucket_of(self.waits.load(Ordering::Relaxed)));
            has_allocated = is_new;
            bucket.store(bucket.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        // A reader that sees the value sees its bucket, and one that sees the count sees both.
        self.waits.store(value, Ordering::Release);
        self.sum.store(self.sum.load(Ordering::Relaxed).wrapping_add(value), Ordering::Relaxed);
        if value > self.max.load(Ordering::Relaxed) {
            self.max.store(value, Ordering::Relaxed);
        }
        self.count.store(count + 1, Ordering::Release);
        has_allocated
    }

    /// Values so far.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Adds all of a share that no thread writes any more. Only for the one writer, while no thread reads: between two
    /// of its stores it does not add up.
    #[cfg(not(loom))]
    pub(crate) fn fold(&self, ended: &Self) {
        let mut all = Hist::new();
        ended.add_to(&mut all);
        for (at, n) in all.buckets() {
            let (bucket, _) = self.bucket(at);
            bucket.store(bucket.load(Ordering::Relaxed) + n, Ordering::Relaxed);
        }
        self.sum.store(self.sum.load(Ordering::Relaxed).wrapping_add(all.sum()), Ordering::Relaxed);
        self.max.store(self.max.load(Ordering::Relaxed).max(all.max()), Ordering::Relaxed);
        self.count.store(self.count.load(Ordering::Relaxed) + all.count(), Ordering::Relaxed);
    }

    /// Adds this share to a total. For the drain; one load where nothing was counted.
    pub fn add_to(&self, total: &mut Hist) {
        // Every value is counted after it was written, so that one which is missed here shows the next time.
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        for tries in 1.. {
            let count = self.count.load(Ordering::Acquire);
            let waits = self.waits.load(Ordering::Acquire);
            let (shares, inside) = self.buckets();
            fence(Ordering::Acquire);
            let missing = count.wrapping_sub(inside);
            // Else a value came meanwhile, one in some hundred nanoseconds at most.
            let adds_up = missing <= 1 && self.count.load(Ordering::Relaxed) == count;
            if !adds_up && tries < TRIES {
                spin_loop();
                continue;
            }
            for (bucket, n) in shares {
                total.add_bucket(bucket, n);
            }
            if adds_up {
                total.add_bucket(bucket_of(waits), missing);
            }
            break;
        }
        total.add_totals(self.sum.load(Ordering::Relaxed), self.max.load(Ordering::Relaxed));
    }

    /// The buckets that are not empty, and how many they hold.
    fn buckets(&self) -> (Vec<(usize, u64)>, u64) {
        let (mut shares, mut inside) = (Vec::new(), 0);
        for (at, chunk) in self.chunks.iter().enumerate() {
            let Some(chunk) = chunk.get() else { continue };
            for (inner, bucket) in chunk.0.iter().enumerate() {
                let n = bucket.load(Ordering::Relaxed);
                if n > 0 {
                    shares.push((at * CHUNK + inner, n));
                    inside += n;
                }
            }
        }
        (shares, inside)
    }

    /// The bucket, and whether it was allocated for this.
    #[inline]
    fn bucket(&self, bucket: usize) -> (&AtomicU64, bool) {
        let room = &self.chunks[bucket / CHUNK];
        let (chunk, is_new) = match room.get() {
            Some(chunk) => (chunk, false),
            None => (room.get_or_make(|| Box::new(Chunk(std::array::from_fn(|_| AtomicU64::new(0))))), true),
        };
        (&chunk.0[bucket % CHUNK], is_new)
    }
}

#[cfg(all(test, loom))]
#[path = "hist/loom.rs"]
mod loom_models;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_shard_adds_up_to_what_the_model_would_have_counted() {
        let shard = HistShard::default();
        let mut expected = Hist::new();
        for value in [0, 1, 90, 90, 4_000, 4_001, 1_000_000_000, u64::MAX / 2] {
            shard.record(value);
            expected.record(value);
        }
        let mut total = Hist::new();
        shard.add_to(&mut total);
        assert_eq!(total, expected);
    }

    #[test]
    fn what_two_threads_counted_folds_into_what_one_would_have() {
        let (rest, mut expected) = (HistShard::default(), Hist::new());
        for values in [&[3, 90, 4_000][..], &[90, u64::MAX / 4], &[]] {
            let ended = HistShard::default();
            for value in values {
                ended.record(*value);
                expected.record(*value);
            }
            rest.fold(&ended);
        }
        let mut total = Hist::new();
        rest.add_to(&mut total);
        assert_eq!((total, rest.count()), (expected, 5));
    }

    #[test]
    fn a_reader_beside_the_writer_never_sees_too_much_and_in_the_end_sees_all() {
        let shard = HistShard::default();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for n in 0..200_000_u64 {
                    shard.record(n % 1_000);
                }
            });
            let mut before = Hist::new();
            while !writer.is_finished() {
                let mut now = Hist::new();
                shard.add_to(&mut now);
                for (bucket, n) in before.buckets() {
                    let known = now.buckets().find(|(known, _)| *known == bucket);
                    assert!(known.is_some_and(|(_, now)| now >= n), "{bucket}");
                }
                before = now;
            }
        });
        let mut total = Hist::new();
        shard.add_to(&mut total);
        assert_eq!((total.count(), total.sum(), total.max()), (200_000, 200 * 499_500, 999));
    }
}
