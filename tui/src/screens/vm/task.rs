//! One task: facts, the histograms of its site, its slow polls, its findings.

use pollscope_model::query::column::{Unit, columns};
use pollscope_model::query::detail::{ObservedPoll, TaskDetail};
use pollscope_model::query::page::Row;
use pollscope_model::time::Nanos;
use pollscope_model::value::Value;

use super::text::{Line, flow, side_by_side};
use super::{cells, finding, histogram};
use crate::output::fmt;
use crate::screens::glyph::Glyphs;
use crate::screens::theme::Role;

/// Frames of a stack below the slow polls; the finding has them all.
const MOST_FRAMES: usize = 6;
/// Columns that the heading says.
const ELSEWHERE: [&str; 4] = ["id", "parent", "worker", "current_poll_ns"];

/// Everything, with the task's timeline, for a screen of that size.
pub(super) fn lines(
    task: &TaskDetail,
    timeline: Vec<Line>,
    width: usize,
    height: usize,
    glyphs: Glyphs,
) -> Vec<Line> {
    let mut head = vec![Line::rule(&name(&task.row), &now(&task.row), width)];
    head.extend(flow(facts(&task.row).into_iter().chain(own_facts(task)), width));
    head.extend(family(task, width));
    head.push(Line::new());
    head.extend(timeline);
    head.push(Line::new());
    let mut tail = Vec::new();
    tail.extend(finding::with_fix(&task.findings, width));
    tail.extend(slow_polls(task, width, 4));
    let room = height.saturating_sub(head.len() + tail.len() + 1);
    head.extend(histograms(task, width, room.clamp(10, 18), glyphs));
    head.push(Line::new());
    head.extend(tail);
    head
}

/// The panel below the list.
pub(super) fn panel(task: &TaskDetail, width: usize, glyphs: Glyphs) -> Vec<Line> {
    let title = format!("Selected {}", name(&task.row));
    let mut lines = vec![Line::rule(&title, &now(&task.row), width)];
    lines.extend(flow(own_facts(task), width).into_iter().take(2));
    let shape = shape(&task.poll, glyphs);
    let mut poll = Line::of(Role::Dim, "  its site's polls");
    for line in histogram::quantiles(&task.poll, width) {
        poll.append(line);
    }
    poll.push(Role::Ink, format!("   {shape}"));
    lines.push(poll.cut(width));
    lines.extend(family(task, width));
    lines.extend(task.findings.iter().take(2).map(|one| finding::headline(one, width)));
    if let Some(first) = task.findings.first().filter(|first| !first.fix.is_empty()) {
        lines.push(Line::of(Role::Dim, "        fix: ").with(Role::Good, fmt::clean(&first.fix)).cut(width));
    }
    lines
}

/// A histogram as one small picture: a point per third of a decade from 1 us to 10 s.
fn shape(hist: &pollscope_model::hist::Hist, glyphs: Glyphs) -> String {
    let mut points = [0_u64; 21];
    for (bucket, count) in hist.buckets() {
        let ns = pollscope_model::hist::upper_edge(bucket) as f64;
        let at = ((ns.log10() - 3.0) * 3.0).clamp(0.0, 20.0) as usize;
        points[at] = points[at].saturating_add(count);
    }
    let most = (points.iter().copied().max().unwrap_or(0) as f32 + 1.0).ln().max(f32::MIN_POSITIVE);
    let shares: Vec<Option<f32>> =
        points.iter().map(|count| (*count > 0).then(|| (*count as f32 + 1.0).ln() / most)).collect();
    glyphs.spark(&shares, shares.len())
}

fn name(row: &Row) -> String {
    let (id, name) = (cells::text(row, "id"), cells::text(row, "name"));
    if name.is_empty() {
        return format!("{id} {}", fmt::short_site(&cells::text(row, "site")));
    }
    format!("{id} {name}")
}

fn now(row: &Row) -> String {
    let state = cells::text(row, "state");
    let mut parts = vec![match row.cell("current_poll_ns") {
        Some(Value::Nanos(ns)) => format!("{state} for {}", Nanos(*ns)),
        _ => state,
    }];
    for (label, key) in [("group", "group"), ("parent", "parent")] {
        let text = cells::text(row, key);
        if !text.is_empty() {
            parts.push(format!("{label} {text}"));
        }
    }
    parts.join(" · ")
}

/// The row's site and numbers as label and value; at the end the names of those that are not there.
pub(super) fn facts(row: &Row) -> Vec<(String, String)> {
    let mut missing = Vec::new();
    let mut facts = Vec::new();
    for (column, value) in columns(row.id.kind()).into_iter().zip(&row.cells) {
        let is_number = !matches!(column.unit, Unit::Series | Unit::Text | Unit::List);
        if ELSEWHERE.contains(&column.key) || !(is_number || column.key == "site") {
            continue;
        }
        let label = column.alias.replace('_', " ");
        if value.is_null() {
            missing.push(label);
        } else {
            facts.push((label, value.to_string()));
        }
    }
    if !missing.is_empty() {
        facts.push(("not measured:".to_owned(), missing.join(", ")));
    }
    facts
}

fn own_facts(task: &TaskDetail) -> impl Iterator<Item = (String, String)> + '_ {
    task.facts.iter().map(|(label, text)| (label.to_string(), text.to_string()))
}

/// Ancestors, the farthest first, and children.
fn family(task: &TaskDetail, width: usize) -> Option<Line> {
    if task.ancestors.is_empty() && task.children_total == 0 {
        return None;
    }
    let mut line = Line::of(Role::Text, "  ");
    if !task.ancestors.is_empty() {
        line.push(Role::Dim, "spawned by ");
        let row: Vec<String> = task
            .ancestors
            .iter()
            .rev()
            .map(|link| format!("{} {}", link.id, fmt::clean(&link.label)))
            .collect();
        line.push(Role::Text, row.join(" › ") + "   ");
    }
    if task.children_total > 0 {
        line.push(Role::Dim, "children ");
        let some: Vec<String> =
            task.children.iter().map(|link| format!("{} {}", link.id, fmt::clean(&link.label))).collect();
        let more = task.children_total.saturating_sub(task.children.len() as u64);
        let more = if more > 0 { format!(" and {} more", fmt::thousands(more)) } else { String::new() };
        line.push(Role::Text, some.join(", ") + &more);
    }
    Some(line.cut(width))
}

fn histograms(task: &TaskDetail, width: usize, height: usize, glyphs: Glyphs) -> Vec<Line> {
    three(
        [
            ("Poll time of its site (log)", &task.poll, Some(task.poll_limit_ns).filter(|limit| *limit > 0)),
            ("Schedule delay of its site", &task.sched, None),
            ("Lifetime of its site's tasks", &task.life, None),
        ],
        width,
        height,
        glyphs,
    )
}

/// Three histograms, side by side as far as there is room, else below each other.
pub(super) fn three(
    hists: [(&str, &pollscope_model::hist::Hist, Option<u64>); 3],
    width: usize,
    height: usize,
    glyphs: Glyphs,
) -> Vec<Line> {
    let abreast = (width / 26).clamp(1, 3);
    let each = (width + 1) / abreast - 1;
    let pictures: Vec<Vec<Line>> = hists
        .into_iter()
        .map(|(title, hist, limit)| {
            let mut lines = vec![Line::rule(title, "", each)];
            lines.extend(histogram::lines(hist, limit, each, height.saturating_sub(1), glyphs));
            lines
        })
        .collect();
    let mut lines = Vec::new();
    let mut pictures = pictures.into_iter().peekable();
    while pictures.peek().is_some() {
        lines.extend(side_by_side(pictures.by_ref().take(abreast).collect(), each));
    }
    lines
}

fn slow_polls(task: &TaskDetail, width: usize, most: usize) -> Vec<Line> {
    if task.slow_polls.is_empty() {
        return Vec::new();
    }
    let title = format!("Slow polls ({})", task.slow_polls.len());
    let limit = format!("limit {}", Nanos(task.poll_limit_ns));
    let mut lines = vec![Line::rule(&title, &limit, width)];
    lines.push(
        Line::of(
            Role::Header,
            "     POLL    WALL    BUSY BLOCKED PREEMPTED  MOSTLY     WORKER  WAITED BEHIND IT   THE THREAD",
        )
        .cut(width),
    );
    lines.extend(task.slow_polls.iter().rev().take(most).map(|poll| slow_poll(poll).cut(width)));
    let more = task.slow_polls.len().saturating_sub(most);
    if more > 0 {
        lines.push(Line::of(Role::Dim, format!("  and {more} older ones")));
    }
    lines.extend(stack(task, width));
    lines
}

/// The newest stack that was taken inside one of its slow polls.
fn stack(task: &TaskDetail, width: usize) -> Vec<Line> {
    let Some(seen) = task.slow_polls.iter().rev().find(|seen| !seen.stack.is_empty()) else {
        return Vec::new();
    };
    let mut lines = vec![Line::of(Role::Dim, format!("  poll {} was seen in", seen.poll.nth)).cut(width)];
    for (at, frame) in seen.stack.iter().take(MOST_FRAMES).enumerate() {
        let role = if at == 0 { Role::Text } else { Role::Dim };
        lines.push(Line::of(role, format!("    {}", fmt::clean(frame))).cut(width));
    }
    lines
}

fn slow_poll(seen: &ObservedPoll) -> Line {
    let poll = &seen.poll;
    let ns = |ns: Option<u64>| ns.map_or_else(|| "–".to_owned(), |ns| Nanos(ns).to_string());
    let kind = poll.kind().map_or("–", |kind| kind.as_str());
    let kind = if poll.in_place { "in place" } else { kind };
    let worker = poll.worker.map_or_else(|| "–".to_owned(), |worker| format!("w{worker}"));
    let waited = match (poll.waiters, poll.waited_ns) {
        (None, _) => "–".to_owned(),
        (Some(0), _) => "no task".to_owned(),
        (Some(waiters), None) => format!("{waiters} tasks"),
        (Some(waiters), Some(waited)) => format!("{waiters} tasks {}", Nanos(waited)),
    };
    let thread = if seen.waiting_in.is_empty() { "–".into() } else { fmt::clean(&seen.waiting_in) };
    let allowed = match &*seen.allowed {
        "" => String::new(),
        why => format!("; {} allowed: {}", Nanos(poll.allowed_ns), fmt::clean(why)),
    };
    Line::of(
        Role::Text,
        format!(
            "  {:>7} {:>7} {:>7} {:>7} {:>9}  {kind:<10} {worker:<7} {waited:<18} {thread}{allowed}",
            poll.nth,
            Nanos(poll.wall_ns).to_string(),
            ns(poll.busy_ns),
            ns(poll.blocked_ns()),
            ns(poll.preempted_ns),
        ),
    )
}
