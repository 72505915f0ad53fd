//! The roll call: workers of observed runtimes whose threads are not known are asked, each by a task that
//! says where it is polled. So a worker that gets stuck later has a thread to look at, on stock builds too, and
//! where nothing is wrapped.
//!
//! Uses what tokio documents and nothing else. Asks only while a worker that is not known yet has moved, less and
//! less often; never a runtime that has not answered the last call, and never one of a session, whose threads tell
//! by themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pollscope_recorder::clock;
use pollscope_recorder::thread;
use tokio::runtime::Handle;

use crate::api::spawn::Wrapping;

/// Between two calls of one runtime: so long after the first, twice as long after each that brought nothing.
const FIRST_PAUSE_NS: u64 = 250_000_000;
const LONGEST_PAUSE_NS: u64 = 10_000_000_000;
/// Tasks of one call.
const MAX_ASKED: usize = 32;
/// A task that came to a worker that is known already lets others go first, for so long and so many times: idle
/// workers need a moment to wake up and take it, busy ones some turns.
const LINGER_NS: u64 = 200_000;
const TURNS: u32 = 8;

/// What one runtime was asked.
pub(super) struct RollCall {
    handle: Handle,
    /// When it was last seen to; 0: never.
    called_ns: u64,
    pause_ns: u64,
    /// How many were asked for last.
    missing: usize,
    /// Of the last call, those that are still to be told; shared with its tasks.
    left: Arc<AtomicUsize>,
}

impl RollCall {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle, called_ns: 0, pause_ns: FIRST_PAUSE_NS, missing: usize::MAX, left: Arc::default() }
    }

    /// Whether it may be asked again.
    pub(super) fn is_due(&self, now_ns: u64) -> bool {
        self.called_ns == 0 || now_ns.saturating_sub(self.called_ns) >= self.pause_ns
    }

    /// Asks for the workers that are not known, if one of them moved since the last time: when each was last seen
    /// to. Which worker takes a task is unknown, so that there is one for each of all `workers`.
    pub(super) fn call(&mut self, moved_ns: &[u64], workers: usize, now_ns: u64) {
        let last_ns = std::mem::replace(&mut self.called_ns, now_ns.max(1));
        let moved = last_ns == 0 || moved_ns.iter().any(|moved_ns| *moved_ns > last_ns);
        let missing = moved_ns.len();
        // Each task of the last call holds it until it is over.
        if missing == 0 || !moved || Arc::strong_count(&self.left) > 1 {
            return;
        }
        let brought = missing < std::mem::replace(&mut self.missing, missing);
        let longer = self.pause_ns.saturating_mul(2).min(LONGEST_PAUSE_NS);
        self.pause_ns = if brought { FIRST_PAUSE_NS } else { longer };
        self.left.store(missing, Ordering::Relaxed);
        let _wrapping = Wrapping::begin();
        for _ in 0..workers.min(MAX_ASKED) {
            self.handle.spawn(answer(Arc::clone(&self.left)));
        }
    }
}

/// Says which worker polls it, as soon as that is one that was not known.
async fn answer(left: Arc<AtomicUsize>) {
    let begin_ns = clock::now_ns();
    let mut turns = 0;
    while left.load(Ordering::Relaxed) > 0 {
        if thread::here().find_place() {
            let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            return;
        }
        turns += 1;
        if turns > TURNS && clock::now_ns().saturating_sub(begin_ns) > LINGER_NS {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT_NS: u64 = FIRST_PAUSE_NS;

    fn alone() -> (tokio::runtime::Runtime, RollCall) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let roll_call = RollCall::new(runtime.handle().clone());
        (runtime, roll_call)
    }

    async fn all_answered(roll_call: &RollCall) {
        while Arc::strong_count(&roll_call.left) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn who_has_not_answered_is_not_asked_again() {
        let (runtime, mut roll_call) = alone();
        assert!(roll_call.is_due(1));
        roll_call.call(&[0, 0], 2, 1);
        assert_eq!(runtime.metrics().num_alive_tasks(), 2);
        assert!(!roll_call.is_due(MOMENT_NS) && roll_call.is_due(MOMENT_NS + 1));
        roll_call.call(&[2, 2], 2, MOMENT_NS + 1);
        assert_eq!(runtime.metrics().num_alive_tasks(), 2, "it does not run");
        // It belongs to no observed runtime, so that no worker becomes known.
        runtime.block_on(all_answered(&roll_call));
        roll_call.call(&[MOMENT_NS + 2], 2, 2 * MOMENT_NS + 1);
        assert_eq!(runtime.metrics().num_alive_tasks(), 2);
    }

    #[test]
    fn who_does_not_move_is_not_asked_again_and_who_is_not_found_less_often() {
        let (runtime, mut roll_call) = alone();
        let mut now_ns = 1;
        let mut calls = Vec::new();
        while now_ns < 400 * MOMENT_NS {
            if roll_call.is_due(now_ns) {
                // It moves until here.
                roll_call.call(&[now_ns.min(60 * MOMENT_NS)], 1, now_ns);
                if runtime.metrics().num_alive_tasks() > 0 {
                    calls.push(now_ns / MOMENT_NS);
                }
                runtime.block_on(all_answered(&roll_call));
            }
            now_ns += MOMENT_NS;
        }
        assert_eq!(calls, [0, 1, 3, 7, 15, 31, 63]);
    }
}
