//! Every interleaving of a slot that changes hands while the drain looks at it.

use loom::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::super::marks::Marks;
use super::{COMPLETED, Claims, ENDED, HANDLE_DROPPED, JOINABLE, PANICKED, Word};

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
        self.claims.born(number.into(), claims, 0);
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

    /// As the task's end and its last holder's leave: whether the end stays unreported, and whether the slot is free.
    fn end(&self, waive: bool) -> (bool, bool) {
        let waived = self.claims.end(COMPLETED, waive).waived;
        if !waived {
            self.marks.word(0).set(0);
        }
        (waived, self.give_up(1 + u16::from(waived)))
    }
}

/// The drain, and what it knows of the slot.
#[derive(Default)]
struct Drain {
    known: bool,
    over: bool,
    /// The numbers of tasks whose end it said.
    said: Vec<u16>,
}

impl Drain {
    /// Visits the slot if it is marked.
    fn tick(&mut self, slot: &Slot) {
        if slot.marks.take(0) != 0 {
            self.visit(slot);
        }
    }

    fn visit(&mut self, slot: &Slot) {
        if !self.known && !slot.claims.adopt() {
            return;
        }
        self.known = true;
        let alone = slot.claims.is_last();
        let ended = slot.claims.flags() & ENDED != 0;
        let number = slot.first.load(Ordering::Relaxed);
        assert_eq!(number, slot.second.load(Ordering::Relaxed), "half of it is another task's");
        self.said.extend((ended && !self.over).then_some(number));
        self.over |= ended;
        if alone && self.over {
            slot.claims.free();
            slot.freed.fetch_add(1, Ordering::Relaxed);
            (self.known, self.over) = (false, false);
        }
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
        let mut drain = Drain::default();
        drain.tick(&slot);
        let (waived, last) = tasks.join().expect("no panic");
        // The last tick, and the second look at what the first one took.
        drain.visit(&slot);
        drain.visit(&slot);
        assert_eq!(drain.said.contains(&1), !waived);
        assert_eq!(drain.said.contains(&2), last == 2);
        assert_eq!(drain.said.len(), usize::from(!waived) + usize::from(last == 2));
        assert_eq!(slot.freed.load(Ordering::Relaxed), last);
        assert!(!drain.known);
    });
}

/// A task that panics, its handle, and the drain, which gives the record to the next task whether or not the handle still
/// exists. As in `Tag::gone`, `TaskState::end` and `given_back`.
struct Joined {
    slot: Arc<Slot>,
    left: AtomicUsize,
    taken: AtomicUsize,
    swallowed: AtomicUsize,
    panics: Mutex<Vec<u64>>,
    panics_len: AtomicUsize,
}

impl Joined {
    fn new() -> Arc<Self> {
        let zero = || AtomicUsize::new(0);
        Arc::new(Self {
            slot: Slot::new(),
            left: zero(),
            taken: zero(),
            swallowed: zero(),
            panics: Mutex::new(Vec::new()),
            panics_len: zero(),
        })
    }

    fn end(&self) {
        let ended = self.slot.claims.end(PANICKED, false);
        self.left.fetch_add(usize::from(ended.held), Ordering::Relaxed);
        if ended.before & HANDLE_DROPPED != 0 {
            self.swallowed.fetch_add(1, Ordering::Relaxed);
        }
        self.slot.marks.word(0).set(0);
        self.slot.give_up(1);
    }

    fn drop_handle(&self, id: u64) {
        let claims = &self.slot.claims;
        let write = |word: Word| claims.replace(word, word.with(HANDLE_DROPPED));
        let mut word = claims.word();
        while word.id() == id && !word.is_ended() {
            match write(word) {
                Ok(()) => return self.slot.marks.word(0).set(0),
                Err(now) => word = now,
            }
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        let was_mine = word.id() == id;
        if was_mine && word.flags() & PANICKED != 0 {
            self.swallowed.fetch_add(1, Ordering::Relaxed);
        }
        while word.id() == id {
            match write(word) {
                Ok(()) => return self.slot.marks.word(0).set(0),
                Err(now) => word = now,
            }
        }
        let panicked = self.panics_len.load(Ordering::Relaxed) != 0 && {
            let mut panics = self.panics.lock().expect("no panic");
            let len = panics.len();
            panics.retain(|known| *known != id);
            len != panics.len()
        };
        if panicked && !was_mine {
            self.swallowed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The drain's visit; the next task has the slot at once. `true` when the first task's end was said.
    fn visit(&self, known: &mut bool) -> bool {
        let claims = &self.slot.claims;
        if !*known && !claims.adopt() {
            return false;
        }
        *known = true;
        let (alone, word) = (claims.is_last(), claims.word());
        assert_eq!(word.id(), 1);
        if !alone {
            return false;
        }
        assert!(word.is_ended());
        let mut panics = self.panics.lock().expect("no panic");
        self.panics_len.store(panics.len() + 1, Ordering::Relaxed);
        if !claims.free_if(word) {
            self.panics_len.store(panics.len(), Ordering::Relaxed);
            return false;
        }
        if word.is_held() {
            panics.push(word.id());
        }
        drop(panics);
        self.slot.freed.fetch_add(1, Ordering::Relaxed);
        claims.born(2, 2, JOINABLE);
        true
    }
}

/// However the three come together: the handle writes to no other task's record, its task's outcome is counted as left
/// and as taken or as neither, and the panic that it did not look at is swallowed once.
#[test]
fn loom_a_handle_that_outlives_the_record_writes_to_no_others() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let joined = Joined::new();
        joined.slot.claims.born(1, 2, JOINABLE);
        let future = {
            let joined = Arc::clone(&joined);
            thread::spawn(move || joined.end())
        };
        let handle = {
            let joined = Arc::clone(&joined);
            thread::spawn(move || joined.drop_handle(1))
        };
        let mut known = false;
        let mut over = joined.slot.marks.take(0) != 0 && joined.visit(&mut known);
        future.join().expect("no panic");
        handle.join().expect("no panic");
        while !over {
            over = joined.visit(&mut known);
        }
        let next = joined.slot.claims.word();
        assert_eq!((next.id(), next.is_held(), next.is_ended()), (2, true, false));
        assert_eq!(joined.left.load(Ordering::Relaxed), joined.taken.load(Ordering::Relaxed));
        assert_eq!(joined.swallowed.load(Ordering::Relaxed), 1);
        assert_eq!(joined.slot.freed.load(Ordering::Relaxed), 1);
        assert!(joined.panics.lock().expect("no panic").is_empty());
    });
}

/// The future, another with a claim and the drain leave in any order: the slot is free exactly once, and what the other
/// wrote is known to the one that frees it.
#[test]
fn loom_the_last_of_three_claims_frees_the_slot() {
    three_leave(false, HANDLE_DROPPED);
}

/// A task whose end is not to be said, and another claim: the drain may get to know it first, and then it does say it. The
/// last of them frees the slot, once.
#[test]
fn loom_an_end_that_nobody_says_leaves_nothing_to_the_drain() {
    three_leave(true, 0);
}

/// `fate`: what the other has to tell.
fn three_leave(waive: bool, fate: u16) {
    let mut model = loom::model::Builder::new();
    // Without a bound it takes minutes.
    model.preemption_bound = Some(3);
    model.check(move || {
        let slot = Slot::new();
        slot.born(7, 3);
        let future = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.end(waive).0)
        };
        let handle = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                if fate != 0 {
                    slot.claims.set(fate);
                    slot.marks.word(0).set(0);
                }
                slot.give_up(1);
            })
        };
        let mut drain = Drain::default();
        drain.tick(&slot);
        let waived = future.join().expect("no panic");
        handle.join().expect("no panic");
        if slot.freed.load(Ordering::Relaxed) == 0 {
            assert_eq!(slot.marks.take(0), 1, "the drain is told that it is the last");
            assert_eq!(slot.claims.flags() & fate, fate);
            drain.visit(&slot);
        }
        assert_eq!(drain.said, if waived { vec![] } else { vec![7] });
        assert_eq!(slot.freed.load(Ordering::Relaxed), 1);
    });
}
