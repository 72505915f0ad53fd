//! Every interleaving of a slot that changes hands while the drain looks at it.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use loom::thread;

use super::super::marks::Marks;
use super::{COMPLETED, Claims, ENDED, HANDLE_DROPPED};

/// A record of two words that must never be read half old and half new.
struct Slot {
    claims: Claims,
    first: AtomicU16,
    second: AtomicU16,
    /// How often the last claim was given up.
    freed: AtomicUsize,
    marks: Marks,
}

impl Slot {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            claims: Claims::none(),
            first: AtomicU16::new(0),
            second: AtomicU16::new(0),
            freed: AtomicUsize::new(0),
            marks: Marks::new(),
        })
    }

    fn born(&self, number: u16, claims: u16) {
        self.first.store(number, Ordering::Relaxed);
        self.second.store(number, Ordering::Relaxed);
        self.claims.born(claims, 0);
        self.marks.word(0).note(0);
    }

    /// As in `TaskState::give_up`. `true` for the last.
    fn give_up(&self, claims: u16) -> bool {
        let drain_left = self.claims.is_waived();
        match self.claims.give_up(claims) {
            0 => {
                self.claims.free();
                self.freed.fetch_add(1, Ordering::Relaxed);
                return true;
            }
            1 if !drain_left => self.marks.word(0).set(0),
            _ => {}
        }
        false
    }

    /// As the task's end and its last holder's leave: whether nobody will say the end, and whether the slot is free.
    fn end(&self, waive: bool) -> (bool, bool) {
        let waived = self.claims.end(COMPLETED, waive).waived;
        if !waived {
            self.marks.word(0).set(0);
        }
        (waived, self.give_up(1 + u16::from(waived)))
    }

    /// As the drain's visit: the number of a task whose end is said now.
    fn visit(&self, known: &mut bool, over: &mut bool) -> Option<u16> {
        if !*known && !self.claims.adopt() {
            return None;
        }
        *known = true;
        let alone = self.claims.is_last();
        let ended = self.claims.flags() & ENDED != 0;
        let number = self.first.load(Ordering::Relaxed);
        assert_eq!(number, self.second.load(Ordering::Relaxed), "half of it is another task's");
        let said = (ended && !*over).then_some(number);
        *over |= ended;
        if alone && *over {
            self.claims.free();
            self.freed.fetch_add(1, Ordering::Relaxed);
            (*known, *over) = (false, false);
        }
        said
    }
}

/// The first task's end may be waived, and then its slot is the second task's at once. Whatever the
/// drain sees meanwhile is one task's, and each end is said or waived, once.
#[test]
fn loom_a_slot_changes_hands_under_the_drains_eyes() {
    loom::model(|| {
        let slot = Slot::new();
        let tasks = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                slot.born(1, 2);
                let (waived, free) = slot.end(true);
                if free {
                    slot.born(2, 2);
                    slot.end(false);
                    return (waived, 2_usize);
                }
                (waived, 1)
            })
        };
        let (mut known, mut over, mut said) = (false, false, Vec::new());
        if slot.marks.take(0) != 0 {
            said.extend(slot.visit(&mut known, &mut over));
        }
        let (waived, last) = tasks.join().expect("no panic");
        // The last tick, and the second look at what the first one took.
        said.extend(slot.visit(&mut known, &mut over));
        said.extend(slot.visit(&mut known, &mut over));
        assert_eq!(said.contains(&1), !waived);
        assert_eq!(said.contains(&2), last == 2);
        assert_eq!(said.len(), usize::from(!waived) + usize::from(last == 2));
        assert_eq!(slot.freed.load(Ordering::Relaxed), last);
        assert!(!known);
    });
}

/// The future, the handle and the drain leave in any order: the slot is free exactly once, and what the
/// handle did is known to whoever frees it.
#[test]
fn loom_the_last_of_three_claims_frees_the_slot() {
    let mut model = loom::model::Builder::new();
    // Without a bound it takes minutes.
    model.preemption_bound = Some(3);
    model.check(|| {
        let slot = Slot::new();
        slot.born(7, 3);
        let future = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                slot.end(false);
            })
        };
        let handle = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                slot.claims.set(HANDLE_DROPPED);
                slot.marks.word(0).set(0);
                slot.give_up(1);
            })
        };
        let (mut known, mut over, mut said) = (false, false, Vec::new());
        if slot.marks.take(0) != 0 {
            said.extend(slot.visit(&mut known, &mut over));
        }
        future.join().expect("no panic");
        handle.join().expect("no panic");
        let freed_early = slot.freed.load(Ordering::Relaxed) == 1;
        if !freed_early {
            assert_eq!(slot.marks.take(0), 1, "the drain is told that it is the last");
            assert_eq!(slot.claims.flags() & HANDLE_DROPPED, HANDLE_DROPPED);
            said.extend(slot.visit(&mut known, &mut over));
        }
        assert_eq!(said, vec![7]);
        assert_eq!(slot.freed.load(Ordering::Relaxed), 1);
    });
}

/// A task whose end nobody says, with a handle: the drain may get to know it first, and then it does say it. The last
/// of them frees the slot, once.
#[test]
fn loom_an_end_that_nobody_says_leaves_nothing_to_the_drain() {
    let mut model = loom::model::Builder::new();
    // Without a bound it takes minutes.
    model.preemption_bound = Some(3);
    model.check(|| {
        let slot = Slot::new();
        slot.born(7, 3);
        let future = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.end(true).0)
        };
        let handle = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.give_up(1))
        };
        let (mut known, mut over, mut said) = (false, false, Vec::new());
        if slot.marks.take(0) != 0 {
            said.extend(slot.visit(&mut known, &mut over));
        }
        let waived = future.join().expect("no panic");
        handle.join().expect("no panic");
        if slot.freed.load(Ordering::Relaxed) == 0 {
            assert_eq!(slot.marks.take(0), 1, "the drain is told that it is the last");
            said.extend(slot.visit(&mut known, &mut over));
        }
        assert_eq!(said, if waived { vec![] } else { vec![7] });
        assert_eq!(slot.freed.load(Ordering::Relaxed), 1);
    });
}
