//! The report: everything that one process says about one interval. The only thing that flows from
//! ears to eyes, and the only thing that a [`World`](crate::world::World) folds.
//!
//! Sites, workers and wake edges are additive, stalls are the newest list, task rows are cumulative and replace each other. So two reports
//! that could not be sent fold into one ([`Report::fold`]) with exact totals and coarser time.

use crate::dict::DictEntry;
use crate::entity::edge::WakeEdge;
use crate::entity::event::EventBlock;
use crate::entity::runtime::{RuntimeRecord, WorkerDelta};
use crate::entity::site::SiteDelta;
use crate::entity::slow_poll::SlowPoll;
use crate::entity::stall::Stall;
use crate::entity::stop::{MAX_STOPS, Stop};
use crate::entity::task::TaskRecord;
use crate::entity::usage::ProcessUsage;
use crate::id::BootId;

/// Whether a report adds to what came before or replaces it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReportKind {
    /// What changed since the report before.
    #[default]
    Delta,
    /// Part of the whole state, totals since the process started. The first part (`part == 0`)
    /// replaces what is known of the process, the others add to it; after the last
    /// (`part + 1 == parts`) deltas follow.
    Snapshot {
        /// Index of this part, from 0.
        part: u32,
        /// Number of parts.
        parts: u32,
    },
}

impl ReportKind {
    /// Whether the state is whole after it: a delta, or the last part of a snapshot.
    pub fn is_last_part(self) -> bool {
        match self {
            Self::Delta => true,
            Self::Snapshot { part, parts } => part.saturating_add(1) >= parts,
        }
    }
}

/// How much of the tasks the report carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Detail {
    /// Every task that changed.
    #[default]
    Full,
    /// Only the tasks that stand out (busiest, or in a state that a rule may judge); the rest is
    /// counted in the sites. A sender of these reports the end of every task that it reported since the
    /// last snapshot, as far as it can remember them.
    Top,
}

/// What could not be kept or sent, counted since the process started. The newest replaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Losses {
    /// Tasks that got no record of their own because the cap was reached; counted per site still.
    pub tasks_uncounted: u64,
    /// Slow polls whose evidence found no room; counted per site still.
    pub slow_polls: u64,
    /// Ended tasks whose last row found no room.
    pub ended_rows: u64,
    /// Sites, names or stacks over the dictionary's limit.
    pub dict_entries: u64,
    /// Reports that were folded into a later one because the peer was slow or away: time became
    /// coarser, no total was lost.
    pub reports_folded: u64,
    /// Runtimes that were to be observed while too many others were: their workers and queues are in no list.
    pub runtimes_unseen: u64,
    /// Threads that began while too many others were recorded: their polls, wakes and spawns are in no total.
    pub threads_uncounted: u64,
    /// Connections that the service's door closed or did not accept. Nothing that was recorded is missing for it.
    pub connections_refused: u64,
    /// Viewers that the service's door refused: too many, or too many in a second. Likewise.
    pub viewers_refused: u64,
}

impl Losses {
    /// All that is really missing (folded reports and what the door refused are not).
    pub fn total(&self) -> u64 {
        self.tasks_uncounted
            .saturating_add(self.slow_polls)
            .saturating_add(self.ended_rows)
            .saturating_add(self.dict_entries)
            .saturating_add(self.runtimes_unseen)
            .saturating_add(self.threads_uncounted)
    }
}

/// One interval of one process.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// The incarnation that speaks.
    pub boot: BootId,
    /// Delta or part of a snapshot.
    pub kind: ReportKind,
    /// First sequence number that this report covers; below `seq` when reports were folded. The first
    /// delta of a process is number 1, so that 0 stands for "nothing yet".
    pub first_seq: u64,
    /// Sequence number of the report; the next delta is `seq + 1`. All parts of a snapshot carry the
    /// number of the last report that the snapshot includes.
    pub seq: u64,
    /// Start of the interval on the process's clock.
    pub start_ns: u64,
    /// End of the interval on the process's clock: the "now" of everything below.
    pub end_ns: u64,
    /// How much of the tasks is here.
    pub detail: Detail,
    /// Dictionary entries that are used here for the first time (in a snapshot: all).
    pub dict: Vec<DictEntry>,
    /// State of the runtimes.
    pub runtimes: Vec<RuntimeRecord>,
    /// The workers' interval.
    pub workers: Vec<WorkerDelta>,
    /// Every site that changed.
    pub sites: Vec<SiteDelta>,
    /// Tasks that changed, ended ones included.
    pub tasks: Vec<TaskRecord>,
    /// Slow polls that ended in the interval (in a snapshot: the latest few).
    pub slow_polls: Vec<SlowPoll>,
    /// Polls above the limit that are open at the end of the interval: all of them, so that the list
    /// replaces the one before (in a snapshot: in the first part).
    pub stalls: Vec<Stall>,
    /// Times in which the whole process was stopped, that ended since the report before (in a snapshot: the latest
    /// few).
    pub stops: Vec<Stop>,
    /// Who woke whom in the interval (in a snapshot: since the process started).
    pub edges: Vec<WakeEdge>,
    /// Single polls and wakes, for a reader that asked for them (never in a snapshot).
    pub events: Vec<EventBlock>,
    /// What is missing.
    pub losses: Losses,
    /// What the whole process has of its system.
    pub usage: ProcessUsage,
}

/// The most slow polls that a folded report keeps: the longest stay.
pub(crate) const MAX_FOLDED_SLOW_POLLS: usize = 256;
/// The most single events that a folded report keeps: the newest stay, and their numbers tell the
/// reader how many it missed.
pub const MAX_FOLDED_EVENTS: usize = 131_072;

impl Report {
    /// Folds the next delta into this one, so that a sender that cannot send keeps exact totals in
    /// bounded room: a task keeps one row, a site one delta, slow polls the longest
    /// `MAX_FOLDED_SLOW_POLLS`, single events the newest [`MAX_FOLDED_EVENTS`].
    ///
    /// `later` must be the delta that follows: `later.first_seq == self.seq + 1`.
    pub fn fold(&mut self, later: Report) {
        self.seq = later.seq;
        self.end_ns = later.end_ns;
        self.detail = later.detail;
        self.dict.extend(later.dict);
        replace_by(&mut self.runtimes, later.runtimes, |runtime| runtime.id, |old, new| *old = new);
        replace_by(&mut self.workers, later.workers, |worker| worker.id, |old, new| old.merge(&new));
        replace_by(&mut self.sites, later.sites, |site| site.site, |old, new| old.merge(&new));
        replace_by(&mut self.tasks, later.tasks, |task| task.id, |old, new| *old = new);
        self.slow_polls.extend(later.slow_polls);
        if self.slow_polls.len() > MAX_FOLDED_SLOW_POLLS {
            self.slow_polls.sort_by_key(|poll| std::cmp::Reverse(poll.wall_ns));
            self.slow_polls.truncate(MAX_FOLDED_SLOW_POLLS);
        }
        self.stalls = later.stalls;
        self.stops.extend(later.stops);
        let surplus = self.stops.len().saturating_sub(MAX_STOPS);
        self.stops.drain(..surplus);
        replace_by(&mut self.edges, later.edges, WakeEdge::key, |old, new| {
            old.count = old.count.saturating_add(new.count);
        });
        self.fold_events(later.events);
        self.losses = later.losses;
        self.usage = later.usage;
    }

    /// Bytes that the report holds, its own included, to within what an allocator adds.
    ///
    /// Cost: a pass over dictionary, sites and blocks of events.
    pub fn held_bytes(&self) -> usize {
        fn room<T>(list: &Vec<T>) -> usize {
            list.capacity() * size_of::<T>()
        }
        let lists = room(&self.dict)
            + room(&self.runtimes)
            + room(&self.workers)
            + room(&self.sites)
            + room(&self.tasks)
            + room(&self.slow_polls)
            + room(&self.stalls)
            + room(&self.stops)
            + room(&self.edges)
            + room(&self.events);
        let entries: usize = self.dict.iter().map(DictEntry::heap_bytes).sum();
        let hists: usize = self.sites.iter().map(SiteDelta::heap_bytes).sum();
        let events: usize = self.events.iter().map(|block| room(&block.events)).sum();
        size_of::<Self>() + lists + entries + hists + events
    }

    fn fold_events(&mut self, later: Vec<EventBlock>) {
        self.events.extend(later);
        let mut surplus = self
            .events
            .iter()
            .map(|block| block.events.len())
            .sum::<usize>()
            .saturating_sub(MAX_FOLDED_EVENTS);
        self.events.retain(|block| {
            let keep = surplus == 0;
            surplus = surplus.saturating_sub(block.events.len());
            keep
        });
    }
}

/// Puts each of `new` over the entry of `old` with the same key, or appends it.
fn replace_by<T, K: std::hash::Hash + Eq>(
    old: &mut Vec<T>,
    new: Vec<T>,
    key: impl Fn(&T) -> K,
    put: impl Fn(&mut T, T),
) {
    let mut places: std::collections::HashMap<K, usize> =
        old.iter().enumerate().map(|(index, item)| (key(item), index)).collect();
    for item in new {
        match places.entry(key(&item)) {
            std::collections::hash_map::Entry::Occupied(place) => put(&mut old[*place.get()], item),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(old.len());
                old.push(item);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::edge::Waker;
    use crate::id::{SiteId, TaskId};

    #[test]
    fn folding_keeps_exact_totals_and_the_newest_row() {
        let site = |polls| SiteDelta { site: SiteId(1), spawned: polls, ..SiteDelta::default() };
        let task = |polls| TaskRecord { id: TaskId(9), polls, ..TaskRecord::default() };
        let edge = |count| WakeEdge { from: Waker::Runtime, to: SiteId(1), count };
        let mut first = Report {
            first_seq: 4,
            seq: 4,
            sites: vec![site(2)],
            tasks: vec![task(5)],
            edges: vec![edge(2)],
            stalls: vec![Stall::default()],
            ..Report::default()
        };
        first.fold(Report {
            first_seq: 5,
            seq: 5,
            end_ns: 10,
            sites: vec![site(3)],
            tasks: vec![task(8), TaskRecord { id: TaskId(10), ..TaskRecord::default() }],
            edges: vec![edge(3)],
            ..Report::default()
        });
        assert_eq!((first.first_seq, first.seq, first.end_ns), (4, 5, 10));
        assert_eq!(first.sites, vec![site(5)]);
        assert_eq!(first.tasks.iter().map(|t| t.polls).collect::<Vec<_>>(), vec![8, 0]);
        assert_eq!(first.edges, vec![edge(5)]);
        assert!(first.stalls.is_empty(), "the newest list says that none is open");
    }
}
