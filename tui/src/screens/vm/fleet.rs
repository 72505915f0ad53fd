//! The fleet: processes, how busy their workers are, what is wrong, what is not measured.

use super::stack::{Need, split};
use super::text::Line;
use super::{Screen, finding, heat, list};
use crate::output::fmt;
use crate::screens::state::State;
use crate::screens::state::hits::Area;
use crate::screens::state::list::List;
use crate::screens::theme::Role;

/// The body.
pub(super) fn body(state: &State, list: &List, area: Area, full: Need, screen: &mut Screen) {
    let width = area.w as usize;
    let overview = state.answers.overview.as_deref();
    let workers = overview.map(|overview| overview.workers.as_slice()).unwrap_or_default();
    let notes = notes(state, width);
    let findings = state.answers.findings.as_ref().map_or(1, |page| (page.total as usize).clamp(1, 16));
    let needs = [
        full,
        if workers.is_empty() { Need::NOTHING } else { Need::new(3, workers.len() + 2) },
        Need::new(2, findings + 2),
        Need::new(notes.len().min(2), notes.len()),
    ];
    let [top, middle, below, last] = split(area, needs, [0, 2, 3, 1], [0, 2, 3, 1]);
    list::table(state, list, top, screen);
    if middle.h > 1 {
        let glyphs = state.look.glyphs;
        let mut lines = vec![Line::rule("Worker busy, 1 column = 5 s", &heat::legend(glyphs), width)];
        // One row stays free, if there is one, to part the panels.
        let room = usize::from(middle.h - 1);
        let room = if room > workers.len() { room } else { room.saturating_sub(usize::from(room > 2)) };
        lines.extend(heat::workers(workers, width, room, glyphs));
        screen.put(middle, lines);
    }
    if below.h > 1 {
        let room = usize::from(below.h);
        let room = if room > findings + 1 { room } else { room.saturating_sub(usize::from(room > 3)) };
        screen.put(below, finding::panel(state.answers.findings.as_ref(), width, room));
    }
    list::put_cut(notes, "a taller window", last, screen);
}

/// What a reader should know: not measured, lost, gone.
pub(super) fn notes(state: &State, width: usize) -> Vec<Line> {
    let notes =
        state.answers.overview.as_deref().map(|overview| overview.notes.as_slice()).unwrap_or_default();
    notes
        .iter()
        .flat_map(|note| fmt::wrap(note, width.saturating_sub(4)))
        .map(|line| Line::of(Role::Dim, format!("  {line}")))
        .collect()
}
