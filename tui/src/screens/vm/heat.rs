//! Heat maps: poll times over time, and how busy workers were.

use pollscope_model::entity::heat::HeatColumn;
use pollscope_model::query::detail::WorkerHeat;

use super::text::Line;
use crate::output::fmt;
use crate::screens::glyph::Glyphs;
use crate::screens::theme::Role;

const DECADES: [&str; 8] = ["<1us", "1us", "10us", "100us", "1ms", "10ms", "100ms", "1s"];
/// Columns before the picture.
const LABEL: usize = 8;

/// Poll times: a row per decade, the slowest on top, the newest column at the right. Decades that
/// nothing reached are left out at both ends.
pub(super) fn polls(heat: &[HeatColumn], width: usize, glyphs: Glyphs) -> Vec<Line> {
    let room = width.saturating_sub(LABEL + 1);
    let heat = &heat[heat.len().saturating_sub(room)..];
    let seen = |decade: &usize| heat.iter().any(|column| column.decades[*decade] > 0);
    let (Some(first), Some(last)) = ((0..8).find(seen), (0..8).rfind(seen)) else {
        return vec![Line::of(Role::Dim, "  no poll in the last 15 minutes")];
    };
    let most = heat.iter().flat_map(|column| column.decades).max().unwrap_or(1);
    (first..=last)
        .rev()
        .map(|decade| {
            let cells: String = heat
                .iter()
                .map(|column| match column.decades[decade] {
                    0 => ' ',
                    count => glyphs.shade(log_level(count, most)),
                })
                .collect();
            // From 10 ms on a poll is slow by the default limit.
            let role = if decade >= 5 { Role::Warn } else { Role::Ink };
            Line::of(Role::Dim, format!("  {} ", fmt::left(DECADES[decade], LABEL - 3)))
                .with(Role::Rule, "·")
                .with(role, cells)
                .cut(width)
        })
        .collect()
}

fn log_level(count: u64, most: u64) -> usize {
    let share = (count as f64 + 1.0).ln() / (most as f64 + 1.0).ln();
    (share * 4.0) as usize
}

/// Busy shares: a row per worker, as many as fit; the last line says how many did not.
pub(super) fn workers(workers: &[WorkerHeat], width: usize, height: usize, glyphs: Glyphs) -> Vec<Line> {
    if workers.is_empty() {
        return vec![Line::of(Role::Dim, "  no worker was seen yet")];
    }
    let label = workers.iter().map(|worker| fmt::width(&worker.label)).max().unwrap_or(0).min(24);
    let rows = if workers.len() > height { height.saturating_sub(1) } else { workers.len() };
    let mut lines: Vec<Line> = workers[..rows]
        .iter()
        .map(|worker| {
            let room = width.saturating_sub(label + 4);
            let points = &worker.busy[worker.busy.len().saturating_sub(room)..];
            let mut line = Line::of(Role::Text, format!("  {}  ", fmt::left(&worker.label, label)));
            for point in points {
                let (glyph, role) = match point {
                    None => (' ', Role::Dim),
                    Some(share) if *share >= 0.85 => (glyphs.shade(3), Role::Bad),
                    Some(share) if *share >= 0.50 => (glyphs.shade(2), Role::Warn),
                    Some(share) if *share >= 0.25 => (glyphs.shade(1), Role::Ink),
                    Some(_) => (glyphs.shade(0), Role::Ink),
                };
                match line.spans.last_mut() {
                    Some(last) if last.role == role => last.text.push(glyph),
                    _ => line.push(role, glyph),
                }
            }
            line.cut(width)
        })
        .collect();
    if rows < workers.len() {
        lines.push(Line::of(Role::Dim, format!("  and {} workers more", workers.len() - rows)));
    }
    lines
}

/// What the shades of [`workers`] mean.
pub(super) fn legend(glyphs: Glyphs) -> String {
    let shade = |level| glyphs.shade(level);
    format!("{} <25%  {} <50%  {} <85%  {} more", shade(0), shade(1), shade(2), shade(3))
}
