//! From a target to a source, with the words for when that fails.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pollscope_proto::recording::{OpenError, Recording};

use super::discover::{self, Places};
use super::elsewhere::unreadable_note;
use super::endpoint::{Endpoint, PeerError};
use super::fleet::{self, FleetSource};
use super::lookup::{self, Roll, Watched};
use super::process::ProcessSource;
use super::replay::ReplaySource;
use super::target::Target;
use super::{Sink, Source};
use crate::output::failure::Failure;

/// Whom a command will talk to: found, greeted, and not watched yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Peer {
    /// Processes, directly.
    Processes {
        /// Which.
        watched: Watched,
        /// How many have answered.
        count: usize,
        /// Those that did not, in words.
        unreachable: Vec<String>,
    },
    /// A collector.
    Collector(Endpoint),
    /// A recording, which was opened once to see that it can be read.
    Recording(PathBuf),
}

impl Peer {
    /// In words, for a title.
    pub fn label(&self) -> Arc<str> {
        match self {
            Self::Processes { watched, .. } => watched.label().into(),
            Self::Collector(endpoint) => format!("collector {endpoint}").into(),
            Self::Recording(path) => path.display().to_string().into(),
        }
    }

    /// Starts to watch.
    pub fn watch(self, events: Sink) -> Result<Box<dyn Source>, Failure> {
        Ok(match self {
            Self::Processes { watched, .. } => Box::new(ProcessSource::open(watched, events)?),
            Self::Collector(endpoint) => Box::new(FleetSource::open(endpoint, events)?),
            Self::Recording(path) => {
                let recording = Recording::open(&path).map_err(|error| unreadable(&path, error))?;
                Box::new(ReplaySource::open(path, recording, events)?)
            }
        })
    }
}

/// A recording; a failure if it cannot be read.
pub fn recording(path: &Path) -> Result<Peer, Failure> {
    match Recording::open(path) {
        Ok(_) => Ok(Peer::Recording(path.to_owned())),
        Err(error) => Err(unreadable(path, error)),
    }
}

/// A recording that cannot be read, in words.
pub(crate) fn unreadable(path: &Path, error: OpenError) -> Failure {
    let path = path.display();
    match error {
        OpenError::Io(error) => Failure::io(format!("read {path}"), error),
        OpenError::Format { .. } | OpenError::Protocol(_) => {
            Failure::Version(format!("{path}: {error}; read it with that version of pollscope"))
        }
        OpenError::Empty(_) => Failure::NoData(format!("{path}: {error}")),
        error => Failure::Usage(format!(
            "{path}: {error}; expected a recording of `pollscope record` or of a service with POLLSCOPE_RECORD"
        )),
    }
}

/// Where the one process of a target is, to attach to it.
pub async fn endpoint(target: &Target) -> Result<Endpoint, Failure> {
    let name = match Watched::of(target)? {
        Watched::Address(endpoint) => return Ok(endpoint),
        Watched::Process(found) => return Ok(found.endpoint),
        Watched::Name(name) => name,
        // No target means it.
        Watched::Machine => String::new(),
    };
    named(&name).await?;
    let roll = lookup::greet_all(&Places::all()).await;
    let mut same: Vec<_> = roll
        .answered
        .into_iter()
        .filter(|one| one.hello.as_ref().is_ok_and(|hello| hello.process.name == name))
        .collect();
    match (same.pop(), same.is_empty()) {
        (Some(one), true) => Ok(one.found.endpoint),
        (last, _) => {
            let pids: Vec<String> = same.iter().chain(&last).map(|one| one.found.pid.to_string()).collect();
            Err(Failure::Usage(format!(
                "several processes are called `{name}`; name one by its pid: {}",
                pids.join(", ")
            )))
        }
    }
}

/// Every process of this machine; a failure if there is none.
pub async fn machine() -> Result<Peer, Failure> {
    let places = Places::all();
    discover::remove_abandoned(&places.folders);
    let Roll { answered, unreadable } = lookup::greet_all(&places).await;
    // To an ordinary user the processes of others are not worth a word beside its own.
    let unseen = unreadable_note(&unreadable);
    let told = unseen.clone().filter(|_| rustix::process::geteuid().is_root());
    let silent = answered.iter().filter_map(|one| {
        let error = one.hello.as_ref().err()?;
        Some(format!("process {} does not answer: {}", one.found.pid, error.words()))
    });
    let count = answered.iter().filter(|one| one.hello.is_ok()).count();
    let unreachable: Vec<String> = silent.chain(told).collect();
    if count > 0 {
        return Ok(Peer::Processes { watched: Watched::Machine, count, unreachable });
    }
    match answered.into_iter().next() {
        None => Err(Failure::NoData(format!(
            "no instrumented process runs on this machine as this user (looked in {}{}); start one that uses the \
             `pollscope` crate, or see `pollscope demo`",
            lookup::listed(&places.folders),
            unseen.map_or_else(String::new, |unseen| format!("; {unseen}"))
        ))),
        Some(one) => {
            let error = one.hello.err().unwrap_or(PeerError::OtherService);
            Err(lookup::failure(&format!("process {}", one.found.pid), &error))
        }
    }
}

/// The process of a target.
pub async fn process(target: &Target) -> Result<Peer, Failure> {
    let watched = Watched::of(target)?;
    let mut count = 1;
    match &watched {
        Watched::Name(name) => count = named(name).await?,
        Watched::Machine => {}
        Watched::Process(found) => {
            let greeting = lookup::greet(&found.endpoint).await;
            greeting.map_err(|error| lookup::failure(&watched.label(), &error))?;
        }
        Watched::Address(endpoint) => {
            lookup::greet(endpoint).await.map_err(|error| lookup::failure(&endpoint.to_string(), &error))?;
        }
    }
    Ok(Peer::Processes { watched, count, unreachable: Vec::new() })
}

/// The collector at a target.
pub async fn collector(target: &Target) -> Result<Peer, Failure> {
    let endpoint = match target {
        Target::Unix(path) => Endpoint::Unix(path.clone()),
        Target::Tcp(authority) => Endpoint::Tcp(authority.clone()),
        Target::File(path) => {
            return Err(Failure::Usage(format!(
                "`{target}` is no collector but a recording; use `pollscope open {}`",
                path.display()
            )));
        }
        Target::Pid(_) | Target::Name(_) => {
            return Err(Failure::Usage(format!(
                "`{target}` is no collector; expected HOST:PORT, http://HOST:PORT or unix:PATH; for a process use \
                 `pollscope attach {target}`"
            )));
        }
    };
    match fleet::greet(&endpoint).await {
        Ok(_) => Ok(Peer::Collector(endpoint)),
        Err(PeerError::OtherService) => Err(Failure::Unreachable(format!(
            "{endpoint} answers, but it is no collector; if it is a process, use `pollscope attach {endpoint}`"
        ))),
        Err(PeerError::Version(words)) => Err(Failure::Version(format!("{endpoint}: {words}"))),
        Err(error) => Err(Failure::Unreachable(format!(
            "{endpoint} does not answer: {}; expected a collector there, start one with `pollscope-collector`",
            error.words()
        ))),
    }
}

/// The peer at a target: at an address it may be a collector as well as a process.
pub async fn any_peer(target: Option<&Target>) -> Result<Peer, Failure> {
    match target {
        None => machine().await,
        Some(Target::File(path)) => recording(path),
        Some(target @ (Target::Unix(_) | Target::Tcp(_))) => match Watched::of(target)? {
            Watched::Address(endpoint) if fleet::greet(&endpoint).await.is_ok() => {
                Ok(Peer::Collector(endpoint))
            }
            _ => process(target).await,
        },
        Some(target) => process(target).await,
    }
}

/// How many processes of that name there are; a failure that names the others if there is none.
async fn named(name: &str) -> Result<usize, Failure> {
    let roll = lookup::greet_all(&Places::all()).await;
    let names: Vec<&str> =
        roll.answered.iter().filter_map(|one| Some(one.hello.as_ref().ok()?.process.name.as_str())).collect();
    let count = names.iter().filter(|other| **other == name).count();
    if count > 0 {
        return Ok(count);
    }
    let others = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let unseen = unreadable_note(&roll.unreadable).map_or_else(String::new, |unseen| format!("; {unseen}"));
    Err(Failure::Unreachable(format!(
        "no service `{name}` runs on this machine as this user; found: {others}{unseen}"
    )))
}
