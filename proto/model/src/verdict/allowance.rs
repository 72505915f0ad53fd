//! What a test knows of each `allow_blocking` that it came by, and what becomes of one that it did not need.

use std::sync::Arc;

use super::expect::UNUSED;
use crate::detect::advice;
use crate::detect::blocking_poll;
use crate::finding::Finding;
use crate::level::Level;
use crate::policy::Expectation;
use crate::time::{MILLISECOND, Nanos};

/// What stays below this part of the limit did not come near it, whatever the machine.
const NEAR: u64 = 4;

/// An `allow_blocking` in the code, and what it came to in one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allowance {
    /// The reason that the code gives.
    pub reason: Arc<str>,
    /// Where it is written, `src/config.rs:12`.
    pub place: Arc<str>,
    /// How often a poll came by.
    pub runs: u64,
    /// The longest that one poll spent inside, together with what it spent inside of others, nanoseconds.
    pub longest_ns: u64,
}

impl Allowance {
    /// Whether no poll that came by would have come near the smallest limit on polls without it; if there is none, near
    /// what `blocking-poll` would warn of.
    pub(super) fn is_unused(&self, least_ns: Option<u64>) -> bool {
        self.runs > 0 && self.longest_ns < least_ns.unwrap_or(WARN_NS) / NEAR
    }

    /// As what it stands for: polls that block are expected there.
    pub(super) fn expectation(&self) -> Expectation {
        Expectation {
            detector: blocking_poll::DETECTOR.id.into(),
            site: None,
            reason: self.reason.clone(),
            place: Some(self.place.clone()),
        }
    }

    /// It does not block any more, as far as this run can tell.
    pub(super) fn unused(&self, least_ns: Option<u64>) -> Finding {
        let times = if self.runs == 1 { "once".to_owned() } else { format!("{} times", self.runs) };
        Finding {
            fingerprint: format!("{UNUSED} allow_blocking {}", self.reason).into(),
            headline: format!("allow_blocking at {} blocks no poll any more", self.place).into(),
            why: format!(
                "It ran {times}, for {} in one poll at the longest, of {} that a poll may take. Its reason: {}. An \
                 exemption that nothing needs hides the next call that blocks there.",
                Nanos(self.longest_ns),
                Nanos(least_ns.unwrap_or(WARN_NS)),
                self.reason.trim_end_matches('.')
            )
            .into(),
            fix: advice::UNUSED_ALLOWANCE.into(),
            ..Finding::new(UNUSED, Level::Warn)
        }
    }
}

/// Without a limit on polls, what `blocking-poll` would warn of.
const WARN_NS: u64 = 10 * MILLISECOND;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ran_and_stayed_far_below_every_limit_is_unused() {
        let allowance =
            |runs, longest_ns| Allowance { reason: "r".into(), place: "a.rs:1".into(), runs, longest_ns };
        let strict = Some(2 * MILLISECOND);
        for (runs, longest_ns, limits, unused) in [
            (0, 0, None, false),
            (1, MILLISECOND, None, true),
            (1, 3 * MILLISECOND, None, false),
            (1, MILLISECOND, strict, false),
            (9, 1_000, strict, true),
        ] {
            assert_eq!(allowance(runs, longest_ns).is_unused(limits), unused, "{runs} {longest_ns}");
        }
        let finding = allowance(2, 1_000).unused(strict);
        assert_eq!((&*finding.detector, finding.level), (UNUSED, Level::Warn));
        assert!(finding.why.starts_with("It ran 2 times, for 1us in one poll"), "{}", finding.why);
    }
}
