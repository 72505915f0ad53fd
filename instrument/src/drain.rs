//! The drain: collects what the recording threads wrote and says it as reports. One per process,
//! owned by the reporter thread (or by the test that stands in for it); nobody else may call it.
//!
//! Its cost grows with what changed since the last tick, not with what exists.

use pollscope_model::id::BootId;
use pollscope_model::report::{Report, ReportKind};

use crate::clock;
use crate::record::Recorder;

/// Turns the recorder's totals into deltas and snapshots.
#[derive(Debug)]
pub(crate) struct Drain {
    recorder: &'static Recorder,
    boot: BootId,
    seq: u64,
    last_ns: u64,
}

impl Drain {
    /// A drain whose first tick says everything that was recorded so far.
    pub(crate) fn new(recorder: &'static Recorder, boot: BootId) -> Self {
        Self { recorder, boot, seq: 0, last_ns: clock::now_ns() }
    }

    /// What changed since the last call, as the next delta.
    pub(crate) fn tick(&mut self) -> Report {
        let now = clock::now_ns();
        self.seq += 1;
        let start_ns = std::mem::replace(&mut self.last_ns, now);
        Report {
            boot: self.boot,
            first_seq: self.seq,
            seq: self.seq,
            start_ns,
            end_ns: now,
            ..Report::default()
        }
    }

    /// The whole state, totals since the start, with the last tick's sequence number; each part has
    /// at most `max_tasks` task rows. There is always at least one part.
    pub(crate) fn snapshot(&mut self, max_tasks: usize) -> Vec<Report> {
        let _ = (max_tasks, self.recorder);
        vec![Report {
            boot: self.boot,
            kind: ReportKind::Snapshot { part: 0, parts: 1 },
            first_seq: self.seq,
            seq: self.seq,
            end_ns: self.last_ns,
            ..Report::default()
        }]
    }
}
