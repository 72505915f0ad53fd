//! The view model: the state as lines of text in roles, laid out for a screen of a given size.
//!
//! Pure functions of state and size. Nothing here knows a terminal, a colour or a source; nothing
//! here costs more than what is on screen.

mod body;
pub mod cells;
pub mod copy;
mod finding;
mod fleet;
mod flight;
mod frame;
mod heat;
mod histogram;
mod list;
mod overlay;
mod row_state;
mod site;
mod stack;
mod table;
mod task;
pub mod text;
mod workers;

use crate::screens::state::State;
use crate::screens::state::hits::{Area, Hits};
use crate::screens::state::level::Level;
use crate::screens::theme::Role;
use text::Line;

/// The smallest screen that is drawn; below that one line says so.
pub const LEAST: (u16, u16) = (40, 10);

/// Some lines in a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// The place.
    pub area: Area,
    /// The lines, at most as many as the place has rows.
    pub lines: Vec<Line>,
    /// Whether what lies below is wiped first.
    pub over: bool,
}

/// A whole screen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Screen {
    /// What is where, in drawing order.
    pub blocks: Vec<Block>,
    /// What can be clicked.
    pub hits: Hits,
}

impl Screen {
    fn put(&mut self, area: Area, lines: Vec<Line>) {
        self.blocks.push(Block { area, lines, over: false });
    }

    fn put_over(&mut self, area: Area, lines: Vec<Line>) {
        self.blocks.push(Block { area, lines, over: true });
    }
}

/// The screen of that many columns and rows.
pub fn screen(state: &State, (columns, rows): (u16, u16)) -> Screen {
    let mut screen = Screen::default();
    let whole = Area::new(0, 0, columns, rows);
    if columns < LEAST.0 || rows < LEAST.1 {
        let say = format!("too small: {columns}x{rows}, needs {}x{}", LEAST.0, LEAST.1);
        screen.put(whole, vec![Line::of(Role::Text, say).cut(columns as usize)]);
        return screen;
    }
    let (title, rest) = whole.split(1);
    let (tabs, rest) = rest.split(1);
    let (body, foot) = rest.split(rest.h - 2);
    let (ribbon, keys) = foot.split(1);
    screen.put(title, vec![frame::title(state, columns as usize)]);
    frame::tabs(state, tabs, &mut screen);
    let body = body::banner(state, body, &mut screen);
    if let Some(lines) = body::instead(state, body.w as usize) {
        screen.put(body, lines);
    } else if let Some(Level::Detail(detail)) = state.stack.last() {
        detail_body(state, detail, body, &mut screen);
    } else if let Some(list) = state.list() {
        list::body(state, list, body, &mut screen);
    }
    if body::is_stale(state) {
        dim(&mut screen, body);
    }
    screen.put(ribbon, vec![frame::above_keys(state, columns as usize)]);
    screen.put(keys, vec![frame::keys(state, columns as usize)]);
    overlay::draw(state, whole, &mut screen);
    screen
}

fn detail_body(
    state: &State,
    detail: &crate::screens::state::level::Detail,
    area: Area,
    screen: &mut Screen,
) {
    let lines = detail_lines(state, detail, area.w as usize, area.h as usize);
    scrolled(lines, detail.scroll, area, screen);
}

/// Everything about the thing, however long.
fn detail_lines(
    state: &State,
    detail: &crate::screens::state::level::Detail,
    width: usize,
    height: usize,
) -> Vec<Line> {
    use pollscope_model::query::ask::Answer;
    let glyphs = state.look.glyphs;
    let mut lines = match detail.answer.as_deref() {
        Some(Answer::Task(task)) => task::lines(task, flight::timeline(state, width), width, height, glyphs),
        Some(Answer::Site(site)) => site::lines(site, width, height, glyphs),
        Some(Answer::Finding(finding)) => {
            let mut lines = finding::lines(finding, width);
            lines.extend(finding::manual(finding, state.explain, width));
            lines
        }
        _ => body::waiting(width),
    };
    if let Some(reason) = &detail.error {
        let gone = crate::output::fmt::wrap(reason, width.saturating_sub(4));
        let said = gone.into_iter().map(|line| Line::of(Role::Bad, format!("  {line}")));
        lines.splice(0..0, said);
    }
    lines
}

/// Puts as many of the lines as fit, from the scrolled one on; the last line says what is below.
fn scrolled(mut lines: Vec<Line>, scroll: usize, area: Area, screen: &mut Screen) {
    let (all, height) = (lines.len(), area.h as usize);
    screen.hits.text = (all, height);
    let first = scroll.min(all.saturating_sub(height));
    let below = all - first - height.min(all - first);
    lines.drain(..first);
    lines.truncate(height);
    if below > 0
        && let Some(last) = lines.last_mut()
    {
        *last = Line::of(Role::Dim, format!("  … {} lines more: j", below + 1));
    }
    screen.put(area, lines);
}

/// Makes what lies in the area look as if it were not current.
fn dim(screen: &mut Screen, area: Area) {
    for block in screen.blocks.iter_mut().filter(|block| area.holds(block.area.x, block.area.y)) {
        for line in &mut block.lines {
            *line = std::mem::take(line).dim();
        }
    }
}

#[cfg(test)]
mod tests;
