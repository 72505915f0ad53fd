//! Exports: one thread, `pollscope-io`, with a tokio runtime of its own, that carries reports to
//! viewers ([`serve`]) and to a collector ([`push`]), one that writes them into a [`file`], and one that
//! writes dumps. It never runs anything of the service's but the `tracing` subscriber, if that wants the events of
//! `tonic`, `hyper` and `h2`: to keep them from it, a dispatcher would have to be set, which changes `tracing` for
//! the whole process. The service's threads never wait for it. A slow reader costs bounded memory ([`backlog`]).

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
mod http2;
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

use crate::config::Listen;
use crate::identity::Identity;
use crate::reporter::Reporter;
use crate::{notice, own_thread};
use backlog::Backlog;
pub(crate) use door::Door;
#[cfg(feature = "recording")]
pub(crate) use dump::{Desk, Dumps};
pub(crate) use file::Tape;
#[cfg(all(feature = "recording", feature = "check"))]
pub(crate) use file::plain;
#[cfg(not(feature = "recording"))]
pub(crate) use file::{Desk, Dumps};
use pollscope_recorder::flight;
use pollscope_recorder::flight::Flight;
pub(crate) use push::collector_in;

/// How long stopping and flushing wait for readers.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the thread may take to end after that.
const ENDING: Duration = Duration::from_millis(250);

/// For how long single polls are asked for, if they are always recorded; asked again in half that time.
const EVENTS_TTL: Duration = Duration::from_secs(30);

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

/// The exports of one guard.
pub(crate) struct Exports {
    shared: Arc<Shared>,
    address: Option<Listen>,
    thread: Option<(JoinHandle<()>, oneshot::Sender<Instant>)>,
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
        folder: Option<String>,
        tape: Option<Tape>,
        dumps: Option<Dumps>,
        reporter: Reporter,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared { identity, reporter, backlogs: Mutex::default() });
        let address = door.as_ref().map(|door| door.address().clone());
        let mut thread = None;
        let collector = endpoint.map(|url| push::Target::collector(url, &shared));
        let folder = folder.map(|url| push::Target::folder(url, &shared));
        let targets: Vec<push::Target> = collector.into_iter().chain(folder).collect();
        if door.is_some() || !targets.is_empty() {
            // A collector's name is looked up on a thread of the runtime's own.
            let name = own_thread::prefixed("dns");
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_io().enable_time().thread_name(name).build()?;
            let (stop, stopped) = oneshot::channel();
            let work = Work { shared: shared.clone(), door, targets, stopped };
            thread = Some((own_thread::start("io", move || work.run(runtime))?, stop));
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

    /// Waits until everything was handed to the readers, for at most [`PATIENCE`] and not beyond the deadline.
    pub(crate) fn flush(&self, deadline: Instant) {
        let deadline = deadline.min(Instant::now() + PATIENCE);
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

    /// Says goodbye to the readers, completes the files and ends the threads; a thread that has not ended by the
    /// deadline is left behind. The reporter has ended before.
    pub(crate) fn stop(self, deadline: Instant) {
        let thread = self.thread.map(|(thread, stop)| {
            let _ =
                stop.send((Instant::now() + PATIENCE).min(deadline.checked_sub(ENDING).unwrap_or(deadline)));
            thread
        });
        #[cfg(feature = "recording")]
        if let Some(dumping) = &self.dumping {
            dumping.begin_stop();
        }
        if thread.is_some_and(|thread| !own_thread::join(thread, deadline)) {
            notice::warn("pollscope-io has not ended in time and is left behind");
        }
        #[cfg(feature = "recording")]
        if let Some(recording) = self.recording {
            recording.stop(deadline);
        }
        #[cfg(feature = "recording")]
        if let Some(dumping) = self.dumping {
            dumping.stop(deadline);
        }
    }
}

/// What the thread was started for.
struct Work {
    shared: Arc<Shared>,
    door: Option<Door>,
    targets: Vec<push::Target>,
    stopped: oneshot::Receiver<Instant>,
}

impl Work {
    fn run(self, runtime: Runtime) {
        let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(self.carry())));
        if outcome.is_err() {
            notice::warn(
                "internal error in pollscope-io: no viewer can attach any more, the service goes on",
            );
        }
        runtime.shutdown_background();
    }

    async fn carry(self) {
        let (close, closing) = oneshot::channel();
        let serving = self.door.map(|door| tokio::spawn(serve::run(door, self.shared.clone(), closing)));
        let pushing = self.targets.into_iter().map(|target| {
            let link = Arc::new(push::Link::of(&target));
            (link.clone(), tokio::spawn(push::run(target, self.shared.clone(), link)))
        });
        let pushing: Vec<_> = pushing.collect();
        // An end of the channel without a word is the guard's end as well.
        let deadline = self.stopped.await.unwrap_or_else(|_| Instant::now() + PATIENCE);
        let goodbyes = async {
            for (link, pushing) in pushing {
                if link.is_awaited() {
                    let _ = pushing.await;
                }
            }
            let _ = close.send(());
            if let Some(serving) = serving {
                let _ = serving.await;
            }
        };
        let _ = tokio::time::timeout_at(deadline.into(), goodbyes).await;
    }
}
