//! The guard: what `init` gives back, and what keeps pollscope running.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use pollscope_model::measured::{Capability, Mode};
use pollscope_model::report::Report;

use crate::config::Listen;
use crate::dump::{self, Dumper};
use crate::export::Exports;
use crate::record::Recorder;
use crate::reporter::Reporter;
use crate::watchdog::Watchdog;
use crate::{init, mode, watchdog};

/// The longest that a guard waits for the reporter's thread.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a [`Guard`] has something to guard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Status {
    /// Pollscope records, and stops when the guard is dropped.
    Recording,
    /// `POLLSCOPE=off`, or it could not start: nothing is recorded, no thread runs.
    Off,
    /// An earlier guard of this process records; this one does nothing and its settings were not used.
    Secondary,
}

/// Keeps pollscope running. Dropping it sends what is left, for at most a second, and stops.
#[must_use = "dropping the guard stops pollscope: bind it to a name, `let _guard = …`"]
pub struct Guard {
    status: Status,
    running: Option<Running>,
}

/// What runs.
pub(crate) struct Running {
    pub(crate) reporter: Reporter,
    pub(crate) thread: JoinHandle<()>,
    pub(crate) exports: Exports,
    pub(crate) dumper: Arc<Dumper>,
    /// `None` if it is not wanted.
    pub(crate) watchdog: Option<Watchdog>,
    /// A forked child holds a copy of the guard but none of its threads.
    pub(crate) pid: u32,
}

impl Guard {
    pub(crate) fn recording(running: Running) -> Self {
        Self { status: Status::Recording, running: Some(running) }
    }

    pub(crate) fn inert(status: Status) -> Self {
        Self { status, running: None }
    }

    /// Whether this guard guards something.
    pub fn status(&self) -> Status {
        self.status
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
        self.running.as_ref()?.exports.address()
    }

    /// The file that is recorded into: the value for `pollscope open`. `None` if nothing is recorded.
    /// A recording that the disk ended is still named.
    pub fn record_path(&self) -> Option<&Path> {
        self.running.as_ref()?.exports.record_path()
    }

    /// Collects now, and waits until attached viewers and the collector were sent everything and the
    /// recording holds it, for at most a second; before that for up to three for the names of stacks that were
    /// just taken. Blocks the calling thread.
    pub fn flush(&self) {
        if let Some(running) = &self.running {
            watchdog::settle(watchdog::NAMING);
            running.reporter.tick(PATIENCE);
            running.exports.flush();
        }
    }

    /// What [`dump`](crate::dump()) does, for whoever has the guard at hand; 0 if it records nothing.
    pub fn dump(&self, last: Duration) -> u64 {
        self.running.as_ref().and_then(|running| running.dumper.dump(last)).unwrap_or(0)
    }

    /// The totals of everything since the start, with a row for each living task. `None` if nothing
    /// is recorded. Blocks the calling thread while it is collected: about a millisecond for each
    /// ten thousand living tasks.
    pub fn report(&self) -> Option<Report> {
        let running = self.running.as_ref()?;
        watchdog::settle(watchdog::NAMING);
        running.reporter.totals(PATIENCE)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        dump::withdraw();
        if running.pid == std::process::id() {
            if let Some(watchdog) = running.watchdog.take() {
                // A process may end right after its first slow poll, whose stack has no names yet.
                watchdog::settle(watchdog::NAMING);
                watchdog.stop();
            }
            running.reporter.stop();
            let _ = running.thread.join();
            running.exports.stop();
            watchdog::ends();
        } else {
            // The threads live in the parent: there is nobody to wait for, and its socket is not ours.
            std::mem::forget(running);
        }
        Recorder::global().stop();
        init::release();
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("status", &self.status)
            .field("local_addr", &self.local_addr())
            .finish_non_exhaustive()
    }
}
