//! The split of a slow poll into busy, blocked and preempted, from what the operating system counts
//! for the thread: its CPU clock, the time that it was runnable without a CPU, and how often it went to sleep.
//!
//! They cost about a microsecond each, the last half of one, so they are read at most once a millisecond per
//! thread, at a poll's start, and again after a poll that was slow. Of the time between the reading and the slow
//! poll's start, what other polls took is known and subtracted.
//!
//! **Who did not sleep was not blocked.** A thread leaves its CPU of its own accord in one way only, and Linux
//! counts that (`ru_nvcsw`: it grows where a thread that is not ready to run gives its CPU away, and neither when
//! it is preempted nor when it yields). Where the count stands still, all the time off the CPU is the machine's:
//! also what is not accounted as waiting, because a hypervisor had the CPU meanwhile. The CPU clock leaves out
//! stolen time, and the wait for a CPU does not have it either, since the thread was on one as far as its kernel
//! knows.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::tally::Tally;

/// Shortest time between two readings on one thread.
const EVERY_NS: u64 = 1_000_000;

/// One thread's latest reading.
#[derive(Default)]
#[repr(C)]
pub struct Split {
    at_ns: Tally,
    cpu_ns: Tally,
    waited_ns: Tally,
    sleeps: Tally,
    faults: Tally,
    /// Wall time of all polls that had ended at the reading.
    polled_ns: Tally,
    /// See [`Split::held_up_ns`].
    held_up_ns: Tally,
    readable: AtomicU64,
    /// Last, beside what follows in a thread's state: all that most polls look at.
    due_ns: Tally,
}

impl Split {
    /// Whether the next poll's start is to take a reading.
    #[inline]
    pub(crate) fn is_due(&self, now: u64) -> bool {
        now >= self.due_ns.get()
    }

    /// No reading is wanted now. For what is not split.
    pub(crate) fn skip(&self, now: u64) {
        self.forget();
        self.due_ns.set(now + EVERY_NS);
    }

    /// Takes a reading.
    pub(crate) fn sample(&self, now: u64, polled_ns: u64) {
        self.due_ns.set(now + EVERY_NS);
        self.at_ns.set(now);
        self.polled_ns.set(polled_ns);
        let reading = Reading::now();
        self.readable.store(u64::from(reading.is_some()), Ordering::Relaxed);
        if let Some(reading) = reading {
            self.cpu_ns.set(reading.cpu_ns);
            self.waited_ns.set(reading.waited_ns);
            self.sleeps.set(reading.sleeps);
            self.faults.set(reading.faults);
        }
    }

    /// The poll for which the latest reading was taken begins.
    pub(crate) fn poll_begins(&self, now: u64) {
        self.at_ns.set(now);
    }

    fn latest(&self) -> Option<Reading> {
        let reading = Reading {
            cpu_ns: self.cpu_ns.get(),
            waited_ns: self.waited_ns.get(),
            sleeps: self.sleeps.get(),
            faults: self.faults.get(),
        };
        (self.readable.load(Ordering::Relaxed) == 1).then_some(reading)
    }

    /// The parts of a poll that ended just now, and began `wall_ns` before. `polled_ns`
    /// is the wall time of all outermost polls that ended before it.
    ///
    /// An outermost poll leaves a new reading behind. One inside another poll must not, and can be
    /// judged only if it began less than a millisecond after the outer one's reading.
    pub(crate) fn judge(&self, now: u64, wall_ns: u64, polled_ns: u64, nested: bool) -> Option<Parts> {
        let before = self.latest();
        let (others, after) = if nested {
            let since_reading = now.saturating_sub(wall_ns).saturating_sub(self.at_ns.get());
            if since_reading > EVERY_NS {
                return None;
            }
            (since_reading, Reading::now())
        } else {
            let others = polled_ns.saturating_sub(self.polled_ns.get());
            self.sample(now, polled_ns.saturating_add(wall_ns));
            (others, self.latest())
        };
        Some(after?.since(before?, wall_ns, others))
    }

    /// A slow poll of the thread, an outermost one, was held up by the machine for longer than the system accounts
    /// as waiting for a CPU.
    pub fn was_held_up(&self, ns: u64) {
        self.held_up_ns.add(ns);
    }

    /// The sum of that, since the thread began. For judging delays: what waited behind such a poll waited for
    /// the machine too.
    #[cfg(any(feature = "check", test))]
    pub fn held_up_ns(&self) -> u64 {
        self.held_up_ns.get()
    }

    /// What comes next has nothing to do with what was before.
    pub(crate) fn forget(&self) {
        self.readable.store(0, Ordering::Relaxed);
        self.due_ns.set(0);
    }

    /// The calling thread is that of a forked child: its clocks begin anew.
    #[cfg(unix)]
    pub(crate) fn begin_in_child(&self) {
        self.forget();
        system::forget();
    }

    /// The thread ends: the next one has clocks of its own.
    pub(crate) fn end(&self) {
        self.forget();
        self.held_up_ns.set(0);
    }
}

/// What a thread has had and done since it began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// On a CPU.
    cpu_ns: u64,
    /// Runnable without a CPU.
    waited_ns: u64,
    /// Times that it went to sleep.
    sleeps: u64,
    /// Pages that it touched for the first time, without reading the disk.
    faults: u64,
}

/// What a stretch of a thread's time was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parts {
    /// On a CPU.
    pub(crate) busy_ns: u64,
    /// Ready to run, without a CPU.
    pub(crate) preempted_ns: u64,
    /// Of that, accounted by the system as waiting for one.
    pub(crate) waited_ns: u64,
    /// Pages that were touched for the first time, without reading the disk.
    pub(crate) faults: u64,
}

impl Reading {
    /// Of the calling thread. `None` where the system does not tell.
    pub fn now() -> Option<Self> {
        system::read()
    }

    /// The parts of a stretch that ends with this reading and lies after the one before, less what
    /// `others_ns` of CPU time is known to have been before it.
    pub fn since(self, before: Self, wall_ns: u64, others_ns: u64) -> Parts {
        let (off_ns, waited_ns) = self.without_cpu_since(before, wall_ns, others_ns);
        let slept = self.sleeps != before.sleeps;
        let preempted_ns = if slept { waited_ns } else { off_ns };
        let faults = self.faults.saturating_sub(before.faults);
        Parts { busy_ns: wall_ns - off_ns, preempted_ns, waited_ns, faults }
    }

    /// How often the thread went to sleep since a reading before.
    #[cfg(not(loom))]
    pub fn sleeps_since(self, before: Self) -> u64 {
        self.sleeps.saturating_sub(before.sleeps)
    }

    /// A reading for tests of what is made of readings.
    #[cfg(any(test, feature = "testkit"))]
    pub fn of_test(cpu_ns: u64, waited_ns: u64, sleeps: u64) -> Self {
        Self { cpu_ns, waited_ns, sleeps, faults: 0 }
    }

    /// Of the same stretch, what was not on a CPU, and what of it is accounted as waiting for one.
    pub fn without_cpu_since(self, before: Self, wall_ns: u64, others_ns: u64) -> (u64, u64) {
        let busy_ns = self.cpu_ns.saturating_sub(before.cpu_ns).saturating_sub(others_ns).min(wall_ns);
        let off_ns = wall_ns - busy_ns;
        (off_ns, self.waited_ns.saturating_sub(before.waited_ns).min(off_ns))
    }
}

/// Why the split cannot be measured here; `None` when it can.
pub fn unreadable() -> Option<&'static str> {
    system::read().is_none().then_some(system::WHY)
}

#[cfg(target_os = "linux")]
mod system {
    //! Linux: `CLOCK_THREAD_CPUTIME_ID`, the second field of `schedstat`, and `getrusage`.

    use std::cell::RefCell;
    use std::fs::File;
    use std::mem::MaybeUninit;
    use std::os::unix::fs::FileExt;
    use std::sync::atomic::Ordering;

    use rustix::time::{ClockId, clock_gettime};

    use super::Reading;
    use crate::record::Recorder;

    pub(super) const WHY: &str =
        "/proc/thread-self/schedstat cannot be read here; mount /proc in the container";

    const PATH: &str = "/proc/thread-self/schedstat";

    /// Files that are kept open at once. A thread beyond them opens and closes its file at each reading, some
    /// microseconds more at most once in a millisecond: the service's descriptors are not ours to use up.
    const MAX_KEPT: usize = 64;

    /// A file that stays open until its thread ends, and is counted.
    struct Kept(File);

    impl Kept {
        /// Keeps the file, if there are not too many.
        fn keep(file: File) -> Option<Self> {
            let one_more = |kept| (kept < MAX_KEPT).then_some(kept + 1);
            Recorder::global()
                .kept_files
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
                .ok()?;
            Some(Self(file))
        }
    }

    impl Drop for Kept {
        fn drop(&mut self) {
            Recorder::global().kept_files.fetch_sub(1, Ordering::Relaxed);
        }
    }

    thread_local! {
        /// The kernel answers for the thread that opened it.
        static STAT: RefCell<Option<Kept>> = const { RefCell::new(None) };
    }

    fn stat(text: &mut [u8]) -> Option<usize> {
        STAT.try_with(|stat| {
            let mut stat = stat.borrow_mut();
            if let Some(Kept(file)) = &*stat {
                return file.read_at(text, 0).ok();
            }
            let file = File::open(PATH).ok()?;
            let length = file.read_at(text, 0).ok();
            *stat = Kept::keep(file);
            length
        })
        .ok()?
    }

    /// The file that is kept is another thread's.
    pub(super) fn forget() {
        let _ = STAT.try_with(|stat| stat.try_borrow_mut().map(|mut stat| *stat = None));
    }

    pub(super) fn read() -> Option<Reading> {
        let mut text = [0u8; 96];
        let length = stat(&mut text)?;
        let waited = text.get(..length)?.split(|byte| *byte == b' ').nth(1)?;
        let waited_ns = std::str::from_utf8(waited).ok()?.parse().ok()?;
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        let cpu_ns =
            u64::try_from(cpu.tv_sec).ok()?.checked_mul(1_000_000_000)? + u64::try_from(cpu.tv_nsec).ok()?;
        let (sleeps, faults) = usage()?;
        Some(Reading { cpu_ns, waited_ns, sleeps, faults })
    }

    #[expect(unsafe_code, reason = "no safe call asks for a single thread")]
    fn usage() -> Option<(u64, u64)> {
        let mut usage = MaybeUninit::<libc::rusage>::uninit();
        // SAFETY: the call writes the whole structure, which is ours, if it returns 0.
        let usage = unsafe {
            (libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) == 0).then(|| usage.assume_init())
        };
        let usage = usage?;
        Some((u64::try_from(usage.ru_nvcsw).ok()?, u64::try_from(usage.ru_minflt).ok()?))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    //! Other systems do not tell how long a thread was runnable without a CPU.

    pub(super) const WHY: &str = "only Linux tells how long a thread waited for a CPU";

    #[cfg(unix)]
    pub(super) fn forget() {}

    pub fn read() -> Option<super::Reading> {
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
        let parts = split.judge(end, end - start, 0, false).expect("readable");
        assert!(parts.busy_ns < (end - start) / 2, "{parts:?} of {}", end - start);
        assert!(parts.busy_ns + parts.preempted_ns <= end - start);
    }

    #[test]
    fn only_who_went_to_sleep_can_have_been_blocked() {
        let before = Reading { cpu_ns: 10, waited_ns: 20, sleeps: 7, faults: 3 };
        let after = |sleeps| Reading { cpu_ns: 10 + 5, waited_ns: 20 + 15, sleeps, faults: 3 };
        let parts = |busy_ns, preempted_ns, waited_ns| Parts { busy_ns, preempted_ns, waited_ns, faults: 0 };
        assert_eq!(after(8).since(before, 100, 0), parts(5, 15, 15), "80 of it asleep");
        assert_eq!(after(7).since(before, 100, 0), parts(5, 95, 15), "all of it without a CPU");
        assert_eq!(after(8).since(before, 100, 3), parts(2, 15, 15));
        assert_eq!(after(8).since(before, 4, 0), parts(4, 0, 0));
        assert_eq!(before.since(after(8), 100, 0), parts(0, 0, 0), "clocks of another thread");
    }

    #[test]
    fn what_held_a_thread_up_is_known_until_it_ends() {
        let split = Split::default();
        split.was_held_up(5);
        split.was_held_up(2);
        split.forget();
        assert_eq!(split.held_up_ns(), 7, "of all its sessions");
        split.end();
        assert_eq!(split.held_up_ns(), 0);
    }

    #[test]
    fn a_sleep_is_counted_and_a_yield_is_not() {
        let sleeps = || Some(Reading::now()?.sleeps);
        let Some(before) = sleeps() else { return };
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(sleeps() > Some(before));
        // Each call into the kernel may find a lock of its own taken, and sleep.
        let stands_still = |_| {
            let before = sleeps();
            std::thread::yield_now();
            sleeps() == before
        };
        assert!((0..1_000).any(stands_still));
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
