//! Verdicts of processes with hostile texts, for the tests of every format.

use std::path::Path;

use pollscope_model::finding::Finding;
use pollscope_model::level::Level;
use pollscope_model::testkit;
use pollscope_model::verdict::{Outcome, Verdict};
use proptest::prelude::*;

pub(crate) use pollscope_model::testkit::verdict_saying as verdict;

use super::place::Repository;
use super::{Sheet, Style, write};
use crate::commands::cli::check::VerdictFormat;

/// What some format gives a meaning to.
const PIECES: [&str; 32] = [
    "\n",
    "\r\n",
    "\r",
    "%0A",
    "%25",
    "%",
    "::",
    "::error::gotcha",
    "##[error]",
    ",line=1",
    "]]>",
    "<![CDATA[",
    "</failure>",
    "<script>",
    "&lt;",
    "\u{0}",
    "\u{1b}[2J",
    "\u{8}",
    "\u{fffe}",
    "\u{202e}",
    "\u{2028}",
    "|",
    "\\|",
    "`",
    "```",
    "](http://evil)",
    "![x](y)",
    "</details>",
    "@everyone",
    "https://evil",
    "\n# heading",
    "{0}",
];

/// Text that tries to break out of wherever it is put.
pub(super) fn text() -> impl Strategy<Value = String> {
    let piece =
        prop_oneof![3 => prop::sample::select(PIECES.to_vec()).prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// A verdict of many findings at deny and as many at warn.
pub(super) fn many(n: usize) -> Verdict {
    let mut verdict = testkit::verdict();
    let (deny, warn) = (verdict.findings[0].clone(), verdict.findings[1].clone());
    verdict.findings = (0..2 * n)
        .map(|index| {
            let headline = format!("finding {index}").into();
            Finding { headline, number: index as u64, ..if index < n { deny.clone() } else { warn.clone() } }
        })
        .collect();
    verdict
}

/// The verdict with that outcome, and with what belongs to it.
pub(super) fn with_outcome(outcome: Outcome) -> Verdict {
    let mut verdict = testkit::verdict();
    verdict.outcome = outcome;
    if outcome != Outcome::Findings {
        verdict.findings.retain(|finding| finding.level < Level::Deny);
    }
    match outcome {
        Outcome::NoData => {
            verdict.armed =
                pollscope_model::verdict::Armed { yes: false, why: Some("no canary was seen".into()) };
        }
        Outcome::Incomplete => verdict.subjects[0].lost = 5_000,
        Outcome::Regressed => verdict.comparison = Some(testkit::comparison()),
        _ => {}
    }
    verdict
}

/// A checkout at `/repo` that holds every file.
pub(super) fn repository() -> Repository {
    Repository::new(Path::new("/repo"), Path::new("/repo"), |_: &Path| true)
}

/// A verdict with hostile texts, with every outcome, as a file of that format.
pub(crate) fn written(format: VerdictFormat) -> String {
    let mut out = Vec::new();
    for outcome in Outcome::ALL {
        let mut verdict = verdict(testkit::HOSTILE);
        verdict.outcome = outcome;
        verdict.armed.yes = outcome != Outcome::NoData;
        verdict.subjects[0].lost = 5_000;
        let repository = &repository();
        let sheet = Sheet { verdict: &verdict, of: testkit::HOSTILE, style: Style::PLAIN, repository };
        write(format, &mut out, &sheet).expect("memory takes all");
    }
    String::from_utf8(out).expect("text")
}
