//! The manual of a detector, cut out of the comment that its source file begins with.
//!
//! The comment is the only place where this text stands; `explain`, the terminal's panel and rustdoc
//! all show it.

use std::sync::LazyLock;

use super::{ALL, Detector, index_of};

/// What a person needs to know of a detector. Plain text with Markdown's backquotes; paragraphs are
/// separated by an empty line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explain {
    /// The detector's id.
    pub id: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// What it reports.
    pub what: String,
    /// Why that matters.
    pub why: String,
    /// What it goes by.
    pub evidence: String,
    /// What to do about it.
    pub fix: String,
    /// When it may be wrong, and what it does not judge.
    pub false_alarms: String,
    /// Its limits with their defaults, one line each, as they are written in a policy.
    pub limits: Vec<String>,
}

static TEXTS: LazyLock<Vec<Explain>> = LazyLock::new(|| ALL.iter().map(|detector| read(detector)).collect());

/// The manual of the detector of that id.
pub fn explain(id: &str) -> Option<&'static Explain> {
    index_of(id).map(|index| &TEXTS[index])
}

/// The part of a source's first line after `//! id: `.
pub(super) fn summary(source: &'static str) -> &'static str {
    let line = source.lines().next().unwrap_or_default();
    line.split_once(": ").map_or(line, |(_, summary)| summary)
}

fn read(detector: &Detector) -> Explain {
    let section = |heading: &str| section(detector.source, heading);
    Explain {
        id: detector.id,
        summary: detector.summary(),
        what: section("What"),
        why: section("Why"),
        evidence: section("Evidence"),
        fix: section("Fix"),
        false_alarms: section("False alarms"),
        limits: detector
            .limits
            .iter()
            .map(|limit| format!("{} = {}  # {}", limit.key, limit.default, limit.help))
            .collect(),
    }
}

/// The text under a heading of the leading comment: lines of a paragraph joined into one.
fn section(source: &str, heading: &str) -> String {
    let comment = source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let lines = comment.skip_while(|line| line.strip_prefix("# ") != Some(heading)).skip(1);
    let mut text = String::new();
    for line in lines.take_while(|line| !line.starts_with("# ")) {
        match line {
            "" if !text.is_empty() => text.push('\n'),
            "" => {}
            _ => {
                if text.ends_with('\n') {
                    text.push('\n');
                } else if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(line);
            }
        }
    }
    text.truncate(text.trim_end().len());
    text
}
