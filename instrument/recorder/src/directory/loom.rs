//! Every interleaving of a task that is looked up while it is struck off and its place and record go to another.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use loom::thread;

use super::{Directory, FREE, Place};

/// A record that says whose it is, and how many claims there are.
struct Record {
    number: AtomicU64,
    claims: AtomicU64,
}

fn directory() -> Arc<Directory<Record, 1>> {
    let place = Place { number: AtomicU64::new(FREE), record: AtomicPtr::new(std::ptr::null_mut()) };
    Arc::new(Directory { places: [place] })
}

fn record(number: u64) -> &'static Record {
    Box::leak(Box::new(Record { number: AtomicU64::new(number), claims: AtomicU64::new(1) }))
}

/// Gives a claim up; `true` for the last.
fn give_up(record: &Record) -> bool {
    record.claims.fetch_sub(1, Ordering::AcqRel) == 1
}

/// A look-up that finds the task has a claim while the record is still the task's.
#[test]
fn loom_what_is_found_is_claimed_in_time() {
    loom::model(|| {
        let (directory, first) = (directory(), record(1));
        assert!(directory.insert(1, first));
        let looking = Arc::clone(&directory);
        let looks = thread::spawn(move || {
            let found = looking.find(1, |record| {
                record.claims.fetch_add(1, Ordering::Relaxed);
            });
            found.is_some_and(|found| {
                assert_eq!(found.number.load(Ordering::Relaxed), 1);
                give_up(found)
            })
        });
        let struck = directory.remove(1).expect("no other thread strikes it off");
        let mut freed = give_up(struck);
        if freed {
            // The record's next task.
            struck.number.store(2, Ordering::Relaxed);
        }
        freed ^= looks.join().expect("no panic");
        assert!(freed, "one of both was the last");
    });
}

/// Two that want the same place when it becomes free: one at most has it, and each finds its own or nothing.
#[test]
fn loom_a_place_has_one_owner() {
    loom::model(|| {
        let directory = directory();
        assert!(directory.insert(1, record(1)));
        let other = Arc::clone(&directory);
        let second = thread::spawn(move || {
            let is_in = other.insert(2, record(2));
            let found = other.remove(2);
            assert_eq!(found.map(|record| record.number.load(Ordering::Relaxed)), is_in.then_some(2));
        });
        let first = directory.remove(1).expect("no other thread strikes it off");
        assert_eq!(first.number.load(Ordering::Relaxed), 1);
        let is_in = directory.insert(3, record(3));
        second.join().expect("no panic");
        let found = directory.find(3, |_| ());
        assert_eq!(found.map(|record| record.number.load(Ordering::Relaxed)), is_in.then_some(3));
    });
}
