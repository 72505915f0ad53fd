//! Runtimes and workers, with what our threads know of them, as one reader is told.

use std::collections::{HashMap, HashSet};

use pollscope_model::entity::runtime::{RuntimeRecord, WorkerDelta};
use pollscope_model::id::{NameId, RuntimeId, TaskId, WorkerId};
use pollscope_recorder::session::Session;
use pollscope_recorder::thread::Reading;

use super::cpu::Cpu;
use crate::report::sample::{self, Sample, Sampler};

/// See the module.
pub(super) struct Workers {
    /// `None`: of everything.
    of: Option<Session>,
    sampler: Sampler,
    /// Polls of each thread at the last tick, by its index, which the threads are in the order of.
    thread_polls: Vec<(u32, u64)>,
    cpu: Cpu,
    runtimes: Vec<RuntimeRecord>,
    /// Runtimes that are gone, whose number no other one has.
    gone: HashSet<RuntimeId>,
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
            gone: HashSet::new(),
            totals: HashMap::new(),
        }
    }

    /// What changed since the last call; `polls_seen`: whether polls are recorded at all.
    pub(super) fn tick(
        &mut self,
        threads: &Reading,
        now: u64,
        polls_seen: bool,
    ) -> (Vec<RuntimeRecord>, Vec<WorkerDelta>) {
        if self.of.is_none() {
            sample::release_gone(now, false);
        }
        let Sample { runtimes, mut workers } = self.sampler.sample(now, self.of);
        self.forget_replaced(&runtimes);
        let known = self.thread_polls.len();
        let mut next = 0;
        for thread in threads.states() {
            let total = thread.polls();
            while next < known && self.thread_polls[next].0 < thread.index {
                next += 1;
            }
            let of_thread = self.thread_polls[..known].get(next).filter(|(index, _)| *index == thread.index);
            let before = of_thread.map_or(0, |(_, polls)| *polls);
            self.thread_polls.push((thread.index, total));
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
        self.thread_polls.drain(..known);
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
        (runtimes, workers)
    }

    /// Keeps the newest record of each runtime, and nothing of a runtime whose number is another one's now.
    fn forget_replaced(&mut self, runtimes: &[RuntimeRecord]) {
        self.runtimes.clear();
        for runtime in runtimes {
            match self.runtimes.last_mut().filter(|before| before.id == runtime.id) {
                Some(before) => *before = runtime.clone(),
                None => self.runtimes.push(runtime.clone()),
            }
        }
        let gone = runtimes.iter().filter(|runtime| runtime.gone).map(|runtime| runtime.id);
        self.gone.extend(gone);
        for runtime in self.runtimes.iter().filter(|runtime| !runtime.gone) {
            if self.gone.remove(&runtime.id) {
                self.totals.retain(|worker, _| worker.runtime != runtime.id);
            }
        }
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
