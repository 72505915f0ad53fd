//! What a process consists of beside its tasks, to read: sites, workers, runtimes, slow polls, who wakes
//! whom, single events.

use super::Process;
use crate::entity::edge::Waker;
use crate::entity::runtime::WorkerDelta;
use crate::entity::slow_poll::SlowPoll;
use crate::entity::stall::Stall;
use crate::entity::stop::{Stop, stopped_ns};
use crate::id::{RuntimeId, SiteId, WorkerId};
use crate::world::events::EventTrack;
use crate::world::runtime::{RuntimeView, WorkerView};
use crate::world::site::SiteView;

impl Process {
    /// Every site, in no order.
    pub fn sites(&self) -> impl Iterator<Item = SiteView<'_>> + '_ {
        self.sites.values().map(|state| SiteView { process: self, state })
    }

    /// One site.
    pub fn site(&self, id: SiteId) -> Option<SiteView<'_>> {
        self.sites.get(&id).map(|state| SiteView { process: self, state })
    }

    /// Every worker, by runtime and index.
    pub fn workers(&self) -> impl Iterator<Item = WorkerView<'_>> + '_ {
        self.workers.values().map(|state| WorkerView { state, now_ns: self.now_ns })
    }

    /// One worker.
    pub fn worker(&self, id: WorkerId) -> Option<WorkerView<'_>> {
        self.workers.get(&id).map(|state| WorkerView { state, now_ns: self.now_ns })
    }

    /// How many workers there were since the process started, those of runtimes that are shut down
    /// included, and what all of them did; `None` if none was told of.
    pub fn work(&self) -> Option<(u32, WorkerDelta)> {
        let mut work = self.retired.clone();
        for worker in self.workers.values() {
            let (workers, sum) = work.get_or_insert_default();
            *workers = workers.saturating_add(1);
            sum.merge(&worker.totals);
        }
        work
    }

    /// Every runtime that is not shut down, by number.
    pub fn runtimes(&self) -> impl Iterator<Item = RuntimeView<'_>> + '_ {
        self.runtimes.values().map(|state| RuntimeView { state, now_ns: self.now_ns })
    }

    /// One runtime.
    pub fn runtime(&self, id: RuntimeId) -> Option<RuntimeView<'_>> {
        self.runtimes.get(&id).map(|state| RuntimeView { state, now_ns: self.now_ns })
    }

    /// How many slow polls were ever told; the mark for [`Process::slow_polls_since`].
    pub(crate) fn slow_polls_ever(&self) -> u64 {
        self.slow_polls_ever
    }

    /// The slow polls told after that mark, oldest first, as far as they are remembered (the newest
    /// 1,024 of the process).
    pub(crate) fn slow_polls_since(&self, mark: u64) -> impl Iterator<Item = &SlowPoll> + '_ {
        let fresh = self.slow_polls_ever.saturating_sub(mark).min(self.slow_polls.len() as u64) as usize;
        self.slow_polls.range(self.slow_polls.len() - fresh..)
    }

    /// Polls above the process's limit that were open at the end of its newest report.
    pub fn stalls(&self) -> &[Stall] {
        &self.stalls
    }

    /// The latest times in which the whole process was stopped, oldest first.
    pub fn stops(&self) -> impl Iterator<Item = &Stop> + '_ {
        self.stops.iter()
    }

    /// How much of the time between two times on its clock the whole process was stopped, as far as it is
    /// remembered.
    pub fn stopped_ns(&self, from_ns: u64, to_ns: u64) -> u64 {
        stopped_ns(&self.stops, from_ns, to_ns)
    }

    /// The open poll above the limit that holds a worker, the longest if it says several.
    pub fn stall_of(&self, worker: WorkerId) -> Option<&Stall> {
        self.stalls.iter().filter(|stall| stall.worker == Some(worker)).min_by_key(|stall| stall.since_ns)
    }

    /// Who wakes the site's tasks, and how often they did since the process started, in no order.
    pub(crate) fn wakers_of(&self, site: SiteId) -> impl Iterator<Item = (Waker, u64)> + '_ {
        self.edges.to(site)
    }

    /// Single polls and wakes by recording thread, as far as they were asked for and are
    /// remembered.
    pub fn tracks(&self) -> impl Iterator<Item = &EventTrack> + '_ {
        self.events.tracks()
    }

    /// Single events that were overwritten, or left out on the way, before they came here.
    pub fn missed_events(&self) -> u64 {
        self.events.missed()
    }
}
