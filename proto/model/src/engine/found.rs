//! A finding as the engine keeps it: what people read, and what it is about.

use crate::detect::signal::FindingKey;
use crate::finding::Finding;
use crate::id::{BootId, SiteId, TaskId};

/// One finding, open or closed.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct TrackedFinding {
    /// The process.
    pub(crate) boot: BootId,
    /// The detector's index in [`ALL`](crate::detect::ALL).
    pub(crate) detector: usize,
    /// What it is about.
    pub(crate) key: FindingKey,
    /// The fingerprint names the function that was running.
    pub(crate) framed: bool,
    /// All that is shown of it.
    pub(crate) shown: Finding,
}

impl TrackedFinding {
    /// The site that it is about.
    pub(crate) fn site(&self) -> Option<SiteId> {
        self.key.site()
    }

    /// A task that shows it.
    pub(crate) fn task(&self) -> Option<TaskId> {
        self.shown.task
    }
}
