//! Every interleaving of a thread that ends, a reclaim, a reader, and a thread that takes a state.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use loom::sync::Arc;
use loom::thread;

use super::super::tally::Tally;
use super::Roster;

/// What one thread counts, and whether it was freed: to be looked at after each use.
struct State {
    count: Tally,
    freed: std::sync::Arc<AtomicBool>,
}

impl State {
    fn boxed() -> Box<Self> {
        Box::new(Self { count: Tally::default(), freed: std::sync::Arc::default() })
    }

    /// The flag lives on when the state does not.
    fn use_it<T>(&self, what: impl FnOnce(&Tally) -> T) -> T {
        let freed = std::sync::Arc::clone(&self.freed);
        let result = what(&self.count);
        thread::yield_now();
        assert!(!freed.load(SeqCst), "freed while it is used");
        result
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.freed.store(true, SeqCst);
    }
}

type Threads = Roster<State, u64>;

/// As a thread from its start to its end: it counts one.
fn live(threads: &Threads) {
    let taken = threads.take(|_| false, |_| State::boxed()).unwrap_or_else(|_| unreachable!("there is room"));
    #[expect(unsafe_code, reason = "states are freed")]
    // SAFETY: not used after it is given back.
    unsafe { taken.state() }.use_it(|count| count.add(1));
    threads.give_back(taken);
}

fn total(threads: &Threads) -> u64 {
    let reading = threads.read();
    reading.states().map(|state| state.use_it(Tally::get)).sum::<u64>() + reading.rest()
}

fn reclaim(threads: &Threads) -> usize {
    threads.reclaim(8, |_, _| true, |rest, state| *rest += state.use_it(Tally::get)).len()
}

/// Nothing is counted twice or lost in any reading, and nothing is freed that a reader or a thread still uses.
#[test]
fn loom_readers_see_each_count_once_while_states_are_taken_and_reclaimed() {
    loom::model(|| {
        let threads = Arc::new(Threads::new(8, 0));
        live(&threads);
        let next = {
            let threads = Arc::clone(&threads);
            thread::spawn(move || live(&threads))
        };
        let drain = {
            let threads = Arc::clone(&threads);
            thread::spawn(move || reclaim(&threads))
        };
        let seen = total(&threads);
        assert!(seen == 1 || seen == 2, "{seen}");
        assert!(total(&threads) >= seen, "a total never falls");
        next.join().expect("no panic");
        drain.join().expect("no panic");
        assert_eq!(total(&threads), 2);
        reclaim(&threads);
        assert_eq!((total(&threads), threads.read().states().len()), (2, 0));
    });
}

/// Two that reclaim share the states, and a thread that takes one has it alone.
#[test]
fn loom_a_state_is_freed_once_or_taken() {
    loom::model(|| {
        let threads = Arc::new(Threads::new(1, 0));
        live(&threads);
        let other = {
            let threads = Arc::clone(&threads);
            thread::spawn(move || reclaim(&threads))
        };
        let next = {
            let threads = Arc::clone(&threads);
            thread::spawn(move || live(&threads))
        };
        let here = reclaim(&threads);
        let folded = here + other.join().expect("no panic");
        next.join().expect("no panic");
        assert_eq!(total(&threads), 2);
        let left = threads.read().states().len();
        assert!(folded + left >= 1 && left <= 1, "{folded} {left}");
    });
}
