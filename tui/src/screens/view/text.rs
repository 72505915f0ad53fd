//! A drawn screen as text, for tests.

use std::fmt::Write as _;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::paint;
use crate::output::fmt::width;
use crate::screens::state::State;
use crate::screens::state::hits::Hits;

/// Draws and returns the screen line by line, without blanks at the ends, and where things are.
pub(crate) fn screen(state: &State, columns: u16, rows: u16) -> (String, Hits) {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a test terminal");
    let mut hits = Hits::default();
    terminal.draw(|frame| hits = paint(state, frame.buffer_mut())).expect("a frame");
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..rows {
        // The cell after a wide character is hidden by it.
        let mut hidden = 0;
        let mut row = String::new();
        for x in 0..columns {
            let symbol = buffer[(x, y)].symbol();
            if hidden == 0 {
                row.push_str(symbol);
            }
            hidden = if hidden > 0 { hidden - 1 } else { width(symbol).saturating_sub(1) };
        }
        let _ = writeln!(text, "{}", row.trim_end());
    }
    (text, hits)
}
