//! One spawn site: its poll times as histogram and over time, its tasks, its findings.

use pollscope_model::query::detail::SiteDetail;
use pollscope_model::time::Nanos;
use pollscope_model::value::Value;

use super::text::{Line, flow};
use super::{cells, finding, heat, histogram, task};
use crate::output::fmt;
use crate::screens::glyph::Glyphs;
use crate::screens::theme::Role;

/// Everything, for a screen of that size.
pub(super) fn lines(site: &SiteDetail, width: usize, height: usize, glyphs: Glyphs) -> Vec<Line> {
    let mut lines = vec![Line::rule(
        &fmt::clean(&cells::site(&site.row).unwrap_or_default()),
        "Enter lists its tasks",
        width,
    )];
    lines.extend(flow(task::facts(&site.row).into_iter().filter(|(label, _)| label != "site"), width));
    lines.extend(people(site, width));
    lines.extend(woken_by(site, width));
    lines.extend(lines_seen(site, width));
    lines.push(Line::new());
    let pictures = over_time(site, width, glyphs);
    let room = height.saturating_sub(lines.len() + pictures.len() + site.findings.len() * 2 + 2);
    lines.extend(task::three(
        [
            ("Poll time (log)", &site.poll, None),
            ("Schedule delay", &site.sched, None),
            ("Lifetime of ended tasks", &site.life, None),
        ],
        width,
        room.clamp(9, 18),
        glyphs,
    ));
    lines.push(Line::new());
    lines.extend(pictures);
    lines.extend(finding::with_fix(&site.findings, width));
    lines
}

/// The panel below the list.
pub(super) fn panel(site: &SiteDetail, width: usize, height: usize, glyphs: Glyphs) -> Vec<Line> {
    let mut lines = over_time(site, width, glyphs);
    let mut all_time = Line::of(Role::Dim, "  since the start");
    for line in histogram::quantiles(&site.poll, width) {
        all_time.append(line);
    }
    lines.push(all_time.cut(width));
    lines.extend(people(site, width).into_iter().take(1));
    let findings = finding::with_fix(&site.findings, width);
    lines.truncate(height.saturating_sub(findings.len().min(5)).max(4));
    lines.extend(findings);
    lines
}

fn over_time(site: &SiteDetail, width: usize, glyphs: Glyphs) -> Vec<Line> {
    let name = fmt::short_site(&fmt::clean(&cells::site(&site.row).unwrap_or_default()));
    let mut lines = vec![Line::rule(&name, "poll time, 15 min, 1 column = 10 s, shade = polls (log)", width)];
    lines.extend(heat::polls(&site.heat, width, glyphs));
    lines
}

/// The lines of the user's that a library's slow polls were seen at: how often, and how long in all.
fn lines_seen(site: &SiteDetail, width: usize) -> Vec<Line> {
    let Some(Value::Lines(seen)) = site.row.cell("lines") else { return Vec::new() };
    if seen.is_empty() {
        return Vec::new();
    }
    let told = seen.iter().map(|one| {
        let line = if one.line.is_empty() {
            "other lines".to_owned()
        } else {
            fmt::short_site(&fmt::clean(&one.line))
        };
        (line, format!("×{} {}", fmt::thousands(one.polls), Nanos(one.total_ns)))
    });
    let mut lines = vec![
        Line::new(),
        Line::rule("Lines seen here", "slow polls whose stack was taken, time in all", width),
    ];
    lines.extend(flow(told, width));
    lines
}

/// Who wakes its tasks, the most frequent first, with their shares.
fn woken_by(site: &SiteDetail, width: usize) -> Option<Line> {
    let wakers = site.woken_by.as_ref().filter(|wakers| !wakers.is_empty())?;
    let all = wakers.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count)).max(1);
    let share = |count: u64| Value::Ratio(count as f64 / all as f64);
    let told: Vec<String> = wakers
        .iter()
        .map(|(waker, count)| {
            let waker = fmt::short_site(&fmt::clean(waker));
            format!("{waker} {} ({})", fmt::thousands(*count), share(*count))
        })
        .collect();
    Some(Line::of(Role::Dim, "  woken by ").with(Role::Text, told.join(", ")).cut(width))
}

/// Names of its tasks and some of those alive.
fn people(site: &SiteDetail, width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    if !site.names.is_empty() {
        let names: Vec<String> = site
            .names
            .iter()
            .map(|(name, alive)| format!("{} {}", fmt::clean(name), fmt::thousands(*alive)))
            .collect();
        lines.push(Line::of(Role::Dim, "  names ").with(Role::Text, names.join(", ")).cut(width));
    }
    if !site.tasks.is_empty() {
        let tasks: Vec<String> =
            site.tasks.iter().map(|link| format!("{} {}", link.id, fmt::clean(&link.label))).collect();
        lines.push(Line::of(Role::Dim, "  tasks ").with(Role::Text, tasks.join(", ")).cut(width));
    }
    lines
}
