//! Annotations of GitHub Actions: workflow commands, one a line, that the runner reads from standard output.
//!
//! Pure: a verdict in, a text out. What a process says of itself cannot end its line or begin a command of its
//! own: see [`data`] and [`property`]. GitHub shows ten annotations of a level for each step, so the worst
//! ten are shown, and where the rest is; the step summary has all (see [`super::md`]).

use std::fmt::Write as _;

use pollscope_model::baseline::{Compared, Comparison};
use pollscope_model::finding::Finding;
use pollscope_model::verdict::{Outcome, Verdict};

use super::place::{self, Repository, Spot};
use super::wording;
use crate::output::fmt::{clean, cut};

/// Annotations of one level that GitHub shows for a step.
const SHOWN: usize = 10;

/// How GitHub colours an annotation; the name of the command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Command {
    Error,
    Warning,
    Notice,
}

impl Command {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// The verdict as workflow commands, and a last line for people.
pub(super) fn text(verdict: &Verdict, repository: &Repository) -> String {
    let mut text = String::new();
    let mut errors = SHOWN;
    if matches!(verdict.outcome, Outcome::NoData | Outcome::Incomplete) {
        let mut message = format!("{}\n{}", wording::summary(verdict), wording::extent(verdict));
        for why in wording::refusals(verdict) {
            message.push('\n');
            message.push_str(&why);
        }
        command(&mut text, Command::Error, None, &format!("pollscope: {}", verdict.outcome), &message);
        errors -= 1;
    }
    let (failing, others): (Vec<_>, Vec<_>) =
        verdict.findings.iter().partition(|finding| finding.level >= verdict.fail_on);
    for finding in failing.iter().take(errors) {
        annotate(&mut text, Command::Error, verdict, finding, repository);
    }
    let regressed: Vec<_> = verdict.comparison.iter().flat_map(Comparison::regressed).collect();
    let rest = errors.saturating_sub(failing.len());
    for one in regressed.iter().take(rest) {
        annotate_change(&mut text, one, repository);
    }
    for finding in others.iter().take(SHOWN) {
        annotate(&mut text, Command::Warning, verdict, finding, repository);
    }
    let hidden = failing.len().saturating_sub(errors)
        + regressed.len().saturating_sub(rest)
        + others.len().saturating_sub(SHOWN);
    if hidden > 0 {
        let message =
            format!("{} not shown here; the step summary tells more", wording::counted(hidden, "finding"));
        command(&mut text, Command::Notice, None, "pollscope", &message);
    }
    if !verdict.undecided.is_empty() {
        let rules = verdict.undecided.iter().take(SHOWN);
        let rules = rules
            .map(|one| format!("{}: {}", cut(&one.rule, wording::NAME), cut(&one.reason, wording::HEADLINE)));
        let message = rules.collect::<Vec<_>>().join("\n");
        command(&mut text, Command::Notice, None, "pollscope could not tell", &message);
    }
    let _ = writeln!(text, "pollscope: {} ({})", wording::summary(verdict), wording::extent(verdict));
    text
}

fn annotate(
    text: &mut String,
    level: Command,
    verdict: &Verdict,
    finding: &Finding,
    repository: &Repository,
) {
    let spot = repository.spot_of(finding);
    let mut message = wording::headline(finding);
    for (label, fact) in wording::facts(verdict, finding) {
        let _ = write!(message, "\n{label}: {fact}");
    }
    let stack = wording::stack(finding, wording::CALLS);
    if !stack.is_empty() {
        let _ = write!(message, "\nstack:\n    {}", stack.join("\n    "));
    }
    let title = format!("{} ({})", cut(&finding.detector, wording::NAME), finding.level.as_str());
    command(text, level, spot.as_ref(), &title, &message);
}

fn annotate_change(text: &mut String, one: &Compared, repository: &Repository) {
    let spot = place::site(&one.site.place).map(|(file, line, column)| repository.spot(file, line, column));
    let spot = spot.filter(|spot| spot.inside);
    command(text, Command::Error, spot.as_ref(), "worse than the baseline", &wording::compared(one));
}

/// One command, on one line whatever the texts hold.
fn command(text: &mut String, level: Command, spot: Option<&Spot>, title: &str, message: &str) {
    let _ = write!(text, "::{} ", level.as_str());
    if let Some(spot) = spot {
        let _ = write!(text, "file={},", property(&spot.file));
        for (key, number) in [("line", spot.line), ("col", spot.column)] {
            if number > 0 {
                let _ = write!(text, "{key}={number},");
            }
        }
    }
    let _ = writeln!(text, "title={}::{}", property(title), data(message));
}

/// The message of a command. Nothing that is clean holds a carriage return.
fn data(text: &str) -> String {
    text.split('\n').map(|line| clean(line).replace('%', "%25")).collect::<Vec<_>>().join("%0A")
}

/// The value of a command's property, which `,` and `::` would end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests;
