//! The exponential histogram: mergeable, additive, with relative precision from nanoseconds to
//! centuries. One function, [`bucket_of`], decides every bucket edge in pollscope.
//!
//! Base-2 exponential buckets as in OpenTelemetry's data model, at scale 4: sixteen buckets in each
//! power of two, each about 4.4 % wide, upper edge inclusive. A quantile is off by at most one
//! bucket's width; the exact maximum travels beside the counts.

/// Buckets per power of two are `2^SCALE`.
pub const SCALE: u8 = 4;
/// Number of buckets that a `u64` can fall into: bucket 0 holds 0 and 1, bucket 1024 the largest.
pub const BUCKETS: usize = 1025;

/// `floor(2^(63 + k/16))`: the upper edges inside one power of two, as 1.63 fixed point.
const EDGES: [u64; 16] = [
    0x8000_0000_0000_0000,
    0x85aa_c367_cc48_7b14,
    0x8b95_c1e3_ea8b_d6e6,
    0x91c3_d373_ab11_c336,
    0x9837_f051_8db8_a96f,
    0x9ef5_3260_91a1_11ad,
    0xa5fe_d6a9_b151_38ea,
    0xad58_3eea_42a1_4ac6,
    0xb504_f333_f9de_6484,
    0xbd08_a39f_580c_36be,
    0xc567_2a11_5506_dadd,
    0xce24_8c15_1f84_80e3,
    0xd744_fcca_d69d_6af4,
    0xe0cc_deec_2a94_e111,
    0xeac0_c6e7_dd24_392e,
    0xf525_7d15_2486_cc2c,
];

/// For each 1/32 of a power of two, the first edge that can hold its smallest value. A slice is
/// narrower than a bucket, so that the answer is this one or the next.
const FIRST_EDGE: [u8; 32] = [
    0, 1, 2, 3, 3, 4, 4, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 13, 14, 14, 15, 15, 15,
    16, 16,
];

/// A value's upper six bits, of which the first is set, choose the slice.
const SLICES: usize = 64;
/// [`FIRST_EDGE`], and the edge itself, found from the same index at once.
const FIRST: ([u8; SLICES], [u64; SLICES]) = {
    let mut first = ([0; SLICES], [u64::MAX; SLICES]);
    let mut slice = 0;
    while slice < FIRST_EDGE.len() {
        let edge = FIRST_EDGE[slice] as usize;
        first.0[SLICES / 2 + slice] = FIRST_EDGE[slice];
        if edge < EDGES.len() {
            first.1[SLICES / 2 + slice] = EDGES[edge];
        }
        slice += 1;
    }
    first
};
const FIRST_OF_SLICE: [u8; SLICES] = FIRST.0;
const EDGE_OF_SLICE: [u64; SLICES] = FIRST.1;

/// The bucket of a value: the smallest `b` with `value <= 2^(b / 16)`; 0 for the value 0.
///
/// Cost: a leading-zero count, two look-ups side by side and one comparison; no branch, no division, no
/// floating point.
#[inline]
pub const fn bucket_of(value: u64) -> usize {
    let value = value + (value == 0) as u64;
    let zeros = value.leading_zeros();
    let normal = value << zeros;
    let slice = (normal >> 58) as usize;
    let past = (normal > EDGE_OF_SLICE[slice]) as usize;
    (63 - zeros) as usize * 16 + FIRST_OF_SLICE[slice] as usize + past
}

/// The largest value that falls into the bucket.
#[inline]
pub const fn upper_edge(bucket: usize) -> u64 {
    if bucket >= BUCKETS - 1 {
        return u64::MAX;
    }
    EDGES[bucket % 16] >> (63 - bucket / 16)
}

/// Counts per bucket, with exact count, sum and maximum.
///
/// Memory grows with the spread of the values, 8 bytes a bucket: 1.3 KiB for a spread of three
/// decades, 8 KiB at the very most.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hist {
    first: u16,
    counts: Vec<u64>,
    count: u64,
    sum: u64,
    max: u64,
}

impl Hist {
    /// An empty histogram; allocates nothing.
    pub const fn new() -> Self {
        Self { first: 0, counts: Vec::new(), count: 0, sum: 0, max: 0 }
    }

    /// Rebuilds a histogram from what [`Hist::first`], [`Hist::counts`], [`Hist::sum`] and
    /// [`Hist::max`] gave. Buckets past the last possible one are dropped.
    pub fn from_parts(first: u16, mut counts: Vec<u64>, sum: u64, max: u64) -> Self {
        counts.truncate(BUCKETS.saturating_sub(first as usize));
        let count = counts.iter().fold(0u64, |total, n| total.saturating_add(*n));
        Self { first, counts, count, sum, max }
    }

    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts a value `n` times.
    pub fn record_n(&mut self, value: u64, n: u64) {
        self.add_bucket(bucket_of(value), n);
        self.sum = self.sum.saturating_add(value.saturating_mul(n));
        if n > 0 {
            self.max = self.max.max(value);
        }
    }

    /// Adds `n` to a bucket without touching sum and maximum; for recorders that keep those apart.
    pub fn add_bucket(&mut self, bucket: usize, n: u64) {
        if n == 0 || bucket >= BUCKETS {
            return;
        }
        let slot = self.slot(bucket);
        self.counts[slot] = self.counts[slot].saturating_add(n);
        self.count = self.count.saturating_add(n);
    }

    /// Adds to sum and raises the maximum; the partner of [`Hist::add_bucket`].
    pub fn add_totals(&mut self, sum: u64, max: u64) {
        self.sum = self.sum.saturating_add(sum);
        self.max = self.max.max(max);
    }

    /// Adds all of another histogram.
    pub fn merge(&mut self, other: &Self) {
        let ends = (other.buckets().next(), other.buckets().next_back());
        if let (Some((first, _)), Some((last, _))) = ends {
            // Making room at both ends first leaves one straight run over the counts.
            self.slot(first);
            self.slot(last);
            let (to, from) = (first - self.first as usize, first - other.first as usize);
            let added = &other.counts[from..=from + (last - first)];
            for (count, n) in self.counts[to..].iter_mut().zip(added) {
                *count = count.saturating_add(*n);
            }
            self.count = self.count.saturating_add(other.count);
        }
        self.add_totals(other.sum, other.max);
    }

    /// What was counted after an earlier state of the same histogram. The maximum of the time
    /// between is known only if it is a new one; else it is the upper edge of the highest bucket
    /// that grew.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut grown = Self::new();
        let mut before = earlier.buckets().peekable();
        let mut highest = 0;
        for (bucket, n) in self.buckets() {
            while before.next_if(|(b, _)| *b < bucket).is_some() {}
            let old = before.next_if(|(b, _)| *b == bucket).map_or(0, |(_, n)| n);
            if n > old {
                grown.add_bucket(bucket, n - old);
                highest = upper_edge(bucket);
            }
        }
        let max = if self.max > earlier.max { self.max } else { highest.min(self.max) };
        if !grown.is_empty() {
            grown.add_totals(self.sum.saturating_sub(earlier.sum), max);
        }
        grown
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Exact sum of the values, saturating.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// Exact largest value; 0 when empty.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value below or at which the share `q` (0 to 1) of all values lies: the upper edge of its
    /// bucket, never above the exact maximum. `None` when empty.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let rank = ((self.count as f64 * q.clamp(0.0, 1.0)).ceil() as u64).clamp(1, self.count);
        let mut seen = 0u64;
        for (bucket, n) in self.buckets() {
            seen = seen.saturating_add(n);
            if seen >= rank {
                return Some(upper_edge(bucket).min(self.max.max(1)));
            }
        }
        Some(self.max)
    }

    /// How many values lie in buckets whose upper edge is above the limit: those over it, give or
    /// take the bucket that holds the limit itself.
    pub fn count_over(&self, limit: u64) -> u64 {
        let last = bucket_of(limit);
        self.buckets().filter(|(bucket, _)| *bucket > last).fold(0, |total, (_, n)| total.saturating_add(n))
    }

    /// The buckets that hold something, with their counts, ascending.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = (usize, u64)> + '_ {
        let first = self.first as usize;
        self.counts.iter().enumerate().filter(|(_, n)| **n > 0).map(move |(i, n)| (first + i, *n))
    }

    /// Index of the first bucket of [`Hist::counts`].
    pub fn first(&self) -> u16 {
        self.first
    }

    /// Dense counts from [`Hist::first`] on.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    fn slot(&mut self, bucket: usize) -> usize {
        let first = self.first as usize;
        if self.counts.is_empty() {
            self.first = bucket as u16;
            self.counts.push(0);
            return 0;
        }
        if bucket < first {
            let missing = first - bucket;
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = bucket as u16;
            return 0;
        }
        let slot = bucket - first;
        if slot >= self.counts.len() {
            self.counts.resize(slot + 1, 0);
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn powers_of_two_are_upper_edges() {
        assert_eq!(bucket_of(0), 0);
        assert_eq!(bucket_of(1), 0);
        for exponent in 1..64 {
            let value = 1u64 << exponent;
            assert_eq!(bucket_of(value), exponent * 16);
            assert_eq!(upper_edge(exponent * 16), value);
            if exponent >= 5 {
                assert_eq!(bucket_of(value + 1), exponent * 16 + 1);
            }
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        assert_eq!(upper_edge(BUCKETS - 1), u64::MAX);
    }

    #[test]
    fn a_quantile_never_passes_the_maximum() {
        let mut hist = Hist::new();
        hist.record_n(1_000, 99);
        hist.record(412_000_000);
        assert_eq!(hist.quantile(1.0), Some(412_000_000));
        assert_eq!(hist.max(), 412_000_000);
        assert!(hist.quantile(0.5).is_some_and(|p50| (1_000..1_045).contains(&p50)));
        assert_eq!(Hist::new().quantile(0.5), None);
    }

    #[test]
    fn hostile_parts_are_cut_to_size() {
        let hist = Hist::from_parts(1_020, vec![u64::MAX; 50], 0, 0);
        assert_eq!(hist.counts().len(), 5);
        assert_eq!(hist.count(), u64::MAX);
    }

    proptest! {
        #[test]
        fn a_value_lies_between_the_edges_of_its_bucket(value in any::<u64>(), shift in 0u32..64) {
            let value = value >> shift;
            let bucket = bucket_of(value);
            prop_assert!(value <= upper_edge(bucket));
            if bucket > 0 {
                prop_assert!(value > upper_edge(bucket - 1));
            }
        }

        #[test]
        fn merging_is_the_same_as_recording_everything_in_one(
            left in prop::collection::vec(any::<u64>(), 0..50),
            right in prop::collection::vec(0u64..1_000_000_000, 0..50),
        ) {
            let (mut a, mut b, mut whole) = (Hist::new(), Hist::new(), Hist::new());
            for v in &left { a.record(*v); }
            for v in &right { b.record(*v); }
            for v in left.iter().chain(&right) { whole.record(*v); }
            a.merge(&b);
            prop_assert_eq!(a.count(), whole.count());
            prop_assert_eq!(a.buckets().collect::<Vec<_>>(), whole.buckets().collect::<Vec<_>>());
            prop_assert_eq!((a.sum(), a.max()), (whole.sum(), whole.max()));
        }
    }
}
