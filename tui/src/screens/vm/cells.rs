//! Reading rows: a cell by its column's key, what it says, and how it looks in a table.

use std::sync::Arc;

use pollscope_model::id::TaskId;
use pollscope_model::level::Level;
use pollscope_model::query::column::{Column, Kind, Meaning, Unit, columns};
use pollscope_model::query::page::{Row, RowId};
use pollscope_model::value::Value;

use super::row_state::RowState;
use super::text::Span;
use crate::output::fmt;
use crate::screens::glyph::Glyphs;
use crate::screens::theme::Role;

/// The cell's text; empty if there is none.
pub fn text(row: &Row, key: &str) -> String {
    let columns = columns(row.id.kind());
    match columns.iter().zip(&row.cells).find(|(column, _)| column.key == key) {
        None | Some((_, Value::Null)) => String::new(),
        Some((column, value)) => column.unit.show(value),
    }
}

/// The spawn site that the row is about.
pub fn site(row: &Row) -> Option<Arc<str>> {
    match (&row.id, row.cell("site")) {
        (RowId::Site(site), _) => Some(site.clone()),
        (_, Some(Value::Text(site))) if !site.is_empty() => Some(site.clone()),
        _ => None,
    }
}

/// The place to show: a finding's line if it has one, else the spawn site.
pub fn place(row: &Row) -> Option<Arc<str>> {
    match row.cell("line") {
        Some(Value::Text(line)) => Some(line.clone()),
        _ => site(row),
    }
}

/// What stands in the cell: in a finding's column of sites its place.
pub fn shown<'a>(column: &Column, row: &'a Row, value: &'a Value) -> &'a Value {
    match row.cell("line") {
        Some(line @ Value::Text(_)) if column.meaning == Meaning::Site => line,
        _ => value,
    }
}

/// The task that the row is about: a worker's current one, a finding's.
pub fn task(row: &Row) -> Option<TaskId> {
    let key = if row.id.kind() == Kind::Workers { "polling_task" } else { "task" };
    match (&row.id, row.cell(key)) {
        (RowId::Task(_, task), _) => Some(*task),
        (_, Some(Value::Count(task))) => Some(TaskId(*task)),
        _ => None,
    }
}

/// The detectors with open findings about the row.
pub fn detectors(row: &Row) -> Vec<Arc<str>> {
    match (row.cell("detector"), row.cell("findings")) {
        (Some(Value::Text(detector)), _) => vec![detector.clone()],
        (_, Some(Value::List(detectors))) => detectors.clone(),
        _ => Vec::new(),
    }
}

/// Whether the row's thing is over: an ended task, a process that is gone, a closed finding.
pub fn is_over(row: &Row) -> bool {
    match row.cell("state") {
        Some(Value::Text(word)) => RowState::of(row.id.kind(), word).is_some_and(RowState::is_over),
        _ => false,
    }
}

/// Whether the column's cells stand at the right.
pub fn stands_right(column: &Column) -> bool {
    !matches!(column.unit, Unit::Text | Unit::List | Unit::Series)
}

/// Columns that the cell would like to have.
pub fn wish(column: &Column, value: &Value) -> usize {
    match value {
        Value::Series(points) => points.len(),
        Value::Text(text) if column.meaning == Meaning::Site => fmt::width(&fmt::short_site(text)),
        value => fmt::width(&column.unit.show(value)),
    }
}

/// The cell in exactly that many columns.
pub fn show(column: &Column, row: &Row, value: &Value, columns: usize, glyphs: Glyphs) -> Span {
    let (text, role) = match shown(column, row, value) {
        Value::Text(text) => of_text(column, row, text, columns),
        Value::Null => ("–".to_owned(), Role::Dim),
        Value::Series(points) => {
            let spark = glyphs.spark(&shares(points), columns);
            return Span { text: fmt::left(&spark, columns), role: Role::Ink };
        }
        value => (column.unit.show(value), Role::Text),
    };
    let text = if stands_right(column) { fmt::right(&text, columns) } else { fmt::left(&text, columns) };
    Span { text, role }
}

/// What the column means decides how a text looks: one that is only spelled like a state is a text.
fn of_text(column: &Column, row: &Row, text: &str, columns: usize) -> (String, Role) {
    let role = match column.meaning {
        Meaning::Mark => role_of_level(row.level),
        Meaning::Level => match Level::from_name(text) {
            Some(Level::Deny) => Role::Bad,
            Some(Level::Warn) => Role::Warn,
            Some(Level::Allow) | None => Role::Text,
        },
        Meaning::State => RowState::of(row.id.kind(), text).map_or(Role::Text, RowState::role),
        Meaning::Site if fmt::width(text) > columns => {
            return (fmt::cut_front(&fmt::short_site(text), columns).into_owned(), Role::Text);
        }
        _ => Role::Text,
    };
    (text.to_owned(), role)
}

/// The role of a level's mark; the mark itself says it as well.
pub const fn role_of_level(level: Option<Level>) -> Role {
    match level {
        Some(Level::Deny) => Role::Bad,
        Some(Level::Warn) => Role::Warn,
        Some(Level::Allow) | None => Role::Dim,
    }
}

/// A series as shares: shares stay as they are, anything larger is scaled by its largest.
pub fn shares(points: &[Option<f32>]) -> Vec<Option<f32>> {
    let largest = points.iter().flatten().copied().fold(1.0_f32, f32::max);
    points.iter().map(|point| point.map(|value| value / largest)).collect()
}

#[cfg(test)]
mod tests {
    use pollscope_model::id::BootId;

    use super::*;

    #[test]
    fn a_cell_is_coloured_by_what_its_column_means_and_not_by_how_its_text_is_spelled() {
        let role = |key: &str, text: &str| {
            let tasks = columns(Kind::Tasks);
            let column = tasks.iter().find(|column| column.key == key).expect("a column");
            let id = RowId::Task(BootId(1), TaskId(1));
            let row = Row { id, level: None, cells: Vec::new() };
            show(column, &row, &Value::text(text), 20, Glyphs::default()).role
        };
        for word in ["gone", "running", "deny", "panicked", "parked", "warn"] {
            for key in ["name", "group", "scope", "runtime"] {
                assert_eq!(role(key, word), Role::Text, "{key} {word}");
            }
        }
        assert_eq!((role("state", "panicked"), role("state", "running")), (Role::Bad, Role::Good));
        assert_eq!(role("state", "gone"), Role::Text, "a state of processes");
        assert_eq!((role("level", "deny"), role("level", "warn")), (Role::Bad, Role::Warn));
    }
}
