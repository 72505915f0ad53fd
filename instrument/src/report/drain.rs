//! The drain: collects what the recording threads wrote and says it as reports.
//!
//! What it reads is its [`Source`]: the whole process ([`process`]), owned by the reporter thread (or by the test that
//! stands in for it), or one session that keeps books of its own ([`session`]), on any thread. Here is what both have
//! in common, and the one place where a report is put together; no other room reads the recorder's totals.
//!
//! Its cost grows with what changed since the last tick, not with what exists: it visits the tasks
//! that were touched, and of the threads that counted something the sites whose counters moved.

mod cpu;
mod edges;
mod flight;
mod harm;
pub(crate) mod intake;
mod own;
pub(crate) mod process;
mod rows;
#[cfg(any(feature = "check", test))]
pub(crate) mod session;
mod sites;
pub(crate) mod snapshot;
mod tasks;
mod workers;

use pollscope_model::entity::edge::WakeEdge;
use pollscope_model::entity::site::SiteDelta;
use pollscope_model::entity::stall::Stall;
use pollscope_model::entity::task::TaskRecord;
use pollscope_model::id::BootId;
use pollscope_model::report::{Losses, Report};
use pollscope_recorder::clock;
use pollscope_recorder::session::Session;
use pollscope_recorder::thread::{self, Reading};

use crate::watch::watchdog::{looks, stopped};
use process::WholeProcess;

/// Turns the recorder's totals into deltas, and those of the whole process into snapshots too.
pub(crate) struct Drain<S = WholeProcess> {
    source: S,
    boot: BootId,
    seq: u64,
    last_ns: u64,
    reader: intake::Subscription,
    totals: Totals,
    workers: workers::Workers,
    /// The end of the last stop that was told.
    stops_told_ns: u64,
}

/// What was said of sites and edges so far.
#[derive(Default)]
pub(crate) struct Totals {
    sites: sites::Totals,
    edges: edges::Totals,
}

/// What the counters of sites and edges say since the last tick.
pub(crate) struct Counts {
    sites: Vec<SiteDelta>,
    edges: Vec<WakeEdge>,
    /// Since the drain began, without what was lost on the way to it.
    losses: Losses,
}

/// Which part of the process a drain reads.
pub(crate) trait Source {
    /// The session; `None`: everything.
    fn session(&self) -> Option<Session>;

    /// Called before anything is taken.
    fn begin_tick(&mut self);

    /// Whether polls are recorded at all.
    fn has_polls(&self) -> bool;

    /// What changed in the counters. `first`: everything that they have; `tasks`: the rows that are told.
    fn count(&mut self, threads: &Reading, totals: &mut Totals, tasks: &[TaskRecord], first: bool) -> Counts;

    /// Whether an open poll is the source's.
    fn has_stall(&self, stall: &Stall) -> bool;

    /// Adds the entries of the dictionary that the report refers to and its reader does not have. Called last.
    fn complete(&mut self, report: &mut Report);
}

impl<S: Source> Drain<S> {
    fn of(source: S, boot: BootId, totals: Totals) -> Self {
        let session = source.session();
        Self {
            source,
            boot,
            seq: 0,
            last_ns: clock::now_ns(),
            reader: intake::Subscription::begin(session),
            totals,
            workers: workers::Workers::new(session),
            stops_told_ns: clock::now_ns(),
        }
    }

    /// What changed since the last call, as the next delta. The `last` one waits for nothing that comes later.
    fn report(&mut self, last: bool) -> Report {
        self.source.begin_tick();
        let now = clock::now_ns();
        let taken = self.reader.take(now, last);
        let threads = thread::read();
        let (runtimes, workers) = self.workers.tick(&threads, now, self.source.has_polls());
        self.seq += 1;
        let counts = self.source.count(&threads, &mut self.totals, &taken.tasks, self.seq == 1);
        let mut report = Report {
            boot: self.boot,
            first_seq: self.seq,
            seq: self.seq,
            start_ns: std::mem::replace(&mut self.last_ns, now),
            end_ns: now,
            tasks: taken.tasks,
            sites: counts.sites,
            edges: counts.edges,
            runtimes,
            workers,
            slow_polls: taken.slow_polls,
            stalls: looks::stalls().into_iter().filter(|stall| self.source.has_stall(stall)).collect(),
            stops: stopped::since(&mut self.stops_told_ns),
            losses: Losses {
                ended_rows: counts.losses.ended_rows + taken.ends_unsaid,
                slow_polls: counts.losses.slow_polls + taken.slow_polls_lost,
                ..counts.losses
            },
            ..Report::default()
        };
        self.source.complete(&mut report);
        report
    }
}

#[cfg(test)]
mod tests;
