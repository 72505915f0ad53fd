//! What a join handle writes of its task: that the outcome was taken, that it asked the task to stop, that it is gone.
//!
//! The handle has no claim on the record: a `JoinSet` that is never drained would otherwise keep a record for each
//! task that ever ended. It knows the task's id and site, and writes to the record only while that is still the
//! task's. Afterwards there is one thing left to count, and of a panic one to look up: see [`given_back`].
//!
//! What is counted for a site comes before the write that lets the record go, so that a session's number is not
//! another's before.

use super::given_back;
use super::intern::NO_SITE;
use super::task::TaskState;
use super::thread;
use crate::claims::{ABORTED, HANDLE_DROPPED, JOINED, PANICKED, Word};
use crate::tally::Tally;

const SITE_BITS: u32 = 17;
const SITE: u64 = (1 << SITE_BITS) - 1;

const _: () = assert!(NO_SITE as u64 <= SITE, "a site has more bits");

/// The join handle's view of the task. Dropping it without [`Tag::joined`] detaches the task.
pub struct Tag {
    state: &'static TaskState,
    /// The task's id above its site.
    task: u64,
}

impl Tag {
    /// The handle of a task that has just begun.
    #[inline]
    pub(crate) fn of(state: &'static TaskState) -> Self {
        Self { state, task: state.id() << SITE_BITS | u64::from(state.site()) }
    }

    /// The outcome was taken.
    #[inline]
    pub fn joined(self) {
        std::mem::ManuallyDrop::new(self).gone(JOINED);
    }

    /// The task was asked to stop.
    pub fn aborted(&self) {
        let mut word = self.state.claims.word();
        while self.is_mine(word) {
            match self.state.claims.replace(word, word.with(ABORTED)) {
                Ok(()) => return self.state.mark(),
                Err(now) => word = now,
            }
        }
    }

    #[inline]
    fn is_mine(&self, word: Word) -> bool {
        (word.id() << SITE_BITS) ^ self.task <= SITE
    }

    /// The handle is gone, as `fate` says.
    fn gone(&self, fate: u16) {
        let mut word = self.state.claims.word();
        while self.is_mine(word) && !word.is_ended() {
            match self.state.claims.replace(word, word.with(fate)) {
                Ok(()) => return self.state.mark(),
                Err(now) => word = now,
            }
        }
        let site = (self.task & SITE) as u32;
        let thread = thread::here();
        let shard = thread.site(site);
        let count = |tally: &Tally| {
            tally.add(1);
            thread.raise_version();
        };
        count(&shard.outcomes_taken);
        let was_mine = self.is_mine(word);
        if was_mine && fate == HANDLE_DROPPED && word.flags() & PANICKED != 0 {
            count(&shard.swallowed_panics);
        }
        while self.is_mine(word) {
            match self.state.claims.replace(word, word.with(fate)) {
                Ok(()) if word.is_waived() => return,
                Ok(()) => return self.state.mark(),
                Err(now) => word = now,
            }
        }
        let panicked = given_back::forget(self.task >> SITE_BITS, site);
        if panicked && !was_mine && fate == HANDLE_DROPPED {
            count(&shard.swallowed_panics);
        }
    }
}

impl Drop for Tag {
    #[inline]
    fn drop(&mut self) {
        self.gone(HANDLE_DROPPED);
    }
}
