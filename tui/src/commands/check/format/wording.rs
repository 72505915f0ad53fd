//! A verdict in words that all formats share: how it is summed up, and all that is known of a finding.
//!
//! Everything here is clean (see [`crate::output::fmt::clean`]) and bounded, whatever a process said of itself.
//! For the formats of this room only; they add their own escapes.

use std::fmt::Write as _;

use pollscope_model::baseline::{Compared, SiteName};
use pollscope_model::finding::Finding;
use pollscope_model::hist::Hist;
use pollscope_model::policy::Expectation;
use pollscope_model::time::Nanos;
use pollscope_model::verdict::{Outcome, OwnTests, Verdict};

use crate::output::fmt::{clean, cut, cut_front, thousands};

/// Columns of a text that has a line of its own.
pub(super) const LINE: usize = 2_000;
/// Calls of a stack that are shown.
pub(super) const CALLS: usize = 24;
/// Columns of a headline.
pub(super) const HEADLINE: usize = 300;
/// Columns for a label of [`facts`].
pub(super) const LABEL: usize = 11;
/// The label of the command that replays what happened: in a line of its own it can be copied.
pub(super) const OPEN: &str = "open";
/// Columns of a name, a site or a path.
pub(super) const NAME: usize = 200;

/// The verdict in one line, `1 finding fails the run; 2 warnings, 1 allowed, 1 undecided`.
pub(super) fn summary(verdict: &Verdict) -> String {
    let failing = verdict.failing().count();
    let others = verdict.findings.len() - failing;
    let mut text = match verdict.outcome {
        Outcome::Clean => "clean: nothing that was found fails the run".to_owned(),
        Outcome::Findings => match failing {
            1 => "1 finding fails the run".to_owned(),
            n => format!("{n} findings fail the run"),
        },
        Outcome::Regressed => "worse than the baseline".to_owned(),
        Outcome::NoData => format!("no data: {}", unarmed(verdict)),
        Outcome::Incomplete => format!("incomplete: {}", incomplete(verdict)),
        other => other.to_string(),
    };
    let mut also = Vec::new();
    if others > 0 {
        also.push(counted(others, "warning"));
    }
    if !verdict.allowed.is_empty() {
        also.push(format!("{} allowed", verdict.allowed.len()));
    }
    if verdict.over_limit() > 0 {
        also.push(format!("{} undecided", verdict.over_limit()));
    }
    if !also.is_empty() {
        let _ = write!(text, "; {}", also.join(", "));
    }
    text
}

/// Why a run is incomplete.
pub(super) fn incomplete(verdict: &Verdict) -> String {
    if !verdict.refused.is_empty() {
        return "something was refused that was to be recorded".to_owned();
    }
    strict(verdict).unwrap_or_else(|| "too much was lost to be sure of anything".to_owned())
}

/// Why a run of which nothing is missing is incomplete.
pub(super) fn strict(verdict: &Verdict) -> Option<String> {
    verdict
        .is_incomplete_by_doubt()
        .then(|| "evidence over a limit is undecided, and --strict asks for certainty".to_owned())
}

/// What was refused, each reason in one line.
pub(super) fn refusals(verdict: &Verdict) -> impl Iterator<Item = String> + '_ {
    verdict.refused.iter().map(|why| format!("refused: {}", cut(why, LINE)))
}

/// `3 tests judged themselves: 2 passed, 1 failed`, nothing if there was none.
pub(super) fn own_tests(verdict: &Verdict) -> Option<String> {
    let OwnTests { passed, failed } = verdict.own_tests;
    let all = passed.saturating_add(failed);
    let judged = if all == 1 {
        "1 test judged itself".to_owned()
    } else {
        format!("{} tests judged themselves", thousands(all))
    };
    let result = match (passed, failed) {
        (0, 0) => return None,
        (_, 0) => "passed".to_owned(),
        (0, _) => "failed".to_owned(),
        (passed, failed) => format!("{} passed, {} failed", thousands(passed), thousands(failed)),
    };
    Some(format!("{judged}: {result}"))
}

/// Why there is nothing to judge, with the remedy.
pub(super) fn unarmed(verdict: &Verdict) -> String {
    match verdict.armed.why.as_deref().filter(|why| !why.is_empty()) {
        Some(why) => cut(why, LINE).into_owned(),
        None if verdict.subjects.is_empty() => {
            "no instrumented process was seen; `pollscope doctor` tells what a service needs".to_owned()
        }
        None => "nothing was measured; `pollscope doctor` tells what a service needs".to_owned(),
    }
}

/// What was judged, `2 processes, 40,000 polls and wakes, 0 lost`.
pub(super) fn extent(verdict: &Verdict) -> String {
    let lost = verdict.subjects.iter().map(|subject| subject.lost).fold(0, u64::saturating_add);
    let (processes, counted) = (processes(verdict), thousands(counted_events(verdict)));
    let own = own_tests(verdict).map_or_else(String::new, |own| format!("; {own}"));
    format!("{processes}, {counted} polls and wakes, {} lost{own}", thousands(lost))
}

/// `1 process`, `2 processes`.
pub(super) fn processes(verdict: &Verdict) -> String {
    match verdict.subjects.len() {
        1 => "1 process".to_owned(),
        n => format!("{n} processes"),
    }
}

/// Polls and wakes of all processes.
pub(super) fn counted_events(verdict: &Verdict) -> u64 {
    verdict.subjects.iter().map(|subject| subject.told).fold(0, u64::saturating_add)
}

/// `1 warning`, `2 warnings`.
pub(super) fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Where a finding is: the user's line if there is one, else the spawn site.
pub(super) fn place(finding: &Finding) -> &str {
    if finding.line.is_empty() { &finding.site } else { &finding.line }
}

/// The finding in one line.
pub(super) fn headline(finding: &Finding) -> String {
    cut(&finding.headline, HEADLINE).into_owned()
}

/// What is known of a finding beside its headline, as label and text of one line, in the order in which
/// one asks: which task, where, how often, what it made wait, why, what to do, what to open.
pub(super) fn facts(verdict: &Verdict, finding: &Finding) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut fact = |label, text: String| {
        if !text.is_empty() {
            facts.push((label, text));
        }
    };
    let subject = verdict.subject_of(finding);
    let pid = subject.map(|subject| format!(", pid {}, {} mode", subject.pid, subject.mode));
    let process = cut(&finding.process, NAME);
    fact(
        "process",
        if process.is_empty() { String::new() } else { format!("{process}{}", pid.unwrap_or_default()) },
    );
    let name = cut(&finding.task_name, NAME);
    fact(
        "task",
        match (finding.task, name.is_empty()) {
            (Some(task), true) => task.0.to_string(),
            (Some(task), false) => format!("{} {name}", task.0),
            (None, _) => name.into_owned(),
        },
    );
    fact("line", cut(&finding.line, NAME).into_owned());
    fact("spawned at", cut(&finding.site, NAME).into_owned());
    let over = Nanos(finding.last_ns.saturating_sub(finding.first_ns));
    fact(
        "seen",
        match finding.count {
            0 => String::new(),
            1 => "once".to_owned(),
            n if over == Nanos(0) => format!("{} times", thousands(n)),
            n => format!("{} times over {over}", thousands(n)),
        },
    );
    if let Some(waiters) = finding.waiters {
        let waited = finding.waited_ns.map(|ns| format!(", {} together", Nanos(ns))).unwrap_or_default();
        let longest =
            finding.max_waited_ns.map(|ns| format!(", the longest {}", Nanos(ns))).unwrap_or_default();
        fact(
            "made wait",
            match waiters {
                0 => "no task".to_owned(),
                n => format!("{}{waited}{longest}", counted(n as usize, "task")),
            },
        );
    }
    if let Some(known) = verdict.distribution_of(finding) {
        fact("polls", distribution(&known.poll));
        fact("delays", distribution(&known.sched));
    }
    fact("why", cut(&finding.why, LINE).into_owned());
    fact("fix", cut(&finding.fix, LINE).into_owned());
    let recording = subject.and_then(|subject| subject.recording.as_deref());
    fact(OPEN, recording.map(open).unwrap_or_default());
    facts
}

fn distribution(hist: &Hist) -> String {
    if hist.is_empty() {
        return String::new();
    }
    let at = |q| Nanos(hist.quantile(q).unwrap_or(0));
    let (count, max) = (thousands(hist.count()), Nanos(hist.max()));
    format!("{count} at this site: p50 {}, p99 {}, p99.9 {}, longest {max}", at(0.5), at(0.99), at(0.999))
}

/// The calls, innermost first; a line that says so for those that are left out.
pub(super) fn stack(finding: &Finding, most: usize) -> Vec<String> {
    let mut calls: Vec<_> =
        finding.stack.iter().take(most).map(|frame| cut(frame, HEADLINE).into_owned()).collect();
    if let Some(more) = finding.stack.len().checked_sub(most).filter(|more| *more > 0) {
        calls.push(format!("… and {more} more"));
    }
    calls
}

/// Everything that is known of a finding, as lines of plain text.
pub(super) fn paragraphs(verdict: &Verdict, finding: &Finding) -> String {
    let detector = cut(&finding.detector, NAME);
    let mut text = format!("{}  {detector}: {}\n", finding.level.as_str(), headline(finding));
    for (label, fact) in facts(verdict, finding) {
        let _ = writeln!(text, "  {label:<LABEL$}  {fact}");
    }
    let stack = stack(finding, CALLS);
    if !stack.is_empty() {
        text += "  stack\n";
        for call in stack {
            let _ = writeln!(text, "    {call}");
        }
    }
    text
}

/// An expectation in one line, without its reason: `blocking-poll at src/config.rs (pollscope.toml:12)`.
pub(super) fn expectation(expectation: &Expectation) -> String {
    let mut text = cut(&expectation.detector, NAME).into_owned();
    if let Some(site) = &expectation.site {
        let _ = write!(text, " at {}", cut(site, NAME));
    }
    if let Some(place) = &expectation.place {
        let _ = write!(text, " ({})", cut(place, NAME));
    }
    text
}

/// A site as both sides know it: `checkout src/cart.rs handle_cart`; with its line where several go by that name.
pub(super) fn site(site: &SiteName) -> String {
    let process = cut(&site.process, NAME);
    if site.one_of_several {
        return format!("{process} {}", cut(&site.to_string(), NAME));
    }
    format!("{process} {}", cut(&site.key, NAME))
}

/// A figure on both sides, `2ms → 4ms`.
pub(super) fn change(compared: &Compared) -> String {
    let (base, head) = compared.shown();
    format!("{base} → {head}")
}

/// What became of a figure in one line, `p99 poll of checkout src/cart.rs: 2ms → 4ms, regressed: 2.00×`.
pub(super) fn compared(one: &Compared) -> String {
    let reason =
        if one.reason.is_empty() { String::new() } else { format!(": {}", cut(&one.reason, HEADLINE)) };
    format!("{} of {}: {}, {}{reason}", one.figure.words(), site(&one.site), change(one), one.change)
}

/// The command that replays a recording.
pub(super) fn open(recording: &str) -> String {
    format!("pollscope open {}", quoted(&cut_front(recording, LINE)))
}

/// A path as a shell takes it: quoted unless it is harmless.
fn quoted(path: &str) -> String {
    let path = clean(path);
    let harmless = |c: char| c.is_ascii_alphanumeric() || "/._-+=@%,:".contains(c);
    if !path.is_empty() && !path.starts_with('-') && path.chars().all(harmless) {
        return path.into_owned();
    }
    let dashed = if path.starts_with('-') { "./" } else { "" };
    format!("'{dashed}{}'", path.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use pollscope_model::testkit::verdict;

    use super::*;

    #[test]
    fn a_verdict_is_summed_up_in_one_line() {
        let mut verdict = verdict();
        assert_eq!(summary(&verdict), "1 finding fails the run; 2 warnings, 1 allowed, 1 undecided");
        assert_eq!(extent(&verdict), "2 processes, 40,000 polls and wakes, 0 lost");
        verdict.outcome = Outcome::NoData;
        verdict.armed.why = Some("the canary was not\nfound".into());
        verdict.findings.clear();
        verdict.allowed.clear();
        verdict.undecided.clear();
        assert_eq!(summary(&verdict), "no data: the canary was not?found");
    }

    #[test]
    fn a_path_survives_a_shell() {
        assert_eq!(quoted("target/run.mcap"), "target/run.mcap");
        assert_eq!(quoted("my run's.mcap"), "'my run'\\''s.mcap'");
        assert_eq!(quoted("$(reboot).mcap"), "'$(reboot).mcap'");
        assert_eq!(quoted("-x.mcap"), "'./-x.mcap'");
    }
}
