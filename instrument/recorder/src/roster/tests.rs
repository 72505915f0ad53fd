//! Numbers, limits and what a reading sees.

use super::super::tally::Tally;
use super::{Roster, Taken};

type Threads = Roster<Tally, Vec<u64>>;

fn take(threads: &Threads) -> Taken<Tally> {
    threads.take(|_| false, |_| Box::default()).unwrap_or_else(|index| panic!("refused {index}"))
}

fn add(taken: &Taken<Tally>, n: u64) {
    #[expect(unsafe_code, reason = "states are freed")]
    // SAFETY: it is not given back yet.
    unsafe { taken.state() }.add(n);
}

fn counts(threads: &Threads) -> (Vec<u64>, Vec<u64>) {
    let reading = threads.read();
    (reading.states().map(Tally::get).collect(), reading.rest().clone())
}

fn reclaim(threads: &Threads, at_most: usize) -> Vec<u32> {
    threads.reclaim(at_most, |_, state| state.get() != 7, |rest, state| rest.push(state.get()))
}

#[test]
fn a_state_goes_to_the_next_thread_or_into_the_rest() {
    let threads = Threads::new(8, Vec::new());
    let states = [(); 3].map(|()| take(&threads));
    states.iter().zip(1..).for_each(|(state, n)| add(state, n));
    let [first, second, third] = states;
    assert!(reclaim(&threads, 8).is_empty(), "each has its thread");
    threads.give_back(second);
    threads.give_back(first);
    let next = take(&threads);
    add(&next, 10);
    assert_eq!(counts(&threads), (vec![11, 2, 3], vec![]), "the one that was given back last");
    assert_eq!(reclaim(&threads, 8), [2]);
    assert_eq!(counts(&threads), (vec![11, 3], vec![2]));
    threads.give_back(third);
    threads.give_back(next);
    assert_eq!(reclaim(&threads, 1), [3], "the one that was given back first");
    assert_eq!(reclaim(&threads, 1), [1]);
    assert_eq!(counts(&threads), (vec![], vec![2, 3, 11]));
    let new = take(&threads);
    assert_eq!(threads.at(4, Tally::get), Some(0), "no number is used twice");
    assert_eq!(threads.at(1, Tally::get), None);
    threads.give_back(new);
}

#[test]
fn what_cannot_go_yet_stays_and_nothing_goes_while_something_reads() {
    let threads = Threads::new(8, Vec::new());
    let states = [7, 1].map(|n| {
        let state = take(&threads);
        add(&state, n);
        state
    });
    for state in states {
        threads.give_back(state);
    }
    let reading = threads.read();
    assert!(reclaim(&threads, 8).is_empty());
    drop(reading);
    assert_eq!(reclaim(&threads, 8), [2]);
    assert_eq!(counts(&threads), (vec![7], vec![1]));
}

#[test]
fn too_many_are_refused_with_a_number_of_their_own() {
    let threads = Threads::new(2, Vec::new());
    let states = [(); 2].map(|()| take(&threads));
    let refused = || threads.take(|_| false, |_| Box::default()).err();
    assert_eq!((refused(), refused()), (Some(3), Some(4)));
    threads.add_for_ever(|index| {
        assert_eq!(index, 5);
        Box::default()
    });
    threads.set_most(4);
    assert_eq!(refused(), None);
    for state in states {
        threads.give_back(state);
    }
}
