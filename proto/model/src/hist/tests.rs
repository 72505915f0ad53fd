//! The histogram against its definition.

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
fn hostile_parts_are_left_out_or_saturate() {
    let mut hist = Hist::new();
    for bucket in 1_020..1_070 {
        hist.add_bucket(bucket, u64::MAX);
    }
    assert_eq!(hist.buckets().count(), 5);
    assert_eq!(hist.count(), u64::MAX);
}

#[test]
fn memory_is_that_of_the_named_buckets() {
    let mut far = Hist::new();
    far.add_bucket(0, 1);
    far.add_bucket(BUCKETS - 1, 1);
    assert_eq!(far.span(), BUCKETS);
    assert!(far.heap_bytes() <= 64, "{}", far.heap_bytes());
}

#[test]
fn the_change_of_a_histogram_is_what_was_recorded_in_between() {
    let mut before = Hist::new();
    for value in [10, 20, 5_000_000] {
        before.record(value);
    }
    let mut now = before.clone();
    for value in [20, 300, 4] {
        now.record(value);
    }
    let delta = now.since(&before);
    assert_eq!((delta.count(), delta.sum()), (3, 324));
    assert!((300..=313).contains(&delta.max()), "{}", delta.max());
    assert!(now.since(&now).is_empty());
}

#[test]
fn a_sum_that_was_read_before_its_bucket_is_not_lost() {
    let before = Hist::new();
    let mut early = before.clone();
    early.add_totals(20, 0);
    let mut now = Hist::new();
    now.record(20);
    let (first, second) = (early.since(&before), now.since(&early));
    assert_eq!((first.count(), first.sum()), (0, 20));
    assert_eq!((second.count(), second.sum()), (1, 0));
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

    #[test]
    fn coarse_counts_are_exact_and_never_below_the_truth(
        values in prop::collection::vec(any::<u64>(), 1..60), shift in 0u32..60, width in 1usize..2_000,
    ) {
        let mut fine = Hist::new();
        for value in &values {
            fine.record(value >> shift);
        }
        let mut coarse = fine.clone();
        coarse.coarsen(width);
        prop_assert_eq!(
            (coarse.count(), coarse.sum(), coarse.max(), coarse.buckets().map(|(_, n)| n).sum::<u64>()),
            (fine.count(), fine.sum(), fine.max(), fine.count())
        );
        prop_assert!(coarse.buckets().count() <= BUCKETS.div_ceil(width) + 1);
        for q in [0.0, 0.5, 0.99, 1.0] {
            prop_assert!(coarse.quantile(q) >= fine.quantile(q));
        }
        let mut both = coarse.clone();
        both.merge(&fine);
        both.coarsen(width);
        prop_assert_eq!(both.buckets().map(|(b, n)| (b, n / 2)).collect::<Vec<_>>(), coarse.buckets().collect::<Vec<_>>());
    }
}
