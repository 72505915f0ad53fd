//! What the queries need to know of the detectors: who is flagged, and the findings themselves.
//!
//! The detector engine implements [`FindingSource`]; `()` is a source without findings.

use std::collections::HashMap;

use hashbrown::DefaultHashBuilder;

use crate::finding::Finding;
use crate::id::{BootId, SiteId, TaskId};
use crate::level::Level;

/// What the open findings say of a task or a site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flag {
    /// The worst of them.
    pub level: Level,
    /// The letter of the worst detector, for the screen's narrow column: `L` in `!L`.
    pub letter: char,
    /// Detector ids, the worst first.
    pub detectors: Vec<&'static str>,
}

/// Flagged tasks of one process.
pub type TaskFlags = HashMap<TaskId, Flag, DefaultHashBuilder>;

/// A source of findings. What it does not override is answered as if nothing was found.
pub trait FindingSource {
    /// The tasks of a process of which the open findings say something; `None` if of none.
    fn flagged(&self, _boot: BootId) -> Option<&TaskFlags> {
        None
    }
    /// What the open findings say of a task; `None` if nothing.
    fn task(&self, boot: BootId, task: TaskId) -> Option<&Flag> {
        self.flagged(boot)?.get(&task)
    }
    /// What they say of a site; `None` if nothing.
    fn site(&self, _boot: BootId, _site: SiteId) -> Option<&Flag> {
        None
    }
    /// Every finding of a process, open ones and those that are over but still remembered.
    fn findings(&self, _boot: BootId) -> Vec<&Finding> {
        Vec::new()
    }
    /// Rules that cannot judge the process, with the reason.
    fn undecided(&self, _boot: BootId) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// Evidence over a limit that a rule for doubt keeps from being a finding, with its numbers.
    fn set_aside(&self, _boot: BootId) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// What a reader should know of how the process is judged, as a full sentence; `None` if nothing.
    fn note(&self, _boot: BootId) -> Option<String> {
        None
    }
    /// The process's limit for slow polls, nanoseconds; what a histogram marks.
    fn poll_limit_ns(&self, _boot: BootId) -> u64 {
        10 * crate::time::MILLISECOND
    }
}

impl FindingSource for () {}
