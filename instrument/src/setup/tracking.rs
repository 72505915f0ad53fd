//! Whether runtimes are to track the schedule delay of the tasks that only tokio's hooks see.
//!
//! `init` decides by its settings; a runtime that is attached before goes by the environment. Tokio is asked when a runtime
//! is built, so that what is decided later holds for later runtimes. Called by `init`, by `attach` and by the greeting; asks
//! tokio for nothing itself.

use std::ffi::OsString;
use std::sync::atomic::Ordering;

use pollscope_model::measured::Mode;

use crate::setup::switches::{DELAYS_OFF, DELAYS_ON, SWITCHES};

/// The environment's switch.
pub(crate) const NAME: &str = "POLLSCOPE_SCHEDULE_DELAY";
/// Without a setting.
pub(crate) const DEFAULT: bool = false;

/// Decides for the runtimes that are attached from now on.
pub(crate) fn decide(wanted: bool) {
    SWITCHES.tracks_delays.store(if wanted { DELAYS_ON } else { DELAYS_OFF }, Ordering::Relaxed);
}

/// Whether a runtime that is attached now is to track delays.
pub(crate) fn is_wanted() -> bool {
    match SWITCHES.tracks_delays.load(Ordering::Relaxed) {
        DELAYS_ON => true,
        DELAYS_OFF => false,
        _ => by_environment(environment),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the rim: a runtime may be attached before `init` reads the environment"
)]
fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// What `init` would decide by default settings. It says what is wrong with a value; here such a value counts as absent.
fn by_environment(read: impl Fn(&str) -> Option<OsString>) -> bool {
    let text = |name| read(name).and_then(|value| value.into_string().ok());
    let is_limited = text("POLLSCOPE").is_some_and(|text| {
        let text = text.trim();
        text == "off" || Mode::from_name(text).is_some_and(|mode| mode != Mode::Hooks)
    });
    !is_limited && text(NAME).and_then(|text| parse(text.trim()).ok()).unwrap_or(DEFAULT)
}

/// Reads a value of the environment's switch.
pub(crate) fn parse(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("it is neither".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_init_the_environment_decides_and_what_makes_no_sense_counts_as_absent() {
        let with = |pairs: &[(&str, &str)]| {
            by_environment(|name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
            })
        };
        assert_eq!([with(&[]), with(&[(NAME, "maybe")])], [DEFAULT; 2]);
        assert_eq!([with(&[(NAME, " on ")]), with(&[(NAME, "off")])], [true, false]);
        for limit in ["off", "sample", "wrap"] {
            assert!(!with(&[(NAME, "on"), ("POLLSCOPE", limit)]), "{limit} sees no hooked task");
        }
        assert!(with(&[(NAME, "on"), ("POLLSCOPE", "hooks")]));
    }
}
