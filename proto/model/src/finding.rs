//! A finding: what people, assertions and exports read of something that a detector found.
//!
//! Plain data. The engine makes findings of processes, the verdict and the baseline those of a whole run.

use std::sync::Arc;

use crate::entity::slow_poll::PollKind;
use crate::id::TaskId;
use crate::level::Level;
use crate::value::Value;

/// Something that a detector found, with all that a person needs to act on it.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// Number in this monitor; stays the same while the finding lives.
    pub number: u64,
    /// Detector id, kebab-case.
    pub detector: Arc<str>,
    /// How bad.
    pub level: Level,
    /// Same fault, same text, across runs and edits: no line numbers, no task ids.
    pub fingerprint: Arc<str>,
    /// Spawn site, `src/cart.rs:88:9`; empty if it is about no site.
    pub site: Arc<str>,
    /// For polls that a library spawned: the user's line that they were at, `src/login.rs:15`, or the function where no
    /// line is known. Empty where the spawn site is the user's own, and where no line was seen.
    pub line: Arc<str>,
    /// The route of the request that it is about, or the scope of that task; empty if there is none.
    pub scope: Arc<str>,
    /// A task that shows it.
    pub task: Option<TaskId>,
    /// Name of that task, or empty.
    pub task_name: Arc<str>,
    /// Label of the process.
    pub process: Arc<str>,
    /// What was measured; its unit is the limit's.
    pub value: Value,
    /// The limit that it passed.
    pub limit: Value,
    /// How often it was seen.
    pub count: u64,
    /// First seen, nanoseconds since the Unix epoch.
    pub first_ns: u64,
    /// Last seen, nanoseconds since the Unix epoch.
    pub last_ns: u64,
    /// Whether it still holds.
    pub open: bool,
    /// For polls: where the time went.
    pub kind: Option<PollKind>,
    /// For polls that were looked at: the kernel's word for what the thread did, or empty.
    pub waiting_in: Arc<str>,
    /// For polls: tasks that waited for it. `None` if not measured.
    pub waiters: Option<u32>,
    /// For polls: what they waited, added up.
    pub waited_ns: Option<u64>,
    /// For polls: the longest of these waits.
    pub max_waited_ns: Option<u64>,
    /// Frames, the user's code first: `function (file:line)`; empty if no stack was taken.
    pub stack: Vec<Arc<str>>,
    /// One line: what happened, how long against which limit.
    pub headline: Arc<str>,
    /// Why it matters, with the harm that was measured.
    pub why: Arc<str>,
    /// What to do.
    pub fix: Arc<str>,
}

impl Finding {
    /// Whether both are about the same spawn site and the same line.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        (&self.site, &self.line) == (&other.site, &other.line)
    }

    /// One of which nothing is known but the detector and the level: no text, nothing measured, not open.
    pub fn new(detector: &str, level: Level) -> Self {
        Self {
            number: 0,
            detector: detector.into(),
            level,
            fingerprint: "".into(),
            site: "".into(),
            line: "".into(),
            scope: "".into(),
            task: None,
            task_name: "".into(),
            process: "".into(),
            value: Value::Null,
            limit: Value::Null,
            count: 0,
            first_ns: 0,
            last_ns: 0,
            open: false,
            kind: None,
            waiting_in: "".into(),
            waiters: None,
            waited_ns: None,
            max_waited_ns: None,
            stack: Vec::new(),
            headline: "".into(),
            why: "".into(),
            fix: "".into(),
        }
    }
}
