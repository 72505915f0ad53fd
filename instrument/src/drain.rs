//! The drain: collects what the recording threads wrote and says it as reports. One at a time per
//! process, owned by the reporter thread (or by the test that stands in for it); nobody else may call it.
//!
//! Its cost grows with what changed since the last tick, not with what exists: it visits the tasks
//! that were touched and the sites whose counters moved.

mod cpu;
mod edges;
mod harm;
mod rows;
mod sites;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use pollscope_model::entity::runtime::{RuntimeRecord, WorkerDelta};
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::task::TaskRecord;
use pollscope_model::id::{BootId, NameId, TaskId, WorkerId};
use pollscope_model::report::{Losses, Report, ReportKind};

use crate::clock;
use crate::record::task::TaskState;
use crate::record::thread::{self, Thread};
use crate::record::{Recorder, intern};
use crate::sample;

/// Rows of ended tasks in one delta; more are counted as lost (their sites still count them).
const MAX_ENDED_ROWS: usize = 100_000;
/// Slow polls that a snapshot repeats.
const LATEST_SLOW_POLLS: usize = 64;
/// In a task's place: its end was said.
const SAID: u32 = u32::MAX;

/// Live tasks that the last drain knew, for the next one.
static LEFT: Mutex<Vec<Arc<TaskState>>> = Mutex::new(Vec::new());

/// Turns the recorder's totals into deltas and snapshots.
pub(crate) struct Drain {
    recorder: &'static Recorder,
    boot: BootId,
    seq: u64,
    last_ns: u64,
    live: Vec<Arc<TaskState>>,
    /// Taken at the last tick, and looked at once more: see [`TaskState::touch`].
    again: Vec<Arc<TaskState>>,
    sites: sites::Totals,
    dict: intern::Mark,
    runtimes: Vec<RuntimeRecord>,
    workers: HashMap<WorkerId, WorkerDelta>,
    /// Polls of each thread at the last tick, by index.
    thread_polls: Vec<u64>,
    cpu: cpu::Cpu,
    slow_polls: VecDeque<SlowPoll>,
    cases: harm::Cases,
    edges: edges::Totals,
    losses: Losses,
}

impl Drain {
    /// A drain whose first tick says everything that was recorded so far.
    pub(crate) fn new(recorder: &'static Recorder, boot: BootId) -> Self {
        let live = std::mem::take(&mut *LEFT.lock().unwrap_or_else(PoisonError::into_inner));
        for state in &live {
            state.drained.said.set(0);
        }
        Self {
            recorder,
            boot,
            seq: 0,
            last_ns: clock::now_ns(),
            again: live.clone(),
            live,
            sites: sites::Totals::default(),
            dict: intern::Mark::default(),
            runtimes: Vec::new(),
            workers: HashMap::new(),
            thread_polls: Vec::new(),
            cpu: cpu::Cpu::default(),
            slow_polls: VecDeque::new(),
            cases: harm::Cases::default(),
            edges: edges::Totals::default(),
            losses: Losses::default(),
        }
    }

    /// What changed since the last call, as the next delta.
    pub(crate) fn tick(&mut self) -> Report {
        let now = clock::now_ns();
        let threads = thread::all();
        self.seq += 1;
        let mut report = Report {
            boot: self.boot,
            first_seq: self.seq,
            seq: self.seq,
            start_ns: std::mem::replace(&mut self.last_ns, now),
            end_ns: now,
            tasks: self.changed_tasks(&threads),
            sites: self.sites.changes(&threads, self.seq == 1),
            edges: self.edges.changes(&threads, self.seq == 1),
            ..Report::default()
        };
        self.sample(&threads, now, &mut report);
        report.slow_polls = self.cases.news(&threads, now);
        self.remember(&report.slow_polls);
        // After everything that may refer to it.
        report.dict = intern::since(&mut self.dict);
        self.losses.tasks_uncounted = threads.iter().map(|thread| thread.uncounted.get()).sum();
        self.losses.slow_polls = threads.iter().map(|thread| thread.evidence.lost.get()).sum();
        self.losses.dict_entries = intern::refused();
        report.losses = self.losses;
        report
    }

    /// The whole state, totals since the start, with the last tick's sequence number; each part has
    /// at most `max_tasks` task rows. There is always at least one part.
    pub(crate) fn snapshot(&mut self, max_tasks: usize) -> Vec<Report> {
        let max_tasks = max_tasks.max(1);
        let parts = self.live.len().div_ceil(max_tasks).max(1);
        let mut reports: Vec<Report> = (0..parts)
            .map(|part| Report {
                boot: self.boot,
                kind: ReportKind::Snapshot { part: part as u32, parts: parts as u32 },
                first_seq: self.seq,
                seq: self.seq,
                end_ns: self.last_ns,
                tasks: self
                    .live
                    .iter()
                    .skip(part * max_tasks)
                    .take(max_tasks)
                    .map(|state| rows::row(state))
                    .collect(),
                losses: self.losses,
                ..Report::default()
            })
            .collect();
        let first = &mut reports[0];
        first.dict = intern::until(self.dict);
        first.runtimes.clone_from(&self.runtimes);
        first.workers = self.workers.values().cloned().collect();
        first.workers.sort_by_key(|worker| worker.id);
        first.sites = self.sites.all();
        first.edges = self.edges.all();
        first.slow_polls = self.slow_polls.iter().cloned().collect();
        reports
    }

    /// For snapshots: the latest, each as it was told last.
    fn remember(&mut self, told: &[SlowPoll]) {
        for poll in told {
            let same = |known: &&mut SlowPoll| known.task == poll.task && known.start_ns == poll.start_ns;
            match self.slow_polls.iter_mut().find(same) {
                Some(known) => known.clone_from(poll),
                None => self.slow_polls.push_back(poll.clone()),
            }
            if self.slow_polls.len() > LATEST_SLOW_POLLS {
                self.slow_polls.pop_front();
            }
        }
    }

    fn changed_tasks(&mut self, threads: &[&'static Thread]) -> Vec<TaskRecord> {
        let before = std::mem::take(&mut self.again);
        let (mut rows, mut ended) = (Vec::new(), 0);
        for thread in threads {
            for state in thread.touched.take() {
                state.untouch();
                self.visit(&state, &mut rows, &mut ended);
                if state.drained.place.load(Ordering::Relaxed) != SAID {
                    self.again.push(state);
                }
            }
        }
        for state in before {
            self.visit(&state, &mut rows, &mut ended);
        }
        rows
    }

    fn visit(&mut self, state: &Arc<TaskState>, rows: &mut Vec<TaskRecord>, ended: &mut usize) {
        let place = &state.drained.place;
        if place.load(Ordering::Relaxed) == SAID {
            // Its end was said. Only what became of its handle may follow.
            let fate = state.fate();
            if state.drained.said.get() != fate {
                state.drained.said.set(fate);
                rows.push(rows::row(state));
            }
            return;
        }
        let fingerprint = state.fingerprint();
        if state.drained.said.get() == fingerprint {
            return;
        }
        state.drained.said.set(fingerprint);
        let fate = state.fate();
        let row = rows::row(state);
        match (row.state.is_ended(), place.load(Ordering::Relaxed)) {
            (true, at) => {
                state.drained.said.set(fate);
                place.store(SAID, Ordering::Relaxed);
                self.forget(at);
                *ended += 1;
                if *ended > MAX_ENDED_ROWS {
                    self.losses.ended_rows += 1;
                    return;
                }
            }
            (false, 0) => {
                self.live.push(Arc::clone(state));
                place.store(self.live.len() as u32, Ordering::Relaxed);
            }
            (false, _) => {}
        }
        rows.push(row);
    }

    /// Takes the task at a place (0: none) out of the list.
    fn forget(&mut self, place: u32) {
        let Some(index) = (place as usize).checked_sub(1) else { return };
        if index < self.live.len() {
            self.live.swap_remove(index);
            if let Some(moved) = self.live.get(index) {
                moved.drained.place.store(place, Ordering::Relaxed);
            }
        }
    }

    /// Runtimes and workers, with what our threads know of them.
    fn sample(&mut self, threads: &[&'static Thread], now: u64, report: &mut Report) {
        let sample::Sample { runtimes, mut workers } = sample::sample(now);
        let wraps = self.recorder.wraps();
        self.thread_polls.resize(threads.len(), 0);
        for (thread, last) in threads.iter().zip(&mut self.thread_polls) {
            let total = thread.polls.get();
            let polls = total - std::mem::replace(last, total);
            let (Some(runtime), Some(index)) = thread.place() else { continue };
            let Some(worker) = workers.iter_mut().find(|w| w.id.runtime.0 == runtime && w.id.index == index)
            else {
                continue;
            };
            worker.polls = Some(worker.polls.unwrap_or(0) + polls);
            let polling = thread.polling().map(|open| (TaskId(open.task), open.since_ns));
            if worker.tid.is_none() || polling.is_some() {
                worker.thread = NameId(thread.name());
                worker.tid = thread.tid();
                worker.polling = polling;
            }
        }
        self.cpu.fill(&mut workers);
        for worker in &mut workers {
            if wraps && worker.polls.is_none() {
                worker.polls = Some(0);
            }
            self.workers
                .entry(worker.id)
                .and_modify(|total| total.merge(worker))
                .or_insert_with(|| worker.clone());
        }
        self.runtimes.clone_from(&runtimes);
        report.runtimes = runtimes;
        report.workers = workers;
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        // The tasks stay registered for a drain that may come.
        LEFT.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.live);
    }
}

#[cfg(test)]
mod tests;
