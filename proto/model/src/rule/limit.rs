//! One limit of a detector: its key in `pollscope.toml`, its default and what it means.
//!
//! Detectors declare theirs as constants; parsing, the printed default, `explain` and the rule itself
//! all read the same table, so that none can drift from another.

use std::fmt;

use crate::time::{MICROSECOND, MILLISECOND, SECOND};

/// What a limit is set to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Amount {
    /// A duration in nanoseconds, written `"10ms"`.
    Nanos(u64),
    /// A size in bytes, written `"16KiB"`.
    Bytes(u64),
    /// A number of things, written `100`.
    Count(u64),
    /// A share from 0 to 1, or a factor, written `0.5`.
    Ratio(f64),
}

impl Amount {
    /// What may be written in its place, for error messages.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Nanos(_) => "a duration such as \"10ms\", \"1.5s\" or \"5m\"",
            Self::Bytes(_) => "a size such as \"16KiB\", \"1MiB\" or \"512B\"",
            Self::Count(_) => "a whole number, 0 or more",
            Self::Ratio(_) => "a number, 0 or more, such as 0.5 or 10",
        }
    }
}

/// The amount as it is written in `pollscope.toml`; reading it back gives the same amount.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Nanos(n) => write!(f, "\"{}\"", duration_text(n)),
            Self::Bytes(n) => write!(f, "\"{}\"", size_text(n)),
            Self::Count(n) => write!(f, "{n}"),
            Self::Ratio(n) => write!(f, "{n:?}"),
        }
    }
}

/// One limit of one detector.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Limit {
    /// Key under `[detectors.ID]`.
    pub key: &'static str,
    /// What it is unless a policy says otherwise.
    pub default: Amount,
    /// One sentence: what it decides.
    pub help: &'static str,
}

impl Limit {
    /// A limit on a duration.
    pub const fn nanos(key: &'static str, ns: u64, help: &'static str) -> Self {
        Self { key, default: Amount::Nanos(ns), help }
    }

    /// A limit on a size.
    pub const fn bytes(key: &'static str, bytes: u64, help: &'static str) -> Self {
        Self { key, default: Amount::Bytes(bytes), help }
    }

    /// A limit on a number of things.
    pub const fn count(key: &'static str, count: u64, help: &'static str) -> Self {
        Self { key, default: Amount::Count(count), help }
    }

    /// A share or a factor.
    pub const fn ratio(key: &'static str, ratio: f64, help: &'static str) -> Self {
        Self { key, default: Amount::Ratio(ratio), help }
    }
}

/// The largest unit that leaves a whole number.
fn duration_text(ns: u64) -> String {
    let units = [
        (3_600 * SECOND, "h"),
        (60 * SECOND, "m"),
        (SECOND, "s"),
        (MILLISECOND, "ms"),
        (MICROSECOND, "us"),
        (1, "ns"),
    ];
    let fits = |(unit, _): &(u64, &str)| ns >= *unit && ns.is_multiple_of(*unit);
    units.into_iter().find(fits).map_or_else(|| "0".to_owned(), |(unit, name)| format!("{}{name}", ns / unit))
}

const SIZES: [(u64, &str); 4] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")];

fn size_text(bytes: u64) -> String {
    let fits = |(unit, _): &(u64, &str)| bytes >= *unit && bytes.is_multiple_of(*unit);
    SIZES
        .into_iter()
        .find(fits)
        .map_or_else(|| "0B".to_owned(), |(unit, name)| format!("{}{name}", bytes / unit))
}

/// Reads `16KiB`, `1 MiB` or `512B`.
fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (unit, name) = SIZES.into_iter().find(|(_, name)| text.ends_with(name))?;
    text.strip_suffix(name)?.trim().parse::<u64>().ok()?.checked_mul(unit)
}

/// Reads an amount of the same sort as `like` from a TOML value.
#[cfg(feature = "toml")]
pub(crate) fn read(like: Amount, value: &toml::de::DeValue<'_>) -> Option<Amount> {
    let whole = || i128::from_str_radix(value.as_integer()?.as_str(), value.as_integer()?.radix()).ok();
    match like {
        Amount::Nanos(_) => crate::time::parse_duration(value.as_str()?).ok().map(Amount::Nanos),
        Amount::Bytes(_) => parse_size(value.as_str()?).map(Amount::Bytes),
        Amount::Count(_) => u64::try_from(whole()?).ok().map(Amount::Count),
        Amount::Ratio(_) => {
            let number = match value.as_float() {
                Some(float) => float.as_str().parse().ok()?,
                None => whole()? as f64,
            };
            (number.is_finite() && number >= 0.0).then_some(Amount::Ratio(number))
        }
    }
}

#[cfg(all(test, feature = "toml"))]
mod tests {
    use crate::rule::limit::*;

    #[test]
    fn amounts_print_as_they_are_read() {
        let cases = [
            (Amount::Nanos(10 * MILLISECOND), "\"10ms\""),
            (Amount::Nanos(90 * SECOND), "\"90s\""),
            (Amount::Nanos(300 * SECOND), "\"5m\""),
            (Amount::Nanos(1_500), "\"1500ns\""),
            (Amount::Nanos(0), "\"0\""),
            (Amount::Bytes(16 << 10), "\"16KiB\""),
            (Amount::Bytes(1_000), "\"1000B\""),
            (Amount::Bytes(0), "\"0B\""),
            (Amount::Count(100), "100"),
            (Amount::Ratio(0.5), "0.5"),
            (Amount::Ratio(10.0), "10.0"),
        ];
        for (amount, text) in cases {
            assert_eq!(amount.to_string(), text);
            let value = toml::de::DeValue::parse(text).expect("valid TOML");
            assert_eq!(read(amount, value.get_ref()), Some(amount), "{text}");
        }
    }

    #[test]
    fn amounts_of_another_sort_are_refused() {
        for (like, text) in [
            (Amount::Nanos(0), "10"),
            (Amount::Nanos(0), "\"10 parsecs\""),
            (Amount::Bytes(0), "\"16\""),
            (Amount::Bytes(0), "\"99999999999GiB\""),
            (Amount::Count(0), "-1"),
            (Amount::Count(0), "1.5"),
            (Amount::Ratio(0.0), "nan"),
            (Amount::Ratio(0.0), "-0.5"),
            (Amount::Ratio(0.0), "\"50%\""),
        ] {
            let value = toml::de::DeValue::parse(text).expect("valid TOML");
            assert_eq!(read(like, value.get_ref()), None, "{text}");
        }
    }
}
