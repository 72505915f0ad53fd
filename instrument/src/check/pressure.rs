//! How long there was no CPU, over a whole session: for the threads of its runtime, which a delay is not to blame the
//! code for, and for anything on the machine, which bounds how long a thread can have slept for another that had
//! none. Linux counts both; other systems do not.

use pollscope_model::world::Process;
use pollscope_recorder::session::Session;
use pollscope_recorder::thread::{self, Reading, Thread};

use crate::watch::usage;

/// What the thread that runs the session had waited for before it began: its runtime's one thread, if that has no
/// others. The others are as old as the session.
pub(super) struct Pressure {
    own: Option<(u32, u64)>,
    /// What the machine had counted.
    machine_ns: Option<u64>,
}

impl Pressure {
    /// Of a session that begins on the calling thread.
    pub(super) fn begin() -> Self {
        let tid = thread::here().tid();
        let waited = |tid| Some((tid, without_cpu_ns(tid, &thread::read())?));
        Self { own: tid.and_then(waited), machine_ns: machine_ns() }
    }

    /// The longest time that two threads of the session's runtime have waited since, up to now and together, with what
    /// held up their slow polls besides (see [`split`](pollscope_recorder::split)); `None` where it is not counted. Two,
    /// since a wake and the poll after it may be made by two threads: one that loses its CPU between the wake's time
    /// and the task's place in the queue, and the worker. Threads of the blocking pool wake tasks too.
    /// The threads still run; the time of pool threads that ended before (tokio keeps idle ones for ten seconds) is lost.
    pub(super) fn two_longest(&self, process: &Process, session: Session) -> Option<u64> {
        let workers: Vec<u32> = process.workers().filter_map(|worker| worker.record().tid).collect();
        let threads = thread::read();
        let own = self.own.map(|(tid, _)| tid);
        let of_session = |thread: &&Thread| thread.is_taken() && thread.session() == session;
        let is_pooled = |tid: &u32| !workers.contains(tid) && Some(*tid) != own;
        let pooled = threads.states().filter(of_session).filter_map(Thread::tid).filter(is_pooled);
        let pooled = pooled.filter_map(|tid| self.of(tid, &threads));
        let known = workers.iter().copied().chain(own).map(|tid| self.of(tid, &threads));
        // Where the wait of one of these is not known, the sum is not.
        let mut all: Vec<u64> = known.collect::<Option<_>>()?;
        all.extend(pooled);
        Some(sum_of_two_longest(all))
    }

    /// How long anything on the machine has waited for a CPU since, or longer; `None` where it is not counted.
    pub(super) fn machine(&self) -> Option<u64> {
        Some(machine_ns()?.saturating_sub(self.machine_ns?))
    }

    fn of(&self, tid: u32, threads: &Reading) -> Option<u64> {
        let before = self.own.filter(|(own, _)| *own == tid).map_or(0, |(_, before)| before);
        Some(without_cpu_ns(tid, threads)?.saturating_sub(before))
    }
}

fn sum_of_two_longest(mut times: Vec<u64>) -> u64 {
    times.sort_unstable_by(|a, b| b.cmp(a));
    times.into_iter().take(2).fold(0, u64::saturating_add)
}

/// Time that a thread of this process had no CPU, since it began: by its kernel's account, and where that has none.
fn without_cpu_ns(tid: u32, threads: &Reading) -> Option<u64> {
    let here = threads.states().find(|thread| thread.tid() == Some(tid));
    Some(usage::of(tid)?.waited.saturating_add(here.map_or(0, |thread| thread.split.held_up_ns())))
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::{Duration, Instant};

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
    fn a_wake_and_its_poll_may_lose_their_cpus_one_after_the_other() {
        assert_eq!(sum_of_two_longest(vec![2, 30, 4, 50]), 80);
        assert_eq!(sum_of_two_longest(vec![7]), 7);
        assert_eq!(sum_of_two_longest(Vec::new()), 0);
    }

    /// The worker computes for longer than the limit while a task is due, and a thread of the blocking pool, which wakes
    /// tasks too, had no CPU for an hour.
    fn delayed() -> Judged<()> {
        let limit = Duration::from_millis(1);
        let session =
            Session::new("delayed").flavor(Flavor::MultiThread).worker_threads(1).max_sched_delay(limit);
        session.run(async move {
            let job = || thread::here().split.was_held_up(3_600_000_000_000);
            crate::spawn_blocking(job).await.expect("returns");
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

    #[test]
    fn what_a_pool_thread_waited_for_a_cpu_is_no_proof_against_the_code() {
        // Where the whole process was stopped meanwhile, by another test or by the machine, the doubt is about that.
        let is_doubted_for_it = || {
            let judged = delayed();
            assert!(judged.is_clean(), "{}", judged.text());
            judged.text().contains("without a CPU for 1h00m")
        };
        assert!((0..50).any(|_| is_doubted_for_it()), "what the pool's thread waited counts");
    }
}
