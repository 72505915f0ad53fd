//! A page as lines: which columns fit, how wide they are, what the cells say.
//!
//! Costs what is on screen, never what is in the world: only the rows between the list's top and the
//! end of the screen are looked at.

use pollscope_model::query::column::{Column, Unit, columns};
use pollscope_model::query::page::Row;
use pollscope_model::value::Value;

use super::cells;
use super::text::Line;
use crate::output::fmt;
use crate::screens::glyph::Glyphs;
use crate::screens::state::hits::Area;
use crate::screens::state::list::List;
use crate::screens::theme::Role;

/// Columns before the first cell: cursor and space.
const LEAD: usize = 2;
/// A text column is shown cut to so many columns before it is not shown at all.
const LEAST_TEXT: usize = 14;

/// One column as it is shown.
struct Shown {
    column: &'static Column,
    /// Place among the chosen columns.
    order: usize,
    /// Place among the row's cells.
    at: usize,
    width: usize,
}

/// A table of a list's rows.
pub(super) struct Table {
    /// Head and rows.
    pub lines: Vec<Line>,
    /// Where the heads are, with their columns' keys; relative to the table.
    pub heads: Vec<(Area, &'static str)>,
    /// Columns that were chosen but found no room.
    pub hidden: usize,
}

/// Lays the rows of the list that fit into so many lines, the head included.
pub(super) fn lay(
    list: &List,
    chosen: &[&'static str],
    width: usize,
    height: usize,
    glyphs: Glyphs,
) -> Table {
    let rows: Vec<&Row> =
        (0..height.saturating_sub(1) as u64).map_while(|line| list.row_at(list.top + line)).collect();
    let (shown, hidden) = fit(list, chosen, width, &rows);
    let mut head = Line::of(Role::Header, "  ");
    let mut heads = Vec::new();
    let decides = list.sort.first();
    for shown in &shown {
        let mut title = shown.column.header.to_owned();
        if let Some(sort) = decides.filter(|sort| sort.column == shown.column.key) {
            title.push(if sort.descending { '▼' } else { '▲' });
        }
        let text = if cells::stands_right(shown.column) {
            fmt::right(&title, shown.width)
        } else {
            fmt::left(&title, shown.width)
        };
        if !heads.is_empty() {
            head.push(Role::Header, " ");
        }
        heads.push((Area::new(head.width() as u16, 0, shown.width as u16, 1), shown.column.key));
        head.push(Role::Header, text);
    }
    let mut lines = vec![head.cut(width)];
    for (place, row) in rows.into_iter().enumerate() {
        lines.push(line(row, &shown, list.top + place as u64 == list.index, width, glyphs));
    }
    Table { lines, heads, hidden }
}

fn line(row: &Row, shown: &[Shown], selected: bool, width: usize, glyphs: Glyphs) -> Line {
    let over = row.level.is_none() && cells::is_over(row);
    let mut line = Line::of(Role::Accent, if selected { "> " } else { "  " });
    for (place, shown) in shown.iter().enumerate() {
        let cell = row.cells.get(shown.at).unwrap_or(&Value::Null);
        let span = cells::show(shown.column, row, cell, shown.width, glyphs);
        line.push(Role::Text, if place > 0 { " " } else { "" });
        line.push(if over { Role::Dim } else { span.role }, span.text);
    }
    line.selected = selected;
    line.cut(width)
}

/// The columns that fit: by priority, or from the one that was scrolled to; room that is left goes
/// to texts that need it, then to pictures.
fn fit(list: &List, chosen: &[&'static str], width: usize, rows: &[&Row]) -> (Vec<Shown>, usize) {
    let table = columns(list.tab.kind());
    let mut shown: Vec<Shown> = chosen
        .iter()
        .enumerate()
        .filter_map(|(order, key)| {
            let at = table.iter().position(|column| column.key == *key)?;
            let column = table[at];
            let least = fmt::width(column.header) + usize::from(is_sorted(list, column));
            Some(Shown { column, order, at, width: usize::from(column.width).max(least).max(1) })
        })
        .collect();
    let all = shown.len();
    if list.left > 0 {
        let mut skip = list.left;
        shown.retain(|shown| {
            let moves = shown.column.priority > 0 && skip > 0;
            skip -= usize::from(moves);
            !moves
        });
    }
    let mut left = Vec::new();
    let used = |shown: &[Shown]| LEAD + shown.iter().map(|shown| shown.width + 1).sum::<usize>();
    while used(&shown) > width + 1 && shown.len() > 1 {
        let leaves = if list.left > 0 {
            Some(shown.len() - 1)
        } else {
            // The highest number leaves first; of equals the last.
            (0..shown.len()).max_by_key(|at| (shown[*at].column.priority, *at))
        };
        left.push(shown.remove(leaves.unwrap_or(0)));
    }
    let mut spare = (width + 1).saturating_sub(used(&shown));
    // What left last matters most: if it is a text, a part of it is better than nothing.
    if let Some(mut last) = left.pop().filter(|last| is_text(last.column)) {
        let room = last.width.min(spare.saturating_sub(1));
        if room >= LEAST_TEXT.max(fmt::width(last.column.header)) && list.left == 0 {
            last.width = room;
            spare -= room + 1;
            let place = shown.partition_point(|shown| shown.order < last.order);
            shown.insert(place, last);
        }
    }
    for shown in shown.iter_mut().filter(|shown| is_text(shown.column) || shown.column.unit == Unit::Id) {
        let wish = rows
            .iter()
            .filter_map(|row| Some(cells::shown(shown.column, row, row.cells.get(shown.at)?)))
            .map(|value| cells::wish(shown.column, value))
            .max()
            .unwrap_or(0);
        let more = wish.saturating_sub(shown.width).min(spare);
        shown.width += more;
        spare -= more;
    }
    for shown in shown.iter_mut().filter(|shown| shown.column.unit == Unit::Series) {
        let more = 60_usize.saturating_sub(shown.width).min(spare);
        shown.width += more;
        spare -= more;
    }
    let hidden = all - shown.len();
    (shown, hidden)
}

fn is_text(column: &Column) -> bool {
    matches!(column.unit, Unit::Text | Unit::List)
}

fn is_sorted(list: &List, column: &Column) -> bool {
    list.sort.first().is_some_and(|sort| sort.column == column.key)
}
