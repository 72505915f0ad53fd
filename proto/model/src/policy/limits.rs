//! The limits that a caller asks for beside the detectors' rules: `--max-poll` and its siblings.
//!
//! Plain numbers; the [verdict](crate::verdict) holds a run against them.

/// The limits of a run. All are off by default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CheckLimits {
    /// No poll on a worker may take longer, nanoseconds.
    pub max_poll_ns: Option<u64>,
    /// At no site may more than one poll in a hundred take longer, nanoseconds.
    pub p99_poll_ns: Option<u64>,
    /// No woken task may wait longer for a worker, nanoseconds.
    pub max_sched_delay_ns: Option<u64>,
    /// At the end no task may be left, unless it was declared long-lived.
    pub no_leaks: bool,
    /// Time without a CPU counts too.
    pub count_preempted: bool,
    /// Evidence over a limit that is undecided makes the run incomplete.
    pub strict: bool,
}
