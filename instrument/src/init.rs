//! Starting: settings, then the recorder, then our own threads. Nothing runs before.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pollscope_recorder::Recorder;
use pollscope_recorder::clock;
use pollscope_recorder::session::Session;

use crate::config::Config;
use crate::drain::Drain;
use crate::dump::{self, Dumper};
use crate::export::{self, Door, Dumps, Exports, Tape};
use crate::guard::{Guard, Running, Status};
use crate::identity::Identity;
use crate::overload::Lookout;
use crate::reporter::Reporter;
use crate::runtime::TOKIO;
use crate::watchdog::{NAMING, Watchdog};
use crate::{env, fork, notice, sample, switches};

/// Why pollscope did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// A setting, of the builder or of the environment, cannot be used.
    #[error("{0}")]
    Setting(String),
    /// An earlier guard of this process is still alive.
    #[error("already running in this process: keep one guard")]
    AlreadyRunning,
    /// This process was forked from one in which a guard was alive: it has none of pollscope's threads, and what those
    /// had locked is locked here for good.
    #[error(
        "this process was forked from one in which pollscope runs: nothing is recorded here; call init in the child \
         and not before the fork, or drop the guard before it"
    )]
    Forked,
    /// The place to listen at cannot be had.
    #[error("{0}")]
    Listen(String),
    /// The recording cannot be written.
    #[error("{0}")]
    Record(String),
    /// Dumps cannot be written, or not be asked for by that signal.
    #[error("{0}")]
    Dump(String),
    /// The operating system gave no thread.
    #[error("no thread could be started")]
    Thread(#[source] std::io::Error),
}

#[expect(clippy::disallowed_methods, reason = "the rim: the environment is read here and nowhere else")]
fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

#[expect(clippy::disallowed_methods, reason = "the rim: the environment is read here and nowhere else")]
fn warn_of_strangers() {
    for complaint in env::strangers(std::env::vars_os().map(|(name, _)| name)) {
        notice::warn(&complaint);
    }
}

pub(crate) fn start_anyway(mut config: Config, mut complaints: Vec<String>) -> Guard {
    complaints.extend(env::apply(&mut config, environment));
    notice::set_level(config.log);
    if !config.enabled {
        sample::switch_off();
        return Guard::inert(Status::Off);
    }
    for complaint in &complaints {
        notice::warn(complaint);
    }
    warn_of_strangers();
    match start(&config, |error| {
        notice::warn(&error.to_string());
        Ok(())
    }) {
        Ok(guard) => guard,
        Err(error) => {
            notice::warn(&error.to_string());
            let second = matches!(error, InitError::AlreadyRunning);
            Guard::inert(if second { Status::Secondary } else { Status::Off })
        }
    }
}

pub(crate) fn start_strictly(mut config: Config, mut complaints: Vec<String>) -> Result<Guard, InitError> {
    complaints.extend(env::apply(&mut config, environment));
    notice::set_level(config.log);
    if !config.enabled {
        sample::switch_off();
        return Ok(Guard::inert(Status::Off));
    }
    if let Some(complaint) = complaints.into_iter().next() {
        return Err(InitError::Setting(complaint));
    }
    // No reason to refuse: the variable may be meant for another version.
    warn_of_strangers();
    start(&config, Err)
}

/// `failed` decides whether to go on when nothing can listen, or be recorded or dumped.
fn start(
    config: &Config,
    failed: impl FnMut(InitError) -> Result<(), InitError>,
) -> Result<Guard, InitError> {
    if fork::is_child() {
        return Err(InitError::Forked);
    }
    if !switches::start(std::process::id()) {
        return Err(InitError::AlreadyRunning);
    }
    let started = start_threads(config, failed);
    if started.is_err() {
        Recorder::global().stop();
        switches::end();
    }
    started.map(Guard::recording)
}

fn start_threads(
    config: &Config,
    mut failed: impl FnMut(InitError) -> Result<(), InitError>,
) -> Result<Running, InitError> {
    let identity = Identity::of_this_process(config);
    let door = match Door::open(&config.listen) {
        Ok(door) => door,
        Err(why) => failed(InitError::Listen(why)).map(|()| None)?,
    };
    // Where a collector takes what would be written, no file is.
    let record = config.recording();
    let folder = record.as_ref().and_then(|record| export::collector_in(&record.path));
    let tape = match Tape::open(record.as_ref().filter(|_| folder.is_none()), &identity) {
        Ok(tape) => tape,
        Err(why) => failed(InitError::Record(why)).map(|()| None)?,
    };
    let (dumps, complaints) = Dumps::open(&config.dump, &identity);
    for why in complaints {
        failed(InitError::Dump(why))?;
    }
    let recorder = Recorder::global();
    recorder.start(config.recorder, TOKIO);
    if let Some(why) = clock::slow() {
        notice::warn(&format!("recording is expensive here: {why}"));
    }
    sample::switch_on();
    let slowest = Duration::from_nanos(config.recorder.slow_poll_ns);
    let drain = Drain::new(recorder, identity.boot);
    let lookout = Lookout::new(config.overload_limit);
    let (reporter, thread) = Reporter::start(drain, config.interval, lookout).map_err(InitError::Thread)?;
    // Before the first greeting: the greeting says whether stalls are seen.
    let watchdog =
        match config.stall.map(|limit| Watchdog::start(Session::NONE, limit.max(slowest))).transpose() {
            Ok(watchdog) => watchdog,
            Err(error) => {
                reporter.stop();
                return Err(InitError::Thread(error));
            }
        };
    let endpoint = config.endpoint.clone();
    let exports = match Exports::start(identity, door, endpoint, folder, tape, dumps, reporter.clone()) {
        Ok(exports) => exports,
        Err(error) => {
            reporter.stop();
            if let Some(watchdog) = watchdog {
                watchdog.stop(Instant::now() + NAMING);
                crate::watchdog::ends();
            }
            return Err(InitError::Thread(error));
        }
    };
    let dumper = Arc::new(Dumper::new(reporter.clone(), exports.desk()));
    dump::offer(dumper.clone());
    Ok(Running { reporter, thread, exports, dumper, watchdog })
}
