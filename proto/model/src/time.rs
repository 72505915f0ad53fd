//! Time as data: nanoseconds on a process's own monotonic clock, and how people read and write them.
//!
//! Nothing here reads a clock.

use std::fmt;

/// Nanoseconds in one second.
pub const SECOND: u64 = 1_000_000_000;
/// Nanoseconds in one millisecond.
pub const MILLISECOND: u64 = 1_000_000;
/// Nanoseconds in one microsecond.
pub const MICROSECOND: u64 = 1_000;

/// Ties a process's monotonic clock to the wall: both were read at the same moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClockAnchor {
    /// Wall clock, nanoseconds since the Unix epoch.
    pub unix_ns: u64,
    /// The process's monotonic clock at that moment, nanoseconds since its recorder started.
    pub mono_ns: u64,
}

impl ClockAnchor {
    /// Wall-clock time of a monotonic instant; saturates instead of wrapping.
    pub fn to_unix_ns(self, mono_ns: u64) -> u64 {
        if mono_ns >= self.mono_ns {
            self.unix_ns.saturating_add(mono_ns - self.mono_ns)
        } else {
            self.unix_ns.saturating_sub(self.mono_ns - mono_ns)
        }
    }

    /// The monotonic instant of a wall-clock time; saturates at zero.
    pub fn to_mono_ns(self, unix_ns: u64) -> u64 {
        if unix_ns >= self.unix_ns {
            self.mono_ns.saturating_add(unix_ns - self.unix_ns)
        } else {
            self.mono_ns.saturating_sub(self.unix_ns - unix_ns)
        }
    }
}

/// Nanoseconds, printed in at most six characters: `340ns`, `12us`, `4.1ms`, `1.8s`, `4m05s`,
/// `4h12m`, `9d02h`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Nanos(pub u64);

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0;
        let text = match ns {
            0..MICROSECOND => format!("{ns}ns"),
            MICROSECOND..MILLISECOND => scaled(ns, MICROSECOND, "us"),
            MILLISECOND..SECOND => scaled(ns, MILLISECOND, "ms"),
            _ if ns < 60 * SECOND => scaled(ns, SECOND, "s"),
            _ => long(ns / SECOND),
        };
        f.pad(&text)
    }
}

/// One decimal below ten of a unit, none above: always rounded down, so that `999.9us` never
/// becomes `1000us`.
fn scaled(ns: u64, unit: u64, suffix: &str) -> String {
    let whole = ns / unit;
    let tenth = ns % unit * 10 / unit;
    if whole < 10 && tenth > 0 { format!("{whole}.{tenth}{suffix}") } else { format!("{whole}{suffix}") }
}

fn long(seconds: u64) -> String {
    match seconds {
        0..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Why a duration could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid duration `{text}`: expected a number with a unit, such as 10ms, 1.5s, 250us or 5m")]
pub struct InvalidDuration {
    text: String,
}

/// Reads a duration such as `10ms`, `1.5s`, `250us`, `5m`, `2h`, `1d` or `0`, as nanoseconds.
pub fn parse_duration(text: &str) -> Result<u64, InvalidDuration> {
    let invalid = || InvalidDuration { text: text.to_owned() };
    let trimmed = text.trim();
    if trimmed == "0" {
        return Ok(0);
    }
    let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(invalid)?;
    let (number, unit) = trimmed.split_at(split);
    let unit = match unit.trim() {
        "ns" => 1,
        "us" | "µs" | "μs" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" | "min" => 60 * SECOND,
        "h" => 3_600 * SECOND,
        "d" => 86_400 * SECOND,
        _ => return Err(invalid()),
    };
    let number: f64 = number.parse().map_err(|_| invalid())?;
    let ns = number * unit as f64;
    if ns.is_finite() && ns >= 0.0 && ns < u64::MAX as f64 { Ok(ns.round() as u64) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_print_in_six_characters_at_most() {
        let cases = [
            (0, "0ns"),
            (999, "999ns"),
            (1_500, "1.5us"),
            (999_999, "999us"),
            (4_100_000, "4.1ms"),
            (412_000_000, "412ms"),
            (1_800_000_000, "1.8s"),
            (59_999_999_999, "59s"),
            (245 * SECOND, "4m05s"),
            (15_120 * SECOND, "4h12m"),
            (784_800 * SECOND, "9d02h"),
        ];
        for (ns, text) in cases {
            assert_eq!(Nanos(ns).to_string(), text);
        }
    }

    #[test]
    fn durations_are_read_with_their_units() {
        assert_eq!(parse_duration("10ms"), Ok(10 * MILLISECOND));
        assert_eq!(parse_duration("1.5s"), Ok(1_500 * MILLISECOND));
        assert_eq!(parse_duration(" 250us "), Ok(250 * MICROSECOND));
        assert_eq!(parse_duration("5m"), Ok(300 * SECOND));
        assert_eq!(parse_duration("0"), Ok(0));
        for bad in ["", "10", "ms", "ten ms", "-1s", "1.2.3s", "99999999999999d", "5 parsecs"] {
            assert!(parse_duration(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn an_anchor_maps_both_ways_and_saturates() {
        let anchor = ClockAnchor { unix_ns: 1_000, mono_ns: 100 };
        assert_eq!(anchor.to_unix_ns(150), 1_050);
        assert_eq!(anchor.to_unix_ns(50), 950);
        assert_eq!(anchor.to_mono_ns(1_050), 150);
        assert_eq!(anchor.to_mono_ns(0), 0);
        assert_eq!(anchor.to_unix_ns(u64::MAX), u64::MAX);
    }
}
