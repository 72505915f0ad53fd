//! The drain: collects what the recording threads wrote and says it as reports. There is one of the whole
//! process, owned by the reporter thread (or by the test that stands in for it); no other thread may call it.
//! A session that keeps its own books has a [`ledger`](ledger::Ledger) beside it.
//!
//! Its cost grows with what changed since the last tick, not with what exists: it visits the tasks
//! that were touched, and of the threads that counted something the sites whose counters moved.

mod cpu;
mod edges;
mod flight;
mod harm;
pub(crate) mod intake;
#[cfg(any(feature = "check", test))]
pub(crate) mod ledger;
mod own;
mod rows;
mod sites;
mod snapshot;
mod tasks;
mod workers;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use pollscope_model::entity::event::EventBlock;
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::stall::Stall;
use pollscope_model::id::BootId;
use pollscope_model::report::{Losses, Report};
use pollscope_recorder::clock;
use pollscope_recorder::thread;
use pollscope_recorder::{Recorder, intern};

use crate::refusals::Refusals;
use crate::sample;
use crate::watchdog::{shelf, stacks, stopped};
pub(crate) use snapshot::Snapshot;

/// Slow polls that a snapshot repeats.
const LATEST_SLOW_POLLS: usize = 64;
/// Turns the recorder's totals into deltas and snapshots.
pub(crate) struct Drain {
    recorder: &'static Recorder,
    boot: BootId,
    seq: u64,
    last_ns: u64,
    reader: intake::Reader,
    sites: sites::Totals,
    dict: intern::Mark,
    /// Stacks that were said.
    stacks: usize,
    workers: workers::Workers,
    slow_polls: VecDeque<SlowPoll>,
    edges: edges::Totals,
    stalls: Vec<Stall>,
    /// The end of the last stop that was told.
    stops_told_ns: u64,
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
            reader: intake::Reader::begin(None),
            sites: sites::Totals::default(),
            dict: intern::Mark::default(),
            stacks: 0,
            workers: workers::Workers::new(None),
            slow_polls: VecDeque::new(),
            edges: edges::Totals::default(),
            stalls: Vec::new(),
            stops_told_ns: clock::now_ns(),
            losses: Losses::default(),
            flights: flight::Flights::new(Instant::now(), clock::now_ns()),
        }
    }

    /// A reader wants single events for a while, beginning so many nanoseconds ago (0: now).
    pub(crate) fn ask_for_events(&mut self, last_ns: u64, ttl: Duration) {
        self.flights.ask(last_ns, ttl, Instant::now(), clock::now_ns());
    }

    /// Sets whether a reader takes the deltas. Without one they have no rows of tasks; a new reader begins
    /// with a snapshot after this.
    pub(crate) fn is_read(&self, read: bool) {
        self.reader.wants_rows(read);
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
        let mut blocks = self.flights.collect(&thread::read(), Instant::now(), clock::now_ns());
        own::of_events(&mut blocks);
        blocks
    }

    /// What changed since the last call, as the next delta.
    pub(crate) fn tick(&mut self) -> Report {
        stopped::follow_clock();
        let now = clock::now_ns();
        let taken = self.reader.take(now, false);
        let threads = thread::read();
        let (runtimes, workers) = self.workers.tick(&threads, now, self.recorder.wraps());
        self.seq += 1;
        let first = self.seq == 1;
        let changed = threads.take_changed(first);
        let edges = self.edges.changes(&changed, first);
        let mut report = Report {
            boot: self.boot,
            first_seq: self.seq,
            seq: self.seq,
            start_ns: std::mem::replace(&mut self.last_ns, now),
            end_ns: now,
            tasks: taken.tasks,
            sites: self.sites.changes(&changed, &edges, first),
            edges,
            runtimes,
            workers,
            slow_polls: taken.slow_polls,
            stalls: shelf::stalls(),
            stops: stopped::since(&mut self.stops_told_ns),
            ..Report::default()
        };
        own::of_all(&mut report);
        self.remember(&report.slow_polls);
        // After everything that may refer to it.
        report.dict = intern::since(&mut self.dict);
        let (stacks, end) = stacks::entries(self.stacks, usize::MAX);
        self.stacks = end;
        report.dict.extend(stacks);
        let lost = self.sites.lost();
        self.losses.tasks_uncounted = lost.tasks;
        self.losses.ended_rows = taken.ends_unsaid + lost.ends;
        self.losses.slow_polls = taken.slow_polls_lost + lost.slow_polls;
        self.losses.threads_uncounted = thread::refused();
        self.losses.dict_entries = intern::refused() + stacks::refused();
        self.losses.runtimes_unseen = sample::unseen();
        self.losses.connections_refused = Refusals::Connections.get();
        self.losses.viewers_refused = Refusals::Viewers.get();
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
}

#[cfg(test)]
mod tests;
