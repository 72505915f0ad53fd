//! The first thing that a process says on every stream: who it is, what it can measure, and how its
//! clock relates to the wall.

use crate::id::BootId;
use crate::measured::{Capability, Coverage, Metric, Mode};
use crate::time::ClockAnchor;

/// Version of the wire protocol: peers with the same `major` understand each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ProtocolVersion {
    /// Changes when old peers cannot read new frames.
    pub major: u32,
    /// Grows when fields are added that old peers may ignore.
    pub minor: u32,
}

impl std::fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Who is speaking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProcessInfo {
    /// The service's name: `POLLSCOPE_NAME`, the builder's, or the executable's file name.
    pub name: String,
    /// Operating system process id.
    pub pid: u32,
    /// Host name.
    pub host: String,
    /// Path of the executable, empty if unknown.
    pub exe: String,
    /// CPUs that it may use at once, by affinity and quota; 0 if unknown.
    pub cpus: u32,
    /// What it was built for and how: `x86_64-linux debug`, empty if unknown. Times of different builds
    /// cannot be compared.
    pub build: String,
}

/// The greeting of an instrumented process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Wire protocol that the process speaks.
    pub protocol: ProtocolVersion,
    /// Version of the `pollscope` crate in the process.
    pub version: String,
    /// This incarnation.
    pub boot: BootId,
    /// Who is speaking.
    pub process: ProcessInfo,
    /// The deepest mode that is on.
    pub mode: Mode,
    /// What is measured, for whom, and why not: one entry for each of [`Metric::ALL`].
    pub capabilities: Vec<Capability>,
    /// How the process's monotonic nanoseconds map to wall-clock time.
    pub anchor: ClockAnchor,
    /// Nanoseconds between two reports.
    pub interval_ns: u64,
    /// Scale of every exponential histogram in its reports.
    pub hist_scale: u8,
    /// The policy that the process asks its viewers to apply, as `pollscope.toml` text; empty for
    /// the defaults.
    pub policy: String,
    /// Polls from this length on leave a [`SlowPoll`](crate::entity::slow_poll::SlowPoll), nanoseconds.
    /// `None` if the peer does not say.
    pub slow_poll_ns: Option<u64>,
}

impl Hello {
    /// For whom the metric is measured; a metric that the peer did not list is measured for no task.
    pub fn coverage(&self, metric: Metric) -> Coverage {
        self.capabilities
            .iter()
            .find(|capability| capability.metric == metric)
            .map_or(Coverage::NoTask, |capability| capability.coverage)
    }
}
