//! Markdown for a comment on a pull request, and for the step summary of GitHub Actions.
//!
//! Pure: a verdict in, a text out, never longer than a comment may be. What a process says of itself is shown
//! as text: it starts no link, no mention, no table cell and no tag, see [`crate::output::markdown`].

use std::fmt::Write as _;

use pollscope_model::baseline::Change;
use pollscope_model::finding::Finding;
use pollscope_model::verdict::{Allowed, Undecided, Verdict};

use super::place::{Repository, Spot};
use super::wording;
use crate::output::fmt::cut;
use crate::output::markdown::{code, code_cell, fence, html, plain};

/// GitHub takes 65,536 characters for a comment; the rest is left to the workflow that wraps the text.
const LONGEST: usize = 60_000;
/// Bytes that the table of findings may take.
const TABLE: usize = 20_000;
/// Bytes that each part after the findings may take.
const PART: usize = 4_000;
/// Columns of the reason why something is undecided: its numbers.
const UNDECIDED: usize = 600;
/// Rows of a table, items of a list.
const ROWS: usize = 25;

/// The verdict as Markdown.
pub(super) fn text(verdict: &Verdict, repository: &Repository) -> String {
    let mut text = format!("## pollscope: {}\n\n", plain(&wording::summary(verdict)));
    let _ = writeln!(text, "Verdict **{}**: {}.", verdict.outcome, wording::extent(verdict));
    for why in wording::refusals(verdict) {
        let _ = writeln!(text, "\n{}", plain(&why));
    }
    findings(&mut text, verdict, repository);
    compared(&mut text, verdict);
    let mut tail = String::new();
    allowed(&mut tail, verdict);
    unused(&mut tail, verdict);
    undecided(&mut tail, verdict);
    recordings(&mut tail, verdict);
    notes(&mut tail, verdict);
    details(&mut text, verdict, LONGEST.saturating_sub(tail.len()));
    text + &tail
}

/// The table of what was found.
fn findings(text: &mut String, verdict: &Verdict, repository: &Repository) {
    if verdict.findings.is_empty() {
        return;
    }
    *text += "\n| level | detector | what | where | process |\n|---|---|---|---|---|\n";
    rows(text, TABLE, &verdict.findings, |finding| {
        let spot = repository.spot_of(finding).map(|spot| place(&spot));
        let spot = spot.unwrap_or_else(|| cut(wording::place(finding), wording::NAME).into_owned());
        format!(
            "| {} | {} | {} | {} | {} |",
            level(verdict, finding),
            code_cell(&cut(&finding.detector, wording::NAME)),
            plain(&wording::headline(finding)),
            code_cell(&spot),
            code_cell(&cut(&finding.process, wording::NAME)),
        )
    });
}

/// What became of the baseline's figures. What stayed is only counted.
fn compared(text: &mut String, verdict: &Verdict) {
    let Some(comparison) = &verdict.comparison else { return };
    let runs = wording::counted(comparison.runs as usize, "run");
    let _ = writeln!(text, "\n### Compared with the baseline of {runs}\n\n{}.", plain(&comparison.summary()));
    let changed: Vec<_> = comparison.figures.iter().filter(|one| one.change != Change::Unchanged).collect();
    if !changed.is_empty() {
        *text += "\n| change | figure | site | base → now | why |\n|---|---|---|---|---|\n";
        rows(text, TABLE, &changed, |one| {
            let strong = if one.change == Change::Regressed { "**" } else { "" };
            format!(
                "| {strong}{}{strong} | {} | {} | {} | {} |",
                one.change,
                one.figure.words(),
                code_cell(&wording::site(&one.site)),
                wording::change(one),
                plain(&cut(&one.reason, wording::HEADLINE)),
            )
        });
    }
    for (what, sites) in [("New", &comparison.new), ("Gone", &comparison.vanished)] {
        if !sites.is_empty() {
            let _ = writeln!(text, "\n{what} sites:\n");
            rows(text, PART, sites, |site| format!("- {}", code(&wording::site(site))));
        }
    }
    if !comparison.notes.is_empty() {
        text.push('\n');
        rows(text, PART, &comparison.notes, |note| format!("- {}", plain(&cut(note, wording::HEADLINE))));
    }
}

/// All that is known of each, folded; as many as there is room for.
fn details(text: &mut String, verdict: &Verdict, longest: usize) {
    for (index, finding) in verdict.findings.iter().enumerate() {
        let one = detail(verdict, finding);
        if text.len() + one.len() > longest {
            let more = wording::counted(verdict.findings.len() - index, "finding");
            let _ = writeln!(text, "\n… {more} without details, for want of room.");
            return;
        }
        *text += &one;
    }
}

fn detail(verdict: &Verdict, finding: &Finding) -> String {
    let (detector, headline) = (cut(&finding.detector, wording::NAME), wording::headline(finding));
    let mut text = format!("\n<details><summary>{}: {}</summary>\n\n", html(&detector), html(&headline));
    for (label, fact) in wording::facts(verdict, finding) {
        let prose = matches!(label, "why" | "fix" | "seen" | "made wait" | "polls" | "delays");
        let fact = if prose { plain(&fact) } else { code(&fact) };
        let _ = writeln!(text, "- {label}: {fact}");
    }
    let stack = wording::stack(finding, wording::CALLS);
    if !stack.is_empty() {
        let _ = write!(text, "\n{}", fence("text", &stack.join("\n")));
    }
    text += "\n</details>\n";
    text
}

fn allowed(text: &mut String, verdict: &Verdict) {
    if verdict.allowed.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n<details><summary>{} allowed</summary>\n", verdict.allowed.len());
    *text += "| detector | what | reason |\n|---|---|---|\n";
    rows(text, PART, &verdict.allowed, |Allowed { finding, reason }| {
        let detector = code_cell(&cut(&finding.detector, wording::NAME));
        let (what, reason) = (plain(&wording::headline(finding)), plain(&cut(reason, wording::HEADLINE)));
        format!("| {detector} | {what} | {reason} |")
    });
    *text += "\n</details>\n";
}

fn unused(text: &mut String, verdict: &Verdict) {
    list(text, "Expected, and did not happen", &verdict.expectations_unused, |one| {
        format!("- {}: {}", code(&wording::expectation(one)), plain(&cut(&one.reason, wording::HEADLINE)))
    });
}

fn undecided(text: &mut String, verdict: &Verdict) {
    let (over, others): (Vec<_>, Vec<_>) = verdict.undecided.iter().partition(|one| one.over_limit);
    let item = |one: &&Undecided| {
        format!("- {}: {}", code(&cut(&one.rule, wording::NAME)), plain(&cut(&one.reason, UNDECIDED)))
    };
    list(text, "Undecided, over the limit", &over, item);
    list(text, "Could not tell", &others, item);
}

fn recordings(text: &mut String, verdict: &Verdict) {
    let files: Vec<_> = verdict.subjects.iter().filter_map(|subject| subject.recording.as_deref()).collect();
    list(text, "What happened, to replay", &files, |file| format!("- {}", code(&wording::open(file))));
}

fn notes(text: &mut String, verdict: &Verdict) {
    list(text, "Notes", &verdict.notes, |note| format!("- {}", plain(&cut(note, wording::HEADLINE))));
}

fn list<T>(text: &mut String, heading: &str, items: &[T], row: impl Fn(&T) -> String) {
    if !items.is_empty() {
        let _ = writeln!(text, "\n### {heading}\n");
        rows(text, PART, items, row);
    }
}

/// A line for each item, as long as there is room, and how many there are besides.
fn rows<T>(text: &mut String, room: usize, items: &[T], row: impl Fn(&T) -> String) {
    let end = text.len() + room;
    let mut told = 0;
    for row in items.iter().take(ROWS).map(row) {
        if text.len() + row.len() > end {
            break;
        }
        *text += &row;
        text.push('\n');
        told += 1;
    }
    if told < items.len() {
        let _ = writeln!(text, "\n… and {} more.", items.len() - told);
    }
}

fn level(verdict: &Verdict, finding: &Finding) -> String {
    let level = finding.level.as_str();
    if finding.level >= verdict.fail_on { format!("**{level}**") } else { level.to_owned() }
}

fn place(spot: &Spot) -> String {
    let file = cut(&spot.file, wording::NAME);
    if spot.line > 0 { format!("{file}:{}", spot.line) } else { file.into_owned() }
}

#[cfg(test)]
mod tests;
