//! A finding as a person reads it: what, why, where, the proof, what to do, and the manual.

use pollscope_model::finding::Finding;
use pollscope_model::level::Level;
use pollscope_model::query::page::Page;
use pollscope_model::time::Nanos;
use pollscope_model::value::Value;

use super::cells::{self, role_of_level};
use super::text::Line;
use crate::output::fmt;
use crate::screens::theme::Role;

/// The finding under a rule of its own.
pub(super) fn lines(finding: &Finding, width: usize) -> Vec<Line> {
    let state = if finding.open { "open" } else { "closed" };
    let right = format!("{} · {state} · ×{}", finding.level.as_str(), fmt::thousands(finding.count));
    let mut lines = vec![Line::rule(&fmt::clean(&finding.detector), &right, width)];
    paragraph(&mut lines, "What", role_of_level(Some(finding.level)), &finding.headline, width);
    paragraph(&mut lines, "Why", Role::Text, &finding.why, width);
    paragraph(&mut lines, "Where", Role::Text, &place(finding), width);
    for (at, frame) in finding.stack.iter().enumerate() {
        let role = if at == 0 { Role::Text } else { Role::Dim };
        paragraph(&mut lines, if at == 0 { "Stack" } else { "" }, role, &fmt::clean(frame), width);
    }
    paragraph(&mut lines, "Proof", Role::Text, &proof(finding), width);
    paragraph(&mut lines, "Fix", Role::Good, &finding.fix, width);
    lines
}

/// What the manual says about the detector.
pub(super) fn manual(finding: &Finding, explain: fn(&str) -> Option<String>, width: usize) -> Vec<Line> {
    let Some(manual) = explain(&finding.detector) else { return Vec::new() };
    let mut lines = vec![Line::new(), Line::rule("About this rule", "e opens it alone", width)];
    let text = fmt::wrap_lines(&manual, width.saturating_sub(4).min(96));
    lines.extend(text.into_iter().map(|line| Line::of(Role::Text, format!("  {line}"))));
    lines
}

/// One line: level, headline.
pub(super) fn headline(finding: &Finding, width: usize) -> Line {
    Line::of(role_of_level(Some(finding.level)), format!("  {:<5} ", finding.level.as_str()))
        .with(Role::Text, fmt::left(&finding.detector, 18))
        .with(Role::Text, fmt::clean(&finding.headline))
        .cut(width)
}

/// Headline and fix of each.
pub(super) fn with_fix(findings: &[Finding], width: usize) -> Vec<Line> {
    if findings.is_empty() {
        return Vec::new();
    }
    let title = format!("Findings ({})", findings.len());
    let mut lines = vec![Line::rule(&title, "e explain", width)];
    for finding in findings {
        lines.push(headline(finding, width));
        if !finding.fix.is_empty() {
            let fix = fmt::wrap(&finding.fix, width.saturating_sub(14));
            for (at, line) in fix.into_iter().enumerate() {
                lines.push(
                    Line::of(Role::Dim, if at == 0 { "        fix: " } else { "             " })
                        .with(Role::Good, line),
                );
            }
        }
    }
    lines
}

/// The open findings of a scope, as a panel of that many lines.
pub(super) fn panel(page: Option<&Page>, width: usize, height: usize) -> Vec<Line> {
    let total = page.map_or(0, |page| page.total);
    let title = format!("Findings ({})", fmt::thousands(total));
    let mut lines = vec![Line::rule(&title, "5 opens them", width)];
    let rows = page.map(|page| page.rows.as_slice()).unwrap_or_default();
    if rows.is_empty() {
        lines.push(Line::of(Role::Dim, if page.is_some() { "  none" } else { "  waiting …" }));
        return lines;
    }
    let room = height.saturating_sub(1);
    let fit = if total as usize > room { room.saturating_sub(1) } else { rows.len() };
    for row in rows.iter().take(fit) {
        let level = row.level.unwrap_or(Level::Allow);
        let text = |key| cells::text(row, key);
        let headline = [text("headline"), text("why")].into_iter().find(|text| !text.is_empty());
        let tail =
            format!("{}  {}", fmt::short_site(&cells::place(row).unwrap_or_default()), text("process"));
        let line = Line::of(role_of_level(Some(level)), format!("  {:<5} ", level.as_str()))
            .with(Role::Text, fmt::left(&text("detector"), 18))
            .with(Role::Text, fmt::clean(&headline.unwrap_or_default()));
        lines.push(line.beside(Line::of(Role::Dim, tail).with(Role::Text, " "), width));
    }
    if (total as usize) > fit {
        lines.push(Line::of(Role::Dim, format!("  … {} more: 5", fmt::thousands(total - fit as u64))));
    }
    lines
}

fn place(finding: &Finding) -> String {
    let mut parts = Vec::new();
    match (finding.task, finding.task_name.is_empty()) {
        (Some(task), false) => parts.push(format!("task {task} {}", finding.task_name)),
        (Some(task), true) => parts.push(format!("task {task}")),
        (None, _) => {}
    }
    if !finding.line.is_empty() {
        parts.push(format!("at {}", finding.line));
    }
    match (finding.site.is_empty(), finding.scope == finding.site) {
        (false, true) => parts.push(format!("request {}", finding.site)),
        (false, false) => parts.push(format!("spawned at {}", finding.site)),
        (true, _) => {}
    }
    if !finding.scope.is_empty() && finding.scope != finding.site {
        parts.push(format!("in scope {}", finding.scope));
    }
    if !finding.process.is_empty() {
        parts.push(format!("in {}", finding.process));
    }
    parts.join(", ")
}

fn proof(finding: &Finding) -> String {
    let mut parts = Vec::new();
    match (&finding.value, &finding.limit) {
        (Value::Null, _) => {}
        (value, Value::Null) => parts.push(value.to_string()),
        (value, limit) => parts.push(format!("{value} (limit {limit})")),
    }
    parts.extend(finding.kind.map(|kind| format!("mostly {}", kind.as_str())));
    if !finding.waiting_in.is_empty() {
        parts.push(format!("the kernel says {}", finding.waiting_in));
    }
    match (finding.waiters, finding.waited_ns) {
        (Some(waiters), Some(waited)) if waiters > 0 => {
            parts.push(format!("{} waited {} behind it", fmt::thousands(waiters.into()), Nanos(waited)));
        }
        (Some(0), _) => parts.push("no measured task waited".to_owned()),
        _ => {}
    }
    parts.push(match finding.count {
        1 => "once".to_owned(),
        count => format!("{} times", fmt::thousands(count)),
    });
    parts.push(format!("first {}", Value::Time(finding.first_ns)));
    parts.push(format!("last {}", Value::Time(finding.last_ns)));
    parts.join(" · ")
}

fn paragraph(lines: &mut Vec<Line>, label: &str, role: Role, text: &str, width: usize) {
    if text.is_empty() {
        return;
    }
    for (at, line) in fmt::wrap(text, width.saturating_sub(10)).into_iter().enumerate() {
        let label = if at == 0 { label } else { "" };
        lines.push(Line::of(Role::Header, format!("  {label:<7}")).with(role, line).cut(width));
    }
}
