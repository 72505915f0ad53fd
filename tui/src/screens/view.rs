//! The view model into the terminal's buffer: block by block, nothing decided here.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::screens::state::hits::Hits;
use crate::screens::state::{Look, State};
use crate::screens::vm::{self, Screen};
use crate::screens::widget;

#[cfg(test)]
pub(crate) mod text;

/// Draws the state into a buffer of any size and returns where things are.
pub(crate) fn paint(state: &State, buffer: &mut Buffer) -> Hits {
    let screen = vm::screen(state, (buffer.area.width, buffer.area.height));
    draw(&screen, state.look, buffer);
    screen.hits
}

/// Draws the state on a screen of that size in memory, and gives it as text, line by line: what
/// a frame costs, and what is on it, without a terminal.
pub fn off_screen(state: &State, columns: u16, rows: u16) -> Vec<String> {
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
    paint(state, &mut buffer);
    let line = |y| (0..columns).map(|x| buffer[(x, y)].symbol()).collect();
    (0..rows).map(line).collect()
}

/// Draws the screen.
fn draw(screen: &Screen, look: Look, buffer: &mut Buffer) {
    for block in &screen.blocks {
        if block.over {
            widget::wipe(block.area, buffer);
        }
        widget::lines(&block.lines, block.area, look, buffer);
    }
}

#[cfg(test)]
mod tests;
