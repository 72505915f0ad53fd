//! Who wakes whom, counted per pair of spawn sites.

use crate::id::SiteId;

/// Who woke a task.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Waker {
    /// The runtime: a timer, I/O readiness, a join or a deferred yield.
    Runtime,
    /// A thread that runs no task.
    OtherThread,
    /// A task that was spawned there; the woken task itself included.
    Site(SiteId),
}

/// Wakes of one site's tasks by one waker over one interval (in a snapshot: since the process
/// started). Additive. What found no room in the recorder's table is in no edge, but in its site's
/// and its task's totals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct WakeEdge {
    /// Who woke.
    pub from: Waker,
    /// Spawn site of the tasks that were woken.
    pub to: SiteId,
    /// How often.
    pub count: u64,
}

impl WakeEdge {
    /// What two edges share that add up to one.
    pub fn key(&self) -> (SiteId, Waker) {
        (self.to, self.from)
    }
}
