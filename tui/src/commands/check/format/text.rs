//! For people: the verdict first, then each finding with what it takes to act on it.

use std::io::{self, Write};

use pollscope_model::finding::Finding;
use pollscope_model::level::Level;
use pollscope_model::time::Nanos;
use pollscope_model::value::Value;
use pollscope_model::verdict::{Outcome, Subject, Verdict};

use super::{Sheet, Style, wording};
use crate::output::fmt::{clean, wrap};

/// Columns of the labels at the left.
const LABEL: usize = wording::LABEL;
/// Frames of a stack that are shown.
const FRAMES: usize = 6;

pub(super) fn write(out: &mut dyn Write, sheet: &Sheet<'_>) -> io::Result<()> {
    let verdict = sheet.verdict;
    headline(out, sheet)?;
    for finding in &verdict.findings {
        writeln!(out)?;
        self::finding(out, sheet, finding)?;
    }
    let allowed = verdict.allowed.iter().map(|one| {
        let (finding, at) = (&one.finding, place(wording::place(&one.finding)));
        format!("{}: {}{at} (allowed: {})", finding.detector, finding.headline, one.reason)
    });
    list(out, sheet.style, "allowed", allowed)?;
    list(
        out,
        sheet.style,
        "undecided",
        verdict.undecided.iter().map(|one| {
            let over = if one.over_limit { " (over its limit)" } else { "" };
            format!("{}{over}: {}", one.rule, one.reason)
        }),
    )?;
    list(out, sheet.style, "notes", verdict.notes.iter().map(ToString::to_string))?;
    if let Some(comparison) = &verdict.comparison {
        writeln!(out, "\nagainst the baseline")?;
        out.write_all(crate::commands::diff::render(comparison, false).as_bytes())?;
    }
    Ok(())
}

fn headline(out: &mut dyn Write, Sheet { verdict, of, style, .. }: &Sheet<'_>) -> io::Result<()> {
    let word = match verdict.outcome {
        Outcome::Clean => style.paint("CLEAN", "1;32"),
        Outcome::Findings => style.paint("FINDINGS", "1;31"),
        Outcome::Regressed => style.paint("REGRESSED", "1;31"),
        Outcome::NoData => style.paint("NO DATA", "1;33"),
        Outcome::Incomplete => style.paint("INCOMPLETE", "1;33"),
        other => style.paint(other.as_str(), "1"),
    };
    let count = |level| verdict.findings.iter().filter(|finding| finding.level == level).count();
    let mut facts = Vec::new();
    for (level, one, many) in [(Level::Deny, "denied", "denied"), (Level::Warn, "warning", "warnings")] {
        match count(level) {
            0 => {}
            1 => facts.push(format!("1 {one}")),
            n => facts.push(format!("{n} {many}")),
        }
    }
    if facts.is_empty() && verdict.outcome == Outcome::Clean {
        facts.push("nothing found".to_owned());
    }
    let word = match verdict.over_limit() {
        0 => word,
        n => format!("{word}, {n} undecided"),
    };
    let own_tests = wording::own_tests(verdict);
    if !verdict.subjects.is_empty() || own_tests.is_none() {
        facts.push(judged(verdict));
    }
    facts.extend(own_tests);
    facts.push(clean(of).into_owned());
    writeln!(out, "{word}  {}", facts.join(" · "))?;
    if let Some(why) = verdict.armed.why.as_deref().filter(|_| !verdict.armed.yes) {
        paragraph(out, *style, "why", &format!("{why}."))?;
    }
    if let Some(why) = wording::strict(verdict) {
        paragraph(out, *style, "why", &format!("{why}."))?;
    } else if verdict.outcome == Outcome::Incomplete {
        let lossy = verdict.subjects.iter().filter(|subject| subject.is_incomplete());
        let one = |subject: &Subject| {
            format!(
                "{} lost {} of {}",
                subject.process,
                subject.lost,
                subject.told.saturating_add(subject.lost)
            )
        };
        let lossy: Vec<String> = lossy.take(3).map(one).collect();
        if !lossy.is_empty() {
            let why = format!("{}: what was not found may still be there.", lossy.join(", "));
            paragraph(out, *style, "why", &why)?;
        }
    }
    for why in wording::refusals(verdict) {
        paragraph(out, *style, "why", &format!("{why}."))?;
    }
    if let Some(scope) = wrapped_only(verdict) {
        paragraph(out, *style, "scope", &scope)?;
    }
    Ok(())
}

/// Names the processes of which the tasks that libraries spawn are not judged.
fn wrapped_only(verdict: &Verdict) -> Option<String> {
    const NAMED: usize = 3;
    let names: Vec<&str> = verdict.wrapped_only().map(|subject| &*subject.process).collect();
    let named = names.get(..NAMED.min(names.len()))?.join(", ");
    let more = match names.len().saturating_sub(NAMED) {
        0 if names.is_empty() => return None,
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "Of {named}{more} only the tasks spawned through pollscope are measured: no verdict on the tasks that libraries \
         spawn, such as axum's and hyper's. Build with `--cfg tokio_unstable` to judge them."
    ))
}

/// How much was judged: an empty verdict and a clean one have the same findings.
fn judged(verdict: &Verdict) -> String {
    let span = verdict.subjects.iter().map(|subject| subject.span_ns).max().unwrap_or(0);
    let events = Value::Count(wording::counted_events(verdict));
    format!("{}, {events} polls and wakes in {}", wording::processes(verdict), Nanos(span))
}

fn finding(out: &mut dyn Write, sheet: &Sheet<'_>, finding: &Finding) -> io::Result<()> {
    let Sheet { verdict, style, .. } = sheet;
    let (level, color) = match finding.level {
        Level::Deny => ("deny", "1;31"),
        Level::Warn => ("warn", "1;33"),
        Level::Allow => ("allow", "2"),
    };
    let head = format!("{}: {}", finding.detector, finding.headline);
    for (index, line) in wrap(&head, style.columns.saturating_sub(6)).iter().enumerate() {
        let mark = if index == 0 { style.paint(&format!("{level:<5}"), color) } else { " ".repeat(5) };
        writeln!(out, "{mark} {}", style.paint(line, "1"))?;
    }
    let calls = wording::stack(finding, FRAMES);
    for (index, call) in calls.iter().enumerate() {
        paragraph(out, *style, if index == 0 { "ran" } else { "" }, call)?;
    }
    for (label, fact) in wording::facts(verdict, finding) {
        if label == wording::OPEN {
            // In one line, to be copied.
            writeln!(out, "      {} {fact}", style.paint(&format!("{label:<LABEL$}"), "2"))?;
        } else {
            paragraph(out, *style, label, &fact)?;
        }
    }
    Ok(())
}

fn place(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!(" at {at}") }
}

/// A label at the left, and the text beside it.
fn paragraph(out: &mut dyn Write, style: Style, label: &str, text: &str) -> io::Result<()> {
    let lines = wrap(text, style.columns.saturating_sub(LABEL + 7).max(20));
    for (index, line) in lines.iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        writeln!(out, "      {} {line}", style.paint(&format!("{label:<LABEL$}"), "2"))?;
    }
    Ok(())
}

fn list(
    out: &mut dyn Write,
    style: Style,
    label: &str,
    items: impl Iterator<Item = String>,
) -> io::Result<()> {
    let mut items = items.peekable();
    if items.peek().is_some() {
        writeln!(out, "\n{}", style.paint(label, "1"))?;
    }
    for item in items {
        for (index, line) in wrap(&item, style.columns.saturating_sub(4)).iter().enumerate() {
            writeln!(out, "{}{line}", if index == 0 { "  - " } else { "    " })?;
        }
    }
    Ok(())
}

impl Style {
    /// The text in a colour, if there are any; the codes are those of `ESC [ … m`.
    fn paint(self, text: &str, codes: &str) -> String {
        if self.colors && !text.trim().is_empty() {
            format!("\x1b[{codes}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use pollscope_model::testkit;

    use super::super::hostile;
    use super::*;

    fn shown(verdict: &Verdict, colors: bool) -> String {
        let mut text = Vec::new();
        let style = Style { colors, ..Style::PLAIN };
        let sheet = Sheet { verdict, of: "cargo test", style, repository: &hostile::repository() };
        write(&mut text, &sheet).expect("memory takes all");
        String::from_utf8(text).expect("text")
    }

    #[test]
    fn everything_that_it_takes_to_act_is_there() {
        insta::assert_snapshot!(shown(&testkit::verdict(), false));
    }

    #[test]
    fn colors_change_nothing_but_colors() {
        let (plain, colored) = (shown(&testkit::verdict(), false), shown(&testkit::verdict(), true));
        assert!(colored.contains("\x1b[1;31mFINDINGS\x1b[0m") && !plain.contains('\x1b'));
        let mut bare = String::new();
        let mut rest = colored.as_str();
        while let Some((before, after)) = rest.split_once("\x1b[") {
            bare.push_str(before);
            rest = after.split_once('m').map_or("", |(_, rest)| rest);
        }
        bare.push_str(rest);
        assert_eq!(bare, plain);
    }

    #[test]
    fn what_a_process_says_of_itself_moves_no_cursor() {
        let mut verdict = testkit::verdict();
        verdict.findings[0].task_name = "a\x1b[2Jb".into();
        verdict.subjects[0].process = "a\rb".into();
        verdict.findings[0].process = "a\rb".into();
        verdict.notes.push("c\x07d".into());
        let text = shown(&verdict, false);
        assert!(!text.contains(['\x1b', '\r', '\x07']), "{text}");
    }
}
