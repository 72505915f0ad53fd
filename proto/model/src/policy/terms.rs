//! What a run is judged by: the limits, levels and expectations of a policy, a command line or a test.
//!
//! Plain data; the [verdict](crate::verdict) applies it.

use std::sync::Arc;

use super::{CheckLimits, Expectation, ScopeLimits};
use crate::level::Level;

/// What a run is judged by, beside the detectors' own rules.
#[derive(Clone, PartialEq, Debug)]
pub struct Terms {
    /// What was asked for.
    pub limits: CheckLimits,
    /// The same for single routes; of several that are about one, that with its own name counts, else the longest pattern.
    pub scopes: Vec<ScopeLimits>,
    /// Levels that were set for detectors; of one named twice the last counts. `Deny` raises what
    /// would be a warning, `Warn` lowers what would be denied, `Allow` keeps it from counting.
    pub levels: Vec<(Arc<str>, Level)>,
    /// The level from which on a finding fails the run.
    pub fail_on: Level,
    /// What is known and accepted.
    pub expectations: Vec<Expectation>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            limits: CheckLimits::default(),
            scopes: Vec::new(),
            levels: Vec::new(),
            fail_on: Level::Deny,
            expectations: Vec::new(),
        }
    }
}
