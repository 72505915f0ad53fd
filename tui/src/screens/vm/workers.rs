//! Runtimes and their workers: the table, the lanes of single polls, the queues over time, what is wrong, what is not measured.

use pollscope_model::query::detail::RuntimeOverview;
use pollscope_model::query::page::Row;
use pollscope_model::value::Value;

use super::stack::{Need, split};
use super::text::Line;
use super::{Screen, cells, finding, fleet, flight, list};
use crate::output::fmt;
use crate::screens::glyph::Glyphs;
use crate::screens::state::State;
use crate::screens::state::hits::Area;
use crate::screens::state::list::List;
use crate::screens::theme::Role;

/// The body.
pub(super) fn body(state: &State, list: &List, area: Area, full: Need, screen: &mut Screen) {
    let width = area.w as usize;
    let runtimes =
        state.answers.overview.as_deref().map(|overview| overview.runtimes.as_slice()).unwrap_or_default();
    let mut queues = stuck(list, width);
    for runtime in runtimes {
        queues.extend(runtime_lines(runtime, width, state.look.glyphs));
    }
    let notes = fleet::notes(state, width);
    let findings = state.answers.findings.as_ref().map_or(1, |page| (page.total as usize).clamp(1, 8));
    let needs = [
        full,
        Need::new(5, flight::lanes_height(state) + 1),
        if queues.is_empty() { Need::NOTHING } else { Need::new(4.min(queues.len()), queues.len() + 1) },
        Need::new(2, findings + 2),
        Need::new(notes.len().min(2), notes.len()),
    ];
    let [top, lanes, middle, below, last] = split(area, needs, [0, 1, 2, 4, 3], [0, 1, 2, 4, 3]);
    list::table(state, list, top, screen);
    if lanes.h > 0 {
        screen.put(lanes, flight::lanes(state, width, usize::from(lanes.h)));
    }
    if middle.h > 0 {
        let room = usize::from(middle.h);
        if queues.len() > room {
            let missing = queues.len() - room + 1;
            queues.truncate(room);
            queues[room - 1] = Line::of(Role::Dim, format!("  … {missing} lines more in a taller window"));
        }
        screen.put(middle, queues);
    }
    if below.h > 1 {
        screen.put(below, finding::panel(state.answers.findings.as_ref(), width, usize::from(below.h)));
    }
    list::put_cut(notes, "a taller window", last, screen);
}

/// The workers that are stuck inside one poll: since when, in what, at which line.
fn stuck(list: &List, width: usize) -> Vec<Line> {
    let rows = list.page.iter().flat_map(|page| &page.rows);
    let rows: Vec<&Row> = rows.filter(|row| cells::text(row, "state") == "stuck").collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let title = format!("Stuck ({})", fmt::thousands(rows.len() as u64));
    let mut lines = vec![Line::rule(&title, "inside one poll right now", width)];
    for row in rows {
        let text = |key| fmt::clean(&cells::text(row, key)).into_owned();
        let of = [text("process"), text("runtime")].join(" ");
        let mut line = Line::of(Role::Bad, format!("  w{} for {} ", text("worker"), text("polling_for_ns")));
        for (label, key) in [("in ", "waiting_in"), ("at ", "stuck_at"), ("polling ", "polling")] {
            let text = text(key);
            if !text.is_empty() {
                line.push(Role::Dim, format!(" {label}"));
                line.push(Role::Text, text);
            }
        }
        lines.push(line.beside(Line::of(Role::Dim, of.trim().to_owned()).with(Role::Text, " "), width));
    }
    lines
}

fn runtime_lines(runtime: &RuntimeOverview, width: usize, glyphs: Glyphs) -> Vec<Line> {
    let title =
        format!("{} {}: {}, {} workers", runtime.process, runtime.name, runtime.flavor, runtime.workers);
    let alive = match (runtime.alive_tasks, runtime.seen_tasks) {
        (Some(alive), Some(seen)) => {
            format!("alive {}, seen {}", fmt::thousands(alive), fmt::thousands(seen))
        }
        (Some(alive), None) => format!("alive {}", fmt::thousands(alive)),
        (None, Some(seen)) => format!("seen {}", fmt::thousands(seen)),
        (None, None) => "alive: not measured".to_owned(),
    };
    vec![
        Line::rule(&fmt::clean(&title), &alive, width),
        series("global queue", &runtime.global_queue_series, runtime.global_queue, "", width, glyphs),
        series(
            "blocking pool",
            &runtime.blocking_series,
            runtime.blocking_threads,
            &runtime.blocking_queue.map_or_else(String::new, |queue| format!(", {queue} jobs wait")),
            width,
            glyphs,
        ),
    ]
}

/// `  global queue   ▁▁▂▃  812`, or that it is not measured.
fn series(
    label: &str,
    points: &[Option<f32>],
    now: Option<u64>,
    more: &str,
    width: usize,
    glyphs: Glyphs,
) -> Line {
    let line = Line::of(Role::Text, format!("  {label:<14} "));
    let Some(now) = now else {
        return line.with(Role::Dim, "not measured").cut(width);
    };
    let largest = points.iter().flatten().copied().fold(0.0_f32, f32::max);
    let tail = format!("  {}{more}  most {} in 15 min", Value::Count(now), Value::Count(largest as u64));
    let room = width.saturating_sub(line.width() + fmt::width(&tail) + 1);
    line.with(Role::Ink, glyphs.spark(&cells::shares(points), room)).with(Role::Dim, tail).cut(width)
}
