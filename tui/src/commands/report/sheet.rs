//! What the writers write: a page with the names of its columns.

use pollscope_model::query::column::{Column, columns};
use pollscope_model::query::page::{Page, Row};
use pollscope_model::value::Value;
use pollscope_model::verdict::Undecided;

/// A page that was answered, and what is written beside it.
pub(super) struct Sheet {
    /// The page.
    pub(super) page: Page,
    /// Rules that could not judge, with the reason, and before them evidence over a limit that proves nothing; only with
    /// findings.
    pub(super) undecided: Option<Vec<Undecided>>,
    /// The target as the user wrote it.
    pub(super) from: String,
}

impl Sheet {
    /// The page's columns, each with its place in the rows.
    pub(super) fn columns(&self) -> impl Iterator<Item = (usize, &'static Column)> {
        columns(self.page.kind).into_iter().enumerate()
    }

    /// Those that JSON and CSV print.
    pub(super) fn exported(&self) -> Vec<(usize, &'static Column)> {
        self.columns().filter(|(_, column)| column.in_json).collect()
    }
}

/// The cell at that place; a peer that sent too few has not measured the rest.
pub(super) fn cell(row: &Row, index: usize) -> &Value {
    row.cells.get(index).unwrap_or(&Value::Null)
}
