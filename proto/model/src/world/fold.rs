//! The fold: every state transition of a process. Nothing else changes what a [`World`](super::World)
//! knows.
//!
//! Totals are exact or known not to be: a delta that was folded already is dropped, one that comes
//! after a hole is counted and makes the process ask for a snapshot, and a snapshot takes effect only
//! when its last part is in; of a process's first one, which replaces nothing, the totals do with the
//! first part. Cost is that of the report, never of the world.

mod folding;
mod room;
mod snapshot;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::edges::EdgeTable;
use super::events::EventStore;
use super::limits::WorldLimits;
use super::process::{Gaps, Process, Refused, Sums, UsageTrack};
use super::ring::Ring;
use super::runtime::{RuntimeState, WorkerState};
use super::site::{Reduction, SiteState};
use super::tasks::{Insertion, TaskRow, TaskTable};
use crate::dict::Dictionary;
use crate::entity::presence::Presence;
use crate::entity::runtime::{RuntimeRecord, WorkerDelta};
use crate::entity::site::SiteDelta;
use crate::entity::slow_poll::SlowPoll;
use crate::entity::stall::Stall;
use crate::entity::stop::{MAX_STOPS, Stop};
use crate::entity::task::TaskRecord;
use crate::hello::Hello;
use crate::id::TaskId;
use crate::report::{Detail, Losses, Report};
use crate::time::SECOND;
use folding::FoldStart;
pub use folding::Folding;
pub(super) use snapshot::Staging;

/// Slow polls remembered per process for [`Process::slow_polls_since`].
const SLOW_POLLS: usize = 1_024;
/// A clock that goes back by more than this was set back: history starts anew.
const CLOCK_SET_BACK_NS: u64 = 60 * SECOND;

/// What became of a report.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Applied {
    /// Folded.
    New,
    /// Known already: nothing changed.
    Duplicate,
    /// Folded, but so many reports before it never arrived. Totals are short of them until a
    /// snapshot comes: ask for one.
    Gap {
        /// Reports missing.
        missing: u64,
    },
    /// Not or only partly folded (task rows are), because what it builds on is not known: ask for a
    /// snapshot.
    NeedsSnapshot,
    /// No greeting came before it.
    UnknownProcess,
    /// The process was forgotten: all together held more than they may, and it held most.
    Evicted,
}

impl Applied {
    /// Whether the sender should be asked for a snapshot.
    pub fn wants_snapshot(self) -> bool {
        matches!(self, Self::Gap { .. } | Self::NeedsSnapshot)
    }
}

impl Process {
    pub(super) fn new(hello: Hello, label: Arc<str>) -> Self {
        Self {
            hello,
            label,
            presence: Presence::Live,
            received_unix_ns: 0,
            gone: None,
            now_ns: 0,
            last_seq: None,
            exact: false,
            based: false,
            missed_ns: 0,
            staging: None,
            first_parts: (0, 0),
            detail: Detail::Full,
            dictionary: Dictionary::default(),
            losses: Losses::default(),
            usage: UsageTrack::default(),
            gaps: Gaps::default(),
            refused: Refused::default(),
            retired_early: 0,
            swept_ns: 0,
            sums: Sums::default(),
            tasks: TaskTable::default(),
            sites: HashMap::new(),
            site_bytes: 0,
            reduced_sites: 0,
            workers: BTreeMap::new(),
            retired: None,
            runtimes: BTreeMap::new(),
            slow_polls: VecDeque::new(),
            slow_polls_ever: 0,
            stalls: Vec::new(),
            stops: VecDeque::new(),
            edges: EdgeTable::default(),
            events: EventStore::default(),
            cover: Ring::default(),
            cover_tens: Ring::default(),
            polls: Ring::default(),
            busy: Ring::default(),
            times: Ring::default(),
            ribbon: Ring::default(),
        }
    }

    /// It says who it is, for the first time or again.
    pub(super) fn connect(&mut self, hello: Hello, now_unix_ns: u64) {
        self.hello = hello;
        self.staging = None;
        self.mark_received(now_unix_ns);
    }

    /// Its stream ended.
    pub(super) fn disconnect(&mut self, reason: &str, now_unix_ns: u64) {
        if self.presence != Presence::Gone {
            self.presence = Presence::Gone;
            self.gone = Some((now_unix_ns, reason.into()));
            self.staging = None;
        }
    }

    /// Lets time pass.
    pub(super) fn expire(
        &mut self,
        limits: &WorldLimits,
        now_unix_ns: u64,
        flagged: impl Fn(TaskId) -> bool,
    ) {
        let silent_ns = now_unix_ns.saturating_sub(self.received_unix_ns);
        let patience_ns = self.hello.interval_ns.saturating_mul(3).clamp(3 * SECOND, 60 * SECOND);
        if self.presence == Presence::Live && silent_ns > patience_ns {
            self.presence = Presence::Stale;
        }
        let sites = &self.sites;
        let flagged = |task: TaskRow<'_>| {
            let evidence = |site: &SiteState| site.slow_polls().any(|poll| poll.task == task.id());
            flagged(task.id()) || sites.get(&task.site()).is_some_and(evidence)
        };
        let most = limits.ended_tasks;
        self.retired_early +=
            self.tasks.retire(self.now_ns, limits.keep_ended_ns, limits.keep_flagged_ns, most, flagged);
        self.events.forget_before(self.now_ns.saturating_sub(limits.keep_events_ns));
        if self.detail == Detail::Top && self.now_ns >= self.swept_ns.saturating_add(SECOND) {
            self.swept_ns = self.now_ns;
            self.tasks.drop_unreported(self.now_ns.saturating_sub(limits.keep_unreported_ns));
        }
    }

    fn mark_received(&mut self, now_unix_ns: u64) {
        self.received_unix_ns = self.received_unix_ns.max(now_unix_ns);
        self.presence = Presence::Live;
        self.gone = None;
    }

    /// Takes what a delta says of the whole process. What is left are rows.
    fn begin_delta(&mut self, report: &mut Report, limits: &WorldLimits) -> FoldStart {
        self.staging = None;
        let known = self.last_seq.unwrap_or(0);
        if report.seq <= known {
            return FoldStart::Over(Applied::Duplicate);
        }
        let missing = report.first_seq.saturating_sub(known).saturating_sub(1);
        let first = self.last_seq.is_none();
        // A report that was folded over one that is known already cannot be taken apart again.
        let overlaps = !first && report.first_seq <= known;
        let applied = match (first, missing) {
            (true, 0) => {
                self.forget_first_totals(report.end_ns, limits);
                self.exact = true;
                self.based = true;
                Applied::New
            }
            (true, _) => Applied::NeedsSnapshot,
            (false, 0) if overlaps => {
                self.exact = false;
                Applied::NeedsSnapshot
            }
            (false, 0) => Applied::New,
            (false, missing) => {
                self.exact = false;
                self.gaps.count += 1;
                self.gaps.reports = self.gaps.reports.saturating_add(missing);
                self.missed_ns = self.missed_ns.saturating_add(report.start_ns.saturating_sub(self.now_ns));
                Applied::Gap { missing }
            }
        };
        self.last_seq = Some(report.seq);
        let (start_ns, end_ns) = self.advance(report.start_ns, report.end_ns);
        if overlaps {
            self.missed_ns = self.missed_ns.saturating_add(end_ns - start_ns);
        } else {
            self.cover(start_ns, end_ns, end_ns - start_ns);
        }
        self.put_dictionary(std::mem::take(&mut report.dict));
        self.losses = report.losses;
        self.usage.put(report.usage, end_ns);
        self.detail = report.detail;
        for record in std::mem::take(&mut report.runtimes) {
            self.put_runtime(record, end_ns, limits);
        }
        if !overlaps {
            for delta in std::mem::take(&mut report.workers) {
                self.add_worker(&delta, start_ns, end_ns, limits);
            }
            for edge in std::mem::take(&mut report.edges) {
                self.refused.details += u64::from(!self.edges.add(&edge, limits.edges));
            }
        }
        self.put_stalls(std::mem::take(&mut report.stalls), limits);
        self.add_stops(std::mem::take(&mut report.stops));
        for block in std::mem::take(&mut report.events) {
            self.refused.event_blocks += u64::from(!self.events.put(block, limits));
        }
        FoldStart::Delta { applied, overlaps, start_ns, end_ns }
    }

    /// Moves "now" on, and gives the interval as it can be believed. A clock that was set back makes
    /// history start anew.
    fn advance(&mut self, start_ns: u64, end_ns: u64) -> (u64, u64) {
        if end_ns.saturating_add(CLOCK_SET_BACK_NS) < self.now_ns {
            self.forget_history(end_ns);
        }
        self.now_ns = self.now_ns.max(end_ns);
        (start_ns.min(self.now_ns), self.now_ns)
    }

    fn forget_history(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        self.swept_ns = 0;
        self.tasks.set_clock(now_ns);
        self.sites.values_mut().for_each(SiteState::forget_history);
        self.weigh_sites();
        self.workers.values_mut().for_each(WorkerState::forget_history);
        self.runtimes.values_mut().for_each(RuntimeState::forget_history);
        self.events.clear();
        self.stops.clear();
        self.cover.clear();
        self.cover_tens.clear();
        self.polls.clear();
        self.busy.clear();
        self.times.clear();
        self.ribbon.clear();
    }

    fn cover(&mut self, start_ns: u64, end_ns: u64, length_ns: u64) {
        self.cover.spread(start_ns, end_ns, |cover, _| cover.touched = true);
        self.cover_tens.spread(start_ns, end_ns, |cover, _| cover.touched = true);
        for cover in [self.cover.at(end_ns), self.cover_tens.at(end_ns)] {
            cover.ended_ns = cover.ended_ns.saturating_add(length_ns);
        }
    }

    fn put_dictionary(&mut self, entries: Vec<crate::dict::DictEntry>) {
        for entry in entries {
            self.dictionary.insert(entry);
        }
    }

    fn put_runtime(&mut self, record: RuntimeRecord, end_ns: u64, limits: &WorldLimits) {
        let id = record.id;
        if record.gone {
            self.runtimes.remove(&id);
            for (_, worker) in self.workers.iter().filter(|(worker, _)| worker.runtime == id) {
                let (workers, sum) = self.retired.get_or_insert_default();
                *workers = workers.saturating_add(1);
                sum.merge(&worker.totals);
            }
            self.workers.retain(|worker, _| worker.runtime != id);
        } else if self.runtimes.len() < limits.runtimes || self.runtimes.contains_key(&id) {
            self.runtimes.entry(id).or_default().put(record, end_ns);
        } else {
            self.refused.runtimes += 1;
        }
    }

    fn add_worker(&mut self, delta: &WorkerDelta, start_ns: u64, end_ns: u64, limits: &WorldLimits) {
        if self.workers.len() >= limits.workers && !self.workers.contains_key(&delta.id) {
            self.refused.workers += 1;
            return;
        }
        self.busy.spread(start_ns, end_ns, |busy, share| busy.add(delta.busy_ns, delta.interval_ns, share));
        if let Some((_, since_ns)) = delta.polling {
            self.note_poll(end_ns.saturating_sub(since_ns), end_ns);
        }
        self.workers.entry(delta.id).or_default().add(delta, start_ns, end_ns);
    }

    fn add_site(&mut self, delta: &SiteDelta, start_ns: u64, end_ns: u64, limits: &WorldLimits) {
        let reduction = Reduction::at(self.site_bytes, limits.site_bytes);
        let full = self.sites.len() >= limits.sites || reduction >= Reduction::NoHistory;
        if full && !self.sites.contains_key(&delta.site) {
            self.refused.sites += 1;
            return;
        }
        self.sums.spawned = self.sums.spawned.saturating_add(delta.spawned);
        self.sums.ended = self.sums.ended.saturating_add(delta.all_ended());
        let polls = delta.poll.count() as f32;
        if polls > 0.0 {
            self.polls.spread(start_ns, end_ns, |point, share| *point += polls * share as f32);
            self.note_poll(delta.poll.max(), end_ns);
        }
        let times = self.times.at(end_ns);
        times.poll.merge(&delta.poll);
        times.sched.merge(&delta.sched);
        self.change_site(delta.site, reduction, |site| site.add(delta, start_ns, end_ns));
    }

    fn note_poll(&mut self, ns: u64, end_ns: u64) {
        let longest = self.ribbon.at(end_ns);
        *longest = (*longest).max(ns);
    }

    fn put_tasks(&mut self, records: impl Iterator<Item = TaskRecord>, end_ns: u64, limits: &WorldLimits) {
        for record in records {
            if let Some(open_ns) = record.current_poll_ns(end_ns) {
                self.note_poll(open_ns, end_ns);
            }
            if self.tasks.put(record, end_ns, limits.tasks) == Insertion::Refused {
                self.refused.tasks += 1;
            }
        }
        // Between two ticks the ended may outgrow their room by as much again, no more.
        if self.tasks.ended_len() > limits.ended_tasks.saturating_mul(2) {
            self.retired_early += self.tasks.evict_ended(limits.ended_tasks);
        }
    }

    fn put_slow_poll(&mut self, poll: SlowPoll, limits: &WorldLimits) {
        if !self.sites.contains_key(&poll.site) {
            return;
        }
        let reduction = Reduction::at(self.site_bytes, limits.site_bytes);
        // From a snapshot, or told again with more than was known before: its site may have let it go since.
        let known = self.slow_polls.iter_mut().rev().find(|known| known.is_same(&poll));
        let is_known = known.is_some();
        let mut before = None;
        if let Some(known) = known {
            before = Some(std::mem::replace(known, poll.clone()));
        }
        let of_library = self.dictionary.is_of_library(poll.site);
        let line = |poll: &SlowPoll| Some(self.sites.get(&poll.site)?.line_at(&self.dictionary, poll));
        let (line, before) = (line(&poll).filter(|_| of_library), before.as_ref().and_then(line));
        let take = |site: &mut SiteState| {
            let is_new = site.slow_poll(&poll, is_known);
            if let Some(line) = line.filter(|_| is_new || before.is_some()) {
                site.slow_poll_line(&poll, line, before);
            }
            is_new
        };
        if self.change_site(poll.site, reduction, take) {
            if self.slow_polls.len() >= SLOW_POLLS {
                self.slow_polls.pop_front();
            }
            self.slow_polls.push_back(poll);
            self.slow_polls_ever += 1;
        }
    }

    /// Adds those that it does not have; the oldest make room.
    fn add_stops(&mut self, stops: Vec<Stop>) {
        for stop in stops {
            if self.stops.back().is_none_or(|last| last.to_ns <= stop.from_ns) {
                self.stops.push_back(stop);
            }
        }
        let surplus = self.stops.len().saturating_sub(MAX_STOPS);
        self.stops.drain(..surplus);
    }

    fn put_stalls(&mut self, mut stalls: Vec<Stall>, limits: &WorldLimits) {
        self.refused.details += stalls.len().saturating_sub(limits.workers) as u64;
        stalls.truncate(limits.workers);
        self.stalls = stalls;
    }
}
