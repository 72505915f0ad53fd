//! The view model into the terminal's buffer: block by block, nothing decided here.

use ratatui::buffer::Buffer;

use crate::state::hits::Hits;
use crate::state::{Look, State};
use crate::vm::{self, Screen};
use crate::widget;

#[cfg(test)]
pub(crate) mod text;

/// Draws the state into a buffer of any size and tells where things are.
pub fn paint(state: &State, buffer: &mut Buffer) -> Hits {
    let screen = vm::screen(state, (buffer.area.width, buffer.area.height));
    draw(&screen, state.look, buffer);
    screen.hits
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
