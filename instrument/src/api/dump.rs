//! Dumps on a call: the single polls and wakes of the last moments, handed out at once. Finds the guard
//! that records, so that the place in the service where trouble is noticed needs none. Blocks for some
//! milliseconds and never touches a disk: files are written by a thread of their own
//! ([`DumpFiles`]).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::report::reporter::Reporter;
use crate::setup::fork;
use crate::setup::outlet::DumpFiles;

/// The longest that a caller waits for the reporter's thread.
const PATIENCE: Duration = Duration::from_secs(5);

/// The one of the guard that records.
static CURRENT: Mutex<Option<Arc<Dumper>>> = Mutex::new(None);

/// Hands the single polls and wakes of the last `last`, as far as the flight recorder has them, to every
/// attached viewer, to the collector, into the recording, and into a file of its own where
/// [`Builder::dump_to`](crate::Builder::dump_to) names a folder for it: what to call when the service itself
/// notices trouble. Returns how many they were: 0 if none are recorded, which by default is so unless a viewer
/// looks at them (see [`Flight::Always`](crate::Flight::Always)). `None` if no guard of this process records.
///
/// Blocks the calling thread while they are collected, some milliseconds, 5 s at most; a file is written
/// later, by a thread of pollscope's own.
pub fn dump(last: Duration) -> Option<u64> {
    // It has the copy, none of the threads, and perhaps a lock that is never given back.
    if fork::is_child() {
        return None;
    }
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    current?.dump(last)
}

/// From now on [`dump`] does it with this one.
pub(crate) fn offer(dumper: Arc<Dumper>) {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(dumper);
}

/// From now on nothing is recorded.
pub(crate) fn withdraw() {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Dumps for one guard.
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
