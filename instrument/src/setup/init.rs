//! Starting: settings, then the recorder, then our own threads. Nothing runs before.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pollscope_recorder::Recorder;
use pollscope_recorder::clock;
use pollscope_recorder::session::Session;

use crate::api::dump::{self, Dumper};
use crate::report::drain::Drain;
use crate::report::overload::OverloadSampler;
use crate::report::reporter::Reporter;
use crate::report::sample;
use crate::runtime::TOKIO;
use crate::setup::config::Config;
use crate::setup::error::{Failed, InitError};
use crate::setup::guard::{Guard, Running, Status};
use crate::setup::outlet::{self, Outlets, Wanted};
use crate::setup::{boot, env, fork, notice, switches, tracking};
use crate::watch::watchdog::{NAMING, Watchdog};

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
        return Guard::inert(Status::Off);
    }
    for complaint in &complaints {
        notice::warn(complaint);
    }
    warn_of_strangers();
    match start(&config, &mut |error| {
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
        switch_off();
        return Ok(Guard::inert(Status::Off));
    }
    if let Some(complaint) = complaints.into_iter().next() {
        return Err(InitError::Setting(complaint));
    }
    // No reason to refuse: the variable may be meant for another version.
    warn_of_strangers();
    start(&config, &mut Err)
}

fn switch_off() {
    sample::switch_off();
    tracking::decide(false);
}

/// `failed` decides whether to go on when nothing can listen, or be recorded or dumped.
fn start(config: &Config, failed: Failed<'_>) -> Result<Guard, InitError> {
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
    dump::offer(dumper.clone());
    Ok(Running { reporter, thread, outlets, dumper, watchdog })
}
