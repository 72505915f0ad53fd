//! What is counted over all rows while they come, change and go, so that no question walks them for
//! it. Only the table writes to it.

use std::collections::HashMap;

use hashbrown::DefaultHashBuilder;

use super::jobs::{Job, Jobs};
use super::row::TaskRow;
use crate::entity::task::TaskKind;
use crate::id::{NameId, RuntimeId, SiteId, TaskId};

/// What the rows of a site's tasks tell that its counters do not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct SiteRows {
    /// What is spawned there.
    pub kind: Option<TaskKind>,
    /// The runtime that one of them ran on last, as far as that is known.
    pub runtime: Option<RuntimeId>,
    /// The first name that was seen there.
    pub name: NameId,
    /// Living tasks that are declared long-lived.
    pub long_lived: u64,
}

/// Living tasks that one task spawned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Children {
    pub(super) living: u32,
    /// Of these, not declared long-lived.
    pub(super) short_lived: u32,
}

/// A row's share in the counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RowShare {
    living: bool,
    long_lived: bool,
    site: SiteId,
    parent: Option<TaskId>,
    runtime: Option<RuntimeId>,
    job: Option<Job>,
}

impl RowShare {
    pub(super) fn of(row: TaskRow<'_>) -> Self {
        Self {
            living: !row.state().is_ended(),
            long_lived: row.long_lived(),
            site: row.site(),
            parent: row.parent(),
            runtime: row.runtime(),
            job: Job::of(row),
        }
    }
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct TaskCounts {
    sites: HashMap<SiteId, SiteRows, DefaultHashBuilder>,
    children: HashMap<TaskId, Children, DefaultHashBuilder>,
    runtimes: HashMap<RuntimeId, u64, DefaultHashBuilder>,
    jobs: Jobs,
}

impl TaskCounts {
    pub(super) fn site(&self, site: SiteId) -> SiteRows {
        self.sites.get(&site).copied().unwrap_or_default()
    }

    pub(super) fn children(&self, task: TaskId) -> Children {
        self.children.get(&task).copied().unwrap_or_default()
    }

    pub(super) fn runtime(&self, runtime: RuntimeId) -> u64 {
        self.runtimes.get(&runtime).copied().unwrap_or(0)
    }

    pub(super) fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// A row is in the table that was not there before.
    pub(super) fn insert(&mut self, row: TaskRow<'_>) {
        let site = self.sites.entry(row.site()).or_default();
        site.kind = Some(row.kind());
        if site.name == NameId::NONE {
            site.name = row.name();
        }
        site.runtime = row.runtime().or(site.runtime);
        self.add(RowShare::of(row));
    }

    /// A row's share is another now.
    pub(super) fn change(&mut self, before: RowShare, after: RowShare) {
        if before != after {
            self.subtract(before);
            self.add(after);
        }
    }

    fn add(&mut self, share: RowShare) {
        if !share.living {
            return;
        }
        let site = self.sites.entry(share.site).or_default();
        site.long_lived += u64::from(share.long_lived);
        site.runtime = share.runtime.or(site.runtime);
        if let Some(parent) = share.parent {
            let children = self.children.entry(parent).or_default();
            children.living += 1;
            children.short_lived += u32::from(!share.long_lived);
        }
        if let Some(runtime) = share.runtime {
            *self.runtimes.entry(runtime).or_default() += 1;
        }
        if let Some(job) = share.job {
            self.jobs.add(job);
        }
    }

    /// A row leaves, or is counted anew.
    pub(super) fn subtract(&mut self, share: RowShare) {
        if !share.living {
            return;
        }
        if let Some(site) = self.sites.get_mut(&share.site) {
            site.long_lived -= u64::from(share.long_lived);
        }
        if let Some(parent) = share.parent
            && let Some(children) = self.children.get_mut(&parent)
        {
            children.living -= 1;
            children.short_lived -= u32::from(!share.long_lived);
            if children.living == 0 {
                self.children.remove(&parent);
            }
        }
        if let Some(runtime) = share.runtime
            && let Some(living) = self.runtimes.get_mut(&runtime)
        {
            *living -= 1;
            if *living == 0 {
                self.runtimes.remove(&runtime);
            }
        }
        if let Some(job) = share.job {
            self.jobs.subtract(job);
        }
    }
}
