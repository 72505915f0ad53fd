//! How many values above a limit are too many: compares the tails of two samples by counting.
//!
//! Above a limit that lies beyond base's p99, base has few values and head, if it got slower, many. If
//! both came from the same code, each value above the limit would fall to head by head's share of all
//! values: a binomial number, whatever the distribution of poll times is. This is the conditional test
//! of J. Przyborowski and H. Wilenski, *Homogeneity of results in testing samples from Poisson series*,
//! Biometrika 31 (1940), 313–323, applied to exceedances as the median test is (W. J. Conover,
//! *Practical Nonparametric Statistics*, 3rd edition, 1999, section 4.3). It takes the uncertainty of
//! both sides into account: where two of 200 are above in base, it takes 16 of 200 to convince.
//!
//! It is assumed that one poll says nothing of the next. Where that is not so, the spread of several
//! runs has to tell.

use crate::hist::{Hist, bucket_of, upper_edge};

/// The chance to see a difference between equals. Small, since a run compares some hundred figures.
const CHANCE: f64 = 0.001;
/// The normal distribution's quantile for that chance.
const Z: f64 = 3.090_232_3;
/// Up to so many values above the limit the binomial is summed up.
const EXACT: u64 = 2_000;

/// The least number above a limit that is too many of `n`, where base has `base_over` of `base_n`: more
/// than chance explains, and at least the 1 % that lift a p99 above the limit.
pub(super) fn too_many(n: u64, base_over: u64, base_n: u64) -> u64 {
    let share = n as f64 / (n as f64 + base_n as f64).max(1.0);
    let is_enough = |over: u64| is_unlikely(over, over.saturating_add(base_over), share);
    let (mut least, mut most) = (n.div_ceil(100).max(1), n.saturating_add(1));
    while least < most {
        let middle = least + (most - least) / 2;
        if is_enough(middle) { most = middle } else { least = middle + 1 }
    }
    least
}

/// Whether so many of `all` fall to one side of that share by a chance of at most [`CHANCE`].
fn is_unlikely(over: u64, all: u64, share: f64) -> bool {
    if all > EXACT {
        let (mean, variance) = (all as f64 * share, all as f64 * share * (1.0 - share));
        return over as f64 - 0.5 - mean >= Z * variance.sqrt();
    }
    if over as f64 <= all as f64 * share {
        return false;
    }
    let odds = share / (1.0 - share).max(f64::MIN_POSITIVE);
    let ways: f64 = (1..=over).map(|i| ((all - over + i) as f64 / i as f64).ln()).sum();
    let mut chance = (ways + over as f64 * share.ln() + (all - over) as f64 * (1.0 - share).ln()).exp();
    let mut sum = 0.0;
    for k in over..=all {
        sum += chance;
        chance *= (all - k) as f64 / (k + 1) as f64 * odds;
    }
    sum <= CHANCE
}

/// The least time that, added to the values from outside, explains why more than `enough` of them lie
/// above the limit: what the nearest of those too many exceed it by.
pub(super) fn cheapest_excess(hist: &Hist, limit: u64, enough: u64) -> u64 {
    let last = bucket_of(limit);
    let mut too_many = hist.count_over(limit).saturating_sub(enough);
    let mut excess = 0_u64;
    for (bucket, count) in hist.buckets().filter(|(bucket, _)| *bucket > last) {
        let taken = count.min(too_many);
        let by = upper_edge(bucket - 1).saturating_sub(limit).max(1);
        excess = excess.saturating_add(by.saturating_mul(taken));
        too_many -= taken;
    }
    excess
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_takes_more_than_chance_gives() {
        assert_eq!(too_many(200, 0, 200), 10, "ten heads in a row: 1 in 1,024");
        assert_eq!(too_many(200, 2, 200), 16);
        // Much base, and none of it above: few are enough, but for the 1 % that make a p99.
        assert_eq!(too_many(200, 0, 20_000), 2);
        assert_eq!(too_many(2_000, 0, 20_000), 20);
        assert_eq!(too_many(0, 0, 0), 1);
    }

    #[test]
    fn the_sum_and_its_approximation_meet() {
        let share = 0.3;
        let first = |all| (0..=all).find(|over| is_unlikely(*over, all, share)).unwrap_or(all);
        let (exact, near) = (first(EXACT), first(EXACT + 1));
        assert!(exact.abs_diff(near) <= 2, "{exact} and {near}");
    }

    #[test]
    fn the_nearest_of_too_many_pay_for_the_excess() {
        let mut hist = Hist::new();
        hist.record_n(1_000, 100);
        hist.record_n(4_096, 3);
        hist.record_n(65_536, 2);
        assert_eq!(cheapest_excess(&hist, 2_000, 5), 0);
        let near = cheapest_excess(&hist, 2_000, 2);
        assert!((3 * 1_800..3 * 2_100).contains(&near), "{near}");
        assert!(cheapest_excess(&hist, 2_000, 1) > 55_000);
    }

    proptest! {
        #[test]
        fn more_in_base_asks_for_more_in_head(n in 200_u64..1_000_000, base_n in 200_u64..1_000_000, over in 0_u64..500) {
            let needed = too_many(n, over, base_n);
            prop_assert!(too_many(n, over + 50, base_n) >= needed);
            prop_assert!(needed >= n / 100);
        }
    }
}
