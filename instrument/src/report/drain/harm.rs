//! Slow polls on their way into the reports: told when they ended, and again as long as more tasks are
//! seen that waited for them.

use std::collections::HashMap;

use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_recorder::evidence::Harm;
use pollscope_recorder::thread::{Reading, Thread};

use crate::watch::watchdog::looks::{self, Pairing};
use crate::watch::watchdog::stopped;

/// A task that is polled later than that after a slow poll had other reasons to wait.
const WATCHED_NS: u64 = 10_000_000_000;

/// The longest that a slow poll waits for the names of its stack.
const NAMING_NS: u64 = 10_000_000_000;

/// The slow polls of every thread that tasks may still be waiting for, by the thread's index.
#[derive(Default)]
pub(super) struct Cases {
    threads: HashMap<u32, Watched>,
}

#[derive(Default)]
struct Watched {
    /// What the thread had kept at the last visit.
    kept: u64,
    /// By number.
    open: Vec<Open>,
}

struct Open {
    number: u64,
    poll: SlowPoll,
    news: bool,
    /// What the process was stopped for is taken off.
    is_judged: bool,
}

impl Cases {
    /// The slow polls that ended since the last call, and those of which more is known now. One that waits
    /// for the names of its stack is told later, unless this is the `last` call that matters.
    pub(super) fn news(&mut self, threads: &Reading, now: u64, last: bool) -> Vec<SlowPoll> {
        let naming_ns = if last { 0 } else { NAMING_NS };
        let mut told = Vec::new();
        for thread in threads.states().filter(|thread| thread.evidence.kept() != 0) {
            let watched = self.threads.entry(thread.index).or_default();
            watched.visit(thread, now, naming_ns, &mut told);
        }
        told
    }

    /// Whether nothing more will be told of a thread that has ended.
    pub(super) fn is_done(&self, ended: &Thread) -> bool {
        let kept = ended.evidence.kept();
        let is_done = |watched: &Watched| watched.kept == kept && watched.open.is_empty();
        self.threads.get(&ended.index).map_or(kept == 0, is_done)
    }

    /// The thread's state is freed.
    pub(super) fn forget(&mut self, ended: u32) {
        self.threads.remove(&ended);
    }
}

impl Watched {
    fn visit(&mut self, thread: &Thread, now: u64, naming_ns: u64, told: &mut Vec<SlowPoll>) {
        let evidence = &thread.evidence;
        // Before it is looked at: no task will have waited for what a thread left that has ended by now.
        let has_ended = !thread.is_taken();
        let kept = evidence.kept();
        if kept == self.kept && self.open.is_empty() {
            return;
        }
        self.kept = kept;
        let taken = evidence.take(self.open.iter().map(|open| open.number));
        let fresh = |(number, poll)| Open { number, poll, news: true, is_judged: false };
        self.open.extend(taken.polls.into_iter().map(fresh));
        for (number, harm) in &taken.harm {
            if let Ok(at) = self.open.binary_search_by_key(number, |open| open.number) {
                self.open[at].learn(*harm);
            }
        }
        self.open.retain_mut(|open| {
            let unnamed = open.news && open.is_unnamed(thread.index, now, naming_ns);
            if !unnamed && std::mem::take(&mut open.news) {
                told.push(open.poll.clone());
            }
            unnamed
                || !has_ended
                    && open.number >= taken.first_counted
                    && now.saturating_sub(open.poll.start_ns + open.poll.wall_ns) < WATCHED_NS
        });
    }
}

impl Open {
    /// Takes what the watchdog saw during the poll. Whether that is being named still: who judges by a slow
    /// poll is to have its line from the first.
    fn is_unnamed(&mut self, thread: u32, now: u64, naming_ns: u64) -> bool {
        let ended_ns = self.poll.start_ns.saturating_add(self.poll.wall_ns);
        let is_naming = matches!(looks::pair(thread, &mut self.poll), Pairing::Naming);
        // The process may have been stopped up to a moment ago, and the watchdog has not run since.
        let may_be_stop = self.poll.blocked_ns().is_some_and(|ns| ns >= stopped::LEAST_NS)
            && !stopped::is_known_until(ended_ns);
        let waits = (is_naming || may_be_stop) && now.saturating_sub(ended_ns) < naming_ns;
        if !waits && !std::mem::replace(&mut self.is_judged, true) {
            stopped::take_off(&mut self.poll);
        }
        waits
    }

    fn learn(&mut self, Harm { waiters, waited_ns, max_ns }: Harm) {
        let poll = &mut self.poll;
        if poll.waiters.unwrap_or(0) == waiters && poll.waited_ns.unwrap_or(0) == waited_ns {
            return;
        }
        (poll.waiters, poll.waited_ns, poll.max_waited_ns) = (Some(waiters), Some(waited_ns), Some(max_ns));
        self.news = true;
    }
}

#[cfg(test)]
mod tests;
