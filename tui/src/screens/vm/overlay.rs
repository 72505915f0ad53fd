//! Menus and texts that lie over the screen.

use super::Screen;
use super::text::Line;
use crate::output::fmt;
use crate::screens::state::State;
use crate::screens::state::hits::Area;
use crate::screens::state::overlay::{Menu, Overlay, Text};
use crate::screens::theme::Role;

/// Puts what lies over the screen.
pub(super) fn draw(state: &State, whole: Area, screen: &mut Screen) {
    match &state.overlay {
        Some(Overlay::Menu(menu)) => draw_menu(menu, whole, screen),
        Some(Overlay::Text(text)) => draw_text(text, whole, screen),
        Some(Overlay::Prompt(_)) | None => {}
    }
}

/// A box of at most that size in the middle, above the key line.
fn middle(whole: Area, width: usize, height: usize) -> Area {
    let room = Area { h: whole.h - 1, ..whole };
    let w = (width as u16).min(room.w.saturating_sub(2)).max(1);
    let h = (height as u16).min(room.h).max(1);
    Area::new((room.w - w) / 2, (room.h - h) / 2, w, h)
}

fn draw_menu(menu: &Menu, whole: Area, screen: &mut Screen) {
    let label = menu.items.iter().map(|item| fmt::width(&item.label)).max().unwrap_or(0);
    let note = menu.items.iter().map(|item| fmt::width(&item.note)).max().unwrap_or(0);
    let area = middle(whole, label + note + 12, menu.items.len() + 2);
    let width = area.w as usize;
    let rows = usize::from(area.h).saturating_sub(2);
    let first = (menu.selected + 1).saturating_sub(rows).min(menu.items.len().saturating_sub(rows));
    let right = format!("{} of {}", menu.selected + 1, menu.items.len());
    let mut lines = vec![Line::rule(menu.title, &right, width)];
    for (at, item) in menu.items.iter().enumerate().skip(first).take(rows) {
        let mark = match item.on {
            Some(true) => "[x] ",
            Some(false) => "[ ] ",
            None => "",
        };
        let mut line = Line::of(Role::Accent, if at == menu.selected { " > " } else { "   " })
            .with(Role::Key, format!("{mark}{}  ", fmt::left(&item.label, label)))
            .with(Role::Text, fmt::clean(&item.note))
            .cut(width);
        line.pad_to(width);
        line.selected = at == menu.selected;
        lines.push(line);
    }
    lines.push(Line::rule("Enter chooses, Esc closes", "", width));
    screen.hits.menu = (Area { y: area.y + 1, h: rows as u16, ..area }, first);
    screen.put_over(area, lines);
}

fn draw_text(text: &Text, whole: Area, screen: &mut Screen) {
    let width = usize::from(whole.w).saturating_sub(8).clamp(20, 96);
    let body: Vec<String> = fmt::wrap_lines(&text.body, width - 4);
    let area = middle(whole, width, body.len() + 2);
    let width = area.w as usize;
    let rows = usize::from(area.h).saturating_sub(2);
    let first = text.scroll.min(body.len().saturating_sub(rows));
    let below = body.len().saturating_sub(first + rows);
    let mut lines = vec![Line::rule(&text.title, "", width)];
    let shown = body.iter().skip(first).take(rows);
    lines.extend(shown.map(|line| Line::of(Role::Text, format!("  {line}")).cut(width)));
    let more = if below > 0 { format!("{below} lines more: j") } else { String::new() };
    lines.push(Line::rule("Esc closes", &more, width));
    screen.hits.text = (body.len(), rows);
    screen.put_over(area, lines);
}
