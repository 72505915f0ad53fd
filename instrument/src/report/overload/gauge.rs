//! From totals to a verdict. Pure: what is looked at, and when, comes from outside.

use pollscope_model::hist::Hist;

/// The share of polls whose waits may be longer than what is judged: one in twenty. Tasks that wake each
/// other pass the queue, so that even in an overloaded service most polls may wait for nothing.
const SHARE: u64 = 20;
/// As many looks in a row have to be above the limit: what waited for one blocked worker is polled in one
/// go, and seen by one look or two.
const LOOKS: u32 = 6;
/// For so long after an overload a single look is enough: the load that was refused may be back.
const RECENT_NS: u64 = 2_000_000_000;
/// After that long without a poll the service is idle, whatever it was before.
const STALE_NS: u64 = 1_000_000_000;

/// Totals of the whole process since it started.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) now_ns: u64,
    /// Polls.
    pub(super) polls: u64,
    /// Of them, those of which it is unknown how long they waited.
    pub(super) blind_polls: u64,
    /// The waits of the others, as far as they were long.
    pub(super) long_waits: Hist,
    /// Tasks that are in the runtimes' queues now.
    pub(super) queued: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Verdict {
    pub(super) overloaded: bool,
    /// `None` if it is not known.
    pub(super) delay_ns: Option<u64>,
}

pub(super) struct Gauge {
    limit_ns: u64,
    before: Option<Reading>,
    /// When something was polled last.
    polled_ns: u64,
    /// Looks in a row that were above the limit.
    above: u32,
    /// When it was overloaded last; 0 for never.
    overloaded_ns: u64,
    verdict: Verdict,
}

impl Gauge {
    pub(super) fn new(limit_ns: u64) -> Self {
        let verdict = Verdict { overloaded: false, delay_ns: None };
        Self { limit_ns, before: None, polled_ns: 0, above: 0, overloaded_ns: 0, verdict }
    }

    /// Judges what happened since the last call.
    pub(super) fn judge(&mut self, now: Reading) -> Verdict {
        let now_ns = now.now_ns;
        let delay_ns = self.before.as_ref().and_then(|before| delay(before, &now));
        self.before = Some(now);
        match delay_ns {
            Some(delay_ns) => {
                self.polled_ns = now_ns;
                self.above = if delay_ns >= self.limit_ns { self.above.saturating_add(1) } else { 0 };
                let recently =
                    self.overloaded_ns != 0 && now_ns.saturating_sub(self.overloaded_ns) < RECENT_NS;
                let begins = self.above >= if recently { 1 } else { LOOKS };
                let stays = self.verdict.overloaded && delay_ns >= self.limit_ns / 2;
                if begins || stays {
                    self.overloaded_ns = now_ns;
                }
                self.verdict = Verdict { overloaded: begins || stays, delay_ns: Some(delay_ns) };
            }
            // Polls may be longer than the time between two looks.
            None if now_ns.saturating_sub(self.polled_ns) < STALE_NS => {}
            None => {
                self.above = 0;
                self.verdict = Verdict { overloaded: false, delay_ns: None };
            }
        }
        self.verdict
    }
}

/// What one poll in [`SHARE`] waited, or more. `None` if nothing was polled, or it cannot be told.
fn delay(before: &Reading, now: &Reading) -> Option<u64> {
    let long = now.long_waits.since(&before.long_waits);
    let polls = now.polls.saturating_sub(before.polls);
    let blind = now.blind_polls.saturating_sub(before.blind_polls);
    // A wait is seen when the poll begins, the poll when it ends.
    let seen = polls.saturating_sub(blind).max(long.count());
    if seen > 0 && seen >= blind / SHARE {
        let longer = seen / SHARE;
        let rank = long.count().saturating_sub(longer);
        return Some(if rank == 0 {
            0
        } else {
            long.quantile(rank as f64 / long.count() as f64).unwrap_or(0)
        });
    }
    // Little's law: so many are in the queue, and so many leave it in the time.
    let time = now.now_ns.saturating_sub(before.now_ns);
    (polls > 0).then(|| (u128::from(now.queued) * u128::from(time) / u128::from(polls)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 50_000_000;
    const LOOK: u64 = 25_000_000;

    /// Looks at a service of which one look after the other tells.
    struct Service {
        gauge: Gauge,
        total: Hist,
        polls: u64,
        blind_polls: u64,
        now_ns: u64,
    }

    impl Service {
        fn new() -> Self {
            let mut new =
                Self { gauge: Gauge::new(LIMIT), total: Hist::new(), polls: 0, blind_polls: 0, now_ns: 1 };
            assert_eq!(new.look(100, 0, 0, 0), Verdict { overloaded: false, delay_ns: None });
            new
        }

        /// So many polls, so many of them after so long a wait, so many in the queue.
        fn look(&mut self, polls: u64, long: u64, wait_ns: u64, queued: u64) -> Verdict {
            self.now_ns += LOOK;
            self.polls += polls;
            self.total.record_n(wait_ns, long);
            self.gauge.judge(Reading {
                now_ns: self.now_ns,
                polls: self.polls,
                blind_polls: self.blind_polls,
                long_waits: self.total.clone(),
                queued,
            })
        }

        fn overload(&mut self) {
            (0..LOOKS).for_each(|_| _ = self.look(1_000, 1_000, 80_000_000, 0));
            assert!(self.gauge.verdict.overloaded);
        }

        fn is_overloaded(&mut self, polls: u64, long: u64, wait_ns: u64) -> bool {
            self.look(polls, long, wait_ns, 0).overloaded
        }
    }

    #[test]
    fn only_a_queue_that_stays_is_an_overload() {
        let mut service = Service::new();
        for _ in 0..10 {
            for _ in 1..LOOKS {
                assert!(!service.is_overloaded(1_000, 900, 120_000_000));
            }
            assert!(!service.is_overloaded(1_000, 0, 0), "that was a burst");
        }
        for look in 1..=LOOKS {
            assert_eq!(service.is_overloaded(1_000, 60, 120_000_000), look == LOOKS);
        }
    }

    #[test]
    fn it_is_back_at_once_unless_it_was_long_ago() {
        let mut service = Service::new();
        service.overload();
        assert!(!service.is_overloaded(1_000, 0, 0));
        assert!(service.is_overloaded(1_000, 60, 120_000_000));
        for _ in 0..RECENT_NS / LOOK {
            assert!(!service.is_overloaded(1_000, 0, 0));
        }
        assert!(!service.is_overloaded(1_000, 60, 120_000_000));
    }

    #[test]
    fn it_ends_at_half_of_the_limit_and_not_before() {
        let mut service = Service::new();
        service.overload();
        assert!(service.is_overloaded(1_000, 1_000, 30_000_000), "between half and whole");
        assert!(!service.is_overloaded(1_000, 1_000, 20_000_000));
        assert!(!service.is_overloaded(1_000, 1_000, 30_000_000), "the same, from below");
    }

    #[test]
    fn a_few_long_waits_among_many_are_none() {
        let mut service = Service::new();
        for _ in 0..10 {
            assert_eq!(
                service.look(1_000, 50, 500_000_000, 0),
                Verdict { overloaded: false, delay_ns: Some(0) }
            );
        }
        assert_eq!(service.look(1_000, 51, 500_000_000, 0).delay_ns, Some(500_000_000));
    }

    #[test]
    fn long_polls_do_not_end_it_but_silence_does() {
        let mut service = Service::new();
        service.overload();
        for _ in 1..STALE_NS / LOOK {
            assert!(service.is_overloaded(0, 0, 0), "the next poll takes its time");
        }
        assert_eq!(service.look(0, 0, 0, 0), Verdict { overloaded: false, delay_ns: None });
    }

    #[test]
    fn where_waits_are_not_seen_the_queue_tells() {
        let mut service = Service::new();
        let mut look = |polls, queued| {
            service.blind_polls += polls;
            service.look(polls, 0, 0, queued)
        };
        assert_eq!(look(1_000, 10), Verdict { overloaded: false, delay_ns: Some(250_000) });
        assert_eq!(look(0, 10), Verdict { overloaded: false, delay_ns: Some(250_000) });
        (1..LOOKS).for_each(|_| assert!(!look(100, 400).overloaded));
        assert_eq!(look(100, 400), Verdict { overloaded: true, delay_ns: Some(100_000_000) });
        assert!(!look(1_000, 0).overloaded);
    }
}
