//! The drain of the whole process: one, of which no other thread than its owner's may call anything. It also hands out
//! single events, and keeps what a snapshot repeats.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use pollscope_model::entity::event::EventBlock;
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::stall::Stall;
use pollscope_model::entity::task::TaskRecord;
use pollscope_model::entity::usage::ProcessUsage;
use pollscope_model::id::BootId;
use pollscope_model::report::{Losses, Report};
use pollscope_recorder::clock;
use pollscope_recorder::session::Session;
use pollscope_recorder::thread::{self, Reading};
use pollscope_recorder::{Recorder, intern};

use super::{Counts, Drain, Source, Totals, flight, own};
use crate::report::sample;
use crate::setup::refusals::Refusals;
use crate::watch::usage;
use crate::watch::watchdog::{stacks, stopped};

/// Slow polls that a snapshot repeats.
const LATEST_SLOW_POLLS: usize = 64;

/// What [`Drain`] reads unless it is a session's.
pub(crate) struct WholeProcess {
    recorder: &'static Recorder,
    /// The sites and names that were said.
    pub(super) dict: intern::Mark,
    /// Stacks that were said.
    pub(super) stacks: usize,
    /// For snapshots: the latest, each as it was told last.
    pub(super) slow_polls: VecDeque<SlowPoll>,
    /// As of the last tick.
    pub(super) stalls: Vec<Stall>,
    pub(super) losses: Losses,
    pub(super) usage: ProcessUsage,
    pub(super) flights: flight::Flights,
}

impl Drain {
    /// A drain whose first tick says everything that was recorded so far.
    pub(crate) fn new(recorder: &'static Recorder, boot: BootId) -> Self {
        let source = WholeProcess {
            recorder,
            dict: intern::Mark::default(),
            stacks: 0,
            slow_polls: VecDeque::new(),
            stalls: Vec::new(),
            losses: Losses::default(),
            usage: ProcessUsage::default(),
            flights: flight::Flights::new(Instant::now(), clock::now_ns()),
        };
        Self::of(source, boot, Totals::default())
    }

    /// What changed since the last call, as the next delta.
    pub(crate) fn tick(&mut self) -> Report {
        self.report(false)
    }

    /// A reader wants single events for a while, beginning so many nanoseconds ago (0: now).
    pub(crate) fn ask_for_events(&mut self, last_ns: u64, ttl: Duration) {
        self.source.flights.ask(last_ns, ttl, Instant::now(), clock::now_ns());
    }

    /// Sets whether a reader takes the deltas. Without one they have no rows of tasks; a new reader begins
    /// with a snapshot after this.
    pub(crate) fn set_read(&self, read: bool) {
        self.reader.wants_rows(read);
    }

    /// The number of the last delta.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether single events are recorded now.
    pub(crate) fn records_events(&self) -> bool {
        self.source.flights.is_on()
    }

    /// The single events since the last call, if a reader wants them. They belong to the delta of the
    /// [`Drain::tick`] before.
    pub(crate) fn events(&mut self) -> Vec<EventBlock> {
        let mut blocks = self.source.flights.collect(&thread::read(), Instant::now(), clock::now_ns());
        own::of_events(&mut blocks);
        blocks
    }
}

impl Source for WholeProcess {
    fn session(&self) -> Option<Session> {
        None
    }

    fn begin_tick(&mut self) {
        stopped::follow_clock();
    }

    fn has_polls(&self) -> bool {
        self.recorder.wraps()
    }

    fn count(&mut self, threads: &Reading, totals: &mut Totals, _: &[TaskRecord], first: bool) -> Counts {
        let changed = threads.take_changed(first);
        let edges = totals.edges.changes(&changed, first);
        let sites = totals.sites.changes(&changed, &edges, first);
        let lost = totals.sites.lost();
        let losses = Losses {
            tasks_uncounted: lost.tasks,
            ended_rows: lost.ends,
            slow_polls: lost.slow_polls,
            threads_uncounted: thread::refused(),
            runtimes_unseen: sample::unseen(),
            connections_refused: Refusals::Connections.get(),
            viewers_refused: Refusals::Viewers.get(),
            ..Losses::default()
        };
        Counts { sites, edges, losses }
    }

    fn has_stall(&self, _: &Stall) -> bool {
        true
    }

    fn complete(&mut self, report: &mut Report) {
        own::of_all(report);
        report.usage = usage::process::of_process();
        // After everything that may refer to it.
        report.dict = intern::since(&mut self.dict);
        let (stacks, end) = stacks::entries(self.stacks, usize::MAX);
        self.stacks = end;
        report.dict.extend(stacks);
        report.losses.dict_entries = intern::refused() + stacks::refused();
        self.remember(report);
    }
}

impl WholeProcess {
    /// What a snapshot repeats of it.
    fn remember(&mut self, report: &Report) {
        for poll in &report.slow_polls {
            let same = |known: &&mut SlowPoll| known.task == poll.task && known.start_ns == poll.start_ns;
            match self.slow_polls.iter_mut().find(same) {
                Some(known) => known.clone_from(poll),
                None => self.slow_polls.push_back(poll.clone()),
            }
            if self.slow_polls.len() > LATEST_SLOW_POLLS {
                self.slow_polls.pop_front();
            }
        }
        self.stalls.clone_from(&report.stalls);
        self.losses = report.losses;
        self.usage = report.usage;
    }
}
