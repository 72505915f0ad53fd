//! What runs in a process while a guard is alive, and how many guards there are: the first `init` puts it here, later
//! ones join it, and the guard that ends last takes it away and ends it. So it is recorded from the first guard's begin
//! to the last one's end, in whatever order they end.
//!
//! Starts nothing and ends nothing itself. In a forked child no caller comes here: the lock may be held there for good.
//! `init` and the guard call it, and [`dump`](crate::dump()).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::report::reporter::Reporter;
use crate::setup::config::Config;
use crate::setup::outlet::{DumpFiles, Outlets};
use crate::watch::watchdog::Watchdog;

/// The longest that the caller of a dump waits for the reporter's thread.
const PATIENCE: Duration = Duration::from_secs(5);

/// Process-wide since `dump` and a later `init` come without a guard.
static CURRENT: Mutex<Option<Current>> = Mutex::new(None);

struct Current {
    guards: usize,
    running: Arc<Running>,
}

/// What runs.
pub(crate) struct Running {
    pub(crate) reporter: Reporter,
    pub(crate) thread: JoinHandle<()>,
    pub(crate) outlets: Outlets,
    pub(crate) dumper: Arc<Dumper>,
    /// `None` if it is not wanted.
    pub(crate) watchdog: Option<Watchdog>,
    /// What it was started with.
    pub(crate) config: Config,
}

fn current() -> MutexGuard<'static, Option<Current>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first guard of what runs from now on.
pub(crate) fn begin(running: Running) -> Arc<Running> {
    let running = Arc::new(running);
    *current() = Some(Current { guards: 1, running: Arc::clone(&running) });
    running
}

/// One more guard of what runs, if its settings allow; `None` if nothing runs (yet, or any more).
pub(crate) fn join<T, E>(may: impl FnOnce(&Config) -> Result<T, E>) -> Option<Result<T, E>> {
    let mut current = current();
    let current = current.as_mut()?;
    let joined = may(&current.running.config);
    current.guards += usize::from(joined.is_ok());
    Some(joined)
}

/// One guard less; the last one is given what it has to end.
pub(crate) fn leave() -> Option<Arc<Running>> {
    let mut current = current();
    let left = current.as_mut()?;
    left.guards -= 1;
    if left.guards > 0 {
        return None;
    }
    current.take().map(|last| last.running)
}

/// The dumps of what runs.
pub(crate) fn dumper() -> Option<Arc<Dumper>> {
    current().as_ref().map(|current| Arc::clone(&current.running.dumper))
}

/// Hands out the single polls and wakes of the last moments.
pub(crate) struct Dumper {
    reporter: Reporter,
    /// What writes files, if they are wanted.
    files: Option<Arc<dyn DumpFiles>>,
}

impl Dumper {
    pub(crate) fn new(reporter: Reporter, files: Option<Arc<dyn DumpFiles>>) -> Self {
        Self { reporter, files }
    }

    /// `None` if the reporter has ended or is busy for too long.
    pub(crate) fn dump(&self, last: Duration) -> Option<u64> {
        let last_ns = u64::try_from(last.as_nanos()).unwrap_or(u64::MAX);
        let dumped = match &self.files {
            Some(files) => files.dump(last_ns, PATIENCE),
            None => self.reporter.dump(last_ns, PATIENCE),
        };
        dumped.map(|dumped| dumped.events)
    }
}
