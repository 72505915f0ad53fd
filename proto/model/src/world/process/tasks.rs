//! A process's tasks, to read: how many there are, and the rows of those that have one.

use super::Process;
use crate::entity::task::TaskRecord;
use crate::id::{RuntimeId, SiteId, TaskId};
use crate::measured::Mode;
use crate::world::tasks::{SiteRows, TaskRow};

impl Process {
    /// Tasks alive now, those without a row of their own included: by the sites' counts, or by
    /// tokio's own in sample mode. `None` if they are not counted.
    pub fn alive_tasks(&self) -> Option<u64> {
        if self.hello.mode == Mode::Sample {
            return self
                .runtimes
                .values()
                .filter_map(|runtime| runtime.record.alive_tasks)
                .reduce(u64::saturating_add);
        }
        Some(self.sums.spawned.saturating_sub(self.sums.ended))
    }

    /// Rows of tasks: alive ones and those that ended a short while ago, in no order.
    pub fn tasks(&self) -> impl Iterator<Item = TaskRow<'_>> + Clone + '_ {
        self.tasks.iter()
    }

    /// How many rows [`Process::tasks`] gives.
    pub fn task_rows(&self) -> usize {
        self.tasks.len()
    }

    /// One task's row.
    pub(crate) fn task_row(&self, id: TaskId) -> Option<TaskRow<'_>> {
        self.tasks.get(id)
    }

    /// One task's row as the record that was folded.
    pub fn task(&self, id: TaskId) -> Option<TaskRecord> {
        self.tasks.get(id).map(|row| row.record())
    }

    /// Living tasks that the task spawned.
    pub(crate) fn children_of(&self, id: TaskId) -> u64 {
        self.tasks.children(id).0.into()
    }

    /// Whether the task has living children that are not declared long-lived.
    pub(crate) fn awaits_children(&self, id: TaskId) -> bool {
        self.tasks.children(id).1 > 0
    }

    /// Living tasks that have a row and run on that runtime.
    pub(crate) fn tasks_on(&self, runtime: RuntimeId) -> u64 {
        self.tasks.on_runtime(runtime)
    }

    /// Jobs of blocking pools that have a row and wait for a thread, with the times of their spawns, the oldest first.
    pub(crate) fn waiting_jobs(&self) -> impl Iterator<Item = (u64, TaskId)> + '_ {
        self.tasks.waiting_jobs()
    }

    /// Jobs of blocking pools that have a row and a thread, with the times of their starts, the oldest first.
    pub(crate) fn running_jobs(&self) -> impl Iterator<Item = (u64, TaskId)> + '_ {
        self.tasks.running_jobs()
    }

    /// What the rows of a site's tasks tell that its counters do not.
    pub(crate) fn site_rows(&self, site: SiteId) -> SiteRows {
        self.tasks.site(site)
    }

    /// How many rows were ever told; the mark for [`Process::changed_places`].
    pub(crate) fn changes_ever(&self) -> u64 {
        self.tasks.changes_ever()
    }

    /// The places of the rows that were told after that mark, as often as they were; `None` if that
    /// is longer ago than is remembered, so that every row may be another. A row keeps its place for
    /// as long as it is there; a row that left is not told of.
    pub(crate) fn changed_places(&self, mark: u64) -> Option<impl Iterator<Item = u32> + '_> {
        self.tasks.changes_since(mark)
    }

    /// Every row with its place.
    pub fn places(&self) -> impl Iterator<Item = (u32, TaskRow<'_>)> + '_ {
        self.tasks.places()
    }

    /// The row at a place, if there still is one.
    pub fn row_at(&self, place: u32) -> Option<TaskRow<'_>> {
        self.tasks.at(place)
    }
}
