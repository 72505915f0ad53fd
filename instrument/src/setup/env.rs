//! The environment of an instrumented service: one table that drives what is read and what the
//! documentation says. It has the last word over the [`Builder`](crate::Builder).

use std::ffi::OsString;
use std::time::Duration;

use pollscope_model::measured::Mode;
use pollscope_model::nearest::nearest;
use pollscope_model::size::parse_size;
use pollscope_model::time::parse_duration;

use crate::report::overload;
use crate::setup::config::{self, Config};
use crate::setup::notice::LogLevel;
use crate::setup::tracking;

/// An environment variable that pollscope reads at `init`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The form of its value.
    pub expects: &'static str,
    /// What holds without it.
    pub default: &'static str,
    /// What it does.
    pub help: &'static str,
    apply: fn(&mut Config, &str) -> Result<(), String>,
}

/// Every variable. One with an empty value counts as absent; one whose value cannot be used is
/// reported in one line and counts as absent.
pub const VARIABLES: [Variable; 17] = [
    Variable {
        name: "POLLSCOPE",
        expects: "off, sample, wrap or hooks",
        default: "the deepest mode that the build allows",
        help: "switches pollscope off altogether, or limits it to a mode",
        apply: |config, text| {
            config.enabled = text != "off";
            if config.enabled {
                config.recorder.limit = Mode::from_name(text).ok_or("there is no such mode")?;
            }
            Ok(())
        },
    },
    Variable {
        name: "POLLSCOPE_NAME",
        expects: "a text",
        default: "the executable's file name",
        help: "the service's name",
        apply: |config, text| {
            config.name = Some(text.to_owned());
            Ok(())
        },
    },
    Variable {
        name: "POLLSCOPE_LISTEN",
        expects: "off, unix, unix:PATH or a loopback address such as 127.0.0.1:0",
        default: "unix: a socket named after the process id in $XDG_RUNTIME_DIR/pollscope or /tmp/pollscope-<uid>",
        help: "where the process can be attached to",
        apply: |config, text| {
            config.listen = text.parse()?;
            Ok(())
        },
    },
    Variable {
        name: "POLLSCOPE_ENDPOINT",
        expects: "a collector's address such as http://127.0.0.1:7700, or unix:PATH",
        default: "none",
        help: "the collector to report to",
        apply: |config, text| {
            config.endpoint = Some(config::endpoint(text)?);
            Ok(())
        },
    },
    Variable {
        name: "POLLSCOPE_INTERVAL",
        expects: "a duration from 10ms to 60s",
        default: "250ms",
        help: "time between two reports; at least 1s without a reader",
        apply: |config, text| {
            config.interval = config::interval(duration(text)?)?;
            Ok(())
        },
    },
    Variable {
        name: "POLLSCOPE_RECORD",
        expects: "a path that ends in .mcap, or a folder",
        default: "none: nothing is recorded",
        help: "the recording to write (feature `recording`), for `pollscope open`; in a folder one file for each process, and for each test of #[pollscope::test] that fails; to the collector whose socket is in that folder, as that of `pollscope check -- CMD` is, it is pushed instead, by any build with `export`",
        apply: |config, text| {
            config.record = Some(config::record(text.into())?);
            Ok(())
        },
    },
    Variable {
        name: "POLLSCOPE_RECORD_LIMIT",
        expects: "a size of at least 1MiB, such as 256MiB or 2GiB",
        default: "256MiB",
        help: "how much the files of a recording may take together; the oldest of four leaves first",
        apply: |config, text| {
            config.record_limit =
                config::record_limit(parse_size(text).map_err(|_| "that is no size".to_owned())?)?;
            Ok(())
        },
    },
    Variable {
        name: "POLLSCOPE_POLICY",
        expects: "the path of a readable pollscope.toml of at most 256 KiB",
        default: "none: viewers judge by their own policy",
        help: "the policy that this process asks its viewers to apply",
        apply: |config, text| {
            let max = pollscope_system::file::MAX_TEXT_BYTES;
            let policy =
                pollscope_system::file::read_text(text.as_ref(), max).map_err(|error| error.to_string())?;
            config.policy = config::policy(policy)?;
            Ok(())
        },
    },
    Variable {
        name: "POLLSCOPE_SLOW_POLL",
        expects: "a duration such as 1ms",
        default: "1ms",
        help: "polls from this length on are slow: they leave evidence",
        apply: |config, text| {
            config.recorder.slow_poll_ns = duration(text)?.as_nanos() as u64;
            Ok(())
        },
    },
    Variable {
        name: "POLLSCOPE_OVERLOAD_LIMIT",
        expects: "a duration from 2ms to 60s",
        default: "50ms",
        help: "waits for a worker from this length on are an overload if they stay",
        apply: |config, text| {
            config.overload_limit = overload::limit(duration(text)?)?;
            Ok(())
        },
    },
    Variable {
        name: tracking::NAME,
        expects: "on or off",
        default: "off",
        help: "whether tasks that only tokio's hooks see have their schedule delay: runtimes that are attached track it",
        apply: |config, text| {
            config.schedule_delay = tracking::parse(text)?;
            Ok(())
        },
    },
    Variable {
        name: "POLLSCOPE_FLIGHT",
        expects: "off, demand or always",
        default: "demand",
        help: "when single polls and wakes are recorded: never, while a viewer looks, or from the start (then the file of POLLSCOPE_RECORD holds them too)",
        apply: |config, text| {
            config.recorder.flight = text.parse()?;
            Ok(())
        },
    },
    Variable {
        name: "POLLSCOPE_FLIGHT_EVENTS",
        expects: "a number from 64 to 16777216",
        default: "32768",
        help: "how many single polls and wakes each thread keeps, 24 bytes each",
        apply: |config, text| {
            config.recorder.flight_events = text
                .parse()
                .ok()
                .filter(|events| (64..=1 << 24).contains(events))
                .ok_or("that is no such number")?;
            Ok(())
        },
    },
    Variable {
        name: "POLLSCOPE_DUMP",
        expects: "the path of a folder",
        default: "none: dumps go to viewers, collector and recording only",
        help: "where each dump becomes a file for `pollscope open`; the newest ten of a service stay",
        apply: |config, text| {
            config.dump.folder = Some(config::record(text.into())?);
            Ok(())
        },
    },
    Variable {
        name: "POLLSCOPE_DUMP_SIGNAL",
        expects: "usr1 or usr2",
        default: "none",
        help: "the signal on which the single polls and wakes of the last 15s are dumped",
        apply: |config, text| {
            config.dump.signal = Some(text.parse()?);
            Ok(())
        },
    },
    Variable {
        name: "POLLSCOPE_STALL",
        expects: "off, or a duration such as 10ms",
        default: "10ms",
        help: "polls that are open for so long are looked at while they are: stack and kernel's word",
        apply: |config, text| {
            config.stall = if text == "off" { None } else { Some(duration(text)?) };
            Ok(())
        },
    },
    Variable {
        name: "POLLSCOPE_LOG",
        expects: "off, warn or info",
        default: "warn",
        help: "how much pollscope says on stderr",
        apply: |config, text| {
            let level = LogLevel::ALL.into_iter().find(|level| level.as_str() == text);
            config.log = level.ok_or("there is no such level")?;
            Ok(())
        },
    },
];

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map(Duration::from_nanos).map_err(|_| "that is no duration".to_owned())
}

/// Applies the environment; gives one complaint for each value that cannot be used.
pub(crate) fn apply(config: &mut Config, read: impl Fn(&str) -> Option<OsString>) -> Vec<String> {
    let mut complaints = Vec::new();
    for variable in &VARIABLES {
        let Some(value) = read(variable.name).filter(|value| !value.is_empty()) else { continue };
        let mut changed = config.clone();
        let outcome = match value.to_str() {
            Some(text) => (variable.apply)(&mut changed, text.trim()),
            None => Err("it is no UTF-8".to_owned()),
        };
        match outcome {
            Ok(()) => *config = changed,
            Err(why) => complaints.push(format!(
                "{}={} is ignored: {why}; expected {}",
                variable.name,
                value.to_string_lossy(),
                variable.expects
            )),
        }
    }
    complaints
}

const PREFIX: &str = "POLLSCOPE_";
/// Variables of ours that others read: the terminal program, and the project's own tests.
const OF_OTHERS: [&str; 3] = ["POLLSCOPE_THEME", "POLLSCOPE_GLYPHS", "POLLSCOPE_BLESS"];

/// One complaint for each name that looks like ours and is not: mistyped, or of another version.
pub(crate) fn strangers(names: impl Iterator<Item = OsString>) -> Vec<String> {
    let known = || VARIABLES.iter().map(|variable| variable.name);
    let ours = names.filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with(PREFIX));
    let strange = ours.filter(|name| !known().chain(OF_OTHERS).any(|known| known == name));
    strange
        .map(|name| {
            match nearest(&name[PREFIX.len()..], known().filter_map(|known| known.strip_prefix(PREFIX))) {
                Some(meant) => format!("{name} is ignored: did you mean {PREFIX}{meant}?"),
                None => format!(
                    "{name} is ignored: this version knows no such variable, but {}",
                    known().collect::<Vec<_>>().join(", ")
                ),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use pollscope_model::time::Nanos;

    use super::*;

    fn with(pairs: &[(&str, &str)]) -> (Config, Vec<String>) {
        let mut config = Config::default();
        let complaints = apply(&mut config, |name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        });
        (config, complaints)
    }

    #[test]
    fn the_table_names_the_real_defaults() {
        let default = Config::default();
        let said = |name| VARIABLES.iter().find(|v| v.name == name).map(|v| v.default.to_owned());
        assert_eq!(said("POLLSCOPE_INTERVAL"), Some(Nanos(default.interval.as_nanos() as u64).to_string()));
        let overload = Nanos(default.overload_limit.as_nanos() as u64);
        assert_eq!(said("POLLSCOPE_OVERLOAD_LIMIT"), Some(overload.to_string()));
        assert_eq!(said("POLLSCOPE_SLOW_POLL"), Some(Nanos(default.recorder.slow_poll_ns).to_string()));
        assert_eq!(
            said("POLLSCOPE_RECORD_LIMIT").map(|size| parse_size(&size)),
            Some(Ok(default.record_limit))
        );
        assert_eq!(said("POLLSCOPE_FLIGHT"), Some(default.recorder.flight.as_str().to_owned()));
        assert_eq!(said("POLLSCOPE_FLIGHT_EVENTS"), Some(default.recorder.flight_events.to_string()));
        let delays = if default.schedule_delay { "on" } else { "off" };
        assert_eq!(said("POLLSCOPE_SCHEDULE_DELAY").as_deref(), Some(delays));
        let stall = default.stall.map(|limit| Nanos(limit.as_nanos() as u64).to_string());
        assert_eq!(said("POLLSCOPE_STALL"), stall);
        assert_eq!(said("POLLSCOPE_LOG"), Some(default.log.as_str().to_owned()));
    }

    #[test]
    fn garbage_gives_one_complaint_each_and_changes_nothing() {
        let garbage: Vec<_> = VARIABLES
            .iter()
            .filter(|variable| variable.name != "POLLSCOPE_NAME")
            .map(|variable| (variable.name, "gar\nbage"))
            .collect();
        let (config, complaints) = with(&garbage);
        assert_eq!(complaints.len(), garbage.len());
        for ((name, _), complaint) in garbage.iter().zip(&complaints) {
            assert!(complaint.starts_with(&format!("{name}=gar")), "{complaint}");
            assert!(complaint.contains("; expected "), "{complaint}");
        }
        assert_eq!(config, Config::default());
    }

    #[test]
    fn a_name_that_is_almost_ours_is_told() {
        let names =
            ["PATH", "POLLSCOPE", "POLLSCOPE_LOG", "POLLSCOPE_THEME", "POLLSCOPE_ENDPONT", "POLLSCOPE_QX"];
        let complaints = strangers(names.into_iter().map(OsString::from));
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert_eq!(complaints[0], "POLLSCOPE_ENDPONT is ignored: did you mean POLLSCOPE_ENDPOINT?");
        assert!(complaints[1].starts_with("POLLSCOPE_QX is ignored: this version knows"), "{complaints:?}");
    }

    #[test]
    fn good_values_are_taken() {
        let (config, complaints) = with(&[
            ("POLLSCOPE", "wrap"),
            ("POLLSCOPE_NAME", "checkout"),
            ("POLLSCOPE_LISTEN", "127.0.0.1:0"),
            ("POLLSCOPE_ENDPOINT", "collector:7700"),
            ("POLLSCOPE_SLOW_POLL", "10ms"),
            ("POLLSCOPE_STALL", "off"),
            ("POLLSCOPE_SCHEDULE_DELAY", "on"),
            ("POLLSCOPE_LOG", ""),
        ]);
        assert_eq!(complaints, Vec::<String>::new());
        assert_eq!(config.recorder.limit, Mode::Wrap);
        assert_eq!(config.name.as_deref(), Some("checkout"));
        assert_eq!(config.listen.to_string(), "127.0.0.1:0");
        assert_eq!(config.endpoint.as_deref(), Some("http://collector:7700"));
        assert_eq!(config.recorder.slow_poll_ns, 10_000_000);
        assert_eq!(config.stall, None);
        assert!(config.schedule_delay && !config.tracks_delays(), "wrap mode sees no hooked task");
        assert!(!with(&[("POLLSCOPE", "off")]).0.enabled);
    }
}
