//! p99s and their bounds, against numbers whose truth is known.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing says so by failing")]

use proptest::prelude::*;

use super::*;
use crate::hist::bucket_of;

/// The least n with `0.99^n <= 0.01`.
const NEEDED: u64 = 459;

/// Numbers between 0 and 1 that look drawn: a 64-bit mix of a counter.
fn uniform(seed: u64) -> impl Iterator<Item = f64> {
    (0_u64..).map(move |i| {
        let mut x =
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(i.wrapping_mul(0xd1b5_4a32_d192_ed03));
        for shift in [30, 27, 31] {
            x = (x ^ (x >> shift)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        }
        ((x >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    })
}

/// Poll times with a long tail: log-normal, 200 µs in the middle.
fn tailed(seed: u64, n: usize, factor: f64) -> Vec<u64> {
    let mut drawn = uniform(seed);
    let mut next = || drawn.next().unwrap_or(0.5);
    (0..n)
        .map(|_| {
            let (a, b) = (next(), next());
            let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
            (factor * 200_000.0 * (0.8 * normal).exp()) as u64
        })
        .collect()
}

fn hist(values: &[u64]) -> Hist {
    let mut hist = Hist::new();
    for value in values {
        hist.record(*value);
    }
    hist
}

#[test]
fn an_upper_bound_takes_as_many_values_as_is_said() {
    assert_eq!(most_above(NEEDED - 1), None);
    assert_eq!(most_above(NEEDED), Some(0));
    // P(Y >= 6) for n = 200 is 1.6 %, P(Y >= 7) 0.4 %.
    assert_eq!(over_for_sure(200), 7);
    assert_eq!(over_for_sure(1), 2, "one value proves nothing");
}

#[test]
fn the_sum_and_its_approximation_meet() {
    let (exact, near) = (over_for_sure(EXACT), over_for_sure(EXACT + 1));
    assert!(exact.abs_diff(near) <= 3, "{exact} and {near}");
    let (exact, near) = (most_above(EXACT), most_above(EXACT + 1));
    assert!(exact.zip(near).is_some_and(|(exact, near)| exact.abs_diff(near) <= 3), "{exact:?} and {near:?}");
}

#[test]
fn the_bounds_hold_as_often_as_they_say() {
    // The true p99: 200 µs · e^(0.8 · 2.326).
    let truth = (200_000.0_f64 * (0.8 * 2.326_347_9_f64).exp()) as u64;
    let rounds = 1_000;
    let (mut low, mut high) = (0, 0);
    for seed in 0..rounds {
        let p99 = P99::of(&hist(&tailed(seed, 600, 1.0))).unwrap();
        low += u32::from(p99.low > truth);
        high += u32::from(p99.high.unwrap() < truth);
    }
    // 1 % are expected, 2.2 % would be a wonder.
    assert!(low <= 22 && high <= 22, "wrong below {low} and above {high} of {rounds} times");
}

/// What scale 4 costs: the ratio of two p99s as the histograms tell it, against the exact one.
#[test]
fn scale_four_tells_a_ratio_to_five_percent() {
    let exact = |values: &[u64]| {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        sorted[(sorted.len() * 99).div_ceil(100) - 1] as f64
    };
    let mut worst = 0.0_f64;
    for seed in 0..400 {
        let factor = 1.0 + seed as f64 / 200.0;
        let (base, head) = (tailed(seed, 1_000, 1.0), tailed(seed + 10_000, 1_000, factor));
        let told = hist(&head).quantile(0.99).unwrap() as f64 / hist(&base).quantile(0.99).unwrap() as f64;
        worst = worst.max((told / (exact(&head) / exact(&base)) - 1.0).abs());
    }
    assert!((0.02..0.046).contains(&worst), "{worst}");
}

proptest! {
    #[test]
    fn bounds_enclose_the_p99_of_the_sample(
        values in prop::collection::vec((any::<u64>(), 0_u32..60), 1..800),
    ) {
        let values: Vec<u64> = values.into_iter().map(|(value, shift)| value >> shift).collect();
        let hist = hist(&values);
        let p99 = P99::of(&hist).unwrap();
        prop_assert!(p99.low <= p99.value, "{p99:?}");
        prop_assert!(p99.high.is_none_or(|high| high >= p99.value), "{p99:?}");
        prop_assert_eq!(p99.high.is_some(), hist.count() >= NEEDED);
    }

    /// The bound as an edge and the proof by counting say the same.
    #[test]
    fn what_lies_below_the_lower_bound_is_proved_by_counting(
        seed in any::<u64>(), n in 200_usize..1_000, limit in 1_u64..4_000_000,
    ) {
        let hist = hist(&tailed(seed, n, 1.0));
        let limit = upper_edge(bucket_of(limit));
        let proved = hist.count_over(limit) >= over_for_sure(hist.count());
        prop_assert_eq!(proved, P99::of(&hist).unwrap().low >= limit);
    }
}
