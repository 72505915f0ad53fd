//! A list of which only a page is known: cursor, viewport, filter and order.
//!
//! The cursor belongs to a row, not to a place: when the rows move, it moves along. Only before it
//! was moved for the first time, and after going to the top, it stays on the first row, so that
//! trouble that comes up is under it.

use std::sync::Arc;

use pollscope_model::query::page::{Page, Query, Row, RowId, Scope, Sort};

use super::Tab;

/// Pages are asked for in steps of so many rows, so that scrolling a little asks nothing new.
const CHUNK: u64 = 64;

/// One list.
pub struct List {
    /// What is listed.
    pub tab: Tab,
    /// The filter that is asked for.
    pub filter: String,
    /// The order that is asked for; empty for the kind's own.
    pub sort: Vec<Sort>,
    /// The newest page.
    pub page: Option<Page>,
    /// Why there is no newer page: a bad filter, an unknown column.
    pub error: Option<Arc<str>>,
    /// The row under the cursor; `None` while its page is on the way, or if there is no row.
    pub selected: Option<RowId>,
    /// Where the cursor is among the rows that match.
    pub index: u64,
    /// The first row on screen.
    pub top: u64,
    /// Columns scrolled away at the left.
    pub left: usize,
    /// Rows that fit on screen.
    pub height: u16,
    follows: bool,
}

impl List {
    /// A list of which nothing is known.
    pub fn new(tab: Tab) -> Self {
        Self {
            tab,
            filter: String::new(),
            sort: Vec::new(),
            page: None,
            error: None,
            selected: None,
            index: 0,
            top: 0,
            left: 0,
            height: 24,
            follows: false,
        }
    }

    /// The list with a filter and an order.
    #[must_use]
    pub fn asking(self, filter: String, sort: Vec<Sort>) -> Self {
        Self { filter, sort, ..self }
    }

    /// The question for the rows round the viewport.
    pub fn query(&self, scope: Scope) -> Query {
        let offset = self.top.saturating_sub(CHUNK) / CHUNK * CHUNK;
        let end = (self.top + u64::from(self.height) + CHUNK).div_ceil(CHUNK) * CHUNK;
        Query {
            kind: self.tab.kind(),
            scope,
            filter: self.filter.clone(),
            sort: self.sort.clone(),
            offset,
            limit: end - offset,
        }
    }

    /// Rows that match, as far as is known.
    pub fn matched(&self) -> u64 {
        self.page.as_ref().map_or(0, |page| page.matched)
    }

    /// The row at that place among those that match, if it is on the page.
    pub fn row_at(&self, index: u64) -> Option<&Row> {
        let page = self.page.as_ref()?;
        page.rows.get(usize::try_from(index.checked_sub(page.offset)?).ok()?)
    }

    /// The row under the cursor.
    pub fn selected_row(&self) -> Option<&Row> {
        self.row_at(self.index).filter(|row| Some(&row.id) == self.selected.as_ref())
    }

    /// Moves the cursor by so many rows.
    pub fn step(&mut self, by: i64) {
        self.go(self.index.saturating_add_signed(by));
    }

    /// Moves the cursor to that place, or to the last one.
    pub fn go(&mut self, index: u64) {
        self.index = index.min(self.matched().saturating_sub(1));
        self.follows = self.index > 0;
        self.selected = self.row_at(self.index).map(|row| row.id.clone());
        self.keep_visible();
    }

    /// Puts the cursor on the first row; for a new filter or order.
    pub fn restart(&mut self) {
        self.go(0);
    }

    /// Takes a newer page.
    pub fn take(&mut self, page: Page) {
        let found = self
            .selected
            .as_ref()
            .filter(|_| self.follows)
            .and_then(|id| page.rows.iter().position(|row| row.id == *id));
        if let Some(found) = found {
            self.index = page.offset + found as u64;
        }
        self.index = self.index.min(page.matched.saturating_sub(1));
        self.page = Some(page);
        self.error = None;
        self.selected = self.row_at(self.index).map(|row| row.id.clone());
        self.keep_visible();
    }

    /// Takes the number of rows that fit.
    pub fn resize(&mut self, height: u16) {
        self.height = height;
        self.keep_visible();
    }

    fn keep_visible(&mut self) {
        let height = u64::from(self.height.max(1));
        let last_top = self.matched().saturating_sub(height);
        self.top = self.top.min(last_top).clamp((self.index + 1).saturating_sub(height), self.index);
    }
}

#[cfg(test)]
mod tests {
    use pollscope_model::query::column::Kind;
    use pollscope_model::query::page::Meta;

    use super::*;

    fn page(ids: &[u64], offset: u64, matched: u64) -> Page {
        let row = |id: &u64| Row { id: RowId::Finding(*id), level: None, cells: Vec::new() };
        Page {
            kind: Kind::Findings,
            meta: Meta::default(),
            total: matched,
            matched,
            offset,
            rows: ids.iter().map(row).collect(),
        }
    }

    #[test]
    fn the_cursor_stays_on_top_until_it_is_moved_and_then_follows_its_row() {
        let mut list = List::new(Tab::Findings);
        list.take(page(&[1, 2, 3], 0, 3));
        list.take(page(&[9, 1, 2], 0, 3));
        assert_eq!(list.selected, Some(RowId::Finding(9)));
        list.step(1);
        list.take(page(&[2, 9, 1], 0, 3));
        assert_eq!((list.index, list.selected.clone()), (2, Some(RowId::Finding(1))));
        list.go(0);
        list.take(page(&[7, 2, 9], 0, 3));
        assert_eq!(list.selected, Some(RowId::Finding(7)));
    }

    #[test]
    fn a_row_that_is_gone_leaves_the_cursor_at_its_place() {
        let mut list = List::new(Tab::Findings);
        list.take(page(&[1, 2, 3], 0, 3));
        list.step(2);
        list.take(page(&[1, 2], 0, 2));
        assert_eq!((list.index, list.selected.clone()), (1, Some(RowId::Finding(2))));
        list.take(page(&[], 0, 0));
        assert_eq!((list.index, list.selected.clone()), (0, None));
    }

    #[test]
    fn the_question_follows_the_viewport_and_the_cursor_waits_for_its_page() {
        let mut list = List::new(Tab::Findings);
        list.resize(10);
        list.take(page(&[1, 2, 3], 0, 100_000));
        assert_eq!(list.query(Scope::All).offset, 0);
        list.go(u64::MAX);
        assert_eq!((list.index, list.top, list.selected.clone()), (99_999, 99_990, None));
        let query = list.query(Scope::All);
        assert!(query.offset <= list.top && query.offset + query.limit > list.index);
        assert!(query.limit <= 256);
    }
}
