//! What is told of workers that stand still, though no poll is recorded on them.

use pollscope_model::entity::stall::Stall;
use pollscope_recorder::thread::{Reading, Thread};

use super::closely::{Certainty, SECOND_NS, wait};
use super::looks::{Is, Open};
use super::polls::{Next, Seen};
use super::scanner::{Scanner, stall_of, worker_of};
use super::workers;

const IN_TURN: Certainty<fn() -> bool> = Certainty::InTurn;
const UNCERTAIN: Certainty<fn() -> bool> = Certainty::None;

impl Scanner {
    /// Workers that stand still, though no poll is recorded on them.
    pub(super) fn look_at_workers(
        &mut self,
        threads: &Reading,
        now: u64,
        gap: bool,
        open: &mut Vec<Open>,
    ) -> u64 {
        let thread_of = |worker| threads.states().find(|thread| worker_of(thread) == Some(worker));
        let tid = |worker| thread_of(worker).and_then(Thread::tid);
        let still = self.workers.still(now, tid);
        let mut next = u64::MAX;
        let mut before = std::mem::take(&mut self.still);
        for one in still {
            let thread = thread_of(one.worker);
            if thread.is_some_and(|thread| thread.polling().is_some()) {
                continue; // which says more
            }
            let mut seen = before.remove(&one.worker).unwrap_or_default();
            let due = seen.poll(one.since_ns, now, one.limit_ns, gap);
            // A thread whose stack proved nothing is not asked again before the counters move.
            let last = seen.look.as_ref().and_then(|look| look.named());
            let is_in_vain = !one.is_multi_thread && last.is_some_and(|named| named.is == Is::Unknown);
            if due == Next::Look
                && !is_in_vain
                && let Some(thread) = thread
            {
                // Of what no record tells the end: it may be over by now, and then the counters move.
                let key = u32::MAX - one.worker.runtime.0.wrapping_mul(1_024) - one.worker.index;
                let certainty = if one.is_multi_thread { &IN_TURN } else { &UNCERTAIN };
                self.closely.look(&mut seen, thread, key, now, certainty);
                if !one.is_multi_thread {
                    seen.look_again_by(now + SECOND_NS);
                }
            }
            if let Some(thread) = thread {
                next = next.min(wait(&mut seen, thread, due, now, one.limit_ns));
            }
            if let Some(told) = open_of_worker(one, &mut seen, thread) {
                open.push(told);
            }
            self.still.insert(one.worker, seen);
        }
        next
    }
}

/// A worker that stands still, as it is told. A current-thread runtime has counters that stand still whenever
/// no thread runs it, so that it takes the stack to know.
fn open_of_worker(one: workers::Still, seen: &mut Seen, thread: Option<&Thread>) -> Option<Open> {
    let named = seen.look.as_ref().and_then(|look| look.named());
    if let Some(named) = named {
        seen.is_verified = match named.is {
            Is::InTask => true,
            Is::InRuntime => !one.is_multi_thread,
            Is::Unknown => one.is_multi_thread,
            Is::Elsewhere | Is::Released => {
                // The worker is another thread's since: whose, that will tell when it is asked.
                if let Some(thread) = thread {
                    thread.set_place(0);
                }
                false
            }
        };
    }
    // A thread that is gone, or another worker's by now, is none to speak of.
    seen.is_verified &= thread.is_some();
    if !seen.is_long || !(one.is_multi_thread || seen.is_verified) {
        return None;
    }
    let thread = thread.filter(|_| seen.is_verified);
    let unknown = Stall { worker: Some(one.worker), ..Stall::default() };
    Some(Open {
        thread: None,
        stall: Stall {
            since_ns: one.since_ns,
            ..thread.map_or(unknown, |thread| stall_of(thread, Some(one.worker)))
        },
        look: seen.look.clone().filter(|_| seen.is_verified),
    })
}
