//! A histogram as one line of text: the first bucket, then the counts, runs of empty buckets as one
//! word: `212: 3 5 0*4 1`. Total and strict: what is not understood is refused in words.

use std::fmt::Write as _;

use crate::hist::{BUCKETS, Hist};

/// The buckets of a histogram.
pub(super) fn buckets(hist: &Hist) -> String {
    let mut text = String::new();
    let mut next = None;
    for (bucket, count) in hist.buckets() {
        match next.map(|next| bucket - next) {
            None => {
                let _ = write!(text, "{bucket}:");
            }
            Some(0) => {}
            Some(1) => text.push_str(" 0"),
            Some(empty) => {
                let _ = write!(text, " 0*{empty}");
            }
        }
        let _ = write!(text, " {count}");
        next = Some(bucket + 1);
    }
    text
}

/// Reads them again; `sum` and `max` are kept beside.
pub(super) fn hist(text: &str, sum: u64, max: u64) -> Result<Hist, String> {
    let mut hist = Hist::new();
    if !text.is_empty() {
        let (first, counts) = text.split_once(':').ok_or("there is no `:` after the first bucket")?;
        let mut bucket: usize = number(first)?;
        for word in counts.split_ascii_whitespace() {
            let (count, times): (u64, usize) = match word.split_once('*') {
                Some(("0", times)) => (0, number(times)?),
                Some(_) => return Err(format!("`{word}`: only empty buckets are written as a run")),
                None => (number(word)?, 1),
            };
            if times == 0 || bucket.checked_add(times).is_none_or(|end| end > BUCKETS) {
                return Err(format!("`{word}` leads past the last bucket, {}", BUCKETS - 1));
            }
            hist.add_bucket(bucket, count);
            bucket += times;
        }
    }
    if hist.is_empty() && (sum, max) != (0, 0) {
        return Err("it has a sum but counts nothing".to_owned());
    }
    hist.add_totals(sum, max);
    Ok(hist)
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.trim().parse().map_err(|_| format!("`{}` is no count", text.trim()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_of_empty_buckets_are_one_word() {
        let mut counted = Hist::new();
        for (bucket, count) in [(212, 3), (213, 5), (215, 7), (220, 1)] {
            counted.add_bucket(bucket, count);
        }
        assert_eq!(buckets(&counted), "212: 3 5 0 7 0*4 1");
        assert_eq!(buckets(&Hist::new()), "");
    }

    #[test]
    fn what_is_no_histogram_is_refused_in_words() {
        let cases = [
            ("3 5", "no `:`"),
            ("x: 3", "`x` is no count"),
            ("5: 3*4", "only empty buckets"),
            ("1020: 1 1 1 1 1 1", "past the last bucket"),
            ("5: 0*18446744073709551615", "past the last bucket"),
            ("5: -1", "`-1` is no count"),
            ("", "counts nothing"),
        ];
        for (text, named) in cases {
            let error = hist(text, 9, 9).expect_err(text);
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            values in prop::collection::vec((any::<u64>(), 0_u32..64, 1_u64..1_000), 0..60),
        ) {
            let mut before = Hist::new();
            for (value, shift, n) in values {
                before.record_n(value >> shift, n);
            }
            let after = hist(&buckets(&before), before.sum(), before.max()).expect("it was written just now");
            prop_assert_eq!(after.buckets().collect::<Vec<_>>(), before.buckets().collect::<Vec<_>>());
            prop_assert_eq!((after.count(), after.sum(), after.max()), (before.count(), before.sum(), before.max()));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9:* x-]{0,40}", sum in any::<u64>(), max in any::<u64>()) {
            let _ = hist(&text, sum, max);
        }
    }
}
