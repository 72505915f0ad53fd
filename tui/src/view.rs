//! The view model into the terminal's buffer: block by block, nothing decided here.

use ratatui::buffer::Buffer;

use crate::state::Look;
use crate::vm::Screen;
use crate::widget;

/// Draws the screen.
pub(crate) fn draw(screen: &Screen, look: Look, buffer: &mut Buffer) {
    for block in &screen.blocks {
        if block.over {
            widget::wipe(block.area, buffer);
        }
        widget::lines(&block.lines, block.area, look, buffer);
    }
}

#[cfg(test)]
mod tests;
