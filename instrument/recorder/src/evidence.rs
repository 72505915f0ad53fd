//! The slow polls of one thread, each with the tasks that waited for it.
//!
//! **Who counts.** A task that was ready to be polled before a slow poll ended, and whose own poll then
//! starts on the same thread, waited for it: for the part of its schedule delay that lies inside of
//! the slow poll. A task that waited for several slow polls in a row counts for each of them, with
//! each one's part, and for none of them twice. Ready means woken or spawned.
//!
//! **Who does not.** A task that another worker took over did not wait for this one to the end: it
//! counts for the polls of the thread that it starts on, if any. What became ready only because the
//! worker looked at its timers and sockets again, late, was not ready before: since when it could
//! have been is unknown. Polls inside of other polls wait for the task that they belong to. And tasks that only
//! tokio's hooks see have a known delay only where the runtime tracks it. So all counts are lower bounds, and exact for
//! tasks with a known delay that were ready.
//!
//! Polls pay one comparison for it, unless a task did wait. The thread itself writes; the drain reads.
//! Neither waits for the other, and a slow poll is lost only if there is no room for it. (The state that
//! ending threads share has several writers: there two may go by one number and share their waiters.)

use std::sync::OnceLock;

use pollscope_model::entity::slow_poll::SlowPoll;

use super::atomic::{AtomicU64, Ordering, fence};
use super::mailbox::Mailbox;
use super::tally::Tally;

/// Slow polls that one thread keeps between two ticks: at the default limit of a millisecond there
/// are no more in the longest time between two, a second.
const KEPT: u64 = 1_024;
/// The latest slow polls of a thread, for which waiters are counted. A task that waited for more of them
/// in a row counts for these.
const CASES: u64 = if cfg!(loom) { 1 } else { 64 };
/// One more has a place, so that what the next slow poll writes over is counted no more.
const PLACES: u64 = CASES + 1;

/// See the module. What every poll that waited looks at comes first.
#[derive(Default)]
#[repr(C)]
pub struct Evidence {
    /// End of the latest slow poll; 0 for none.
    until_ns: Tally,
    /// Slow polls ever kept: the number of the next.
    kept: AtomicU64,
    /// Of them, those that the drain took.
    taken: AtomicU64,
    cases: OnceLock<Box<[Case]>>,
    news: Mailbox<News>,
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
pub struct Harm {
    /// Their number.
    pub waiters: u32,
    /// The sum of their waits.
    pub waited_ns: u64,
    /// The longest of them.
    pub max_ns: u64,
}

/// One slow poll for the drain. Every one goes by its number.
struct News {
    number: u64,
    poll: SlowPoll,
    /// The one that is not counted for any more since, with its last count.
    closed: Option<(u64, Harm)>,
}

/// What the drain takes.
#[derive(Default)]
pub struct Taken {
    /// Slow polls that ended since the last time, by number.
    pub polls: Vec<(u64, SlowPoll)>,
    /// Who waited up to now, for slow polls that are new, watched or closed.
    pub harm: Vec<(u64, Harm)>,
    /// For those before, no waiter is counted any more.
    pub first_counted: u64,
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
        for number in (kept.saturating_sub(CASES)..kept).rev() {
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

    /// Keeps a slow poll that ended just now. Returns whether there was room: if not, the caller counts it as lost.
    pub(crate) fn keep(&self, poll: SlowPoll) -> bool {
        let number = self.kept.load(Ordering::Relaxed);
        if number.saturating_sub(self.taken.load(Ordering::Relaxed)) >= KEPT {
            return false;
        }
        let cases = self.cases.get_or_init(|| (0..PLACES).map(|_| Case::default()).collect());
        let case = &cases[(number % PLACES) as usize];
        let closed = number.checked_sub(CASES).and_then(|last| Some((last, self.case(last)?.harm())));
        let end_ns = poll.start_ns.saturating_add(poll.wall_ns);
        // A drain that sees any of the words below also sees the number of now, by which it knows that the
        // place changes hands.
        fence(Ordering::Release);
        case.start_ns.set(poll.start_ns);
        case.end_ns.set(end_ns);
        case.waiters.set(0);
        case.waited_ns.set(0);
        case.max_ns.set(0);
        self.news.leave(News { number, poll, closed });
        self.kept.store(number + 1, Ordering::Release);
        self.until_ns.set(end_ns);
        true
    }

    /// The slow polls since the last call, and who waited for them and for those `watched`. For the
    /// drain.
    pub fn take(&self, watched: impl Iterator<Item = u64>) -> Taken {
        let (mut polls, mut harm) = (Vec::new(), Vec::new());
        let mut next = self.taken.load(Ordering::Relaxed);
        for News { number, poll, closed } in self.news.take() {
            next = next.max(number + 1);
            polls.push((number, poll));
            harm.extend(closed);
        }
        self.taken.store(next, Ordering::Relaxed);
        // Of the others the last count is told already. Of these it comes with what the next call takes, if
        // their place is another's by now.
        let first_counted = next.saturating_sub(CASES);
        let numbers = watched.chain(polls.iter().map(|(number, _)| *number));
        let mut counted: Vec<_> = numbers
            .filter(|number| *number >= first_counted)
            .filter_map(|number| Some((number, self.case(number)?.harm())))
            .collect();
        fence(Ordering::Acquire);
        let oldest = (self.kept.load(Ordering::Relaxed) + 1).saturating_sub(PLACES);
        counted.retain(|(number, _)| *number >= oldest);
        harm.extend(counted);
        Taken { polls, harm, first_counted }
    }

    /// No slow poll finds room from now on. For a thread that no drain looks at, before its first.
    #[cfg(not(loom))]
    pub(crate) fn close(&self) {
        self.kept.store(KEPT, Ordering::Relaxed);
    }

    /// Slow polls ever kept. For the drain.
    pub fn kept(&self) -> u64 {
        self.kept.load(Ordering::Acquire)
    }

    /// The thread ends: a task that starts on the next thread did not wait for it.
    pub(crate) fn forget(&self) {
        self.until_ns.set(0);
    }

    fn case(&self, number: u64) -> Option<&Case> {
        Some(&self.cases.get()?[(number % PLACES) as usize])
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

#[cfg(all(test, loom))]
#[path = "evidence/loom.rs"]
mod loom_models;

#[cfg(all(test, not(loom)))]
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
        for later in 1..=CASES {
            evidence.keep(slow(100 + 100 * later, 50));
        }
        waits(&evidence, 0);
        let taken = evidence.take([0].into_iter());
        assert_eq!((taken.first_counted, taken.polls.len()), (1, CASES as usize));
        assert_eq!(taken.harm[0], (0, Harm { waiters: 1, waited_ns: 10, max_ns: 10 }));
        let others = Harm { waiters: 1, waited_ns: 50, max_ns: 50 };
        assert!(taken.harm[1..].iter().all(|(_, harm)| *harm == others), "{:?}", taken.harm);
        assert_eq!(taken.harm.len(), PLACES as usize);
    }

    #[test]
    fn evidence_is_bounded_and_what_finds_no_room_is_said() {
        let evidence = Evidence::default();
        let lost = (0..KEPT + 3).filter(|_| !evidence.keep(SlowPoll::default())).count();
        assert_eq!((evidence.take([].into_iter()).polls.len(), lost), (KEPT as usize, 3));
        assert!(evidence.take([].into_iter()).polls.is_empty());
    }
}
