//! Starting: settings, then the recorder, then our own threads. Nothing runs before. A later `init` joins what runs; what
//! is refused is noted for the `pollscope check` that waits for the recording, whose verdict would be by chance.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pollscope_recorder::Recorder;
use pollscope_recorder::clock;
use pollscope_recorder::session::Session;
use pollscope_system::run_notes::{self, Note};

use crate::report::drain::Drain;
use crate::report::overload::OverloadSampler;
use crate::report::reporter::Reporter;
use crate::report::sample;
use crate::runtime::TOKIO;
use crate::setup::config::Config;
use crate::setup::error::{Failed, InitError};
use crate::setup::guard::{Guard, PATIENCE};
use crate::setup::outlet::{self, Outlets, Wanted};
use crate::setup::running::{self, Dumper, Running};
use crate::setup::{boot, env, fork, notice, switches, tracking};
use crate::watch::watchdog::{NAMING, Watchdog};

/// Between two looks whether the guard that ends has ended.
const STEP: Duration = Duration::from_millis(1);

/// What this build has to carry reports out of the process.
#[cfg(any(feature = "export", feature = "recording"))]
const OUTLETS: Option<outlet::Open> = Some(crate::export::open);
#[cfg(not(any(feature = "export", feature = "recording")))]
const OUTLETS: Option<outlet::Open> = None;

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
        switch_off();
        return Guard::inert();
    }
    for complaint in &complaints {
        notice::warn(complaint);
    }
    warn_of_strangers();
    let begun = start(&config, Later::Joins, &mut |error| {
        // A recording lacks nothing where no viewer can attach and no dump is written.
        if !matches!(error, InitError::Listen(_) | InitError::Dump(_)) {
            refuse(&config, &error);
        }
        notice::warn(&error.to_string());
        Ok(())
    });
    begun.unwrap_or_else(|error| {
        refuse(&config, &error);
        notice::warn(&error.to_string());
        Guard::inert()
    })
}

pub(crate) fn start_strictly(mut config: Config, mut complaints: Vec<String>) -> Result<Guard, InitError> {
    complaints.extend(env::apply(&mut config, environment));
    notice::set_level(config.log);
    if !config.enabled {
        switch_off();
        return Ok(Guard::inert());
    }
    if let Some(complaint) = complaints.into_iter().next() {
        return Err(InitError::Setting(complaint));
    }
    // No reason to refuse: the variable may be meant for another version.
    warn_of_strangers();
    start(&config, Later::IsRefused, &mut Err).inspect_err(|error| refuse(&config, error))
}

/// Notes for the check that waits for the recording that this process does not record all that it was asked to.
fn refuse(config: &Config, error: &InitError) {
    if let Some(folder) = &config.record {
        let name = std::env::current_exe().unwrap_or_default();
        let name = name.file_name().unwrap_or_default().to_string_lossy();
        run_notes::leave(folder, Note::Refused(&format!("{name}: {error}")));
    }
}

/// What becomes of an `init` while an earlier guard is alive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Later {
    /// Its guard keeps running what runs.
    Joins,
    IsRefused,
}

fn switch_off() {
    sample::switch_off();
    tracking::decide(false);
}

/// `failed` decides whether to go on when nothing can listen, or be recorded or dumped.
fn start(config: &Config, later: Later, failed: Failed<'_>) -> Result<Guard, InitError> {
    if fork::is_child() {
        return Err(InitError::Forked);
    }
    let deadline = Instant::now() + PATIENCE;
    while !switches::start(std::process::id()) {
        let joined = running::join(|running| match later {
            Later::Joins => Ok(config.differs_from(running)),
            Later::IsRefused => Err(InitError::AlreadyRunning),
        });
        match joined {
            Some(Ok(None)) => return Ok(Guard::secondary()),
            Some(Ok(Some(what))) => {
                failed(InitError::Setting(format!(
                    "an earlier init() of this process records, by its own settings: another {what} was asked for and \
                     is not used"
                )))?;
                return Ok(Guard::secondary());
            }
            Some(Err(error)) => return Err(error),
            // A guard is starting, or ending.
            None if switches::is_left_behind() || Instant::now() > deadline => {
                return Err(InitError::AlreadyRunning);
            }
            None => std::thread::sleep(STEP),
        }
    }
    let started = start_threads(config, failed);
    if started.is_err() {
        Recorder::global().stop();
        switches::end();
    }
    started.map(Guard::recording)
}

fn start_threads(config: &Config, failed: Failed<'_>) -> Result<Running, InitError> {
    let boot = boot::new_id();
    let mut wanted = Wanted::of(config);
    let opened = OUTLETS.map(|open| open(config, boot, &mut wanted, &mut *failed)).transpose()?;
    let unreported = wanted.refuse(failed)?;
    let recorder = Recorder::global();
    recorder.start(config.recorder, TOKIO);
    tracking::decide(config.tracks_delays());
    if let Some(why) = clock::slow() {
        notice::warn(&format!("recording is expensive here: {why}"));
    }
    sample::switch_on();
    let slowest = Duration::from_nanos(config.recorder.slow_poll_ns);
    let drain = Drain::new(recorder, boot);
    let overload = OverloadSampler::new(config.overload_limit);
    let (reporter, thread) = Reporter::start(drain, config.interval, overload).map_err(InitError::Thread)?;
    // Before the first greeting: the greeting says whether stalls are seen.
    let watchdog =
        match config.stall.map(|limit| Watchdog::start(Session::NONE, limit.max(slowest))).transpose() {
            Ok(watchdog) => watchdog,
            Err(error) => {
                reporter.stop();
                return Err(InitError::Thread(error));
            }
        };
    let outlets = match opened.map_or_else(|| Ok(Outlets::default()), |opened| opened.start(&reporter)) {
        Ok(outlets) => outlets,
        Err(error) => {
            reporter.stop();
            if let Some(watchdog) = watchdog {
                watchdog.stop(Instant::now() + NAMING);
                crate::watch::watchdog::ends();
            }
            return Err(InitError::Thread(error));
        }
    };
    if let Some(why) = unreported {
        notice::warn(&why);
    }
    let dumper = Arc::new(Dumper::new(reporter.clone(), outlets.dump_files()));
    Ok(Running { reporter, thread, outlets, dumper, watchdog, config: config.clone() })
}
