//! The split of a slow poll into busy, blocked and preempted, from what the operating system counts
//! for the thread: its CPU clock, and the time that it was runnable without a CPU.
//!
//! Both cost about a microsecond each, so they are read at most once a millisecond per thread, at a
//! poll's start, and again after a poll that was slow. Of the time between the reading and the slow
//! poll's start, what other polls took is known and subtracted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::tally::Tally;

/// Shortest time between two readings on one thread.
const EVERY_NS: u64 = 1_000_000;

/// One thread's latest reading.
#[derive(Default)]
pub(crate) struct Split {
    due_ns: Tally,
    at_ns: Tally,
    cpu_ns: Tally,
    waited_ns: Tally,
    /// Wall time of all polls that had ended at the reading.
    polled_ns: Tally,
    readable: AtomicU64,
}

impl Split {
    /// Whether the next poll's start is to take a reading.
    #[inline]
    pub(crate) fn is_due(&self, now: u64) -> bool {
        now >= self.due_ns.get()
    }

    /// Takes a reading.
    pub(crate) fn sample(&self, now: u64, polled_ns: u64) {
        self.due_ns.set(now + EVERY_NS);
        self.at_ns.set(now);
        self.polled_ns.set(polled_ns);
        let reading = system::read();
        self.readable.store(u64::from(reading.is_some()), Ordering::Relaxed);
        if let Some((cpu, waited)) = reading {
            self.cpu_ns.set(cpu);
            self.waited_ns.set(waited);
        }
    }

    /// Busy and preempted time of a poll that ended just now, and began `wall_ns` before. `polled_ns`
    /// is the wall time of all outermost polls that ended before it.
    ///
    /// An outermost poll leaves a new reading behind. One inside another poll must not, and can be
    /// judged only if it began less than a millisecond after the outer one's reading.
    pub(crate) fn judge(&self, now: u64, wall_ns: u64, polled_ns: u64, nested: bool) -> Option<(u64, u64)> {
        let before =
            (self.readable.load(Ordering::Relaxed) == 1).then(|| (self.cpu_ns.get(), self.waited_ns.get()));
        let (others, after) = if nested {
            let since_reading = now.saturating_sub(wall_ns).saturating_sub(self.at_ns.get());
            if since_reading > EVERY_NS {
                return None;
            }
            (since_reading, system::read())
        } else {
            let others = polled_ns.saturating_sub(self.polled_ns.get());
            self.sample(now, polled_ns.saturating_add(wall_ns));
            let readable = self.readable.load(Ordering::Relaxed) == 1;
            (others, readable.then(|| (self.cpu_ns.get(), self.waited_ns.get())))
        };
        let ((cpu_before, waited_before), (cpu, waited)) = (before?, after?);
        let busy = cpu.saturating_sub(cpu_before).saturating_sub(others).min(wall_ns);
        let preempted = waited.saturating_sub(waited_before).min(wall_ns - busy);
        Some((busy, preempted))
    }

    /// The thread ends: the next one has clocks of its own.
    pub(crate) fn forget(&self) {
        self.readable.store(0, Ordering::Relaxed);
        self.due_ns.set(0);
    }
}

/// Why the split cannot be measured here; `None` when it can.
pub(crate) fn unreadable() -> Option<&'static str> {
    system::read().is_none().then_some(system::WHY)
}

#[cfg(target_os = "linux")]
mod system {
    //! Linux: `CLOCK_THREAD_CPUTIME_ID` and the second field of `schedstat`.

    use std::cell::OnceCell;
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use rustix::time::{ClockId, clock_gettime};

    pub(super) const WHY: &str =
        "/proc/thread-self/schedstat cannot be read here; mount /proc in the container";

    thread_local! {
        /// One file per thread that polls, open until it ends; `None` where there is none to open.
        static STAT: OnceCell<Option<File>> = const { OnceCell::new() };
    }

    /// CPU time and time spent runnable without a CPU, of this thread, in nanoseconds.
    pub(super) fn read() -> Option<(u64, u64)> {
        let mut text = [0u8; 96];
        let length = STAT
            .try_with(|file| {
                let file = file.get_or_init(|| File::open("/proc/thread-self/schedstat").ok());
                file.as_ref()?.read_at(&mut text, 0).ok()
            })
            .ok()??;
        let waited = text.get(..length)?.split(|byte| *byte == b' ').nth(1)?;
        let waited = std::str::from_utf8(waited).ok()?.parse().ok()?;
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        let cpu =
            u64::try_from(cpu.tv_sec).ok()?.checked_mul(1_000_000_000)? + u64::try_from(cpu.tv_nsec).ok()?;
        Some((cpu, waited))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    //! Elsewhere nobody tells how long a thread was runnable without a CPU.

    pub(super) const WHY: &str = "only Linux tells how long a thread waited for a CPU";

    pub(super) fn read() -> Option<(u64, u64)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_neither_busy_nor_preempted() {
        if unreadable().is_some() {
            return;
        }
        let split = Split::default();
        let start = crate::clock::now_ns();
        split.sample(start, 0);
        std::thread::sleep(std::time::Duration::from_millis(20));
        let end = crate::clock::now_ns();
        let (busy, preempted) = split.judge(end, end - start, 0, false).expect("readable");
        assert!(busy < (end - start) / 2, "{busy} of {}", end - start);
        assert!(busy + preempted <= end - start);
    }

    #[test]
    fn a_poll_inside_another_is_judged_only_near_a_reading_and_leaves_the_outer_ones_alone() {
        if unreadable().is_some() {
            return;
        }
        let split = Split::default();
        let start = crate::clock::now_ns();
        split.sample(start, 0);
        let wall = 5 * EVERY_NS;
        let judge = |began| split.judge(began + wall, wall, 0, true);
        assert!(judge(start + EVERY_NS).is_some());
        assert!(judge(start + 2 * EVERY_NS).is_none());
        assert_eq!(split.at_ns.get(), start);
    }
}
