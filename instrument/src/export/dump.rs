//! Dumps into files: each a small recording of its own, with a greeting, the whole state, and the single
//! polls and wakes of the last moments. The asking thread collects them at once; a thread, `pollscope-dump`,
//! writes them, and looks for the signal that asks for one. It runs only where a folder or a signal is set.
//!
//! One dump at a time and one in [`PAUSE`]; the others reach viewers, collector and recording only. A disk
//! that says no is one line.

mod folder;
#[cfg(unix)]
mod signal;

use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pollscope_model::report::Report;
use pollscope_proto::PROTOCOL;
use pollscope_proto::recording::Writer;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::backlog::{Backlog, Next};
use super::{Opening, Shared, Start};
use crate::report::reporter::Dumped;
use crate::setup::config::DumpSignal;
use crate::setup::error::{Failed, InitError};
use crate::setup::fork::held::Held;
use crate::setup::outlet::{DumpFiles, Outlet, Wanted};
use crate::setup::{notice, own_thread};
use folder::Folder;

/// Between two files.
const PAUSE: Duration = Duration::from_secs(5);
/// What a signal asks for.
const LAST: Duration = Duration::from_secs(15);
/// Between two looks whether the signal came.
const LOOK: Duration = Duration::from_millis(100);
/// The longest that a signal waits for the reporter's thread.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes the folder and sets the signal's handler, as far as they are wanted and can be had; a line for each that
/// cannot.
pub(super) fn open(opening: &mut Opening, wanted: &mut Wanted, failed: Failed<'_>) -> Result<(), InitError> {
    let setting = std::mem::take(&mut wanted.dump);
    let folder = setting.folder.map(|path| {
        let opened = Folder::open(&path, &opening.identity);
        opened.map_err(|why| format!("cannot dump to {}: {why}", path.display()))
    });
    let signal = setting
        .signal
        .map(|signal| install(signal).map_err(|why| format!("cannot dump on {}: {why}", signal.as_str())));
    let (folder, no_folder) = parted(folder);
    let (signal, no_signal) = parted(signal);
    for why in no_folder.into_iter().chain(no_signal) {
        failed(InitError::Dump(why))?;
    }
    if folder.is_some() || signal.is_some() {
        opening.opened.push(Box::new(Dumps { folder, signal }));
    }
    Ok(())
}

fn parted<T>(wanted: Option<Result<T, String>>) -> (Option<T>, Option<String>) {
    match wanted {
        None => (None, None),
        Some(Ok(value)) => (Some(value), None),
        Some(Err(why)) => (None, Some(why)),
    }
}

/// What is wanted and can be had.
struct Dumps {
    folder: Option<Folder>,
    signal: Option<Box<dyn Signal>>,
}

/// A signal whose handler is set.
trait Signal: Send {
    /// The calling thread, which is ours, takes the signal from now on: the service may block it in all of its own.
    fn receive(&self);

    /// Whether it came since the last call.
    fn came(&self) -> bool;
}

#[cfg(unix)]
fn install(signal: DumpSignal) -> Result<Box<dyn Signal>, &'static str> {
    signal::install(signal)
}

#[cfg(not(unix))]
fn install(_: DumpSignal) -> Result<Box<dyn Signal>, &'static str> {
    Err("this system has no such signal")
}

/// What the thread is told.
enum Order {
    Write(Job),
    /// Say when everything before it is done.
    Flush(Sender<()>),
    Stop,
}

/// A dump that was collected.
struct Job {
    /// The state, and then the delta with the single events.
    backlog: Arc<Backlog>,
    dumped: Dumped,
}

/// Where dumps are asked for.
struct DumpRequests {
    shared: Arc<Shared>,
    orders: UnboundedSender<Order>,
    /// `None` where there is no folder.
    pace: Option<Mutex<Pace>>,
}

impl DumpFiles for DumpRequests {
    fn dump(&self, last_ns: u64, patience: Duration) -> Option<Dumped> {
        let reporter = &self.shared.reporter;
        if !self.pace().is_some_and(|mut pace| pace.begin(Instant::now())) {
            return reporter.dump(last_ns, patience);
        }
        // Subscribed before, so that the state comes before the delta with the events.
        let backlog = Arc::new(Backlog::default());
        reporter.subscribe(&backlog);
        let dumped = reporter.dump(last_ns, patience);
        let job = dumped.map(|dumped| Order::Write(Job { backlog, dumped }));
        if job.is_none_or(|job| self.orders.send(job).is_err()) {
            self.done();
        }
        dumped
    }
}

impl DumpRequests {
    /// A file was written, or given up.
    fn done(&self) {
        if let Some(mut pace) = self.pace() {
            pace.busy = false;
        }
    }

    fn pace(&self) -> Option<MutexGuard<'_, Pace>> {
        self.pace.as_ref().map(|pace| pace.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How fast files may follow each other.
#[derive(Default)]
struct Pace {
    busy: bool,
    last: Option<Instant>,
}

impl Pace {
    /// Whether a file may begin now; then it has.
    fn begin(&mut self, now: Instant) -> bool {
        let early = self.last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE);
        if self.busy || early {
            return false;
        }
        (self.busy, self.last) = (true, Some(now));
        true
    }
}

/// The thread of one guard.
struct Dumping {
    requests: Arc<DumpRequests>,
    thread: JoinHandle<()>,
}

impl Start for Dumps {
    fn start(self: Box<Self>, shared: Arc<Shared>) -> io::Result<Box<dyn Outlet>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let Self { folder, signal } = *self;
        let (orders, inbox) = unbounded_channel();
        let pace = folder.is_some().then(Mutex::default);
        let requests = Arc::new(DumpRequests { shared, orders, pace });
        let writer = DumpWriter {
            requests: requests.clone(),
            folder,
            signal,
            inbox,
            failed: false,
            warned_empty: false,
        };
        let work = move || {
            if let Some(signal) = &writer.signal {
                signal.receive();
            }
            let done = std::panic::AssertUnwindSafe(|| runtime.block_on(writer.work()));
            if std::panic::catch_unwind(done).is_err() {
                notice::warn("internal error in pollscope-dump: no more dumps, the service goes on");
            }
        };
        let thread = own_thread::start("dump", work)?;
        Ok(Box::new(Dumping { requests, thread }))
    }
}

impl Outlet for Dumping {
    fn dump_files(&self) -> Option<Arc<dyn DumpFiles>> {
        Some(self.requests.clone())
    }

    /// Waits until the dumps that were asked for are files.
    fn flush(&self, deadline: Instant) {
        self.requests.shared.wait_until_delivered(deadline);
        let (done, wait) = channel();
        if self.requests.orders.send(Order::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }

    /// Has the thread end behind the dumps that were asked for.
    fn begin_stop(&mut self, _: Instant) {
        let _ = self.requests.orders.send(Order::Stop);
    }

    /// Waits for that; a disk that hangs is left behind.
    fn stop(self: Box<Self>, deadline: Instant) {
        if !own_thread::join(self.thread, deadline) {
            notice::warn("a dump is not finished: the disk does not answer");
        }
    }
}

/// What the thread works with.
struct DumpWriter {
    requests: Arc<DumpRequests>,
    folder: Option<Folder>,
    signal: Option<Box<dyn Signal>>,
    inbox: UnboundedReceiver<Order>,
    /// The last dump could not be written, which was said.
    failed: bool,
    /// It was said that nothing is recorded.
    warned_empty: bool,
}

impl DumpWriter {
    async fn work(mut self) {
        loop {
            let order = tokio::select! {
                order = self.inbox.recv() => order,
                () = tokio::time::sleep(LOOK), if self.signal.is_some() => {
                    if self.signal.as_ref().is_some_and(|signal| signal.came()) {
                        let _ = self.requests.dump(LAST.as_nanos() as u64, PATIENCE);
                    }
                    continue;
                }
            };
            match order {
                Some(Order::Write(job)) => {
                    let outcome = self.write(&job).await;
                    self.notify(outcome, job.dumped.events);
                    self.requests.done();
                }
                Some(Order::Flush(done)) => {
                    let _ = done.send(());
                }
                Some(Order::Stop) | None => return,
            }
        }
    }

    async fn write(&self, job: &Job) -> Option<io::Result<String>> {
        let folder = self.folder.as_ref()?;
        let hello = self.requests.shared.identity.hello(PROTOCOL);
        let begun = folder.begin(hello.anchor.unix_ns);
        let write = async {
            let (draft, file) = begun?;
            let _held = Held::of(&file);
            let mut writer = Writer::new(file, &hello)?;
            loop {
                match job.backlog.next().await {
                    Next::Report(report) => {
                        writer.report(&report)?;
                        if ends(&report, job.dumped.seq) {
                            break;
                        }
                    }
                    Next::Overrun => return Err(io::Error::other("it was written too slowly")),
                    Next::Closed => return Err(io::Error::other("pollscope was stopped")),
                }
            }
            writer.finish()?;
            draft.keep().map(|path| path.display().to_string())
        };
        Some(write.await)
    }

    fn notify(&mut self, outcome: Option<io::Result<String>>, events: u64) {
        match outcome {
            Some(Ok(path)) => {
                notice::info(&format!("dumped {events} polls and wakes into {path}"));
                if events == 0 && !std::mem::replace(&mut self.warned_empty, true) {
                    notice::warn(&format!(
                        "{path} has no single polls: POLLSCOPE_FLIGHT=always records them, so that a dump has the moments before"
                    ));
                }
                self.failed = false;
            }
            Some(Err(error)) if !std::mem::replace(&mut self.failed, true) => {
                notice::warn(&format!("a dump was not written: {error}; the service goes on"));
            }
            Some(Err(_)) | None => {}
        }
    }
}

/// Whether nothing of the dump comes after it.
fn ends(report: &Report, seq: u64) -> bool {
    report.kind.is_last_part() && report.seq >= seq
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_follow_each_other_one_by_one_and_with_a_pause() {
        let mut pace = Pace::default();
        let start = Instant::now();
        assert!(pace.begin(start));
        assert!(!pace.begin(start + PAUSE * 2), "the first is still being written");
        pace.busy = false;
        assert!(!pace.begin(start + PAUSE / 2));
        assert!(pace.begin(start + PAUSE));
    }
}
