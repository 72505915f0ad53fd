//! What really goes to the terminal, byte for byte, as a terminal understands it.

use std::num::NonZero;

use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::paint;
use crate::screens::rig::{Rig, SOME};
use crate::screens::state::Tab;
use crate::screens::theme::{Depth, Palette, Theme};

/// The bytes of one frame.
fn bytes(rig: &Rig) -> Vec<u8> {
    crossterm::style::force_color_output(true);
    let mut out = Vec::new();
    let viewport = Viewport::Fixed(Rect::new(0, 0, 100, 30));
    let mut terminal = Terminal::with_options(CrosstermBackend::new(&mut out), TerminalOptions { viewport })
        .expect("a terminal");
    terminal.draw(|frame| drop(paint(&rig.state, frame.buffer_mut()))).expect("a frame");
    drop(terminal);
    out
}

fn parsed(bytes: &[u8]) -> vt100::Parser {
    let (rows, columns) = (NonZero::new(30).expect("rows"), NonZero::new(100).expect("columns"));
    let mut parser = vt100::Parser::new(rows, columns, 0);
    parser.process(bytes);
    parser
}

/// The row under the cursor, and whether all of it is in reverse video.
fn cursor_row(parser: &vt100::Parser) -> Option<(u16, bool)> {
    let screen = parser.screen();
    let row = (0..30).find(|y| screen.cell(*y, 0).is_some_and(|cell| cell.contents() == ">"))?;
    Some((
        row,
        (0..100)
            .all(|x| screen.cell(row, x).is_some_and(|cell| cell.inverse() || cell.is_wide_continuation())),
    ))
}

#[test]
fn without_colour_the_selected_row_is_still_reversed_and_nothing_is_coloured() {
    let mut rig = Rig::connected(Tab::Tasks, SOME);
    rig.state.look.theme = Theme { palette: Palette::Dark, depth: Depth::None };
    let parser = parsed(&bytes(&rig));
    assert_eq!(cursor_row(&parser).map(|(_, reversed)| reversed), Some(true));
    for y in 0..30 {
        for x in 0..100 {
            let cell = parser.screen().cell(y, x).expect("a cell");
            assert_eq!(cell.fgcolor(), vt100::Color::Default, "{x},{y}");
            assert_eq!(cell.bgcolor(), vt100::Color::Default, "{x},{y}");
        }
    }
}

#[test]
fn every_depth_reverses_the_selected_row_and_colours_what_is_bad() {
    for depth in [Depth::Ansi, Depth::Indexed, Depth::TrueColor] {
        let mut rig = Rig::connected(Tab::Tasks, SOME);
        rig.state.look.theme = Theme { palette: Palette::Dark, depth };
        let parser = parsed(&bytes(&rig));
        let (row, reversed) = cursor_row(&parser).expect("a cursor");
        assert!(reversed, "{depth:?}");
        let flag = parser.screen().cell(row, 2).expect("a cell");
        assert_eq!(flag.contents(), "!");
        assert_ne!(flag.fgcolor(), vt100::Color::Default, "{depth:?}");
    }
}

#[test]
fn a_name_with_escapes_in_it_cannot_reach_the_terminal() {
    let rig = Rig::connected(Tab::Tasks, SOME);
    let parser = parsed(&bytes(&rig));
    let contents = parser.screen().contents();
    assert!(contents.contains("audit?[31m_write"), "{contents}");
    assert!(contents.contains("日本語の名前"), "{contents}");
}
