//! How much CPU the workers' threads got, and how long they could run but got none: what tells a
//! starved machine from a starved runtime.
//!
//! Read by our own thread from Linux's per-thread counters, a few microseconds per worker and tick; the
//! workers themselves do nothing for it.

use std::collections::HashMap;

use pollscope_model::entity::runtime::WorkerDelta;

use crate::watch::usage::{self, Usage};

/// What each worker's thread had used up at the last tick, by thread id.
#[derive(Default)]
pub(super) struct Cpu {
    last: HashMap<u32, Usage>,
}

impl Cpu {
    /// Fills in the workers' intervals; a thread's first tick counts nothing.
    pub(super) fn fill(&mut self, workers: &mut [WorkerDelta]) {
        let mut now = HashMap::with_capacity(workers.len());
        for worker in workers {
            let Some(tid) = worker.tid else { continue };
            let Some(usage) = usage::of(tid) else { continue };
            let before = self.last.get(&tid).copied().unwrap_or(usage);
            worker.cpu_ns = Some(usage.ran.saturating_sub(before.ran));
            worker.preempted_ns = Some(usage.waited.saturating_sub(before.waited));
            now.insert(tid, usage);
        }
        self.last = now;
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_works_is_seen_to_run() {
        let tid = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
        let worker = || WorkerDelta { tid: Some(tid), ..WorkerDelta::default() };
        let mut cpu = Cpu::default();
        let mut first = [worker()];
        cpu.fill(&mut first);
        if first[0].cpu_ns.is_none() {
            return; // no /proc here
        }
        assert_eq!((first[0].cpu_ns, first[0].preempted_ns), (Some(0), Some(0)));
        let begin = std::time::Instant::now();
        let mut ran = 0;
        while ran == 0 && begin.elapsed() < std::time::Duration::from_secs(20) {
            std::hint::black_box((0..1_000_000u64).fold(0u64, u64::wrapping_add));
            let mut next = [worker()];
            cpu.fill(&mut next);
            ran = next[0].cpu_ns.unwrap_or(0);
        }
        assert!(ran > 0);
    }

    #[test]
    fn a_thread_that_is_gone_and_one_that_is_unknown_are_not_measured() {
        let mut workers =
            [WorkerDelta { tid: Some(u32::MAX), ..WorkerDelta::default() }, WorkerDelta::default()];
        Cpu::default().fill(&mut workers);
        assert!(workers.iter().all(|worker| worker.cpu_ns.is_none() && worker.preempted_ns.is_none()));
    }
}
