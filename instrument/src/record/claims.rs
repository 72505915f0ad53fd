//! A record's claims: who still needs it, how its task ended, and whether the drain will say so.
//!
//! Records live in slots that are used again and never freed, so a claim is no matter of memory
//! safety but of meaning: while anybody has one, the slot belongs to the same task. The task's future
//! and wakers together have one, its join handle another, the drain a third, and whoever gives the
//! last one up may hand the slot to the next task.
//!
//! The drain peeks at slots without knowing whose they are. It reads one only after
//! [`Claims::adopt`], which settles in one atomic word whether the drain got to know the task first or
//! the task ended first without needing a row ([`Claims::end`]): exactly one of the two is true, and
//! it decides who gives up the drain's claim.

use super::atomic::{AtomicU16, Ordering};

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
/// The task ended unknown to the drain, and nobody will say so.
const WAIVED: u16 = 1 << 9;

/// See the module.
pub(crate) struct Claims {
    flags: AtomicU16,
    count: AtomicU16,
}

impl Claims {
    /// Of a slot that nobody uses.
    pub(crate) fn none() -> Self {
        Self { flags: AtomicU16::new(0), count: AtomicU16::new(0) }
    }

    /// The slot is a task's now. Comes after everything else that is written at birth; the caller has
    /// the slot for itself.
    #[inline]
    pub(crate) fn born(&self, claims: u16, flags: u16) {
        self.count.store(claims, Ordering::Relaxed);
        self.flags.store(BORN | flags, Ordering::Release);
    }

    /// What is known of the task's end and handle.
    #[inline]
    pub(crate) fn flags(&self) -> u16 {
        self.flags.load(Ordering::Acquire)
    }

    /// Adds a flag; returns those before.
    #[inline]
    pub(crate) fn set(&self, flag: u16) -> u16 {
        self.flags.fetch_or(flag, Ordering::AcqRel)
    }

    /// The task is over. With `waive` it needs no row if the drain does not know it yet: then
    /// [`Ended::waived`] is true and the drain's claim is the caller's to give up.
    #[inline]
    pub(crate) fn end(&self, outcome: u16, waive: bool) -> Ended {
        let before = self.set(outcome | if waive { WAIVED } else { 0 });
        Ended { before, waived: waive && before & KNOWN == 0 }
    }

    /// Whether the drain knows the task.
    #[inline]
    pub(crate) fn is_known(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & KNOWN != 0
    }

    /// Whether the task ended and nobody will say so, so that nothing of it is news any more.
    #[inline]
    pub(crate) fn is_waived(&self) -> bool {
        self.flags() & (WAIVED | KNOWN) == WAIVED
    }

    /// For the drain: whether there is a task that it is to know from now on, until it gives up its
    /// claim. Only for slots that it does not know yet.
    pub(crate) fn adopt(&self) -> bool {
        let unknown = |flags: u16| flags & (BORN | KNOWN | WAIVED) == BORN;
        // The mark may land on another task than the one that was peeked at, or on a free slot, whose
        // next task overwrites it. What counts is where it landed.
        unknown(self.flags()) && unknown(self.set(KNOWN))
    }

    /// One more claim, by somebody who has one.
    #[inline]
    #[expect(clippy::disallowed_methods, reason = "a wrapped count would give away a slot that is in use")]
    pub(crate) fn claim(&self) {
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
    pub(crate) fn is_last(&self) -> bool {
        self.count.load(Ordering::Acquire) == 1
    }

    /// Whether the slot is a task's, from its birth until the last claim is given up.
    #[cfg(any(feature = "check", test))]
    pub(crate) fn is_claimed(&self) -> bool {
        self.flags() & BORN != 0
    }

    /// Nobody's any more. For whoever gave up the last claim, before the slot goes to the next task.
    #[inline]
    pub(crate) fn free(&self) {
        self.flags.store(0, Ordering::Release);
    }
}

/// What [`Claims::end`] found.
pub(crate) struct Ended {
    /// The flags before.
    pub(crate) before: u16,
    /// Nobody will say the end.
    pub(crate) waived: bool,
}

#[cfg(all(test, loom))]
#[path = "claims/loom.rs"]
mod loom_models;
