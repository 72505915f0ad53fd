//! What pollscope says to the operator of the service: single lines on stderr that begin with
//! `pollscope:`. Never panics (stderr may be closed), never goes through the service's own logging.

use std::io::Write;
use std::sync::atomic::Ordering;

use pollscope_model::text::clean;

use crate::setup::switches::{LOG_LEVEL, SWITCHES};

/// How much is said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[non_exhaustive]
pub enum LogLevel {
    /// Nothing at all.
    Off,
    /// What is refused or does not work, and the address of a TCP listener.
    #[default]
    Warn,
    /// Also what works: where it listens, whom it reports to.
    Info,
}

impl LogLevel {
    /// Every level, quiet ones first.
    pub const ALL: [Self; 3] = [Self::Off, Self::Warn, Self::Info];

    /// The name in `POLLSCOPE_LOG`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

const _: () = assert!(LogLevel::Warn as u8 == LOG_LEVEL);

pub(crate) fn set_level(level: LogLevel) {
    SWITCHES.log_level.store(level as u8, Ordering::Relaxed);
}

/// Something does not work and the service goes on, or the operator could not know it otherwise.
pub(crate) fn warn(text: &str) {
    say(LogLevel::Warn, text);
}

/// Something works.
#[cfg(any(feature = "export", feature = "recording"))]
pub(crate) fn info(text: &str) {
    say(LogLevel::Info, text);
}

fn say(level: LogLevel, text: &str) {
    if level as u8 <= SWITCHES.log_level.load(Ordering::Relaxed) {
        let _ = writeln!(std::io::stderr(), "{}", line(text));
    }
}

/// A text may quote a hostile value: it stays one line.
fn line(text: &str) -> String {
    format!("pollscope: {}", clean(text))
}

#[cfg(test)]
mod tests {
    use pollscope_model::testkit::{HOSTILE, raw};

    use super::line;

    #[test]
    fn nothing_harmful_is_said_by_a_notice() {
        let said = line(HOSTILE);
        assert_eq!(raw(&said, &[]), Vec::<String>::new());
        assert!(said.starts_with("pollscope: =cmd()?[2J") && !said.contains('\n'), "{said:?}");
    }
}
