//! Whether the service has more to do than it can: one cheap read, for load shedding.
//!
//! The signal is the schedule delay: how long what is ready waits for a worker. Polls leave only their
//! long waits for it, of a millisecond and more; a [`Gauge`](gauge::Gauge) on the reporter's thread
//! looks at them forty times a second, from the first time on that somebody asks, and leaves one word here.

mod gauge;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gauge::{Gauge, Verdict};

use crate::record::thread;
use crate::{clock, sample};

/// Three waits of it, as a request may meet on its way, stay below a quarter of a second; a healthy
/// service is a hundred times away from it, and one that shares its machine still a few times.
pub(crate) const DEFAULT_LIMIT: Duration = Duration::from_millis(50);
/// Below it a wait is not seen as long, above it nobody waits.
const LIMITS: std::ops::RangeInclusive<Duration> = Duration::from_millis(2)..=Duration::from_secs(60);
/// How often the gauge looks.
const BETWEEN: Duration = Duration::from_millis(25);

/// `delay in nanoseconds << 2 | state`.
static WORD: AtomicU64 = AtomicU64::new(UNASKED);
const STATE: u64 = 3;
/// Nobody has asked yet, so that nobody looks.
const UNASKED: u64 = 0;
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
/// **Cost**: one relaxed load. The first call starts the measuring, which takes our own thread some
/// microseconds forty times a second; until then, for up to a second, the answer is false.
///
/// **What each mode sees**: with *wrap* the waits of the tasks that were spawned through pollscope. With
/// *hooks* alone nobody tells how long a task waited; the mean wait is then estimated from the length of the
/// runtimes' queues and the rate of polls, for runtimes that are observed. With *sample* alone, before
/// [`init`](crate::init()), after the guard is gone, and when nothing was polled for a second: false.
#[inline]
pub fn overloaded() -> bool {
    state(WORD.load(Ordering::Relaxed)) == OVERLOADED
}

/// What [`overloaded`] judges: the time that one poll in twenty waits for a worker, or more, as of the
/// last 25 ms in which something was polled. For finer answers than yes and no, such as refusing the least
/// important work first.
///
/// Waits below a millisecond count as zero. `None` until it is measured; cost and modes are those of
/// [`overloaded`].
#[inline]
pub fn schedule_delay() -> Option<Duration> {
    let word = WORD.load(Ordering::Relaxed);
    (state(word) >= CALM).then(|| Duration::from_nanos(word >> 2))
}

#[inline]
fn state(word: u64) -> u64 {
    if word == UNASKED {
        ask();
    }
    word & STATE
}

#[cold]
fn ask() {
    // Whoever looks may have been faster.
    let _ = WORD.compare_exchange(UNASKED, UNKNOWN, Ordering::Relaxed, Ordering::Relaxed);
}

/// Checks a limit that a user sets.
pub(crate) fn limit(limit: Duration) -> Result<Duration, String> {
    if LIMITS.contains(&limit) { Ok(limit) } else { Err("it is out of range".to_owned()) }
}

/// Looks on behalf of those who ask. Owned by the reporter's thread; what was found is forgotten when it
/// is dropped.
pub(crate) struct Lookout {
    gauge: Gauge,
    last: Instant,
}

impl Lookout {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { gauge: Gauge::new(limit.as_nanos() as u64), last: Instant::now() }
    }

    /// When to look next; `None` while nobody has asked.
    pub(crate) fn due_in(&self) -> Option<Duration> {
        (WORD.load(Ordering::Relaxed) != UNASKED).then(|| BETWEEN.saturating_sub(self.last.elapsed()))
    }

    /// Looks, if it is time.
    pub(crate) fn look(&mut self) {
        if self.due_in().is_none_or(|due| !due.is_zero()) {
            return;
        }
        self.last = Instant::now();
        let mut reading = gauge::Reading { now_ns: clock::now_ns(), ..gauge::Reading::default() };
        for thread in thread::all() {
            thread.long_waits.add_to(&mut reading.long_waits);
            reading.polls += thread.polls.get();
            reading.blind_polls += thread.blind_polls.get();
        }
        if reading.blind_polls > 0 {
            reading.queued = sample::queued();
        }
        let word = match self.gauge.judge(reading) {
            Verdict { delay_ns: None, .. } => UNKNOWN,
            Verdict { delay_ns: Some(ns), overloaded } => {
                ns.min(u64::MAX >> 2) << 2 | if overloaded { OVERLOADED } else { CALM }
            }
        };
        WORD.store(word, Ordering::Relaxed);
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        WORD.store(UNASKED, Ordering::Relaxed);
    }
}
