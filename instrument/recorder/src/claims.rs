//! A record's claims: who still needs it, how its task ended, and whether the drain will say so.
//!
//! Records live in slots that are used again and never freed, so a claim is no matter of memory
//! safety but of meaning: while a claim exists, the slot belongs to the same task. The task's future
//! and wakers together have one, the drain another, and the one that gives the last up may hand the slot
//! to the next task.
//!
//! A join handle has none, since it may be held for ever. It knows its task's id, which is in one word with
//! the flags: what it writes, it writes only while the id is still there ([`Claims::replace`]).
//!
//! The drain peeks at slots without knowing whose they are. It reads one only after
//! [`Claims::adopt`], which settles in one atomic word whether the drain got to know the task first or
//! the task ended first without needing a row ([`Claims::end`]): exactly one of the two is true, and
//! it decides who gives up the drain's claim.

use super::atomic::{AtomicU16, AtomicU64, Ordering};

pub(crate) const COMPLETED: u16 = 1;
pub(crate) const CANCELLED: u16 = 1 << 1;
pub(crate) const PANICKED: u16 = 1 << 2;
pub(crate) const ENDED: u16 = COMPLETED | CANCELLED | PANICKED;
pub(crate) const HANDLE_DROPPED: u16 = 1 << 3;
pub(crate) const JOINED: u16 = 1 << 4;
pub(crate) const ABORTED: u16 = 1 << 5;
pub(crate) const LONG_LIVED: u16 = 1 << 6;
/// The slot belongs to a task, and all that is told at birth is written.
const BORN: u16 = 1 << 7;
/// The drain knows the task and will say its end.
const KNOWN: u16 = 1 << 8;
/// The task ended unknown to the drain, which will not report its end.
const WAIVED: u16 = 1 << 9;
/// The task has a join handle.
pub(crate) const JOINABLE: u16 = 1 << 10;

const ID_SHIFT: u32 = 16;

/// A task's id and the flags of its record, as they were at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word(u64);

impl Word {
    /// The task's id; 0 for none.
    #[inline]
    pub fn id(self) -> u64 {
        self.0 >> ID_SHIFT
    }

    /// What is known of the task's end and handle.
    #[inline]
    pub(crate) fn flags(self) -> u16 {
        self.0 as u16
    }

    /// Whether the task has ended.
    #[inline]
    pub(crate) fn is_ended(self) -> bool {
        self.flags() & ENDED != 0
    }

    /// Whether there is a join handle through which the outcome may still be taken.
    #[inline]
    pub fn is_held(self) -> bool {
        is_held(self.flags())
    }

    /// Whether there was a join handle that is gone and has not taken the outcome.
    #[inline]
    pub(crate) fn is_detached(self) -> bool {
        self.flags() & (JOINED | HANDLE_DROPPED) == HANDLE_DROPPED
    }

    /// Whether the drain knows the task.
    #[inline]
    pub(crate) fn is_known(self) -> bool {
        self.flags() & KNOWN != 0
    }

    /// Whether the task ended and the drain will not say so.
    #[inline]
    pub(crate) fn is_waived(self) -> bool {
        self.flags() & (WAIVED | KNOWN) == WAIVED
    }

    /// The same with one more flag.
    #[inline]
    pub(crate) fn with(self, flag: u16) -> Self {
        Self(self.0 | u64::from(flag))
    }
}

/// Whether flags are those of a task whose join handle still exists.
#[inline]
fn is_held(flags: u16) -> bool {
    flags & (JOINABLE | JOINED | HANDLE_DROPPED) == JOINABLE
}

/// See the module.
pub struct Claims {
    /// The task's id above its flags. Ids are never used twice (48 bits are nine years of a million tasks per second), so
    /// that a word which is still the same was the same all the time.
    word: AtomicU64,
    count: AtomicU16,
}

impl Claims {
    /// Of a slot without a task.
    pub(crate) fn none() -> Self {
        Self { word: AtomicU64::new(0), count: AtomicU16::new(0) }
    }

    /// The slot is a task's now. Comes after everything else that is written at birth; the caller has
    /// the slot for itself.
    #[inline]
    pub(crate) fn born(&self, id: u64, claims: u16, flags: u16) {
        self.count.store(claims, Ordering::Relaxed);
        self.word.store(id << ID_SHIFT | u64::from(BORN | flags), Ordering::Release);
    }

    /// The task's id, for code that has a claim.
    #[inline]
    pub(crate) fn id(&self) -> u64 {
        Word(self.word.load(Ordering::Relaxed)).id()
    }

    /// The task's id and flags.
    #[inline]
    pub fn word(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// What is known of the task's end and handle.
    #[inline]
    pub(crate) fn flags(&self) -> u16 {
        self.word().flags()
    }

    /// Adds a flag; returns those before.
    #[inline]
    fn set(&self, flag: u16) -> u16 {
        Word(self.word.fetch_or(flag.into(), Ordering::AcqRel)).flags()
    }

    /// Writes another word in place of one that was read before, unless it has changed since; then that is the error.
    /// Needs no claim: a slot that is another task's by now has another id.
    #[inline]
    pub(crate) fn replace(&self, before: Word, after: Word) -> Result<(), Word> {
        let replaced = self.word.compare_exchange(before.0, after.0, Ordering::AcqRel, Ordering::Acquire);
        replaced.map(drop).map_err(Word)
    }

    /// The task is over. With `waive` it needs no row if the drain does not know it yet: then
    /// [`Ended::waived`] is true and the drain's claim is the caller's to give up.
    #[inline]
    pub(crate) fn end(&self, outcome: u16, waive: bool) -> Ended {
        let before = self.set(outcome | if waive { WAIVED } else { 0 });
        Ended { before, held: is_held(before), waived: waive && before & KNOWN == 0 }
    }

    /// Whether the task ended without a report of its end, so that nothing of it is news any more.
    #[inline]
    pub(crate) fn is_waived(&self) -> bool {
        self.word().is_waived()
    }

    /// For the drain: whether there is a task that it is to know from now on, until it gives up its
    /// claim. Only for slots that it does not know yet.
    pub fn adopt(&self) -> bool {
        let unknown = |flags: u16| flags & (BORN | KNOWN | WAIVED) == BORN;
        // The mark may land on another task than the one that was peeked at, or on a free slot, whose
        // next task overwrites it. What counts is where it landed.
        unknown(self.flags()) && unknown(self.set(KNOWN))
    }

    /// One more claim, by a holder of one.
    #[inline]
    #[expect(clippy::disallowed_methods, reason = "a wrapped count would give away a slot that is in use")]
    pub fn claim(&self) {
        if self.count.fetch_add(1, Ordering::Relaxed) > u16::MAX / 2 {
            // Thirty thousand threads that poll one task: the same end that `Arc` has for it.
            std::process::abort();
        }
    }

    /// The caller's claims, one or more, are no more; returns how many others are left.
    #[inline]
    pub(crate) fn give_up(&self, claims: u16) -> u16 {
        // Only who has a claim can add one: if these are all there are, no others come. Mostly the last one to
        // leave then needs no locked instruction.
        if self.count.load(Ordering::Acquire) == claims {
            self.count.store(0, Ordering::Relaxed);
            return 0;
        }
        let left = self.count.fetch_sub(claims, Ordering::Release) - claims;
        if left == 0 {
            // What the others wrote before they left, as a fence would see; which ThreadSanitizer does not know.
            let _ = self.count.load(Ordering::Acquire);
        }
        left
    }

    /// Whether the caller's claim is the only one: all others have written their last.
    #[inline]
    pub fn is_last(&self) -> bool {
        self.count.load(Ordering::Acquire) == 1
    }

    /// Whether the slot is a task's, from its birth until the last claim is given up.
    #[cfg(any(feature = "check", test))]
    pub(crate) fn is_claimed(&self) -> bool {
        self.flags() & BORN != 0
    }

    /// No task's any more. For the thread that gave up the last claim, before the slot goes to the next task.
    #[inline]
    pub(crate) fn free(&self) {
        self.word.store(0, Ordering::Release);
    }

    /// The same unless the word has changed since it was read: then a join handle was used meanwhile, and the slot stays
    /// the task's. For the thread that has the last claim.
    #[must_use]
    pub fn free_if(&self, unchanged: Word) -> bool {
        self.replace(unchanged, Word(0)).is_ok()
    }
}

/// What [`Claims::end`] found.
pub(crate) struct Ended {
    /// The flags before.
    pub(crate) before: u16,
    /// There is a join handle through which the outcome may be taken.
    pub(crate) held: bool,
    /// The drain will not report the end.
    pub(crate) waived: bool,
}

#[cfg(all(test, loom))]
#[path = "claims/loom.rs"]
mod loom_models;
