//! Which open polls are due for a close look, and when. Pure: it is told what is open, and when that was seen.

use std::sync::Arc;

use super::looks::Look;
use crate::watch::usage::Usage;

/// A poll that is already too old when it is first seen is seen once more after this: a process that was
/// stopped and goes on is not to blame.
const AGAIN_NS: u64 = 1_000_000;
/// After a poll's first close look the next comes when it is ten times as old, and so on.
const DECADE: u64 = 10;

/// What is known of the poll that is open on one thread.
#[derive(Default)]
pub(super) struct Seen {
    /// Its start; 0 before it was seen.
    since_ns: u64,
    /// When it was seen first.
    pub(super) first_ns: u64,
    /// When to look closely.
    due_ns: u64,
    /// It was found to be too long.
    pub(super) is_long: bool,
    pub(super) look: Option<Arc<Look>>,
    /// The last look whose stack has names showed the right thread.
    pub(super) is_verified: bool,
    /// The thread was active at the last look: what it had used of the CPUs then, and when that was.
    pub(super) active: Option<(Usage, u64)>,
    /// The thread was active at the last look, and was not looked at again for sleeping since.
    is_awake: bool,
    /// It was looked at again because it slept.
    fell_asleep: bool,
}

/// What to do about a poll.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Nothing before then.
    Wait(u64),
    /// A close look, now.
    Look,
}

impl Seen {
    /// The poll that began at `since_ns` is open. `gap`: the last look was much longer ago than intended.
    pub(super) fn poll(&mut self, since_ns: u64, now_ns: u64, limit_ns: u64, gap: bool) -> Next {
        if self.since_ns != since_ns {
            *self = Self {
                since_ns,
                first_ns: now_ns,
                due_ns: since_ns.saturating_add(limit_ns).max(now_ns.saturating_add(AGAIN_NS)),
                ..Self::default()
            };
        } else if gap && !self.is_long {
            self.due_ns = self.due_ns.max(now_ns.saturating_add(AGAIN_NS));
        }
        if now_ns < self.due_ns {
            return Next::Wait(self.due_ns);
        }
        self.is_long = true;
        let age_ns = now_ns.saturating_sub(since_ns).max(limit_ns);
        self.due_ns = since_ns.saturating_add(age_ns.saturating_mul(DECADE));
        Next::Look
    }

    /// What its thread was at the close look that is taken now.
    pub(super) fn set_awake(&mut self, is_awake: bool) {
        self.is_awake = is_awake;
    }

    /// Whether the thread was awake when it was looked at and sleeps now, which is asked only then: one more look. It is
    /// taken once in each poll.
    pub(super) fn falls_asleep(&mut self, sleeps: impl FnOnce() -> bool) -> bool {
        let falls_asleep = self.is_awake && !self.fell_asleep && sleeps();
        self.fell_asleep |= falls_asleep;
        falls_asleep
    }

    /// Looks again by then at the latest.
    pub(super) fn look_again_by(&mut self, ns: u64) {
        self.due_ns = self.due_ns.min(ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const LIMIT: u64 = 10 * MS;

    #[test]
    fn a_poll_is_looked_at_when_it_reaches_the_limit_and_once_in_each_decade_after_that() {
        let mut seen = Seen::default();
        let start = 1_000 * MS;
        let mut at = start + 3 * MS;
        let mut looks = Vec::new();
        while at < start + 20_000 * MS {
            match seen.poll(start, at, LIMIT, false) {
                Next::Wait(until) => at = until,
                Next::Look => looks.push((at - start) / MS),
            }
        }
        assert_eq!(looks, [10, 100, 1_000, 10_000]);
    }

    #[test]
    fn a_thread_that_was_awake_at_the_look_is_looked_at_once_more_asleep() {
        let mut seen = Seen::default();
        assert!(!seen.falls_asleep(|| true), "it was not looked at");
        seen.set_awake(true);
        assert!(!seen.falls_asleep(|| false) && seen.falls_asleep(|| true));
        seen.set_awake(true);
        assert!(!seen.falls_asleep(|| true), "once");
    }

    #[test]
    fn short_polls_are_never_due() {
        let mut seen = Seen::default();
        for n in 1..10_000 {
            // The next one has begun each time.
            assert!(matches!(seen.poll(n * MS, n * MS + MS / 2, LIMIT, false), Next::Wait(_)));
        }
        assert!(!seen.is_long);
    }

    #[test]
    fn a_poll_is_seen_twice_before_it_is_judged() {
        let mut seen = Seen::default();
        assert_eq!(seen.poll(MS, 5_000 * MS, LIMIT, true), Next::Wait(5_001 * MS));
        assert_eq!(seen.poll(MS, 5_001 * MS, LIMIT, false), Next::Look);
        // The process was stopped while a young poll was open.
        seen = Seen::default();
        assert_eq!(seen.poll(6_000 * MS, 6_001 * MS, LIMIT, false), Next::Wait(6_010 * MS));
        assert_eq!(seen.poll(6_000 * MS, 9_000 * MS, LIMIT, true), Next::Wait(9_001 * MS));
        assert!(!seen.is_long);
        assert_eq!(seen.poll(6_000 * MS, 9_001 * MS, LIMIT, false), Next::Look);
    }
}
