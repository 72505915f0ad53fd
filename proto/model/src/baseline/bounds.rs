//! What a sample says of a quantile: confidence bounds by order statistics. They are told beside each
//! p99, so that a reader sees what it is worth; who is worse is decided in [`exceed`](super::exceed).
//!
//! Of n independent values each lies above the true p99 with a chance of 1 %, whatever their
//! distribution. So the number above it is binomial, and two order statistics enclose it: the method
//! of H. A. David and H. N. Nagaraja, *Order Statistics*, 3rd edition (2003), section 7.1, and of
//! G. J. Hahn and W. Q. Meeker, *Statistical Intervals* (1991), section 5.2. Nothing is assumed of the
//! shape of poll times, which have no good shape.
//!
//! Each bound holds with 99 %. A sample of fewer than 459 values has no upper one: with some
//! luck none of them lies above the p99.

use crate::hist::{Hist, upper_edge};

/// The chance that a value lies above the quantile that is compared: p99.
const ABOVE: f64 = 0.01;
/// The chance that a bound is wrong.
const WRONG: f64 = 0.01;
/// The normal distribution's quantile for that chance.
const Z: f64 = 2.326_347_9;
/// Up to so many values the binomial is summed up; above it the normal distribution is as good.
const EXACT: u64 = 60_000;

/// The p99 of a sample with its bounds, in the sample's unit. All are edges of histogram buckets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct P99 {
    /// The p99 of the sample.
    pub value: u64,
    /// The true p99 is above this, with 99 %.
    pub low: u64,
    /// The true p99 is not above this, with 99 %; `None` below 459 values.
    pub high: Option<u64>,
}

impl P99 {
    /// The p99 of what was counted; `None` if that is nothing.
    pub(crate) fn of(hist: &Hist) -> Option<Self> {
        let n = hist.count();
        Some(Self {
            value: hist.quantile(0.99)?,
            low: lower_edge(hist, n.saturating_add(1).saturating_sub(over_for_sure(n))),
            high: most_above(n).map(|above| at_rank(hist, n - above)),
        })
    }
}

/// So many values above a limit, at the least, prove that the true p99 is above it. More than `n` if
/// no number does.
fn over_for_sure(n: u64) -> u64 {
    if n > EXACT {
        let (mean, deviation) = moments(n);
        return (mean + Z * deviation).ceil() as u64 + 1;
    }
    // The least m with P(Y >= m) <= WRONG.
    let mut below = 0.0;
    for (m, chance) in binomial(n) {
        if 1.0 - below <= WRONG {
            return m;
        }
        below += chance;
    }
    n + 1
}

/// So many values above a limit, at the most, prove that the true p99 is not above it.
fn most_above(n: u64) -> Option<u64> {
    if n > EXACT {
        let (mean, deviation) = moments(n);
        return Some(((mean - Z * deviation).floor() as u64).saturating_sub(1));
    }
    // The largest k with P(Y <= k) <= WRONG.
    let mut sum = 0.0;
    for (k, chance) in binomial(n) {
        sum += chance;
        if sum > WRONG {
            return k.checked_sub(1);
        }
    }
    None
}

fn moments(n: u64) -> (f64, f64) {
    let mean = n as f64 * ABOVE;
    (mean, (mean * (1.0 - ABOVE)).sqrt())
}

/// The chance of each number of values above the quantile, from 0 on.
fn binomial(n: u64) -> impl Iterator<Item = (u64, f64)> {
    let mut chance = ((n as f64) * (1.0 - ABOVE).ln()).exp();
    (0..=n).map(move |k| {
        let this = chance;
        chance *= (n - k) as f64 / (k + 1) as f64 * (ABOVE / (1.0 - ABOVE));
        (k, this)
    })
}

/// The value of a rank, counted from 1: the upper edge of its bucket.
fn at_rank(hist: &Hist, rank: u64) -> u64 {
    bucket_at(hist, rank).map_or(0, |bucket| upper_edge(bucket).min(hist.max().max(1)))
}

/// The most that certainly lies below the value of a rank: the lower edge of its bucket.
fn lower_edge(hist: &Hist, rank: u64) -> u64 {
    if rank == 0 {
        return 0;
    }
    bucket_at(hist, rank).and_then(|bucket| bucket.checked_sub(1)).map_or(0, upper_edge)
}

fn bucket_at(hist: &Hist, rank: u64) -> Option<usize> {
    let mut seen = 0_u64;
    hist.buckets().find_map(|(bucket, count)| {
        seen = seen.saturating_add(count);
        (seen >= rank).then_some(bucket)
    })
}

#[cfg(test)]
mod tests;
