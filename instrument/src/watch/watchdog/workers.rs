//! Workers that stand still, seen in tokio's stable counters alone: no hooks, no wrapping, no cost to tasks.
//!
//! What the counters say (tokio 1.54): a worker publishes them when it parks, when it was unparked, and at
//! every 61st turn (`event_interval`, which tokio does not tell if it was changed). So an active worker whose busy
//! time stands still is somewhere within 61 turns, each a task's poll and those of up to three tasks that it
//! woke: one long poll, or sixty short ones. Two things prove a long one. The thread slept all the time in
//! one call. Or it stood still for longer than 61 turns of the limit take: then one of them was longer.
//!
//! A worker in `block_in_place` gave its counters away with its queue: they move, or are parked.

use std::collections::HashSet;
use std::time::Duration;

use pollscope_model::id::{RuntimeId, WorkerId};
use pollscope_recorder::session::Session;
use tokio::runtime::{Handle, RuntimeFlavor, RuntimeMetrics};

use super::kernel::{self, Word};
use super::limits;
use super::roll_call::RollCall;
use crate::report::sample;
use crate::watch::usage::{self, Usage};

/// Turns between two times that a busy worker publishes its counters.
const TURNS: u64 = 61;

/// All workers of all observed runtimes.
#[derive(Default)]
pub(super) struct Workers {
    known: u64,
    runtimes: Vec<Runtime>,
}

struct Runtime {
    id: RuntimeId,
    /// Tokio's own: the same number may be another runtime's later.
    tokio: tokio::runtime::Id,
    session: Session,
    metrics: RuntimeMetrics,
    is_multi_thread: bool,
    workers: Vec<Pace>,
    /// `None` for a session's.
    roll_call: Option<RollCall>,
}

/// One worker's counters, and since when they are so.
#[derive(Clone, Copy, Default)]
struct Pace {
    /// Parks and unparks: odd while it is parked.
    parks: u64,
    busy: Duration,
    /// The look that saw these values first, or the last after a long pause between looks.
    since_ns: u64,
    /// The look that last saw other values than the one before; 0: none did.
    moved_ns: u64,
    /// What its thread had used of the CPUs when it was first found to stand still for long, and when it
    /// was last found to have run since.
    first: Option<(u32, Usage)>,
    asleep: Option<(Usage, u64)>,
    /// It was proved to be in one turn all this time.
    is_still: bool,
}

/// A worker that stands still.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Still {
    pub(super) worker: WorkerId,
    pub(super) since_ns: u64,
    /// For how long it may.
    pub(super) limit_ns: u64,
    /// Whether that a runtime has a thread proves that it is being run.
    pub(super) is_multi_thread: bool,
}

impl Runtime {
    fn new(id: RuntimeId, session: Session, handle: &Handle) -> Self {
        let metrics = handle.metrics();
        Self {
            id,
            tokio: handle.id(),
            session,
            is_multi_thread: handle.runtime_flavor() != RuntimeFlavor::CurrentThread,
            workers: vec![Pace::default(); metrics.num_workers()],
            metrics,
            roll_call: session.is_none().then(|| RollCall::new(handle.clone())),
        }
    }
}

impl Workers {
    /// Reads the counters. `gap`: the last look was much longer ago than intended, so that what stood still
    /// meanwhile proves nothing.
    pub(super) fn look(&mut self, now_ns: u64, gap: bool) {
        if let Some(handles) = sample::handles(&mut self.known) {
            self.learn(handles);
        }
        for runtime in &mut self.runtimes {
            for (index, pace) in runtime.workers.iter_mut().enumerate() {
                let parks = runtime.metrics.worker_park_unpark_count(index);
                let busy = runtime.metrics.worker_total_busy_duration(index);
                pace.see(parks, busy, now_ns, gap);
            }
        }
    }

    fn learn(&mut self, handles: Vec<(RuntimeId, Session, Handle)>) {
        let mut before = std::mem::take(&mut self.runtimes);
        for (id, session, handle) in handles {
            let same = |runtime: &Runtime| runtime.id == id && runtime.tokio == handle.id();
            let known = before.iter().position(same);
            let new = || Runtime::new(id, session, &handle);
            let runtime = known.map_or_else(new, |at| before.swap_remove(at));
            self.runtimes.push(runtime);
        }
    }

    /// Asks those whose threads are not among the known ones, if it is time to.
    pub(super) fn call_the_roll(&mut self, now_ns: u64, known: impl Fn() -> HashSet<WorkerId>) {
        let mut all_known = None;
        for Runtime { id, workers, roll_call, .. } in &mut self.runtimes {
            let Some(roll_call) = roll_call.as_mut().filter(|roll_call| roll_call.is_due(now_ns)) else {
                continue;
            };
            let known = all_known.get_or_insert_with(&known);
            let is_missing = |index: u32| !known.contains(&WorkerId { runtime: *id, index });
            let missing = workers.iter().zip(0..).filter(|(_, index)| is_missing(*index));
            let moved_ns: Vec<_> = missing.map(|(pace, _)| pace.moved_ns).collect();
            roll_call.call(&moved_ns, workers.len(), now_ns);
        }
    }

    /// Whether any worker was active at the last look.
    pub(super) fn is_any_active(&self) -> bool {
        self.runtimes.iter().flat_map(|runtime| &runtime.workers).any(|pace| pace.parks.is_multiple_of(2))
    }

    /// Whether a worker went on after `then`, or is parked: then a thread that is inside a poll of it since
    /// before that gave its queue away.
    pub(super) fn went_on(&self, worker: WorkerId, then_ns: u64) -> bool {
        let runtime = self.runtimes.iter().find(|runtime| runtime.id == worker.runtime);
        let pace = runtime
            .filter(|runtime| runtime.is_multi_thread)
            .and_then(|runtime| runtime.workers.get(worker.index as usize));
        pace.is_some_and(|pace| pace.parks % 2 == 1 || pace.moved_ns > then_ns)
    }

    /// The workers that have been inside one turn for longer than their limit. `tid` tells a worker's thread.
    ///
    /// Cost: some reads of `/proc` for each worker that did not publish its counters within the limit.
    pub(super) fn still(&mut self, now_ns: u64, tid: impl Fn(WorkerId) -> Option<u32>) -> Vec<Still> {
        let mut still = Vec::new();
        for runtime in &mut self.runtimes {
            let limit_ns = limits::of(runtime.session);
            let overdue = |pace: &Pace| {
                pace.parks.is_multiple_of(2) && now_ns.saturating_sub(pace.since_ns) >= limit_ns
            };
            if !runtime.workers.iter().any(overdue) {
                continue;
            }
            // A runtime that was shut down has counters that stand still for ever, and no tasks.
            if runtime.is_multi_thread && runtime.metrics.num_alive_tasks() == 0 {
                continue;
            }
            for (index, pace) in runtime.workers.iter_mut().enumerate().filter(|(_, pace)| overdue(pace)) {
                let worker = WorkerId { runtime: runtime.id, index: index as u32 };
                if pace.is_in_one_turn(tid(worker), now_ns, limit_ns) {
                    let is_multi_thread = runtime.is_multi_thread;
                    still.push(Still { worker, since_ns: pace.since_ns, limit_ns, is_multi_thread });
                }
            }
        }
        still
    }
}

impl Pace {
    /// Takes the counters as a look sees them.
    fn see(&mut self, parks: u64, busy: Duration, now_ns: u64, gap: bool) {
        let is_first = self.since_ns == 0;
        let moved = !is_first && (parks, busy) != (self.parks, self.busy);
        if is_first || moved || gap {
            let moved_ns = if moved { now_ns } else { self.moved_ns };
            *self = Self { parks, busy, since_ns: now_ns, moved_ns, ..Self::default() };
        }
    }

    /// Whether one of the two proofs holds, or held since the counters moved last.
    fn is_in_one_turn(&mut self, tid: Option<u32>, now_ns: u64, limit_ns: u64) -> bool {
        let usage = tid.and_then(|tid| Some((tid, usage::of(tid)?)));
        // Subtracts the time in which the thread was runnable without a CPU.
        let starved_ns = match (self.first, usage) {
            (Some((known, first)), Some((tid, usage))) if known == tid => {
                usage.waited.saturating_sub(first.waited)
            }
            _ => {
                self.first = usage;
                0
            }
        };
        let own_ns = now_ns.saturating_sub(self.since_ns).saturating_sub(starved_ns);
        self.is_still = self.is_still
            || own_ns >= limit_ns.saturating_mul(TURNS)
            || usage.is_some_and(|(tid, usage)| self.sleeps_on(tid, usage, now_ns, limit_ns));
        self.is_still
    }

    /// Whether the thread has slept in one call for the limit at least: it had no turn on a CPU.
    fn sleeps_on(&mut self, tid: u32, usage: Usage, now_ns: u64, limit_ns: u64) -> bool {
        match self.asleep {
            Some((then, at_ns)) if then == usage => {
                now_ns.saturating_sub(at_ns) >= limit_ns && matches!(kernel::ask(tid), Some(Word::Sleeps(_)))
            }
            _ => {
                self.asleep = Some((usage, now_ns));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Duration = Duration::from_millis(1);

    #[test]
    fn to_be_met_or_to_be_missed_for_long_is_not_to_move() {
        let mut pace = Pace::default();
        pace.see(2, BUSY, 100, false);
        pace.see(2, BUSY, 200, false);
        assert_eq!((pace.since_ns, pace.moved_ns), (100, 0));
        pace.see(2, BUSY, 900, true);
        assert_eq!((pace.since_ns, pace.moved_ns), (900, 0));
        pace.see(2, 2 * BUSY, 1_000, false);
        assert_eq!((pace.since_ns, pace.moved_ns), (1_000, 1_000));
        pace.see(2, 2 * BUSY, 5_000, true);
        assert_eq!((pace.since_ns, pace.moved_ns), (5_000, 1_000));
    }

    #[test]
    fn a_worker_is_in_one_turn_when_sixty_one_of_the_limit_are_over() {
        let mut pace = Pace::default();
        pace.see(2, BUSY, 1, false);
        assert!(!pace.is_in_one_turn(None, 600, 10));
        assert!(pace.is_in_one_turn(None, 611, 10));
        pace.see(2, 2 * BUSY, 700, false);
        assert!(!pace.is_in_one_turn(None, 800, 10));
    }
}
