//! Times in which the whole process was stopped: by a signal or Ctrl-Z, a debugger, the cgroup freezer.
//!
//! All threads stand still at once then, the watchdog's too, and that is how it is told. A pause of the watchdog
//! that lasts far longer than intended has one of these reasons:
//!
//! - Its thread was ready and had no CPU. The kernel counts that time as waiting for one.
//! - Its timer came late (a virtual CPU that had no real one). The thread slept once, as always.
//! - It was stopped, alone or with all others. To be stopped is one more voluntary switch: it slept twice.
//!
//! If meanwhile no thread of the process used a CPU, the process was stopped. When it began is known only up to the
//! watchdog's pause, so the whole pause counts: a poll that blocks beside a stop gets a tenth of a second off at
//! most. A stop that a pause hides completely is not seen.
//!
//! A machine that was suspended stopped every process. The kernel counts that time; where the clock of ours has it too,
//! it is a stop. So is a jump of the clock whose counter began anew.
//!
//! The watchdog's thread writes; the drain and the sessions read.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::stop::{MAX_STOPS, Stop, stopped_ns};
use pollscope_recorder::clock;
use pollscope_recorder::split::Reading;

use super::WATCHDOG;

/// What is shorter is told from nothing else.
pub(crate) const LEAST_NS: u64 = 20_000_000;

/// The stops that are known.
pub(super) struct Stops {
    /// Up to when all are; `MAX` while there is no watchdog, so that no reader waits for it.
    known_ns: AtomicU64,
    /// The end of the latest; 0: there was none.
    latest_ns: AtomicU64,
    all: Mutex<VecDeque<Stop>>,
}

impl Stops {
    /// None.
    pub(super) const fn new() -> Self {
        Self {
            known_ns: AtomicU64::new(u64::MAX),
            latest_ns: AtomicU64::new(0),
            all: Mutex::new(VecDeque::new()),
        }
    }
}

fn stops() -> MutexGuard<'static, VecDeque<Stop>> {
    WATCHDOG.stops.all.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether every stop that was over by then is known.
pub(crate) fn is_known_until(ns: u64) -> bool {
    WATCHDOG.stops.known_ns.load(Ordering::Acquire) >= ns
}

/// How much of the time between two times the process was stopped, nanoseconds.
///
/// Cost: one load unless it was stopped after the first of them.
pub(crate) fn within(from_ns: u64, to_ns: u64) -> u64 {
    if WATCHDOG.stops.latest_ns.load(Ordering::Acquire) <= from_ns {
        0
    } else {
        stopped_ns(&*stops(), from_ns, to_ns)
    }
}

/// The stops that were over by then and had not been told, `told_ns` being the end of the last one that was.
pub(crate) fn since(told_ns: &mut u64) -> Vec<Stop> {
    if WATCHDOG.stops.latest_ns.load(Ordering::Acquire) <= *told_ns {
        return Vec::new();
    }
    let new: Vec<Stop> = stops().iter().filter(|stop| stop.to_ns > *told_ns).copied().collect();
    *told_ns = new.last().map_or(*told_ns, |stop| stop.to_ns);
    new
}

/// The latest stops.
pub(crate) fn all() -> Vec<Stop> {
    stops().iter().copied().collect()
}

/// Counts the part of a slow poll in which the process was stopped as time without a CPU.
pub(crate) fn take_off(poll: &mut SlowPoll) {
    let stopped_ns = within(poll.start_ns, poll.start_ns.saturating_add(poll.wall_ns));
    if let (Some(blocked_ns), Some(preempted_ns)) = (poll.blocked_ns(), poll.preempted_ns) {
        // What the poll computed it did not do while it was stopped; the rest it was not asleep.
        poll.preempted_ns = Some(preempted_ns.saturating_add(blocked_ns.min(stopped_ns)));
    }
}

fn add(stop: Stop) {
    let mut stops = stops();
    // A stop that ends in the watchdog's work is seen in that and in the pause before.
    match stops.back_mut() {
        Some(last) if last.to_ns >= stop.from_ns => last.to_ns = last.to_ns.max(stop.to_ns),
        _ => stops.push_back(stop),
    }
    if stops.len() > MAX_STOPS {
        stops.pop_front();
    }
    WATCHDOG.stops.latest_ns.store(stop.to_ns, Ordering::Release);
}

/// Keeps the clock right ([`clock::follow`]); what it jumped by is no time of the process.
pub(crate) fn follow_clock() {
    if let Some((from_ns, to_ns)) = clock::follow() {
        add(Stop { from_ns, to_ns });
    }
}

/// The watchdog's own time, read where its pauses begin and end.
pub(super) struct StopDetector {
    before: Mark,
}

#[derive(Clone, Copy)]
struct Mark {
    at_ns: u64,
    thread: Option<Reading>,
    process_cpu_ns: u64,
    /// How long the machine was suspended since it started.
    suspended_ns: u64,
}

impl Mark {
    fn now() -> Self {
        let thread = Reading::now();
        Self {
            at_ns: clock::now_ns(),
            thread,
            process_cpu_ns: process_cpu_ns(),
            suspended_ns: suspended_ns(),
        }
    }
}

impl StopDetector {
    /// Begins; from now on readers wait for what it finds.
    pub(super) fn begin() -> Self {
        let before = Mark::now();
        WATCHDOG.stops.known_ns.store(before.at_ns, Ordering::Release);
        Self { before }
    }

    /// A pause that was to last `pause_ns` begins: what came before it was work, which never sleeps for long.
    pub(super) fn begin_pause(&mut self) {
        self.step(0, 1);
    }

    /// The pause is over. Whether the process was stopped in it.
    pub(super) fn end_pause(&mut self, pause_ns: u64) -> bool {
        self.step(pause_ns, 2)
    }

    /// `sleeps`: so many times at least a thread sleeps in such a time if it was stopped.
    fn step(&mut self, pause_ns: u64, sleeps: u64) -> bool {
        follow_clock();
        let now = Mark::now();
        let before = std::mem::replace(&mut self.before, now);
        let was_stopped = was_stopped(&before, &now, pause_ns, sleeps);
        if was_stopped {
            add(Stop { from_ns: before.at_ns, to_ns: now.at_ns });
        }
        WATCHDOG.stops.known_ns.store(now.at_ns, Ordering::Release);
        was_stopped
    }
}

impl Drop for StopDetector {
    fn drop(&mut self) {
        WATCHDOG.stops.known_ns.store(u64::MAX, Ordering::Release);
    }
}

fn was_stopped(before: &Mark, now: &Mark, pause_ns: u64, sleeps: u64) -> bool {
    let wall_ns = now.at_ns.saturating_sub(before.at_ns);
    let late_ns = wall_ns.saturating_sub(pause_ns);
    if late_ns < LEAST_NS {
        return false;
    }
    if now.suspended_ns.saturating_sub(before.suspended_ns) >= LEAST_NS {
        return true;
    }
    let (Some(first), Some(last)) = (before.thread, now.thread) else { return false };
    let (off_ns, waited_ns) = last.without_cpu_since(first, wall_ns, 0);
    let late_ns = off_ns.saturating_sub(waited_ns).saturating_sub(pause_ns);
    if late_ns < LEAST_NS || last.sleeps_since(first) < sleeps {
        return false;
    }
    // All CPUs may have been used up to the moment at which the pause was to end, and while this thread waited for
    // one. Of the rest, next to nothing.
    let cpus = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let used_ns = now.process_cpu_ns.saturating_sub(before.process_cpu_ns);
    used_ns <= pause_ns.saturating_add(waited_ns).saturating_mul(cpus).saturating_add(late_ns / 8)
}

#[cfg(target_os = "linux")]
fn process_cpu_ns() -> u64 {
    of_clock(rustix::time::ClockId::ProcessCPUTime)
}

/// The clock that counts suspended time is ahead of the one that does not.
#[cfg(target_os = "linux")]
fn suspended_ns() -> u64 {
    let awake_ns = of_clock(rustix::time::ClockId::Monotonic);
    of_clock(rustix::time::ClockId::Boottime).saturating_sub(awake_ns)
}

#[cfg(target_os = "linux")]
fn of_clock(clock: rustix::time::ClockId) -> u64 {
    let time = rustix::time::clock_gettime(clock);
    let ns = |number: i64| u64::try_from(number).unwrap_or(0);
    ns(time.tv_sec).saturating_mul(1_000_000_000).saturating_add(ns(time.tv_nsec))
}

/// Without the thread's reading nothing is told here.
#[cfg(not(target_os = "linux"))]
fn process_cpu_ns() -> u64 {
    0
}

#[cfg(not(target_os = "linux"))]
fn suspended_ns() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// What the watchdog's thread and the process had used in a pause of 10 ms that took 310.
    fn late(waited_ns: u64, sleeps: u64, process_cpu_ns: u64) -> bool {
        late_with(waited_ns, sleeps, process_cpu_ns, 0)
    }

    fn late_with(waited_ns: u64, sleeps: u64, process_cpu_ns: u64, suspended_ns: u64) -> bool {
        let start = Reading::of_test(0, 0, 7);
        let before =
            Mark { at_ns: 1_000 * MS, thread: Some(start), process_cpu_ns: 50 * MS, suspended_ns: 7 };
        let after = Mark {
            at_ns: 1_310 * MS,
            thread: Some(Reading::of_test(0, waited_ns, 7 + sleeps)),
            process_cpu_ns: 50 * MS + process_cpu_ns,
            suspended_ns: 7 + suspended_ns,
        };
        was_stopped(&before, &after, 10 * MS, 2)
    }

    #[test]
    fn a_late_pause_is_a_stop_only_if_everything_stood_still() {
        assert!(late(0, 2, 0));
        assert!(late(5 * MS, 3, 8 * MS), "what ran before the stop");
        assert!(!late(295 * MS, 2, 0), "it had no CPU");
        assert!(!late(0, 1, 0), "its timer was late");
        let cpus = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        assert!(!late(0, 2, cpus * 10 * MS + 100 * MS), "others ran");
    }

    #[test]
    fn a_machine_that_was_suspended_stopped_the_process() {
        assert!(late_with(0, 1, 0, 290 * MS), "whatever the thread's own account says");
        assert!(!late_with(0, 1, 0, MS), "two clocks that are read one after the other");
        let at = |at_ns, suspended_ns| Mark { at_ns, thread: None, process_cpu_ns: 0, suspended_ns };
        let (before, hour) = (at(1_000 * MS, 0), 3_600_000 * MS);
        assert!(was_stopped(&before, &at(1_010 * MS + hour, hour), 10 * MS, 2), "the counter ran on");
        assert!(!was_stopped(&before, &at(1_010 * MS, hour), 10 * MS, 2), "the clock stood still");
    }

    #[test]
    fn the_part_in_which_it_was_stopped_is_time_without_a_cpu() {
        // A time of its own, far from what the process's clock says.
        let at = 1 << 60;
        add(Stop { from_ns: at + 100, to_ns: at + 400 });
        let slow = |start_ns, busy_ns| {
            let mut poll = SlowPoll {
                start_ns,
                wall_ns: 500,
                busy_ns: Some(busy_ns),
                preempted_ns: Some(0),
                ..SlowPoll::default()
            };
            take_off(&mut poll);
            (poll.preempted_ns, poll.blocked_ns(), poll.judged_ns())
        };
        assert_eq!(slow(at, 50), (Some(300), Some(150), 200));
        assert_eq!(slow(at + 300, 450), (Some(50), Some(0), 450), "what it computed stays");
        assert_eq!(slow(at + 400, 0), (Some(0), Some(500), 500));
        let mut told_ns = at;
        assert_eq!(since(&mut told_ns), [Stop { from_ns: at + 100, to_ns: at + 400 }]);
        assert!(since(&mut told_ns).is_empty(), "once");
        stops().retain(|stop| stop.to_ns < at);
        WATCHDOG.stops.latest_ns.store(0, Ordering::Release);
    }
}
