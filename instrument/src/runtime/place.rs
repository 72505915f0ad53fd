//! Which worker of which observed runtime the calling thread is.
//!
//! Threads of the service read it and never wait: a worker that parks once and has nothing to do after that has no
//! second time to tell where it belongs. The table of observed runtimes ([`sample`](mod@crate::report::sample)) says which
//! runtimes there are.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::{Handle, Id};

use super::id;

/// More runtimes than this are not observed: a service that makes one per request must not fill us.
pub(crate) const MAX_RUNTIMES: usize = 256;
/// Stands for a runtime that is gone.
const GONE: u64 = u64::MAX;

/// Which runtimes are observed ([`id::number`]; 0: none). Process-wide since the threads of the service read it on their
/// way through tokio, with nothing of ours.
static IDS: [AtomicU64; MAX_RUNTIMES] = [const { AtomicU64::new(0) }; MAX_RUNTIMES];

/// The runtime is observed at that place of the table from now on.
pub(crate) fn set_runtime(at: usize, id: Id) {
    IDS[at].store(id::number(id), Ordering::Release);
}

/// The runtime at that place is gone.
pub(crate) fn clear_runtime(at: usize) {
    IDS[at].store(GONE, Ordering::Release);
}

/// Runtime and worker of the calling thread, each plus one, 0 for unknown: `runtime << 32 | worker`.
/// Never waits.
pub(crate) fn of_this_thread() -> u64 {
    let worker = tokio::runtime::worker_index().map_or(0, |index| index as u64 + 1);
    let runtime = runtime_of_this_thread().map_or(0, |at| u64::from(at) + 1);
    runtime << 32 | worker
}

/// The place of the calling thread's runtime, if it is observed. Never waits.
pub(crate) fn runtime_of_this_thread() -> Option<u32> {
    let id = id::number(Handle::try_current().ok()?.id());
    let known = IDS.iter().map(|known| known.load(Ordering::Acquire)).take_while(|known| *known != 0);
    known.zip(0..).find(|(known, _)| *known == id).map(|(_, at)| at)
}
