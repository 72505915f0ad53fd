//! How long there was no CPU, over a whole session: for the threads of its runtime, which a delay is not to blame the
//! code for, and for anything on the machine, which bounds how long a thread can have slept for another that had
//! none. Linux counts both; other systems do not.

use pollscope_model::world::Process;

use crate::record::thread;
use crate::usage;

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
        Self { own: tid.and_then(|tid| Some((tid, without_cpu_ns(tid)?))), machine_ns: machine_ns() }
    }

    /// The longest that any of the runtime's threads has waited since, up to now, with what held up its slow polls
    /// besides (see [`split`](crate::record::split)); `None` where it is not counted.
    /// The threads still run.
    pub(super) fn longest(&self, process: &Process) -> Option<u64> {
        let workers = process.workers().filter_map(|worker| worker.record().tid);
        let all: Option<Vec<u64>> =
            workers.chain(self.own.map(|(tid, _)| tid)).map(|tid| self.of(tid)).collect();
        all?.into_iter().max()
    }

    /// How long anything on the machine has waited for a CPU since, or longer; `None` where it is not counted.
    pub(super) fn machine(&self) -> Option<u64> {
        Some(machine_ns()?.saturating_sub(self.machine_ns?))
    }

    fn of(&self, tid: u32) -> Option<u64> {
        let before = self.own.filter(|(own, _)| *own == tid).map_or(0, |(_, before)| before);
        Some(without_cpu_ns(tid)?.saturating_sub(before))
    }
}

/// Time that a thread of this process had no CPU, since it began: by its kernel's account, and where that has none.
fn without_cpu_ns(tid: u32) -> Option<u64> {
    let threads = thread::read();
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
    use super::*;

    #[test]
    fn the_machines_word_is_read_as_it_is_written() {
        let told = "some avg10=98.30 avg60=97.16 avg300=94.14 total=20887073500\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(some_us(told), Some(20_887_073_500));
        assert_eq!(some_us("full avg10=0.00 total=7\n"), None);
        assert_eq!(some_us(""), None);
    }
}
