//! From the target that the user wrote to processes: which sockets belong to it, and whether a process answers there.

use std::path::PathBuf;

use pollscope_model::hello::Hello;

use super::discover::{self, Found, Places};
use super::elsewhere;
use super::endpoint::{Endpoint, PeerError};
use super::feed::Stream;
use super::target::Target;
use crate::output::failure::Failure;

/// What to watch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Watched {
    /// Every process of this machine, those that come later too.
    Machine,
    /// The processes of this machine that have that service name, those that come later too.
    Name(String),
    /// The process of that number.
    Process(Found),
    /// The process or collector at that address.
    Address(Endpoint),
}

impl Watched {
    /// What the target means on this machine, without connecting.
    pub fn of(target: &Target) -> Result<Self, Failure> {
        match target {
            Target::Unix(path) => Ok(Self::Address(Endpoint::Unix(path.clone()))),
            Target::Tcp(authority) => Ok(Self::Address(Endpoint::Tcp(authority.clone()))),
            Target::Name(name) => Ok(Self::Name(name.clone())),
            Target::File(path) => Err(Failure::Usage(format!(
                "{path} is a recording, no process; use `pollscope open {path}`",
                path = path.display()
            ))),
            Target::Pid(pid) => {
                let own = discover::scan(&discover::folders()).into_iter().find(|found| found.pid == *pid);
                own.map_or_else(|| elsewhere::find(*pid), Ok).map(Self::Process)
            }
        }
    }

    /// As the status line names it.
    pub fn label(&self) -> String {
        match self {
            Self::Machine => "this machine".to_owned(),
            Self::Name(name) => name.clone(),
            Self::Process(found) => format!("process {}", found.pid),
            Self::Address(endpoint) => endpoint.to_string(),
        }
    }
}

/// A process of this machine and what it answered.
pub struct Answered {
    /// Where it listens.
    pub found: Found,
    /// Its greeting, or why there was none.
    pub hello: Result<Hello, PeerError>,
}

/// Those that answered, and those that could not be looked into.
pub struct Roll {
    /// By pid.
    pub answered: Vec<Answered>,
    /// Processes of other users, or in other namespaces, that this user may not look into.
    pub unreadable: Vec<u32>,
}

/// Greets every process of this machine that this user may attach to. Sockets without a listener are left out.
pub async fn greet_all(places: &Places) -> Roll {
    let mut greetings = tokio::task::JoinSet::new();
    let scan = places.scan();
    for found in scan.found {
        greetings.spawn(async move {
            let hello = greet(&found.endpoint).await;
            Answered { found, hello }
        });
    }
    let mut answered = greetings.join_all().await;
    answered.retain(|answered| !matches!(answered.hello, Err(PeerError::NoListener(_))));
    answered.sort_by_key(|answered| answered.found.pid);
    Roll { answered, unreadable: scan.unreadable }
}

/// Who is at an address.
pub async fn greet(endpoint: &Endpoint) -> Result<Hello, PeerError> {
    Stream::open(endpoint).await.map(|stream| stream.hello)
}

/// The folders in words.
pub fn listed(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(" or ")
}

/// A failed greeting as the command's failure.
pub fn failure(who: &str, error: &PeerError) -> Failure {
    match error {
        PeerError::Version(words) => Failure::Version(format!("{who}: {words}")),
        PeerError::NoListener(words) => Failure::Unreachable(format!(
            "{who} does not answer: {words}; expected an instrumented service, which `pollscope ps` lists if it runs here"
        )),
        PeerError::Broken(words) => {
            Failure::Unreachable(format!("{who} does not answer as pollscope does: {words}"))
        }
        PeerError::OtherService => Failure::Unreachable(format!(
            "{who} is no instrumented process; if it is a collector, use `pollscope connect {who}`"
        )),
    }
}
