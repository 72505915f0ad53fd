//! The slow polls that a site, or a line at a site, remembers: the newest and the longest. Bounded. Only the fold writes.

use std::collections::VecDeque;

use crate::entity::slow_poll::SlowPoll;

/// So many of the newest, and of the longest.
pub(in crate::world) const SLOW_POLLS: usize = 8;

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    newest: VecDeque<SlowPoll>,
    longest: Vec<SlowPoll>,
}

impl Kept {
    /// Takes what is told of a poll that is kept. `false` if none is the same.
    pub(super) fn update(&mut self, poll: &SlowPoll) -> bool {
        let mut is_kept = false;
        for same in self.newest.iter_mut().chain(&mut self.longest).filter(|known| known.is_same(poll)) {
            same.clone_from(poll);
            is_kept = true;
        }
        is_kept
    }

    /// Takes a poll that is not kept yet.
    pub(super) fn add(&mut self, poll: &SlowPoll) {
        if self.longest.len() < SLOW_POLLS {
            self.longest.push(poll.clone());
        } else if let Some(least) = self.longest.iter_mut().min_by_key(|known| known.judged_ns())
            && least.judged_ns() < poll.judged_ns()
        {
            *least = poll.clone();
        }
        if self.newest.len() >= SLOW_POLLS {
            self.newest.pop_front();
        }
        self.newest.push_back(poll.clone());
    }

    /// Each once, the newest last.
    pub(super) fn iter(&self) -> impl Iterator<Item = &SlowPoll> {
        let only_long = |poll: &&SlowPoll| !self.newest.iter().any(|new| new.is_same(poll));
        self.longest.iter().filter(only_long).chain(&self.newest)
    }

    /// Forgets all but the newest one.
    pub(super) fn reduce(&mut self) {
        self.longest = Vec::new();
        self.newest = self.newest.split_off(self.newest.len().saturating_sub(1));
    }

    /// Polls for which there is memory.
    pub(super) fn capacity(&self) -> usize {
        self.newest.capacity() + self.longest.capacity()
    }
}
