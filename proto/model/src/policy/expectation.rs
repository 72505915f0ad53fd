//! What a policy or a test expects to be found, and which findings that is about.
//!
//! The [verdict](crate::verdict) holds findings against it, and says so if nothing fulfilled it.

use std::sync::Arc;

use crate::finding::Finding;

/// Something that is known and accepted: `[[expect]]` of the policy, or of a test's session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expectation {
    /// The detector whose findings are expected.
    pub detector: Arc<str>,
    /// Where: a part of the spawn site, of the user's line, of the task's name or of a function on the stack, or a pattern
    /// with `*` for the whole of one of them. `None` is everywhere.
    pub site: Option<Arc<str>>,
    /// Why that is all right; never empty.
    pub reason: Arc<str>,
    /// Where it is written, `pollscope.toml:12`.
    pub place: Option<Arc<str>>,
}

impl Expectation {
    /// Whether it is about that finding: same detector, and its site is part of (or, with `*`, matches)
    /// the spawn site, the user's line, the task's name or a frame of the stack.
    pub(crate) fn is_about(&self, finding: &Finding) -> bool {
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
                || matches(&finding.line)
                || matches(&finding.task_name)
                || finding.stack.iter().any(|frame| matches(frame)))
    }
}

/// Whether the pattern, in which `*` stands for anything, matches the whole text.
pub(super) fn matches_whole(pattern: &str, text: &str) -> bool {
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
