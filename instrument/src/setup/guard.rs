//! The guard: what `init` gives back, and what keeps pollscope running. The last one of a process that ends stops it.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pollscope_model::measured::{Capability, Mode};
use pollscope_model::report::Report;
use pollscope_recorder::Recorder;

use crate::report::sample;
use crate::setup::config::Listen;
use crate::setup::running::{self, Running};
use crate::setup::{fork, mode, notice, own_thread, switches};
use crate::watch::watchdog;

/// The longest that a guard's end, a flush or a report takes, whatever hangs; and an `init` that comes meanwhile.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// Until when the last report has to be there: the rest is to send it.
const DRAINING: Duration = Duration::from_millis(3_500);

/// Whether a [`Guard`] has something to guard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Status {
    /// Pollscope records, and stops when the guard is dropped.
    Recording,
    /// `POLLSCOPE=off`, or it could not start, or this process was forked from the one that records: nothing is
    /// recorded, no thread runs.
    Off,
    /// An earlier guard of this process had begun to record: this one keeps it recording until both are dropped, by
    /// that one's settings. What asks a guard for something gets it from the first.
    Secondary,
}

/// Keeps pollscope running. Dropping it sends what is left and stops; of several in a process, dropping the last.
///
/// That blocks the calling thread, mostly for some milliseconds: up to three seconds while a stack that was just
/// taken gets its names, then up to one until viewers and the collector have what is left, and until the recording and
/// a dump are complete files. It takes five seconds in all at most, also where a thread of pollscope's hangs, as on a
/// disk that does not answer: then that thread is left behind, and a line on standard error says so.
///
/// In a child that was forked meanwhile its copy guards nothing: nothing is recorded there, no method waits, and the
/// parent's sockets and files stay the parent's. The same holds for a copy that is dropped there.
#[must_use = "dropping the guard stops pollscope: bind it to a name, `let _guard = …`"]
pub struct Guard {
    status: Status,
    /// What runs, of the guard that began it.
    running: Option<Arc<Running>>,
}

/// A panic of the user's can interrupt nothing of it: it only asks threads of ours, which have none of the user's code.
/// So it may go where a [`Runtime`](tokio::runtime::Runtime) may.
impl UnwindSafe for Guard {}
impl RefUnwindSafe for Guard {}

impl Guard {
    pub(crate) fn recording(running: Running) -> Self {
        Self { status: Status::Recording, running: Some(running::begin(running)) }
    }

    /// It has joined what runs.
    pub(crate) fn secondary() -> Self {
        Self { status: Status::Secondary, running: None }
    }

    pub(crate) fn inert() -> Self {
        Self { status: Status::Off, running: None }
    }

    /// Whether this guard guards something.
    pub fn status(&self) -> Status {
        if fork::is_child() { Status::Off } else { self.status }
    }

    /// What runs in this process: a forked child has a copy of the guard, but none of its threads.
    fn running(&self) -> Option<&Running> {
        self.running.as_deref().filter(|_| !fork::is_child())
    }

    /// The deepest mode that is on now; it grows when a runtime is attached.
    pub fn mode(&self) -> Mode {
        mode::mode()
    }

    /// What is measured now, for which tasks, and why not the rest: one entry for each
    /// [`Metric`](pollscope_model::measured::Metric).
    pub fn capabilities(&self) -> Vec<Capability> {
        mode::capabilities()
    }

    /// Where viewers can attach: the value for `pollscope attach`. `None` if nothing listens.
    pub fn local_addr(&self) -> Option<&Listen> {
        self.running()?.outlets.address()
    }

    /// The file that is recorded into: the value for `pollscope open`. `None` if nothing is recorded.
    /// A recording that the disk ended is still named.
    pub fn record_path(&self) -> Option<&Path> {
        self.running()?.outlets.record_path()
    }

    /// Collects now, and waits until attached viewers and the collector were sent everything and the
    /// recording holds it, for at most a second; before that for up to three for the names of stacks that were
    /// just taken. Blocks the calling thread for five seconds at most.
    pub fn flush(&self) {
        if let Some(running) = self.running() {
            let begin = Instant::now();
            watchdog::settle(begin + watchdog::NAMING);
            running.reporter.tick(DRAINING.saturating_sub(begin.elapsed()));
            running.outlets.flush(begin + PATIENCE);
        }
    }

    /// What [`dump`](crate::dump()) does, where the guard is at hand; 0 if it records nothing.
    pub fn dump(&self, last: Duration) -> u64 {
        self.running().and_then(|running| running.dumper.dump(last)).unwrap_or(0)
    }

    /// The totals of everything since the start, with a row for each living task. `None` if nothing
    /// is recorded. Blocks the calling thread while it is collected: about a millisecond for each
    /// ten thousand living tasks, after up to three seconds for the names of stacks that were just taken; `None`
    /// after five in all.
    pub fn report(&self) -> Option<Report> {
        let running = self.running()?;
        let begin = Instant::now();
        watchdog::settle(begin + watchdog::NAMING);
        running.reporter.totals(PATIENCE.saturating_sub(begin.elapsed()))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.status == Status::Off {
            return;
        }
        let own = self.running.take();
        if fork::is_child() {
            // The threads live in the parent: there is nothing to wait for, and what they had locked stays locked.
            std::mem::forget(own);
            return Recorder::global().stop_in_child();
        }
        // Before it leaves, so that the last one that does holds the only one.
        drop(own);
        if let Some(running) = running::leave().and_then(Arc::into_inner) {
            end(running);
        }
    }
}

/// The last guard ends.
fn end(mut running: Running) {
    let begin = Instant::now();
    if let Some(watchdog) = running.watchdog.take() {
        watchdog.stop(begin + watchdog::NAMING);
    }
    running.reporter.stop();
    let drained = own_thread::join(running.thread, begin + DRAINING);
    running.outlets.stop(begin + PATIENCE);
    watchdog::ends();
    sample::guard_ends();
    Recorder::global().stop();
    if drained {
        return switches::end();
    }
    // It may go on to read the recorder: a second drain beside it would not be sound.
    notice::warn("pollscope-drain has not ended in time and is left behind: no further init starts");
    switches::leave_behind();
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("status", &self.status)
            .field("local_addr", &self.local_addr())
            .finish_non_exhaustive()
    }
}
