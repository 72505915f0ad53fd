//! Exports: one thread, `pollscope-io`, with a tokio runtime of its own, that carries reports to
//! viewers ([`serve`]) and to a collector ([`push`]), one that writes them into a [`file`], and one that
//! writes dumps. It never runs anything of the service's, and
//! the service's threads never wait for it. Whoever reads slowly costs bounded memory ([`backlog`]).

mod backlog;
mod door;
#[cfg(feature = "recording")]
mod dump;
#[cfg(feature = "recording")]
mod file;
#[cfg(not(feature = "recording"))]
#[path = "export/no_file.rs"]
mod file;
mod greeting;
mod lens;
mod push;
mod serve;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pollscope_proto::EventsRequest;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tracing::subscriber::NoSubscriber;

use crate::config::Listen;
use crate::identity::Identity;
use crate::notice;
use crate::reporter::Reporter;
use backlog::Backlog;
pub(crate) use door::Door;
#[cfg(feature = "recording")]
pub(crate) use dump::{Desk, Dumps};
pub(crate) use file::Tape;
#[cfg(not(feature = "recording"))]
pub(crate) use file::{Desk, Dumps};
#[cfg(all(feature = "recording", feature = "check"))]
pub(crate) use file::{plain, refuse_file_size_signal};

/// How long stopping and flushing wait for readers.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the exports share: where reports come from and who reads them.
struct Shared {
    identity: Identity,
    reporter: Reporter,
    backlogs: Mutex<Vec<Weak<Backlog>>>,
}

impl Shared {
    /// A backlog that [`Exports::flush`] waits for; empty until it is subscribed.
    fn new_backlog(&self) -> Arc<Backlog> {
        let backlog = Arc::new(Backlog::default());
        let mut backlogs = self.backlogs.lock().unwrap_or_else(PoisonError::into_inner);
        backlogs.retain(|known| known.strong_count() > 0);
        backlogs.push(Arc::downgrade(&backlog));
        backlog
    }

    /// The reader of a backlog wants single events.
    fn ask_for_events(&self, backlog: &Backlog, request: EventsRequest) {
        let ttl = Duration::from_nanos(request.ttl_ns);
        backlog.ask_for_events(ttl);
        self.reporter.ask_for_events(request.last_ns, ttl);
    }
}

/// The exports of one guard.
pub(crate) struct Exports {
    shared: Arc<Shared>,
    address: Option<Listen>,
    thread: Option<(JoinHandle<()>, oneshot::Sender<()>)>,
    #[cfg(feature = "recording")]
    recording: Option<file::Recording>,
    #[cfg(feature = "recording")]
    dumping: Option<dump::Dumping>,
}

impl Exports {
    /// Starts the thread, if there is anything for it to do.
    pub(crate) fn start(
        identity: Identity,
        door: Option<Door>,
        endpoint: Option<String>,
        tape: Option<Tape>,
        dumps: Option<Dumps>,
        reporter: Reporter,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared { identity, reporter, backlogs: Mutex::default() });
        let address = door.as_ref().map(|door| door.address().clone());
        let mut thread = None;
        if door.is_some() || endpoint.is_some() {
            let build = || tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
            let runtime = tracing::subscriber::with_default(NoSubscriber::new(), build)?;
            let (stop, stopped) = oneshot::channel();
            let work = Work { shared: shared.clone(), door, endpoint, stopped };
            let builder = std::thread::Builder::new().name("pollscope-io".to_owned());
            thread = Some((builder.spawn(move || work.run(runtime))?, stop));
        }
        if let Some(address) = &address {
            notice::info(&format!("listening on {address}"));
        }
        #[cfg(feature = "recording")]
        let recording = tape.map(|tape| file::Recording::start(tape, shared.clone())).transpose()?;
        #[cfg(feature = "recording")]
        let dumping = dumps.map(|dumps| dump::Dumping::start(dumps, shared.clone())).transpose()?;
        #[cfg(not(feature = "recording"))]
        let _ = (tape, dumps);
        Ok(Self {
            shared,
            address,
            thread,
            #[cfg(feature = "recording")]
            recording,
            #[cfg(feature = "recording")]
            dumping,
        })
    }

    /// The file that is recorded into.
    #[cfg_attr(not(feature = "recording"), expect(clippy::unused_self, reason = "as with `recording`"))]
    pub(crate) fn record_path(&self) -> Option<&Path> {
        #[cfg(feature = "recording")]
        return self.recording.as_ref().map(file::Recording::path);
        #[cfg(not(feature = "recording"))]
        None
    }

    /// Where dumps into files are asked for; `None` if they are not wanted.
    #[cfg_attr(not(feature = "recording"), expect(clippy::unused_self, reason = "as with `recording`"))]
    pub(crate) fn desk(&self) -> Option<Arc<Desk>> {
        #[cfg(feature = "recording")]
        return self.dumping.as_ref().map(dump::Dumping::desk);
        #[cfg(not(feature = "recording"))]
        None
    }

    /// Where viewers can attach.
    pub(crate) fn address(&self) -> Option<&Listen> {
        self.address.as_ref()
    }

    /// Waits until everything was handed to the readers, for at most [`PATIENCE`].
    pub(crate) fn flush(&self) {
        let deadline = Instant::now() + PATIENCE;
        let backlogs = self.shared.backlogs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for backlog in backlogs.iter().filter_map(Weak::upgrade) {
            backlog.wait_until_delivered(deadline);
        }
        #[cfg(feature = "recording")]
        if let Some(recording) = &self.recording {
            recording.flush(deadline);
        }
        #[cfg(feature = "recording")]
        if let Some(dumping) = &self.dumping {
            dumping.flush(deadline);
        }
    }

    /// Says goodbye to the readers and ends the thread. The reporter has ended before.
    pub(crate) fn stop(self) {
        if let Some((thread, stop)) = self.thread {
            let _ = stop.send(());
            let _ = thread.join();
        }
        #[cfg(feature = "recording")]
        if let Some(recording) = self.recording {
            recording.stop(Instant::now() + PATIENCE);
        }
        #[cfg(feature = "recording")]
        if let Some(dumping) = self.dumping {
            dumping.stop(Instant::now() + PATIENCE);
        }
    }
}

/// What the thread was started for.
struct Work {
    shared: Arc<Shared>,
    door: Option<Door>,
    endpoint: Option<String>,
    stopped: oneshot::Receiver<()>,
}

impl Work {
    fn run(self, runtime: Runtime) {
        // The service's subscriber is for the service's events, not for those of our transport.
        let _quiet = tracing::subscriber::set_default(NoSubscriber::new());
        let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(self.carry())));
        if outcome.is_err() {
            notice::warn("internal error in pollscope-io: nobody can attach any more, the service goes on");
        }
        runtime.shutdown_background();
    }

    async fn carry(self) {
        let (close, closing) = oneshot::channel();
        let serving = self.door.map(|door| tokio::spawn(serve::run(door, self.shared.clone(), closing)));
        let link = Arc::new(push::Link::default());
        let pushing =
            self.endpoint.map(|url| tokio::spawn(push::run(url, self.shared.clone(), link.clone())));
        // An end of the channel without a word is the guard's end as well.
        let _ = self.stopped.await;
        let goodbyes = async {
            if let Some(pushing) = pushing.filter(|_| link.is_up()) {
                let _ = pushing.await;
            }
            let _ = close.send(());
            if let Some(serving) = serving {
                let _ = serving.await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, goodbyes).await;
    }
}
