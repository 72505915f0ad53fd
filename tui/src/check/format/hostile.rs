//! Verdicts of processes that mean harm, for the tests of every format.

use std::path::Path;
use std::sync::Arc;

use pollscope_model::query::detail::Finding;
use pollscope_model::query::page::Level;
use pollscope_model::testkit;
use pollscope_model::verdict::{Outcome, Verdict};
use proptest::prelude::*;

use super::place::Repository;

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

/// The made-up verdict in which every word that a process chose is that text.
pub(super) fn verdict(text: &str) -> Verdict {
    let mut verdict = testkit::verdict();
    let said: Arc<str> = text.into();
    verdict.findings.iter_mut().for_each(|finding| say(finding, &said));
    for allowed in &mut verdict.allowed {
        say(&mut allowed.finding, &said);
        allowed.reason = said.clone();
    }
    for one in &mut verdict.expectations_unused {
        (one.detector, one.site) = (said.clone(), Some(said.clone()));
        (one.reason, one.place) = (said.clone(), Some(said.clone()));
    }
    verdict.undecided = vec![(said.clone(), said.clone())];
    verdict.armed.why = Some(said.clone());
    for subject in &mut verdict.subjects {
        (subject.process, subject.recording) = (said.clone(), Some(said.clone()));
    }
    verdict.distributions.clear();
    let mut comparison = testkit::comparison();
    for one in &mut comparison.figures {
        (one.site.process, one.site.key) = (said.clone(), said.clone());
        (one.site.place, one.reason) = (format!("{said}:88:9").into(), said.clone());
    }
    for site in comparison.new.iter_mut().chain(&mut comparison.vanished) {
        (site.process, site.key, site.place) = (said.clone(), said.clone(), said.clone());
    }
    comparison.notes = vec![said.clone()];
    verdict.comparison = Some(comparison);
    verdict.notes = vec![said];
    verdict
}

fn say(finding: &mut Finding, said: &Arc<str>) {
    let words = [
        &mut finding.detector,
        &mut finding.fingerprint,
        &mut finding.task_name,
        &mut finding.process,
        &mut finding.waiting_in,
        &mut finding.headline,
        &mut finding.why,
        &mut finding.fix,
    ];
    for word in words {
        *word = said.clone();
    }
    finding.site = format!("{said}:88:9").into();
    finding.stack = vec![format!("{said} ({said}:93)").into(), said.clone()];
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
