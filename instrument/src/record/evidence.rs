//! The slow polls of one thread, each with the tasks that waited for it.
//!
//! **Who counts.** A task that was ready to be polled before a slow poll ended, and whose own poll then
//! starts on the same thread, waited for it: for the part of its schedule delay that lies inside of
//! the slow poll. A task that waited for several slow polls in a row counts for each of them, with
//! each one's part, and for none of them twice. Ready means woken or spawned.
//!
//! **Who does not.** A task that another worker took over did not wait for this one to the end: it
//! counts for the polls of the thread that it starts on, if any. What became ready only because the
//! worker looked at its timers and sockets again, late, was not ready before: nobody knows since when it
//! could have been. Polls inside of other polls wait for the task that they belong to. And tasks that only
//! tokio's hooks see have no known delay. So all counts are lower bounds, and exact for wrapped tasks
//! that were ready.
//!
//! Polls pay one comparison for it, unless somebody did wait. The thread itself writes; the drain reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use pollscope_model::entity::slow_poll::SlowPoll;

use super::tally::Tally;

/// Slow polls that one thread keeps between two ticks: at the default limit of a millisecond there
/// are no more in the longest time between two, a second.
const KEPT: usize = 1_024;
/// The latest slow polls of a thread, for which waiters are counted. Whoever waited for more of them in
/// a row counts for these.
const CASES: usize = 64;

/// Looks at whether the drain is done: about ten microseconds, after a poll of a millisecond at least.
const TRIES: u32 = 256;

fn pause<T>() -> Option<T> {
    std::hint::spin_loop();
    None
}

/// See the module.
#[derive(Default)]
pub(crate) struct Evidence {
    /// End of the latest slow poll; 0 for none.
    until_ns: Tally,
    /// Slow polls ever kept: the number of the next.
    kept: AtomicU64,
    cases: OnceLock<Box<[Case]>>,
    news: Mutex<News>,
    /// Slow polls that found no room.
    pub(crate) lost: Tally,
}

/// One slow poll and who waited for it.
#[derive(Default)]
struct Case {
    start_ns: Tally,
    end_ns: Tally,
    waiters: Tally,
    waited_ns: Tally,
    max_ns: Tally,
}

/// The tasks that waited for one slow poll.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Harm {
    pub(crate) waiters: u32,
    pub(crate) waited_ns: u64,
    pub(crate) max_ns: u64,
}

/// What the drain did not take yet. Every slow poll goes by its number.
#[derive(Default)]
struct News {
    polls: Vec<(u64, SlowPoll)>,
    /// Those that gave their case to a later one, with the last count.
    closed: Vec<(u64, Harm)>,
}

/// What the drain takes.
#[derive(Default)]
pub(crate) struct Taken {
    /// Slow polls that ended since the last time, by number.
    pub(crate) polls: Vec<(u64, SlowPoll)>,
    /// Who waited up to now, for slow polls that are new, watched or closed.
    pub(crate) harm: Vec<(u64, Harm)>,
    /// For those before, nobody is counted any more.
    pub(crate) first_counted: u64,
}

impl Evidence {
    /// A task that was ready `since` begins to be polled: whether it waited for a slow poll.
    #[inline]
    pub(crate) fn was_waited_for(&self, since: u64) -> bool {
        since < self.until_ns.get()
    }

    /// Counts it for those that it waited for. Only for the thread that the evidence belongs to, at an
    /// outermost poll's start.
    pub(crate) fn waited(&self, since: u64) {
        let kept = self.kept.load(Ordering::Relaxed);
        // From the latest on, back to the first that had ended before.
        for number in (kept.saturating_sub(CASES as u64)..kept).rev() {
            let Some(case) = self.case(number) else { return };
            let end = case.end_ns.get();
            if end <= since {
                return;
            }
            let waited = end.saturating_sub(case.start_ns.get().max(since));
            case.waiters.add(1);
            case.waited_ns.add(waited);
            case.max_ns.raise(waited);
        }
    }

    /// Keeps a slow poll that ended just now, if there is room, or counts it as lost and says so. Never
    /// waits for the drain, beyond the few microseconds that it mostly takes.
    pub(crate) fn keep(&self, poll: SlowPoll) -> bool {
        let news = (0..TRIES).find_map(|_| self.news.try_lock().ok().or_else(pause));
        let Some(mut news) = news.filter(|news| news.polls.len() < KEPT) else {
            self.lost.add(1);
            return false;
        };
        let cases = self.cases.get_or_init(|| std::iter::repeat_with(Case::default).take(CASES).collect());
        let number = self.kept.load(Ordering::Relaxed);
        let case = &cases[number as usize % CASES];
        if let Some(before) = number.checked_sub(CASES as u64) {
            news.closed.push((before, case.harm()));
        }
        let end_ns = poll.start_ns.saturating_add(poll.wall_ns);
        case.start_ns.set(poll.start_ns);
        case.end_ns.set(end_ns);
        case.waiters.set(0);
        case.waited_ns.set(0);
        case.max_ns.set(0);
        news.polls.push((number, poll));
        self.kept.store(number + 1, Ordering::Relaxed);
        self.until_ns.set(end_ns);
        true
    }

    /// The slow polls since the last call, and who waited for them and for those `watched`. For the
    /// drain.
    pub(crate) fn take(&self, watched: impl Iterator<Item = u64>) -> Taken {
        // Whoever keeps a slow poll meanwhile gives up; so no case changes hands.
        let Ok(mut held) = self.news.lock() else { return Taken::default() };
        let News { polls, closed } = std::mem::take(&mut *held);
        let first_counted = self.kept.load(Ordering::Relaxed).saturating_sub(CASES as u64);
        let numbers = watched.chain(polls.iter().map(|(number, _)| *number));
        let counted = numbers
            .filter(|number| *number >= first_counted)
            .filter_map(|number| Some((number, self.case(number)?.harm())));
        let harm = closed.into_iter().chain(counted).collect();
        Taken { polls, harm, first_counted }
    }

    /// Slow polls ever kept. For the drain.
    pub(crate) fn kept(&self) -> u64 {
        self.kept.load(Ordering::Relaxed)
    }

    /// The thread ends: whoever starts on the next one did not wait for it.
    pub(crate) fn forget(&self) {
        self.until_ns.set(0);
    }

    fn case(&self, number: u64) -> Option<&Case> {
        Some(&self.cases.get()?[number as usize % CASES])
    }
}

impl Case {
    fn harm(&self) -> Harm {
        Harm {
            waiters: u32::try_from(self.waiters.get()).unwrap_or(u32::MAX),
            waited_ns: self.waited_ns.get(),
            max_ns: self.max_ns.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(start_ns: u64, wall_ns: u64) -> SlowPoll {
        SlowPoll { start_ns, wall_ns, ..SlowPoll::default() }
    }

    fn waits(evidence: &Evidence, since: u64) {
        if evidence.was_waited_for(since) {
            evidence.waited(since);
        }
    }

    fn harm(evidence: &Evidence, watched: impl Iterator<Item = u64>) -> Vec<(u64, u32, u64, u64)> {
        let harm = evidence.take(watched).harm.into_iter();
        harm.map(|(number, harm)| (number, harm.waiters, harm.waited_ns, harm.max_ns)).collect()
    }

    #[test]
    fn each_slow_poll_has_the_part_of_the_wait_that_it_caused() {
        let evidence = Evidence::default();
        waits(&evidence, 1);
        evidence.keep(slow(100, 50));
        for since in [90, 120, 150, 151] {
            waits(&evidence, since);
        }
        assert_eq!(harm(&evidence, [].into_iter()), [(0, 2, 50 + 30, 50)]);
        evidence.keep(slow(160, 20));
        waits(&evidence, 140);
        waits(&evidence, 155);
        waits(&evidence, 179);
        assert_eq!(harm(&evidence, [0].into_iter()), [(0, 3, 90, 50), (1, 3, 20 + 20 + 1, 20)]);
        evidence.forget();
        waits(&evidence, 100);
        assert_eq!(harm(&evidence, [1].into_iter()), [(1, 3, 41, 20)]);
    }

    #[test]
    fn a_slow_poll_inside_of_another_has_its_own_share() {
        let evidence = Evidence::default();
        evidence.keep(slow(110, 20));
        evidence.keep(slow(100, 100));
        waits(&evidence, 50);
        waits(&evidence, 120);
        waits(&evidence, 140);
        assert_eq!(harm(&evidence, [].into_iter()), [(0, 2, 20 + 10, 20), (1, 3, 100 + 80 + 60, 100)]);
    }

    #[test]
    fn a_case_that_is_needed_again_is_closed_with_its_last_count() {
        let evidence = Evidence::default();
        evidence.keep(slow(100, 50));
        assert_eq!(harm(&evidence, [].into_iter()), [(0, 0, 0, 0)]);
        waits(&evidence, 140);
        for later in 1..=CASES as u64 {
            evidence.keep(slow(100 + 100 * later, 50));
        }
        waits(&evidence, 0);
        let taken = evidence.take([0].into_iter());
        assert_eq!((taken.first_counted, taken.polls.len()), (1, CASES));
        assert_eq!(taken.harm[0], (0, Harm { waiters: 1, waited_ns: 10, max_ns: 10 }));
        let others = Harm { waiters: 1, waited_ns: 50, max_ns: 50 };
        assert!(taken.harm[1..].iter().all(|(_, harm)| *harm == others), "{:?}", taken.harm);
        assert_eq!(taken.harm.len(), 1 + CASES);
    }

    #[test]
    fn evidence_is_bounded_and_its_loss_counted() {
        let evidence = Evidence::default();
        for _ in 0..KEPT + 3 {
            evidence.keep(SlowPoll::default());
        }
        assert_eq!((evidence.take([].into_iter()).polls.len(), evidence.lost.get()), (KEPT, 3));
        assert!(evidence.take([].into_iter()).polls.is_empty());
    }
}
