//! Whether an observed runtime is still there. Tokio tells it to no handle, and a handle that is kept holds the
//! driver's descriptors; so a runtime that has no tasks and stands still is asked, by a task of one turn.
//!
//! A runtime that was shut down drops such a task at once, or when it goes while the task waits. One that lives runs it,
//! and is asked again after a pause that grows to a minute. Never asks a runtime that has tasks or that has not
//! answered. For the table of observed runtimes, which asks outside of its lock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::RuntimeMetrics;

/// A runtime stands still for so long before it is asked for the first time, then twice as long each time.
const FIRST_PAUSE_NS: u64 = 5_000_000_000;
const LONGEST_PAUSE_NS: u64 = 60_000_000_000;
/// Where there is no room for one more, it is asked at once, and then so seldom.
const PRESSED_PAUSE_NS: u64 = 1_000_000_000;

const WAITS: u8 = 0;
const RAN: u8 = 1;
const DROPPED: u8 = 2;

/// What is known of one runtime.
#[derive(Default)]
pub(super) struct Presence {
    /// State of the question that was asked last, until it is known that it ran.
    asked: Option<Arc<AtomicU8>>,
    /// Parks and unparks of all workers, and their busy time.
    pace: (u64, Duration),
    /// Since when the pace is so, or the last question; 0: it was never looked at.
    since_ns: u64,
    pause_ns: u64,
}

impl Presence {
    /// The question to spawn on the runtime, if it is to be asked now. `pressed`: without waiting for the long pause.
    pub(super) fn ask(&mut self, metrics: &RuntimeMetrics, now_ns: u64, pressed: bool) -> Option<Question> {
        let _ = self.asked.take_if(|state| state.load(Ordering::Acquire) == RAN);
        if self.asked.is_some() {
            return None;
        }
        let pace = pace(metrics);
        if self.since_ns == 0 || pace != self.pace {
            (self.pace, self.since_ns) = (pace, now_ns.max(1));
        }
        let still_ns = now_ns.saturating_sub(self.since_ns);
        let may_be_pressed = self.pause_ns == 0 || still_ns >= PRESSED_PAUSE_NS;
        let is_due = pressed && may_be_pressed || still_ns >= self.pause_ns.max(FIRST_PAUSE_NS);
        if !is_due || metrics.num_alive_tasks() > 0 {
            return None;
        }
        self.pause_ns = self.pause_ns.saturating_mul(2).clamp(FIRST_PAUSE_NS, LONGEST_PAUSE_NS);
        self.since_ns = now_ns.max(1);
        let state = Arc::new(AtomicU8::new(WAITS));
        self.asked = Some(Arc::clone(&state));
        Some(Question(state))
    }

    /// Whether the runtime dropped a question.
    pub(super) fn is_gone(&self) -> bool {
        self.is_asked(DROPPED)
    }

    /// Whether a question of ours is among the runtime's tasks.
    pub(super) fn is_waiting(&self) -> bool {
        self.is_asked(WAITS)
    }

    fn is_asked(&self, state: u8) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.load(Ordering::Acquire) == state)
    }
}

fn pace(metrics: &RuntimeMetrics) -> (u64, Duration) {
    let pace = |(parks, busy): (u64, Duration), worker| {
        let parks = parks.wrapping_add(metrics.worker_park_unpark_count(worker));
        (parks, busy.saturating_add(metrics.worker_total_busy_duration(worker)))
    };
    (0..metrics.num_workers()).fold((0, Duration::ZERO), pace)
}

/// A task that is over with its first turn.
pub(super) struct Question(Arc<AtomicU8>);

impl Future for Question {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.0.store(RAN, Ordering::Release);
        Poll::Ready(())
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        let _ = self.0.compare_exchange(WAITS, DROPPED, Ordering::AcqRel, Ordering::Acquire);
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    fn alone() -> Runtime {
        Builder::new_current_thread().build().expect("a runtime")
    }

    #[test]
    fn a_runtime_that_lives_answers_and_is_asked_less_and_less_often() {
        let runtime = alone();
        let mut presence = Presence::default();
        let mut asked = Vec::new();
        for second in 0..200 {
            if let Some(question) = presence.ask(&runtime.metrics(), second * 1_000_000_000, false) {
                asked.push(second);
                let answered = runtime.spawn(question);
                assert!(presence.is_waiting());
                assert!(presence.ask(&runtime.metrics(), u64::MAX, true).is_none(), "one at a time");
                runtime.block_on(answered).expect("it runs");
            }
            assert!(!presence.is_gone() && !presence.is_waiting());
        }
        // A driver that was woken has parked once more.
        let pauses: Vec<_> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.is_sorted() && pauses.len() >= 4, "{asked:?}");
    }

    #[test]
    fn a_runtime_with_tasks_is_not_asked_and_one_that_was_shut_down_drops_the_question() {
        let runtime = alone();
        let task = runtime.spawn(std::future::pending::<()>());
        let mut presence = Presence::default();
        assert!(presence.ask(&runtime.metrics(), 1, true).is_none());
        task.abort();
        runtime.block_on(tokio::task::yield_now());
        let waits = presence.ask(&runtime.metrics(), 2, true).expect("it has no task");
        runtime.spawn(waits);
        let handle = runtime.handle().clone();
        drop(runtime);
        assert!(presence.is_gone(), "it went while the question waited");
        let mut presence = Presence::default();
        handle.spawn(presence.ask(&handle.metrics(), 3, true).expect("it has no task"));
        assert!(presence.is_gone(), "it was gone before");
    }
}
