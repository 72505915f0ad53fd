//! The failure in words, for the output of a test run: what, where, how long against which limit, who
//! was harmed, what to do. What tests, tasks and files are called is clean (see [`clean`]): it ends no line.

use std::fmt::Write as _;

use pollscope_model::finding::Finding;
use pollscope_model::hist::Hist;
use pollscope_model::text::clean;
use pollscope_model::time::Nanos;
use pollscope_model::value::Value;
use pollscope_model::verdict::{Outcome, Verdict};

use super::kept::Kept;
use super::phase::Phase;

/// Findings that are told in full; of more, their first lines.
const IN_FULL: usize = 5;
/// First lines.
const LISTED: usize = 20;
/// Frames of a stack.
const FRAMES: usize = 6;
/// Columns of a line.
const WIDTH: usize = 110;
/// Before the words of a detail.
const INDENT: &str = "            ";

/// The whole text.
pub(super) fn of(
    name: &str,
    verdict: &Verdict,
    timed_out: Option<&str>,
    phases: &[Phase],
    kept: &Kept,
) -> String {
    let mut text = format!("pollscope: {} {}", clean(name), headline(verdict, timed_out));
    findings(&mut text, verdict);
    beside(&mut text, verdict, phases);
    kept.write_to(&mut text);
    text
}

/// Tells what was found beside a panic, which is the test's own.
#[expect(clippy::print_stderr, reason = "a test's output, which its runner captures")]
pub(super) fn print_beside(name: &str, verdict: &Verdict, phases: &[Phase], kept: &Kept) {
    if let Some(text) = found_beside(name, verdict, phases, kept) {
        eprintln!("{text}");
    }
}

/// Nothing if there is nothing to say.
fn found_beside(name: &str, verdict: &Verdict, phases: &[Phase], kept: &Kept) -> Option<String> {
    let mut text = format!("pollscope: {} panicked", clean(name));
    if !verdict.findings.is_empty() {
        text.push_str("; found beside it:");
        findings(&mut text, verdict);
        beside(&mut text, verdict, phases);
    } else if kept.path.is_none() && kept.trouble.is_none() {
        return None;
    }
    kept.write_to(&mut text);
    Some(text)
}

fn headline(verdict: &Verdict, timed_out: Option<&str>) -> String {
    if let Some(roll) = timed_out {
        return roll.to_owned();
    }
    match verdict.outcome {
        Outcome::Findings => match verdict.failing().count() {
            1 => "fails on 1 finding".to_owned(),
            n => format!("fails on {n} findings"),
        },
        Outcome::NoData => format!(
            "is not armed: {}. A test in which nothing could be found does not pass",
            clean(verdict.armed.why.as_deref().unwrap_or("nothing was measured"))
        ),
        Outcome::Incomplete if verdict.is_incomplete_by_doubt() => {
            format!("is incomplete: {} undecided, and the policy is strict", verdict.over_limit())
        }
        Outcome::Incomplete => {
            let lost = verdict.subjects.iter().map(|subject| subject.lost).fold(0, u64::saturating_add);
            let told = verdict.subjects.iter().map(|subject| subject.told).fold(0, u64::saturating_add);
            format!(
                "is incomplete: {} of {} events found no room, so that what was not found may still be there",
                Value::Count(lost),
                Value::Count(told.saturating_add(lost))
            )
        }
        outcome => match verdict.over_limit() {
            0 => format!("is {outcome}"),
            n => format!("is {outcome}, {n} undecided"),
        },
    }
}

fn findings(text: &mut String, verdict: &Verdict) {
    let failing = verdict.failing().count();
    for (at, finding) in verdict.findings.iter().enumerate().take(LISTED) {
        if at < IN_FULL && at < failing.max(1) {
            let line = format!("{}: {}: {}", finding.level.as_str(), finding.detector, finding.headline);
            let _ = write!(text, "\n\n{}", clean(&line));
            in_full(text, verdict, finding);
        } else {
            let Finding { level, detector, headline, site, line, .. } = finding;
            let place = if line.is_empty() { site } else { line };
            let line = format!("{}: {detector}: {headline} at {place}", level.as_str());
            let gap = if at == failing.clamp(1, IN_FULL) { "\n" } else { "" };
            let _ = write!(text, "\n{gap}{}", clean(&line));
        }
    }
    if verdict.findings.len() > LISTED {
        let _ = write!(text, "\nand {} more", verdict.findings.len() - LISTED);
    }
}

fn in_full(text: &mut String, verdict: &Verdict, finding: &Finding) {
    let task = match (finding.task, &*finding.task_name) {
        (Some(task), "") => format!("task {task}, "),
        (Some(task), name) => format!("task {task} `{name}`, "),
        (None, "") => String::new(),
        (None, name) => format!("tasks `{name}`, "),
    };
    if !finding.site.is_empty() {
        detail(text, "where", &format!("{task}spawned at {}", finding.site));
    }
    let mut frames = finding.stack.iter();
    if let Some(first) = frames.next() {
        detail(text, "ran", first);
        for frame in frames.take(FRAMES - 1) {
            let _ = write!(text, "\n{INDENT}{}", clean(frame));
        }
    }
    detail(text, "why", &finding.why);
    if let Some(waiters) = finding.waiters.filter(|waiters| *waiters > 0) {
        let all = Nanos(finding.waited_ns.unwrap_or(0));
        let longest = Nanos(finding.max_waited_ns.unwrap_or(0));
        let tasks = if waiters == 1 { "1 task".to_owned() } else { format!("{waiters} tasks") };
        detail(text, "waited", &format!("{tasks} for {all} in all, the longest {longest}"));
    }
    if let Some(site) = verdict.distribution_of(finding) {
        distribution(text, "polls", &site.poll);
        distribution(text, "delays", &site.sched);
    }
    detail(text, "do", &finding.fix);
    detail(text, "more", &format!("pollscope explain {}", finding.detector));
}

fn distribution(text: &mut String, what: &str, times: &Hist) {
    if let (Some(p50), Some(p99)) = (times.quantile(0.5), times.quantile(0.99)) {
        let line = format!(
            "{} of this site: p50 {}, p99 {}, longest {}",
            Value::Count(times.count()),
            Nanos(p50),
            Nanos(p99),
            Nanos(times.max())
        );
        detail(text, what, &line);
    }
}

/// What a reader should know besides the findings.
fn beside(text: &mut String, verdict: &Verdict, phases: &[Phase]) {
    text.push('\n');
    for allowed in &verdict.allowed {
        let finding = &allowed.finding;
        let line =
            format!("{}: {} at {}: {}", finding.detector, finding.headline, finding.site, allowed.reason);
        detail(text, "allowed", &line);
    }
    // What a live service needs time for says nothing of a test; a limit that was asked for does, and so does what is
    // over one.
    let is_limit = |name: &str| pollscope_model::detect::index_of(name).is_none();
    for one in verdict.undecided.iter().filter(|one| one.over_limit || is_limit(&one.rule)) {
        detail(text, "undecided", &format!("{}: {}", one.rule, one.reason));
    }
    for note in &verdict.notes {
        detail(text, "note", note);
    }
    if phases.len() > 1 {
        for phase in phases {
            let line = format!(
                "{} from {} to {}: {} polls, the longest {}; {} tasks alive at its end",
                phase.name,
                nanos(phase.began),
                nanos(phase.ended),
                Value::Count(phase.polls),
                nanos(phase.longest_poll),
                phase.alive
            );
            detail(text, "phase", &line);
        }
    }
    text.truncate(text.trim_end().len());
}

fn nanos(time: std::time::Duration) -> Nanos {
    Nanos(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

/// A line with its name in front, folded at the right edge.
fn detail(text: &mut String, name: &str, words: &str) {
    let _ = write!(text, "\n  {name:<width$}", width = INDENT.len() - 2);
    let mut column = INDENT.len();
    for (at, word) in clean(words).split_whitespace().enumerate() {
        let length = word.chars().count();
        if at > 0 && column + 1 + length > WIDTH {
            let _ = write!(text, "\n{INDENT}");
            column = INDENT.len();
        } else if at > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
}

#[cfg(test)]
mod tests;
