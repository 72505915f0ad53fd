//! Runtimes and workers, with what our threads know of them, as one reader is told.

use std::collections::HashMap;

use pollscope_model::entity::runtime::{RuntimeRecord, WorkerDelta};
use pollscope_model::id::{NameId, TaskId, WorkerId};

use super::cpu::Cpu;
use crate::record::session::Session;
use crate::record::thread::Thread;
use crate::sample::{Sample, Sampler};

/// See the module.
pub(super) struct Workers {
    /// `None`: of everything.
    of: Option<Session>,
    sampler: Sampler,
    /// Polls of each thread at the last tick, by index.
    thread_polls: Vec<u64>,
    cpu: Cpu,
    runtimes: Vec<RuntimeRecord>,
    totals: HashMap<WorkerId, WorkerDelta>,
}

impl Workers {
    /// For a reader of everything, or of a session.
    pub(super) fn new(of: Option<Session>) -> Self {
        Self {
            of,
            sampler: Sampler::default(),
            thread_polls: Vec::new(),
            cpu: Cpu::default(),
            runtimes: Vec::new(),
            totals: HashMap::new(),
        }
    }

    /// What changed since the last call; `polls_seen`: whether polls are recorded at all.
    pub(super) fn tick(
        &mut self,
        threads: &[&'static Thread],
        now: u64,
        polls_seen: bool,
    ) -> (Vec<RuntimeRecord>, Vec<WorkerDelta>) {
        let Sample { runtimes, mut workers } = self.sampler.sample(now, self.of);
        self.thread_polls.resize(threads.len(), 0);
        for (thread, last) in threads.iter().zip(&mut self.thread_polls) {
            let total = thread.polls.get();
            let before = std::mem::replace(last, total);
            let polls = total.saturating_sub(match self.of {
                Some(session) if session == thread.session() => before.max(thread.foreign_polls()),
                _ => before,
            });
            let (Some(runtime), Some(index)) = thread.place() else { continue };
            let Some(worker) = workers.iter_mut().find(|w| w.id.runtime.0 == runtime && w.id.index == index)
            else {
                continue;
            };
            if polls_seen {
                worker.polls = Some(worker.polls.unwrap_or(0) + polls);
            }
            let polling = thread.polling().map(|open| (TaskId(open.task), open.since_ns));
            if worker.tid.is_none() || polling.is_some() {
                worker.thread = NameId(thread.name());
                worker.tid = thread.tid();
                worker.polling = polling;
            }
        }
        self.cpu.fill(&mut workers);
        for worker in &mut workers {
            if polls_seen && worker.polls.is_none() {
                worker.polls = Some(0);
            }
            self.totals
                .entry(worker.id)
                .and_modify(|total| total.merge(worker))
                .or_insert_with(|| worker.clone());
        }
        self.runtimes.clone_from(&runtimes);
        (runtimes, workers)
    }

    /// As of the last tick.
    pub(super) fn runtimes(&self) -> Vec<RuntimeRecord> {
        self.runtimes.clone()
    }

    /// Every worker's totals as of the last tick.
    pub(super) fn totals(&self) -> Vec<WorkerDelta> {
        let mut workers: Vec<_> = self.totals.values().cloned().collect();
        workers.sort_by_key(|worker| worker.id);
        workers
    }
}
