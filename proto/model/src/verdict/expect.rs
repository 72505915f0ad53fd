//! Which findings an expectation is about, and what becomes of one that nothing fulfilled.

use super::Expectation;
use crate::detect::advice;
use crate::query::detail::Finding;
use crate::query::page::Level;

/// The id of findings about expectations themselves; it is no detector of processes.
pub(super) const UNUSED: &str = "unused-expectation";

impl Expectation {
    /// Whether it is about that finding: same detector, and its site is part of (or, with `*`, matches)
    /// the spawn site, the task's name or a frame of the stack.
    pub fn is_about(&self, finding: &Finding) -> bool {
        let Some(site) = self.site.as_deref() else { return self.detector == finding.detector };
        let matches = |text: &str| {
            if site.contains('*') {
                matches_whole(site, text)
            } else {
                !text.is_empty() && text.contains(site)
            }
        };
        self.detector == finding.detector
            && (matches(&finding.site)
                || matches(&finding.task_name)
                || finding.stack.iter().any(|frame| matches(frame)))
    }

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

/// Whether the pattern, in which `*` stands for anything, matches the whole text.
fn matches_whole(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("src/*.rs:88:9", "src/cart.rs:88:9", true),
            ("src/*", "lib/cart.rs", false),
            ("*cart*88*", "src/cart.rs:88:9", true),
            ("*cart*88", "src/cart.rs:88:9", false),
            ("a*a", "a", false),
            ("a*b*", "ab", true),
        ] {
            assert_eq!(matches_whole(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn site_name_and_stack_are_what_it_may_name() {
        let finding = testkit::verdict().findings[0].clone();
        let about = |site: Option<&str>| {
            let site = site.map(Into::into);
            Expectation { detector: "blocking-poll".into(), site, reason: "r".into(), place: None }
                .is_about(&finding)
        };
        for site in [None, Some("src/cart.rs"), Some("cart 51028"), Some("cart::load"), Some("src/cart.rs:*")]
        {
            assert!(about(site), "{site:?}");
        }
        assert!(!about(Some("src/net.rs")) && !about(Some("cart.rs:*")));
        let other = Expectation { detector: "task-leak".into(), site: None, reason: "r".into(), place: None };
        assert!(!other.is_about(&finding));
    }
}
