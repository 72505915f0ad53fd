//! Long polls whose thread was seen asleep in a call of its own code, and when that leaves no doubt.
//!
//! On a machine short of CPU a poll may sleep for a lock whose holder has no CPU, so that a single sleep proves
//! nothing. A sleep, a read or a write that is seen again and again is the code's own on every machine; so is a lock,
//! if polls wait for it far more often than a holder loses its CPU. It reads what a world remembers and keeps nothing;
//! `blocking-poll` asks it.

use std::collections::BTreeSet;

use crate::detect::signal::PollFacts;
use crate::detect::view::View;
use crate::dict::Stack;
use crate::entity::activity::ThreadActivity;
use crate::entity::slow_poll::SlowPoll;
use crate::id::TaskId;

/// So often seen is no accident.
pub(super) const AGAIN: u64 = 3;
/// The share of a site's polls that a short machine may make wait for a lock. Only what loses its CPU while it holds the
/// lock makes others wait, which is rare for a lock that is held for microseconds.
const LOCKED_SHARE: f64 = 0.01;

/// What a thread was seen asleep in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sleep {
    /// A sleep, a read, a write, a look-up: nothing that another thread's CPU explains.
    Call,
    /// A lock of the code's own.
    Lock,
}

/// How many polls of a site were seen asleep, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Asleep {
    calls: BTreeSet<(TaskId, u64)>,
    locks: BTreeSet<(TaskId, u64)>,
}

impl Asleep {
    /// Of polls that blocked.
    pub(super) fn of<'a>(view: &View<'_>, polls: impl Iterator<Item = &'a SlowPoll>) -> Self {
        let mut asleep = Self::default();
        for poll in polls {
            let id = (poll.task, poll.nth);
            match sleep(view, poll) {
                Some(Sleep::Call) => asleep.calls.insert(id),
                Some(Sleep::Lock) => asleep.locks.insert(id),
                None => false,
            };
        }
        asleep
    }

    pub(super) fn times(&self) -> u64 {
        (self.calls.len() + self.locks.len()) as u64
    }

    /// Whether no machine explains it. `blocked` of the site's polls blocked for too long, out of `polls`.
    pub(super) fn is_certain(&self, blocked: impl FnOnce() -> u64, polls: u64) -> bool {
        self.calls.len() as u64 >= AGAIN
            || self.times() >= AGAIN && blocked() as f64 > polls as f64 * LOCKED_SHARE
    }
}

fn sleep(view: &View<'_>, poll: &SlowPoll) -> Option<Sleep> {
    let stack = view.stack(&PollFacts { stack: poll.stack, ..PollFacts::default() });
    if stack.is_some_and(Stack::waits_for_allocator) {
        return None;
    }
    let word = view.name(poll.waiting_in?);
    let word = ThreadActivity::of(&word)?;
    let is_lock = stack.is_some_and(Stack::sleeps_for_lock);
    match word {
        // Without a stack it may be the allocator's.
        _ if word.is_for_a_lock() => stack.filter(|stack| !stack.frames.is_empty()).map(|_| Sleep::Lock),
        _ if word.is_own_call() => Some(Sleep::Call),
        // A process that may not ask the kernel for the call knows it by its stack.
        ThreadActivity::Sleeping(_) if is_lock => Some(Sleep::Lock),
        ThreadActivity::Sleeping(_) if !word.is_for_kernels_lock() => {
            stack.filter(|stack| stack.sleeps_in_call()).map(|_| Sleep::Call)
        }
        _ => None,
    }
}
