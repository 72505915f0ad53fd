//! What becomes of an expectation that nothing fulfilled: a finding of its own.

use crate::detect::advice;
use crate::finding::Finding;
use crate::level::Level;
use crate::policy::Expectation;

/// The id of findings about expectations themselves; it is no detector of processes.
pub(super) const UNUSED: &str = "unused-expectation";

impl Expectation {
    /// It did not happen: the code was mended, or the expectation never was about anything.
    pub(super) fn unused(&self) -> Finding {
        let at = self.site.as_deref().map_or_else(|| "anywhere".to_owned(), |site| format!("at {site}"));
        let place = self.place.as_deref().map_or_else(String::new, |place| format!(" ({place})"));
        Finding {
            fingerprint: format!("{UNUSED} {} {at}", self.detector).into(),
            headline: format!("{} {at} is expected and did not happen{place}", self.detector).into(),
            why: format!(
                "Its reason: {}. An expectation that nothing fulfils hides the next fault of its kind.",
                self.reason.trim_end_matches('.')
            )
            .into(),
            fix: advice::UNUSED_EXPECTATION.into(),
            ..Finding::new(UNUSED, Level::Warn)
        }
    }
}
