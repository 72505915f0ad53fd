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
/// Only buckets that hold something take memory, 16 bytes each: what a peer can make a reader allocate is a
/// small multiple of what it sent, however far apart the values lie.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hist {
    /// Bucket and count, ascending; no count is 0.
    cells: Vec<(u16, u64)>,
    count: u64,
    sum: u64,
    max: u64,
}

impl Hist {
    /// An empty histogram; allocates nothing.
    pub const fn new() -> Self {
        Self { cells: Vec::new(), count: 0, sum: 0, max: 0 }
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
    ///
    /// Cost: constant where buckets come in ascending order; else it moves the buckets above.
    pub fn add_bucket(&mut self, bucket: usize, n: u64) {
        if n == 0 || bucket >= BUCKETS {
            return;
        }
        let bucket = bucket as u16;
        if self.cells.last().is_none_or(|(last, _)| *last < bucket) {
            self.cells.push((bucket, n));
        } else {
            match self.cells.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
                Ok(at) => self.cells[at].1 = self.cells[at].1.saturating_add(n),
                Err(at) => self.cells.insert(at, (bucket, n)),
            }
        }
        self.count = self.count.saturating_add(n);
    }

    /// Adds to sum and raises the maximum; the partner of [`Hist::add_bucket`].
    pub fn add_totals(&mut self, sum: u64, max: u64) {
        self.sum = self.sum.saturating_add(sum);
        self.max = self.max.max(max);
    }

    /// Adds all of another histogram.
    ///
    /// Cost: one pass over both; it allocates if the other names a bucket that is new here.
    pub fn merge(&mut self, other: &Self) {
        let missing = self.add_known(other);
        if missing > 0 {
            self.add_missing(other, missing);
        }
        self.count = self.count.saturating_add(other.count);
        self.add_totals(other.sum, other.max);
    }

    /// Adds to the buckets that are here already; returns how many are not.
    fn add_known(&mut self, other: &Self) -> usize {
        let (mut at, mut missing) = (0, 0);
        for (bucket, n) in &other.cells {
            while self.cells.get(at).is_some_and(|(known, _)| known < bucket) {
                at += 1;
            }
            match self.cells.get_mut(at) {
                Some((known, count)) if known == bucket => *count = count.saturating_add(*n),
                _ => missing += 1,
            }
        }
        missing
    }

    /// Puts the buckets that are not here between those that are, from the end on, so that each moves once.
    fn add_missing(&mut self, other: &Self, missing: usize) {
        let mut from = self.cells.len();
        self.cells.reserve_exact(missing);
        self.cells.resize(from + missing, (0, 0));
        let mut to = self.cells.len();
        for cell in other.cells.iter().rev() {
            while from > 0 && self.cells[from - 1].0 > cell.0 {
                (from, to) = (from - 1, to - 1);
                self.cells[to] = self.cells[from];
            }
            if from == 0 || self.cells[from - 1].0 < cell.0 {
                to -= 1;
                self.cells[to] = *cell;
            }
        }
    }

    /// What was counted after an earlier state of the same histogram. The maximum of the time
    /// between is known only if it is a new one; else it is the upper edge of the highest bucket
    /// that grew, at most 4.4 % above. A sum that was read before its bucket is told without it, so that sums
    /// of changes are exact.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut grown = Self::new();
        let mut before = earlier.buckets().peekable();
        let mut highest = None;
        for (bucket, n) in self.buckets() {
            while before.next_if(|(b, _)| *b < bucket).is_some() {}
            let old = before.next_if(|(b, _)| *b == bucket).map_or(0, |(_, n)| n);
            if n > old {
                grown.add_bucket(bucket, n - old);
                highest = Some(upper_edge(bucket));
            }
        }
        let max = match highest {
            None => 0,
            Some(_) if self.max > earlier.max => self.max,
            Some(edge) => edge.min(self.max),
        };
        grown.add_totals(self.sum.saturating_sub(earlier.sum), max);
        grown
    }

    /// Folds `width` buckets at a time into the highest of them, which makes room: 16 leave one for each
    /// power of two, [`BUCKETS`] leave two. Count, sum and maximum stay exact; a quantile is never lower
    /// than before. Two histograms compare only at the same width.
    pub(crate) fn coarsen(&mut self, width: usize) {
        let coarse = |bucket: u16| usize::from(bucket).next_multiple_of(width.max(1)).min(BUCKETS - 1) as u16;
        if self.cells.iter().all(|(bucket, _)| coarse(*bucket) == *bucket) {
            return;
        }
        for cell in &mut self.cells {
            cell.0 = coarse(cell.0);
        }
        self.cells.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        self.cells.shrink_to_fit();
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.cells.capacity() * size_of::<(u16, u64)>()
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
    pub(crate) fn count_over(&self, limit: u64) -> u64 {
        let last = bucket_of(limit);
        self.buckets().filter(|(bucket, _)| *bucket > last).fold(0, |total, (_, n)| total.saturating_add(n))
    }

    /// The buckets that hold something, with their counts, ascending.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = (usize, u64)> + '_ {
        self.cells.iter().map(|(bucket, n)| (usize::from(*bucket), *n))
    }

    /// How many buckets lie between the first and the last that hold something, both included.
    pub fn span(&self) -> usize {
        match (self.cells.first(), self.cells.last()) {
            (Some((first, _)), Some((last, _))) => usize::from(last - first) + 1,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests;
