//! A cell: a number with its unit, a text, or nothing because it was not measured.

use std::fmt;
use std::sync::Arc;

use crate::time::Nanos;

/// What the slow polls of one spawn site took that were seen at one line of the user's code. Only slow polls whose stack
/// was taken, since the viewer began to listen, and the few before it that the process remembers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LineTally {
    /// `src/login.rs:15`; the function where no line is known. Empty for all lines that are not listed.
    pub line: Arc<str>,
    /// Slow polls.
    pub polls: u64,
    /// Their wall time, added up.
    pub total_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

impl LineTally {
    /// Adds those of the same line elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.polls = self.polls.saturating_add(other.polls);
        self.total_ns = self.total_ns.saturating_add(other.total_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }
}

impl fmt::Display for LineTally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = if self.line.is_empty() { "other lines" } else { &*self.line };
        write!(f, "{line} ×{} {}", count(self.polls), Nanos(self.total_ns))
    }
}

/// One cell of a page.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Value {
    /// Not measured, or not applicable: `null` in JSON, `–` on screen. Never zero.
    #[default]
    Null,
    /// A count or an identifier.
    Count(u64),
    /// A duration in nanoseconds.
    Nanos(u64),
    /// A wall-clock time, nanoseconds since the Unix epoch.
    Time(u64),
    /// A size.
    Bytes(u64),
    /// A share, 0 to 1.
    Ratio(f64),
    /// Events per second.
    Rate(f64),
    /// A text.
    Text(Arc<str>),
    /// Several texts.
    List(Vec<Arc<str>>),
    /// Lines of the user's code, those that took most time first.
    Lines(Vec<LineTally>),
    /// Numbers over time, oldest first, scaled by the reader: a sparkline. `None` where nothing was
    /// measured.
    Series(Vec<Option<f32>>),
}

impl Value {
    /// A text cell; an empty text is [`Value::Null`].
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::Null } else { Self::Text(text) }
    }

    /// The number in the cell's own unit, for comparing; `None` for texts, lists and nothing.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Count(n) | Self::Nanos(n) | Self::Time(n) | Self::Bytes(n) => Some(*n as f64),
            Self::Ratio(n) | Self::Rate(n) => Some(*n),
            Self::Null | Self::Text(_) | Self::List(_) | Self::Lines(_) | Self::Series(_) => None,
        }
    }

    /// Whether nothing was measured.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

/// The cell as a person reads it: `412ms`, `97%`, `91.2k`, `1.8 KiB`, `–`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Null => "–".to_owned(),
            Self::Count(n) => count(*n),
            Self::Nanos(n) => Nanos(*n).to_string(),
            Self::Time(n) => clock_time(*n),
            Self::Bytes(n) => bytes(*n),
            Self::Ratio(share) => format!("{:.0}%", share * 100.0),
            Self::Rate(rate) => rate_text(*rate),
            Self::Text(text) => text.to_string(),
            Self::List(items) => items.join(", "),
            Self::Lines(lines) => lines.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            Self::Series(points) => format!("{} points", points.len()),
        };
        f.pad(&text)
    }
}

/// Exact below 10,000, then three digits and a suffix.
fn count(n: u64) -> String {
    if n < 10_000 { n.to_string() } else { rate_text(n as f64) }
}

fn rate_text(rate: f64) -> String {
    // An empty sum of floats is -0.0.
    let rate = rate + 0.0;
    let (scaled, suffix) = match rate.abs() {
        r if r >= 999.5e9 => (rate / 1e12, "T"),
        r if r >= 999.5e6 => (rate / 1e9, "G"),
        r if r >= 999.5e3 => (rate / 1e6, "M"),
        r if r >= 1e3 => (rate / 1e3, "k"),
        _ => (rate, ""),
    };
    let digits = usize::from(scaled.abs() < 99.95 && scaled.fract().abs() > 0.0);
    format!("{scaled:.digits$}{suffix}")
}

fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = (n.max(1).ilog2() / 10).min(4) as usize;
    if unit == 0 {
        return format!("{n} B");
    }
    let scaled = n as f64 / (1u64 << (10 * unit)) as f64;
    let digits = usize::from(scaled < 99.95);
    format!("{scaled:.digits$} {}", UNITS[unit])
}

/// `HH:MM:SS`, UTC.
fn clock_time(unix_ns: u64) -> String {
    let seconds = unix_ns / crate::time::SECOND % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds % 3_600 / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use crate::value::*;

    #[test]
    fn cells_read_like_a_person_writes_them() {
        let cases = [
            (Value::Null, "–"),
            (Value::Count(9_871), "9871"),
            (Value::Count(310_400), "310k"),
            (Value::Count(15_120), "15.1k"),
            (Value::Nanos(412_000_000), "412ms"),
            (Value::Bytes(512), "512 B"),
            (Value::Bytes(1_843), "1.8 KiB"),
            (Value::Ratio(0.974), "97%"),
            (Value::Rate(88.04), "88.0"),
            (Value::Rate(0.0), "0"),
            (Value::Rate(-0.0), "0"),
            (Value::Rate(91_200.0), "91.2k"),
            (
                Value::Lines(vec![
                    LineTally {
                        line: "src/a.rs:7".into(),
                        polls: 2_100,
                        total_ns: 63_000_000_000,
                        max_ns: 9,
                    },
                    LineTally { polls: 3, total_ns: 40_000_000, ..LineTally::default() },
                ]),
                "src/a.rs:7 ×2100 1m03s, other lines ×3 40ms",
            ),
            (Value::Time(45_296 * crate::time::SECOND), "12:34:56"),
        ];
        for (value, text) in cases {
            assert_eq!(value.to_string(), text, "{value:?}");
        }
    }
}
