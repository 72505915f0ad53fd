//! The one thing that is drawn: lines of spans into a rectangle of the terminal's buffer.

use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthChar;

use crate::output::fmt;
use crate::screens::glyph::{Glyphs, to_ascii};
use crate::screens::state::Look;
use crate::screens::state::hits::Area;
use crate::screens::theme::Role;
use crate::screens::vm::text::Line;

/// Draws the lines from the area's top; whatever does not fit, or lies outside of the buffer, is
/// left out.
pub(crate) fn lines(lines: &[Line], area: Area, look: Look, buffer: &mut Buffer) {
    for (y, line) in (area.y..area.y.saturating_add(area.h).min(buffer.area.height)).zip(lines) {
        self::line(line, Area { y, h: 1, ..area }, look, buffer);
    }
}

/// Makes the area empty.
pub(crate) fn wipe(area: Area, buffer: &mut Buffer) {
    for y in area.y..area.y.saturating_add(area.h).min(buffer.area.height) {
        for x in area.x..area.x.saturating_add(area.w).min(buffer.area.width) {
            buffer[(x, y)].reset();
        }
    }
}

fn line(line: &Line, area: Area, look: Look, buffer: &mut Buffer) {
    let end = area.x.saturating_add(area.w).min(buffer.area.width);
    let mut x = area.x;
    let mut ascii = String::new();
    for span in &line.spans {
        let style = look.theme.style(span.role);
        let clean = fmt::clean(&span.text);
        let text: &str = if look.glyphs == Glyphs::Ascii {
            ascii.clear();
            clean.chars().for_each(|c| to_ascii(c, &mut ascii));
            &ascii
        } else {
            &clean
        };
        for c in text.chars() {
            let width = c.width().unwrap_or(1) as u16;
            if end.saturating_sub(x) < width {
                x = end;
                break;
            }
            buffer[(x, area.y)].set_char(c).set_style(style);
            // A wide character hides the cell after it.
            for hidden in x + 1..x + width {
                buffer[(hidden, area.y)].reset();
            }
            x += width;
        }
    }
    if line.selected {
        let style = look.theme.style(Role::Selected);
        for x in area.x..end {
            buffer[(x, area.y)].set_style(style);
        }
    }
}
