//! Exports: what carries reports to viewers and to a collector ([`network`], feature `export`), into a [`file`] and
//! into files of dumps ([`dump`], feature `recording`). Each has a thread of its own, and none needs the others. The
//! service's threads never wait for them. A slow reader costs bounded memory ([`backlog`]).
//!
//! Called by `init` through [`open`], and by the guard through [`Outlet`](crate::setup::outlet::Outlet).

mod backlog;
#[cfg(feature = "recording")]
mod dump;
#[cfg(feature = "recording")]
mod file;
mod greeting;
#[cfg(feature = "export")]
mod network;

use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use pollscope_model::id::BootId;
use pollscope_proto::EventsRequest;
use pollscope_recorder::flight;
use pollscope_recorder::flight::Flight;

use crate::report::reporter::Reporter;
use crate::setup::config::Config;
use crate::setup::error::{Failed, InitError};
use crate::setup::identity::Identity;
use crate::setup::outlet::{Opened, Outlet, Outlets, Wanted};
use backlog::Backlog;
#[cfg(all(feature = "recording", feature = "check"))]
pub(crate) use file::plain;

/// For how long single polls are asked for, if they are always recorded; asked again in half that time.
const EVENTS_TTL: Duration = Duration::from_secs(30);

/// Opens one kind of outlet, if it is wanted.
type Way = fn(&mut Opening, &mut Wanted, Failed<'_>) -> Result<(), InitError>;

/// Every kind, in the order in which they are opened, started and stopped. A collector that waits in the folder of a
/// recording takes what would be written there.
const WAYS: &[Way] = &[
    #[cfg(feature = "export")]
    network::open,
    #[cfg(feature = "recording")]
    file::open,
    #[cfg(feature = "recording")]
    dump::open,
];

/// Opens what is wanted, as far as this build can, and takes it out of the list.
pub(crate) fn open(
    config: &Config,
    boot: BootId,
    wanted: &mut Wanted,
    failed: Failed<'_>,
) -> Result<Box<dyn Opened>, InitError> {
    let mut opening = Opening { identity: Identity::of_this_process(config, boot), opened: Vec::new() };
    for way in WAYS {
        way(&mut opening, wanted, &mut *failed)?;
    }
    Ok(Box::new(opening))
}

/// What was opened so far.
struct Opening {
    identity: Identity,
    opened: Vec<Box<dyn Start>>,
}

/// Starts the threads of what was opened.
trait Start {
    fn start(self: Box<Self>, shared: Arc<Shared>) -> io::Result<Box<dyn Outlet>>;
}

impl Opened for Opening {
    fn start(self: Box<Self>, reporter: &Reporter) -> io::Result<Outlets> {
        let Self { identity, opened } = *self;
        let shared = Arc::new(Shared { identity, reporter: reporter.clone(), backlogs: Mutex::default() });
        let outlets: io::Result<Vec<_>> = opened.into_iter().map(|one| one.start(shared.clone())).collect();
        Ok(Outlets(outlets?))
    }
}

/// What the exports share: where reports come from and who reads them.
struct Shared {
    identity: Identity,
    reporter: Reporter,
    backlogs: Mutex<Vec<Weak<Backlog>>>,
}

impl Shared {
    /// A backlog that a flush waits for; empty until it is subscribed.
    fn new_backlog(&self) -> Arc<Backlog> {
        let backlog = Arc::new(Backlog::default());
        let mut backlogs = self.backlogs.lock().unwrap_or_else(PoisonError::into_inner);
        backlogs.retain(|known| known.strong_count() > 0);
        backlogs.push(Arc::downgrade(&backlog));
        backlog
    }

    /// Waits until every reader was given everything and has come back for more.
    fn wait_until_delivered(&self, deadline: Instant) {
        let backlogs = self.backlogs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for backlog in backlogs.iter().filter_map(Weak::upgrade) {
            backlog.wait_until_delivered(deadline);
        }
    }

    /// The reader of a backlog wants single events.
    fn ask_for_events(&self, backlog: &Backlog, request: EventsRequest) {
        let ttl = Duration::from_nanos(request.ttl_ns);
        backlog.ask_for_events(ttl);
        self.reporter.ask_for_events(request.last_ns, ttl);
    }

    /// Asks for single events again and again, for a reader that keeps everything, if they are recorded always. `asked`
    /// is the last time.
    fn keep_events(&self, backlog: &Backlog, asked: &mut Option<Instant>) {
        if flight::mode() != Flight::Always || asked.is_some_and(|asked| asked.elapsed() < EVENTS_TTL / 2) {
            return;
        }
        // At first also those from before the reader came to ask.
        let last_ns = if asked.is_none() { u64::MAX } else { 0 };
        self.ask_for_events(backlog, EventsRequest { last_ns, ttl_ns: EVENTS_TTL.as_nanos() as u64 });
        *asked = Some(Instant::now());
    }
}
