//! How long there was no CPU, over a whole session: for the threads of its runtime, which a delay is not to blame the
//! code for, and for anything on the machine, which bounds how long a thread can have slept for another that had
//! none. Linux counts both; other systems do not.

use std::cmp::Reverse;

use pollscope_model::world::Process;
use pollscope_recorder::session::Session;
use pollscope_recorder::thread::{self, Thread};

use crate::watch::usage;

/// What the thread that runs the session had waited for before it began: its runtime's one thread, if that has no
/// others. The others are as old as the session.
pub(super) struct Pressure {
    own: Option<(u32, u64)>,
    /// The two threads that waited the longest of those seen so far, and how long.
    longest: Vec<(u32, u64)>,
    /// Whether the latest look saw what each worker and the session's own thread had waited.
    is_whole: bool,
    /// What the machine had counted.
    machine_ns: Option<u64>,
    /// What its host had taken from it.
    stolen_ns: u64,
}

impl Pressure {
    /// Of a session that begins on the calling thread.
    pub(super) fn begin() -> Self {
        let here = thread::here();
        let waited = |tid| Some((tid, without_cpu_ns(tid, Some(here))?));
        Self {
            own: here.tid().and_then(waited),
            longest: Vec::new(),
            is_whole: false,
            machine_ns: machine_ns(),
            stolen_ns: stolen_ns(),
        }
    }

    /// Sees how long the threads of the session's runtime have waited up to now. To be called again and again: of a
    /// thread of the blocking pool nothing is left when it has ended, ten seconds after its last job.
    pub(super) fn look(&mut self, process: &Process, session: Session) {
        let workers: Vec<u32> = process.workers().filter_map(|worker| worker.record().tid).collect();
        let threads = thread::read();
        let own = self.own.map(|(tid, _)| tid);
        self.is_whole = true;
        let of_tid = |tid| threads.states().find(|thread| thread.tid() == Some(tid));
        for tid in workers.iter().copied().chain(own) {
            match self.since_begin(tid, of_tid(tid)) {
                Some(ns) => self.keep(tid, ns),
                None => self.is_whole = false,
            }
        }
        let of_session = |thread: &&Thread| thread.is_taken() && thread.session() == session;
        let is_pooled = |tid: &u32| !workers.contains(tid) && Some(*tid) != own;
        for thread in threads.states().filter(of_session) {
            if let Some(tid) = thread.tid().filter(is_pooled)
                && let Some(ns) = self.since_begin(tid, Some(thread))
            {
                self.keep(tid, ns);
            }
        }
    }

    /// The longest time that two threads of the session's runtime were seen to have waited, together, with what held up
    /// their slow polls besides (see [`split`](pollscope_recorder::split)) and what a virtual machine's host took;
    /// `None` where it is not counted. Two, since a wake and the poll after it may be made by two threads: one that
    /// loses its CPU between the wake's time and the task's place in the queue, and the worker. Threads of the blocking
    /// pool wake tasks too.
    pub(super) fn of_runtime(&self) -> Option<u64> {
        let sum = self.longest.iter().fold(0, |sum: u64, (_, ns)| sum.saturating_add(*ns));
        let stolen_ns = stolen_ns().saturating_sub(self.stolen_ns);
        self.is_whole.then_some(sum.saturating_add(stolen_ns))
    }

    /// How long anything on the machine has waited for a CPU since, or longer; `None` where it is not counted.
    pub(super) fn machine(&self) -> Option<u64> {
        Some(machine_ns()?.saturating_sub(self.machine_ns?))
    }

    /// A thread has waited so long by now: kept if only one thread waited longer.
    fn keep(&mut self, tid: u32, ns: u64) {
        match self.longest.iter_mut().find(|(known, _)| *known == tid) {
            Some((_, longest)) => *longest = ns.max(*longest),
            None => self.longest.push((tid, ns)),
        }
        self.longest.sort_unstable_by_key(|(_, ns)| Reverse(*ns));
        self.longest.truncate(2);
    }

    fn since_begin(&self, tid: u32, thread: Option<&Thread>) -> Option<u64> {
        let before = self.own.filter(|(own, _)| *own == tid).map_or(0, |(_, before)| before);
        Some(without_cpu_ns(tid, thread)?.saturating_sub(before))
    }
}

/// Time that a thread of this process had no CPU, since it began: by its kernel's account, and where that has none.
fn without_cpu_ns(tid: u32, thread: Option<&Thread>) -> Option<u64> {
    Some(usage::of(tid)?.waited.saturating_add(thread.map_or(0, |thread| thread.split.held_up_ns())))
}

/// Time in which something waited for a CPU, since the machine was started. Linux gives the mean of the CPUs, by how
/// busy each was: with others idle, so many times that may have been one CPU's.
#[cfg(target_os = "linux")]
fn machine_ns() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/pressure/cpu").ok()?;
    let cpus = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    Some(some_us(&told)?.saturating_mul(1_000).saturating_mul(cpus))
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=1234`, of which the total is in microseconds.
#[cfg(target_os = "linux")]
fn some_us(told: &str) -> Option<u64> {
    let some = told.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split_ascii_whitespace().find_map(|part| part.strip_prefix("total="))?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn machine_ns() -> Option<u64> {
    None
}

/// Time in which a CPU of this virtual machine had work, or an interrupt such as a timer's, and its host ran something
/// else (`steal` in proc_stat(5)), since it was started; 0 where nothing tells. No thread waits by its kernel's account
/// while an idle CPU is late to see that its timer is due. Told in whole hundredths of a second, up to one too few.
#[cfg(target_os = "linux")]
fn stolen_ns() -> u64 {
    const TICK_NS: u64 = 10_000_000;
    let told = std::fs::read_to_string("/proc/stat").ok();
    told.and_then(|told| steal_ticks(&told)).map_or(0, |ticks| ticks.saturating_mul(TICK_NS))
}

/// `cpu  user nice system idle iowait irq softirq steal guest guest_nice`, the sum of all CPUs.
#[cfg(target_os = "linux")]
fn steal_ticks(told: &str) -> Option<u64> {
    told.lines().find_map(|line| line.strip_prefix("cpu "))?.split_ascii_whitespace().nth(7)?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn stolen_ns() -> u64 {
    0
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::{Duration, Instant};

    use pollscope_recorder::session;

    use super::*;
    use crate::check::{Flavor, Judged, Session};

    #[test]
    fn the_machines_word_is_read_as_it_is_written() {
        let told = "some avg10=98.30 avg60=97.16 avg300=94.14 total=20887073500\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(some_us(told), Some(20_887_073_500));
        assert_eq!(some_us("full avg10=0.00 total=7\n"), None);
        assert_eq!(some_us(""), None);
    }

    #[test]
    fn what_a_host_takes_is_read_as_it_is_written() {
        let told = "cpu  9465 0 2656 20307 1459 0 18 17 3 4\ncpu0 4699 0 1196 10910 153 0 3 7 0 0\n";
        assert_eq!(steal_ticks(told), Some(17));
        assert_eq!(steal_ticks("cpu  9465 0 2656 20307\n"), None, "an old kernel's");
    }

    #[test]
    fn a_wake_and_its_poll_may_lose_their_cpus_one_after_the_other() {
        let mut pressure = Pressure {
            own: None,
            longest: Vec::new(),
            is_whole: true,
            machine_ns: None,
            stolen_ns: u64::MAX,
        };
        assert_eq!(pressure.of_runtime(), Some(0));
        for (tid, ns) in [(1, 2), (2, 30), (3, 4), (4, 50), (1, 3)] {
            pressure.keep(tid, ns);
        }
        assert_eq!(pressure.of_runtime(), Some(80));
        pressure.keep(3, 31);
        pressure.keep(3, 60);
        assert_eq!(pressure.of_runtime(), Some(110), "one thread counts once");
        pressure.is_whole = false;
        assert_eq!(pressure.of_runtime(), None);
    }

    /// The worker computes for longer than the limit while a task is due, after what `before` does.
    fn delayed<F: Future<Output = ()> + Send + 'static>(before: F) -> Judged<()> {
        let limit = Duration::from_millis(1);
        let session =
            Session::new("delayed").flavor(Flavor::MultiThread).worker_threads(1).max_sched_delay(limit);
        session.run(async move {
            before.await;
            let compute = move || {
                let begin = Instant::now();
                while begin.elapsed() < 50 * limit {}
            };
            let first = crate::spawn(async move { compute() });
            let second = crate::spawn(async move { compute() });
            first.await.expect("returns");
            second.await.expect("returns");
        })
    }

    /// Whether no delay is denied while a thread had no CPU for an hour.
    fn is_doubted_for_it<F: Future<Output = ()> + Send + 'static>(before: impl Fn() -> F) -> bool {
        // Where the whole process was stopped meanwhile, by another test or by the machine, the doubt is about that.
        (0..50).any(|_| {
            let judged = delayed(before());
            assert!(judged.is_clean(), "{}", judged.text());
            judged.text().contains("without a CPU for 1h00m")
        })
    }

    fn has_no_cpu_for_an_hour() {
        thread::here().split.was_held_up(3_600_000_000_000);
    }

    #[test]
    fn what_a_pool_thread_waited_for_a_cpu_is_no_proof_against_the_code() {
        let in_pool = || async { crate::spawn_blocking(has_no_cpu_for_an_hour).await.expect("returns") };
        assert!(is_doubted_for_it(in_pool), "what the pool's thread waited counts");
    }

    #[test]
    fn what_a_thread_waited_is_known_after_its_end() {
        let on_thread_that_ends = || async {
            let session = session::current();
            let (seen, is_seen) = std::sync::mpsc::channel::<()>();
            let (begun, has_begun) = tokio::sync::oneshot::channel();
            let thread = std::thread::spawn(move || {
                thread::here_for(session).set_session(session);
                has_no_cpu_for_an_hour();
                begun.send(()).expect("the body waits");
                let _ = is_seen.recv();
            });
            has_begun.await.expect("it begins");
            // Is answered after a look.
            crate::check::checkpoint("looked");
            drop(seen);
            thread.join().expect("ends");
        };
        assert!(is_doubted_for_it(on_thread_that_ends), "what the thread waited counts");
    }
}
