//! Whether the service has more to do than it can: one cheap read, for load shedding.
//!
//! The signal is the schedule delay: how long what is ready waits for a worker. Polls leave only their
//! long waits for it, of a millisecond and more; a [`Gauge`](gauge::Gauge) on the reporter's thread
//! looks at them forty times a second, from the first question on, and leaves one word here.

mod gauge;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gauge::{Gauge, Verdict};
use pollscope_recorder::clock;
use pollscope_recorder::thread;

use crate::report::sample;
use crate::setup::switches::{OVERLOAD_UNASKED as UNASKED, SWITCHES};

/// Three waits of it, as a request may meet on its way, stay below a quarter of a second; a healthy
/// service is a hundred times away from it, and one that shares its machine still a few times.
pub(crate) const DEFAULT_LIMIT: Duration = Duration::from_millis(50);
/// Below it a wait is not seen as long, above it no service waits.
const LIMITS: std::ops::RangeInclusive<Duration> = Duration::from_millis(2)..=Duration::from_secs(60);
/// How often the gauge looks.
const BETWEEN: Duration = Duration::from_millis(25);

/// How long an answer holds. Looks follow each other a hundred times as fast, unless our thread gets no CPU.
const HOLDS: Duration = Duration::from_secs(2);

const STATE: u64 = 3;
/// The delay is not known.
const UNKNOWN: u64 = 1;
const CALM: u64 = 2;
const OVERLOADED: u64 = 3;

/// Whether the service should refuse work for now, because what is ready waits too long for a worker.
///
/// True when the waits of one poll in twenty have been above the limit
/// ([`Builder::overload_limit`](crate::Builder::overload_limit), 50 ms) for 150 ms on end, or for 25 ms within
/// two seconds after an overload; false again when they are below half of it. So a burst or a single blocked
/// worker is no overload, but a queue that stays is.
///
/// ```no_run
/// # async fn answer() -> u16 { 200 }
/// # async fn handle() -> u16 {
/// if pollscope::overloaded() {
///     return 503; // at once, before anything was spent on the request
/// }
/// answer().await
/// # }
/// ```
///
/// **Cost**: one relaxed load; while the answer is true, a read of the clock more. The first call starts the
/// measuring, which takes our own thread some microseconds forty times a second; until then, for up to a second, the
/// answer is false.
///
/// **What each mode sees**: with *wrap* the waits of the tasks that were spawned through pollscope. With
/// *hooks* those of every task where runtimes track them ([`Builder::schedule_delay`](crate::Builder::schedule_delay));
/// else, with *hooks* alone, it is unknown how long a task waited, and the mean wait is estimated from the length of the
/// runtimes' queues and the rate of polls, for runtimes that are observed. With *sample* alone, before
/// [`init`](crate::init()), after the guard is gone, and when nothing was polled for a second: false.
///
/// **How old it may be**: two seconds. Where our own thread gets no CPU for longer (below threads with real-time
/// priority, in a group without CPU time) the answer is false until it has looked again: what is not known is no reason
/// to refuse work for ever.
#[inline]
pub fn overloaded() -> bool {
    let word = Word(SWITCHES.overload.load(Ordering::Relaxed));
    word.state() == OVERLOADED && word.holds_at(clock::now_ns())
}

/// What [`overloaded`] judges: the time that one poll in twenty waits for a worker, or more, as of the
/// last 25 ms in which something was polled. For finer answers than yes and no, such as refusing the least
/// important work first.
///
/// Waits below a millisecond count as zero; the answer is rounded down to microseconds and at most 68 seconds. `None`
/// until it is measured, and when it is older than two seconds. A relaxed load and a read of the clock; modes are those
/// of [`overloaded`].
#[inline]
pub fn schedule_delay() -> Option<Duration> {
    let word = Word(SWITCHES.overload.load(Ordering::Relaxed));
    (word.state() >= CALM && word.holds_at(clock::now_ns())).then(|| word.delay())
}

/// One answer: the state in the last two bits, above it the delay in units of 1,024 ns, above that when it was found, in
/// units of 2^20 ns, which begin anew after two years.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Word(u64);

impl Word {
    const DELAY_BITS: u32 = 26;
    const TIME_SHIFT: u32 = Self::DELAY_BITS + 2;
    const TIME_UNIT: u32 = 20;

    fn of(verdict: Verdict, now_ns: u64) -> Self {
        let Some(delay_ns) = verdict.delay_ns else { return Self(UNKNOWN) };
        let delay = (delay_ns >> 10).min((1 << Self::DELAY_BITS) - 1);
        let state = if verdict.overloaded { OVERLOADED } else { CALM };
        Self(now_ns >> Self::TIME_UNIT << Self::TIME_SHIFT | delay << 2 | state)
    }

    #[inline]
    fn state(self) -> u64 {
        if self.0 == UNASKED {
            ask();
        }
        self.0 & STATE
    }

    fn delay(self) -> Duration {
        Duration::from_nanos((self.0 >> 2 & ((1 << Self::DELAY_BITS) - 1)) << 10)
    }

    /// Whether it is not too old. One of a unit later is none: two CPUs may read the clock some nanoseconds apart.
    fn holds_at(self, now_ns: u64) -> bool {
        let units = (now_ns >> Self::TIME_UNIT).wrapping_sub(self.0 >> Self::TIME_SHIFT).wrapping_add(1);
        let units = units & (u64::MAX >> Self::TIME_SHIFT);
        units <= (HOLDS.as_nanos() as u64 >> Self::TIME_UNIT) + 1
    }
}

#[cold]
fn ask() {
    // The gauge may have been faster.
    let _ = SWITCHES.overload.compare_exchange(UNASKED, UNKNOWN, Ordering::Relaxed, Ordering::Relaxed);
}

/// Checks a limit that a user sets.
pub(crate) fn limit(limit: Duration) -> Result<Duration, String> {
    if LIMITS.contains(&limit) { Ok(limit) } else { Err("it is out of range".to_owned()) }
}

/// Looks on behalf of those who ask. Owned by the reporter's thread; what was found is forgotten when it
/// is dropped.
pub(crate) struct OverloadSampler {
    gauge: Gauge,
    last: Instant,
}

impl OverloadSampler {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { gauge: Gauge::new(limit.as_nanos() as u64), last: Instant::now() }
    }

    /// When to look next; `None` before the first question.
    pub(crate) fn due_in(&self) -> Option<Duration> {
        (SWITCHES.overload.load(Ordering::Relaxed) != UNASKED)
            .then(|| BETWEEN.saturating_sub(self.last.elapsed()))
    }

    /// Looks, if it is time.
    pub(crate) fn look(&mut self) {
        if self.due_in().is_none_or(|due| !due.is_zero()) {
            return;
        }
        self.last = Instant::now();
        let mut reading = gauge::Reading { now_ns: clock::now_ns(), ..gauge::Reading::default() };
        {
            let threads = thread::read();
            let ended = threads.rest();
            let long_waits = threads.states().map(|thread| &thread.long_waits);
            long_waits.chain([&ended.long_waits]).for_each(|waits| waits.add_to(&mut reading.long_waits));
            reading.polls = threads.sum(thread::Thread::polls, ended.polls);
            reading.blind_polls = threads.sum(|thread| thread.blind_polls.get(), ended.blind_polls);
        }
        if reading.blind_polls > 0 {
            reading.queued = sample::queued();
        }
        let now_ns = reading.now_ns;
        SWITCHES.overload.store(Word::of(self.gauge.judge(reading), now_ns).0, Ordering::Relaxed);
    }
}

impl Drop for OverloadSampler {
    fn drop(&mut self) {
        SWITCHES.overload.store(UNASKED, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn an_answer_holds_for_two_seconds_and_not_for_ever() {
        let overloaded = Verdict { overloaded: true, delay_ns: Some(80 * MS) };
        for look_ns in [1, 700 * MS, 3_600_000 * MS, u64::MAX >> 1] {
            let word = Word::of(overloaded, look_ns);
            assert_eq!((word.state(), word.delay().as_millis()), (OVERLOADED, 80));
            assert!(word.holds_at(look_ns.saturating_sub(100)), "as another CPU sees it");
            assert!(word.holds_at(look_ns) && word.holds_at(look_ns + 1_999 * MS));
            assert!(!word.holds_at(look_ns + 2_010 * MS), "our thread had no CPU");
            assert!(!word.holds_at(look_ns + 8 * 3_600_000 * MS), "for a night");
        }
    }

    #[test]
    fn whatever_was_judged_is_a_word() {
        assert_eq!(Word::of(Verdict { overloaded: false, delay_ns: None }, u64::MAX), Word(UNKNOWN));
        let calm = Word::of(Verdict { overloaded: false, delay_ns: Some(0) }, 0);
        assert_eq!((calm.state(), calm.delay()), (CALM, Duration::ZERO));
        let long = Word::of(Verdict { overloaded: true, delay_ns: Some(u64::MAX) }, u64::MAX);
        assert_eq!((long.state(), long.delay().as_secs()), (OVERLOADED, 68));
    }
}
