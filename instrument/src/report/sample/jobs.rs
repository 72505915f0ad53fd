//! How many jobs of each observed runtime's blocking pool have ended, where tokio tells: its terminate hook is called
//! for them, too, and for no start of theirs. So a pool that works off its queue is told from one that stands still.
//!
//! Called by the hooks of [`attach`](crate::attach), on tokio's unstable builds; read at every tick. Never waits and
//! allocates nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use super::SAMPLED;
use crate::runtime::place::{MAX_RUNTIMES, runtime_of_this_thread};

/// By the runtime's place: one more than the jobs that ended; 0 for a runtime that does not tell.
pub(super) struct Ended([AtomicU64; MAX_RUNTIMES]);

impl Ended {
    /// No runtime tells.
    pub(super) const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; MAX_RUNTIMES])
    }
}

/// The place is a new runtime's.
pub(super) fn forget(at: usize) {
    SAMPLED.ended.0[at].store(0, Ordering::Relaxed);
}

/// The runtime at that place was built with our hooks.
pub(crate) fn are_told(at: u32) {
    if let Some(ended) = SAMPLED.ended.0.get(at as usize).filter(|ended| ended.load(Ordering::Relaxed) == 0) {
        // Where another thread comes first, it says the same.
        let _ = ended.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// A job ends on this thread. Costs some ten nanoseconds.
pub(crate) fn one_ended() {
    if let Some(at) = runtime_of_this_thread() {
        are_told(at);
        SAMPLED.ended.0[at as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// Jobs that ended since the runtime at that place is observed; `None` if it does not tell.
pub(super) fn ended(at: usize) -> Option<u64> {
    SAMPLED.ended.0.get(at)?.load(Ordering::Relaxed).checked_sub(1)
}

#[cfg(all(test, tokio_unstable))]
mod tests {
    use pollscope_model::entity::runtime::RuntimeRecord;
    use tokio::runtime::Builder;

    use crate::testkit::{Fold, fold_until, record};

    fn of(fold: &Fold, name: &str) -> Option<RuntimeRecord> {
        fold.runtimes.iter().find(|known| &*fold.dict.name(known.name) == name).cloned()
    }

    #[test]
    fn jobs_past_pollscope_are_counted_when_they_end_and_tasks_are_not() {
        record();
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).max_blocking_threads(2);
        crate::attach(&mut builder);
        let runtime = builder.build().expect("a runtime");
        crate::observe(runtime.handle(), "told");
        // From the first time that a worker parks.
        fold_until("a runtime that tells", |fold| {
            of(fold, "told")?.blocking_ended.map(|ended| assert_eq!(ended, 0))
        });
        let held = std::sync::Arc::new(std::sync::Barrier::new(2));
        let holds = std::sync::Arc::clone(&held);
        let running = runtime.spawn_blocking(move || holds.wait());
        runtime.block_on(async {
            for _ in 0..5 {
                tokio::task::spawn_blocking(|| {}).await.expect("returns");
                tokio::spawn(async {}).await.expect("returns");
                crate::spawn(async {}).await.expect("returns");
            }
        });
        let known =
            fold_until("five ends", |fold| of(fold, "told").filter(|known| known.blocking_ended >= Some(5)));
        assert_eq!(known.blocking_ended, Some(5), "the sixth runs: {known:?}");
        held.wait();
        runtime.block_on(running).expect("returns");
        fold_until("the sixth", |fold| of(fold, "told").filter(|known| known.blocking_ended == Some(6)));
    }

    #[test]
    fn a_runtime_without_our_hooks_does_not_tell() {
        record();
        let runtime = Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        crate::observe(runtime.handle(), "untold");
        runtime.block_on(async { tokio::task::spawn_blocking(|| {}).await.expect("returns") });
        let known = fold_until("the thread of the job", |fold| {
            of(fold, "untold").filter(|known| known.blocking_threads >= Some(1))
        });
        assert_eq!(known.blocking_ended, None, "{known:?}");
    }
}
