//! The drain: collects what the recording threads wrote and says it as reports. One at a time per
//! process, owned by the reporter thread (or by the test that stands in for it); nobody else may call it.
//!
//! Its cost grows with what changed since the last tick, not with what exists: it visits the tasks
//! that were touched and the sites whose counters moved.

mod cpu;
mod edges;
mod flight;
mod harm;
mod rows;
mod sites;
mod snapshot;
mod tasks;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use pollscope_model::entity::event::EventBlock;
use pollscope_model::entity::runtime::{RuntimeRecord, WorkerDelta};
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::stall::Stall;
use pollscope_model::id::{BootId, NameId, TaskId, WorkerId};
use pollscope_model::report::{Losses, Report};

use crate::clock;
use crate::record::thread::{self, Thread};
use crate::record::{Recorder, intern};
use crate::sample;
use crate::watchdog::{shelf, stacks};
pub(crate) use snapshot::Snapshot;

/// Slow polls that a snapshot repeats.
const LATEST_SLOW_POLLS: usize = 64;
/// Turns the recorder's totals into deltas and snapshots.
pub(crate) struct Drain {
    recorder: &'static Recorder,
    boot: BootId,
    seq: u64,
    last_ns: u64,
    tasks: tasks::Tasks,
    sites: sites::Totals,
    dict: intern::Mark,
    /// Stacks that were said.
    stacks: usize,
    runtimes: Vec<RuntimeRecord>,
    workers: HashMap<WorkerId, WorkerDelta>,
    /// Polls of each thread at the last tick, by index.
    thread_polls: Vec<u64>,
    cpu: cpu::Cpu,
    slow_polls: VecDeque<SlowPoll>,
    cases: harm::Cases,
    edges: edges::Totals,
    stalls: Vec<Stall>,
    losses: Losses,
    flights: flight::Flights,
}

impl Drain {
    /// A drain whose first tick says everything that was recorded so far.
    pub(crate) fn new(recorder: &'static Recorder, boot: BootId) -> Self {
        Self {
            recorder,
            boot,
            seq: 0,
            last_ns: clock::now_ns(),
            tasks: tasks::Tasks::new(),
            sites: sites::Totals::default(),
            dict: intern::Mark::default(),
            stacks: 0,
            runtimes: Vec::new(),
            workers: HashMap::new(),
            thread_polls: Vec::new(),
            cpu: cpu::Cpu::default(),
            slow_polls: VecDeque::new(),
            cases: harm::Cases::default(),
            edges: edges::Totals::default(),
            stalls: Vec::new(),
            losses: Losses::default(),
            flights: flight::Flights::new(Instant::now(), clock::now_ns()),
        }
    }

    /// A reader wants single events for a while, beginning so many nanoseconds ago (0: now).
    pub(crate) fn ask_for_events(&mut self, last_ns: u64, ttl: Duration) {
        self.flights.ask(last_ns, ttl, Instant::now(), clock::now_ns());
    }

    /// The number of the last delta.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether single events are recorded now.
    pub(crate) fn records_events(&self) -> bool {
        self.flights.is_on()
    }

    /// The single events since the last call, if a reader wants them. They belong to the delta of the
    /// [`Drain::tick`] before.
    pub(crate) fn events(&mut self) -> Vec<EventBlock> {
        self.flights.collect(&thread::all(), Instant::now(), clock::now_ns())
    }

    /// What changed since the last call, as the next delta.
    pub(crate) fn tick(&mut self) -> Report {
        thread::tick();
        let now = clock::now_ns();
        let threads = thread::all();
        self.seq += 1;
        let mut report = Report {
            boot: self.boot,
            first_seq: self.seq,
            seq: self.seq,
            start_ns: std::mem::replace(&mut self.last_ns, now),
            end_ns: now,
            tasks: self.tasks.changed(),
            sites: self.sites.changes(&threads, self.seq == 1),
            edges: self.edges.changes(&threads, self.seq == 1),
            ..Report::default()
        };
        self.sample(&threads, now, &mut report);
        report.slow_polls = self.cases.news(&threads, now);
        self.remember(&report.slow_polls);
        report.stalls = shelf::stalls();
        // After everything that may refer to it.
        report.dict = intern::since(&mut self.dict);
        let (stacks, end) = stacks::entries(self.stacks, usize::MAX);
        self.stacks = end;
        report.dict.extend(stacks);
        self.losses.tasks_uncounted = threads.iter().map(|thread| thread.uncounted.get()).sum();
        self.losses.ended_rows =
            self.tasks.ends_unsaid + threads.iter().map(|thread| thread.ends_unsaid.get()).sum::<u64>();
        self.losses.slow_polls = threads.iter().map(|thread| thread.evidence.lost.get()).sum();
        self.losses.dict_entries = intern::refused() + stacks::refused();
        self.stalls.clone_from(&report.stalls);
        report.losses = self.losses;
        report
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
            if wraps {
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

#[cfg(test)]
mod tests;
