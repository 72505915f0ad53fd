//! Where the records live: slots in chunks that are made when they are needed, used again and never
//! freed, so that a record's memory is a record for ever. A service that spawns and ends tasks all the
//! time writes to the same few warm slots.
//!
//! Each thread keeps a few free slots of its own ([`Magazine`]); the rest is in one depot behind a
//! lock that is taken once per 32 spawns at most. The depot makes no more slots than the cap says, beside those of tasks
//! that have ended and are kept: a waker that is held for ever takes no living task's place.

use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{MutexGuard, PoisonError};

use super::Recorder;
#[cfg(any(feature = "check", test))]
use super::session::{self, Session};
use super::task::{Aside, TaskState};
use crate::marks::{CHUNK, Marks};
use crate::tally::Tally;

/// Slots that change hands at once.
const BATCH: usize = 32;
/// Free slots that a thread keeps at most.
const KEPT: usize = 2 * BATCH;

/// Slots that were made together, and their marks.
pub struct Chunk {
    /// Which of them changed.
    pub marks: &'static Marks,
    /// The records.
    pub slots: Box<[TaskState]>,
}

/// The slots of all threads.
pub(super) struct Depot {
    chunks: Vec<&'static Chunk>,
    /// Slots ever handed out: those of the last chunk from here on are unused.
    made: usize,
    free: Vec<&'static TaskState>,
    /// Slots of ended tasks, by the drain's last count.
    ended: u64,
}

fn depot() -> MutexGuard<'static, Depot> {
    Recorder::global().depot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Depot {
    /// None is made yet.
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), made: 0, free: Vec::new(), ended: 0 }
    }

    fn take(&mut self, cap: u64) -> Option<&'static TaskState> {
        if let Some(slot) = self.free.pop() {
            return Some(slot);
        }
        if self.made as u64 >= cap.saturating_add(self.ended.min(cap)) {
            return None;
        }
        if self.made == self.chunks.len() * CHUNK {
            let marks: &'static Marks = Box::leak(Box::new(Marks::new()));
            let asides: &'static [Aside] = Box::leak((0..CHUNK).map(|_| Aside::default()).collect());
            let unused = |(at, aside)| TaskState::unused(marks.word(at as u8), aside, at as u8);
            let slots = asides.iter().enumerate().map(unused).collect();
            self.chunks.push(Box::leak(Box::new(Chunk { marks, slots })));
        }
        let slot = self.chunks.last()?.slots.get(self.made % CHUNK)?;
        self.made += 1;
        Some(slot)
    }
}

/// Appends the chunks that the caller does not know yet. For the drain.
pub fn learn(known: &mut Vec<&'static Chunk>) {
    let depot = depot();
    known.extend_from_slice(&depot.chunks[known.len()..]);
}

/// Whether no claimed record is of that session. Looks at every slot.
#[cfg(any(feature = "check", test))]
pub(crate) fn none_of(session: Session) -> bool {
    let mut chunks = Vec::new();
    learn(&mut chunks);
    let of_it = |slot: &TaskState| slot.claims.is_claimed() && session::of_site(slot.site()) == session;
    !chunks.iter().flat_map(|chunk| &chunk.slots).any(of_it)
}

/// Gives free slots back to all threads, with the number of those of ended tasks. For the drain, which frees many at
/// once.
pub fn give_back(slots: &mut Vec<&'static TaskState>, ended: u64) {
    let mut depot = depot();
    depot.free.append(slots);
    depot.ended = ended;
}

/// A thread's own free slots. Only for the thread that owns it, unless it is [`Magazine::shared`].
pub struct Magazine {
    slots: [AtomicPtr<TaskState>; KEPT],
    filled: Tally,
    room: usize,
}

impl Magazine {
    /// Empty.
    pub(crate) fn new() -> Self {
        let slots = [const { AtomicPtr::new(std::ptr::null_mut()) }; KEPT];
        Self { slots, filled: Tally::new(), room: KEPT }
    }

    /// For several threads at once: keeps nothing and always goes to the depot.
    pub(crate) fn shared() -> Self {
        Self { room: 0, ..Self::new() }
    }

    /// A free slot, unless the cap is reached.
    #[inline]
    pub fn take(&self, cap: u64) -> Option<&'static TaskState> {
        let filled = self.filled.get() as usize;
        if filled == 0 {
            return self.refill(cap);
        }
        self.filled.set(filled as u64 - 1);
        self.at(filled - 1)
    }

    /// Takes a slot that is free now.
    #[inline]
    pub(crate) fn give(&self, slot: &'static TaskState) {
        let filled = self.filled.get() as usize;
        if filled >= self.room {
            return self.spill(slot);
        }
        self.put(filled, slot);
    }

    /// Gives everything back to the depot.
    pub(crate) fn empty(&self) {
        let mut depot = depot();
        while let Some(slot) = self.pop() {
            depot.free.push(slot);
        }
    }

    #[cold]
    fn refill(&self, cap: u64) -> Option<&'static TaskState> {
        let mut depot = depot();
        while (self.filled.get() as usize) < self.room.min(BATCH - 1) {
            let Some(slot) = depot.take(cap) else { break };
            self.put(self.filled.get() as usize, slot);
        }
        self.pop().or_else(|| depot.take(cap))
    }

    #[cold]
    fn spill(&self, slot: &'static TaskState) {
        let mut depot = depot();
        depot.free.push(slot);
        for _ in 0..BATCH {
            let Some(slot) = self.pop() else { break };
            depot.free.push(slot);
        }
    }

    fn pop(&self) -> Option<&'static TaskState> {
        let last = (self.filled.get() as usize).checked_sub(1)?;
        self.filled.set(last as u64);
        self.at(last)
    }

    #[inline]
    fn put(&self, at: usize, slot: &'static TaskState) {
        self.slots[at].store(std::ptr::from_ref(slot).cast_mut(), Ordering::Relaxed);
        self.filled.set(at as u64 + 1);
    }

    #[inline]
    #[expect(unsafe_code, reason = "the room of a reference that a plain store can replace")]
    fn at(&self, at: usize) -> Option<&'static TaskState> {
        // SAFETY: null, or a `&'static TaskState` that `put` stored.
        unsafe { self.slots[at].load(Ordering::Relaxed).as_ref() }
    }
}
