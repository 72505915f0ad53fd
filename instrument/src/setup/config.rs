//! The settings of one process; the [`Builder`](crate::Builder) makes them. Pure: reads no environment,
//! opens nothing.

mod checked;
mod choices;

use std::path::PathBuf;
use std::time::Duration;

use pollscope_model::measured::Mode;
use pollscope_recorder::Settings;

use crate::report::overload;
use crate::setup::notice::LogLevel;
use crate::setup::tracking;
pub(crate) use checked::{endpoint, interval, policy, record, record_limit};
pub use choices::{DumpSignal, Listen};

/// Time between two reports while a reader takes them.
///
/// A quarter of a second: new tasks are on screen before a person wonders, and the drain, whose cost
/// follows what changed, stays far below one per cent of a core for a service of ordinary size.
pub(crate) const DEFAULT_INTERVAL: Duration = Duration::from_millis(250);
/// Bytes that the files of a recording may take together.
pub(crate) const DEFAULT_RECORD_LIMIT: u64 = 256 << 20;
/// Polls that are open for longer are looked at: what `blocking-poll` warns of.
pub(crate) const DEFAULT_STALL: Duration = Duration::from_millis(10);

/// Where to record, and how much.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    /// A file if it ends in `.mcap`, else a folder.
    pub(crate) path: PathBuf,
    /// Bytes of all its files together.
    pub(crate) limit: u64,
}

/// Where to dump, and on which signal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Dump {
    pub(crate) folder: Option<PathBuf>,
    pub(crate) signal: Option<DumpSignal>,
}

/// What was decided; see [`Builder`](crate::Builder) for the meaning of each.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Config {
    pub(crate) enabled: bool,
    pub(crate) name: Option<String>,
    pub(crate) listen: Listen,
    pub(crate) endpoint: Option<String>,
    pub(crate) interval: Duration,
    pub(crate) overload_limit: Duration,
    pub(crate) record: Option<PathBuf>,
    pub(crate) record_limit: u64,
    pub(crate) dump: Dump,
    pub(crate) recorder: Settings,
    /// Whether runtimes that are attached track the delays of hooked tasks.
    pub(crate) schedule_delay: bool,
    /// `None`: no watchdog.
    pub(crate) stall: Option<Duration>,
    pub(crate) policy: String,
    pub(crate) log: LogLevel,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            name: None,
            listen: Listen::Auto,
            endpoint: None,
            interval: DEFAULT_INTERVAL,
            overload_limit: overload::DEFAULT_LIMIT,
            record: None,
            record_limit: DEFAULT_RECORD_LIMIT,
            dump: Dump::default(),
            recorder: Settings::default(),
            schedule_delay: tracking::DEFAULT,
            stall: Some(DEFAULT_STALL),
            policy: String::new(),
            log: LogLevel::default(),
        }
    }
}

impl Config {
    /// Whether runtimes are to track the delays of tasks that only hooks see, which the mode has to allow.
    pub(crate) fn tracks_delays(&self) -> bool {
        self.enabled && self.schedule_delay && self.recorder.limit == Mode::Hooks
    }

    /// The recording that is asked for.
    pub(crate) fn recording(&self) -> Option<Record> {
        self.record.clone().map(|path| Record { path, limit: self.record_limit })
    }

    /// Which setting makes it see or judge otherwise than that one; where it listens and reports to makes no difference.
    pub(crate) fn differs_from(&self, other: &Self) -> Option<&'static str> {
        let (own, others) = (self.recorder, other.recorder);
        if own.slow_poll_ns != others.slow_poll_ns {
            Some("slow_poll")
        } else if own.limit != others.limit {
            Some("mode")
        } else if own.max_tasks != others.max_tasks {
            Some("max_tasks")
        } else if self.stall != other.stall {
            Some("stall")
        } else if self.schedule_delay != other.schedule_delay {
            Some("schedule_delay")
        } else if self.policy != other.policy {
            Some("policy")
        } else {
            None
        }
    }
}
