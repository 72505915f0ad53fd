//! The limits that a caller asks for beside the detectors' rules: `--max-poll` and its siblings.
//!
//! Plain numbers; the [verdict](crate::verdict) holds a run against them.

use std::sync::Arc;

use super::expectation::matches_whole;

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

/// The limits of one route's requests, in place of those of the run: `[check.scope."GET /price/{id}"]`. What is not asked
/// for here is as in [`CheckLimits`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ScopeLimits {
    /// The route as it is shown, or a pattern with `*` for several.
    pub scope: Arc<str>,
    /// No poll of such a request may take longer, nanoseconds.
    pub max_poll_ns: Option<u64>,
    /// At no such route may more than one poll in a hundred take longer, nanoseconds.
    pub p99_poll_ns: Option<u64>,
}

impl ScopeLimits {
    /// Whether they are the limits of that route.
    pub fn is_about(&self, route: &str) -> bool {
        *self.scope == *route || matches_whole(&self.scope, route)
    }
}

/// The shortest poll that any of these limits forbids, nanoseconds; `None` if none does.
pub fn least_poll_ns(limits: &CheckLimits, scopes: &[ScopeLimits]) -> Option<u64> {
    let of_scopes = scopes.iter().flat_map(|scope| [scope.max_poll_ns, scope.p99_poll_ns]);
    [limits.max_poll_ns, limits.p99_poll_ns].into_iter().chain(of_scopes).flatten().min()
}
