//! Every interleaving of a thread that counts and a drain that ticks.

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::Version;

/// What one thread counts.
#[derive(Default)]
struct State {
    version: Version,
    /// Start of the poll that is open; 0 for none.
    open: AtomicU64,
    count: AtomicU64,
}

impl State {
    fn count(&self) {
        self.count.store(self.count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// As outside of polls: a wake, a spawn, an end.
    fn count_alone(&self) {
        self.count();
        self.version.raise();
    }

    /// As in a poll, with a count where it begins and one where it ends.
    fn poll(&self) {
        self.open.store(1, Ordering::Release);
        self.count();
        self.count();
        self.version.end_poll();
        self.open.store(0, Ordering::Release);
    }

    /// One tick: the drain's total after it.
    fn tick(&self, total: u64) -> u64 {
        let is_open = || self.open.load(Ordering::Relaxed) != 0;
        if self.version.take_change(is_open) { self.count.load(Ordering::Relaxed) } else { total }
    }
}

/// Ticks beside the thread, then one after it: all that it counted is in the total.
fn nothing_is_missed(work: fn(&State), counts: u64) {
    loom::model(move || {
        let state = Arc::new(State::default());
        let thread = {
            let state = Arc::clone(&state);
            thread::spawn(move || work(&state))
        };
        let first = state.tick(0);
        let second = state.tick(first);
        assert!(first <= second && second <= counts, "{first} {second}");
        thread.join().expect("no panic");
        let last = state.tick(second);
        assert_eq!(last, counts);
        state.count.store(u64::MAX, Ordering::Relaxed);
        assert_eq!(state.tick(last), counts, "a quiet thread is not read");
    });
}

#[test]
fn loom_what_is_counted_outside_of_polls_is_read_once_it_is_counted() {
    nothing_is_missed(
        |state| {
            state.count_alone();
            state.count_alone();
        },
        2,
    );
}

#[test]
fn loom_what_is_counted_in_a_poll_is_read_once_the_poll_has_ended() {
    nothing_is_missed(State::poll, 2);
}

/// The two tallies are written by turns and read one after the other.
#[test]
fn loom_polls_and_what_is_between_them_are_read_together() {
    nothing_is_missed(
        |state| {
            state.poll();
            state.count_alone();
        },
        3,
    );
}

/// A thread ends and the next one takes its state over, as the lock of the lists orders them.
#[test]
fn loom_the_next_thread_goes_on_with_the_version() {
    loom::model(|| {
        let shared = Arc::new((Mutex::new(()), State::default()));
        let next = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || count_under_lock(&shared))
        };
        count_under_lock(&shared);
        let total = shared.1.tick(0);
        next.join().expect("no panic");
        assert_eq!(shared.1.tick(total), 2);
    });
}

fn count_under_lock((lists, state): &(Mutex<()>, State)) {
    let _taken = lists.lock().expect("no panic");
    state.count_alone();
}
