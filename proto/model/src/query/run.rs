//! Running a query: filter, sort, cut out the page. Only the rows on the page become cells.

pub(super) mod best;

use std::cmp::Ordering;

use super::column::{Column, Fields, Unit, columns};
use super::filter::{Filter, FilterError, RowMatcher};
use super::page::{Meta, Page, Query, Row, RowId};
use crate::level::Level;
use crate::nearest::nearest;
use best::{Best, Order};

pub(super) use super::filter::Texts;

/// Pages that end so far from either end of the list are cut out in one pass without sorting the rest.
const KEPT: u64 = 16_384;

/// Why a query cannot be run.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QueryError {
    /// The filter could not be read.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A sort key is no column of the kind, or one that has no order.
    #[error("cannot sort {kind} by `{column}`{hint}; they sort by {names}")]
    Sort {
        /// What is listed.
        kind: &'static str,
        /// The sort key.
        column: String,
        /// A guess at what was meant, or nothing.
        hint: String,
        /// What there is.
        names: String,
    },
    /// The scope names a process that is not known.
    #[error("process {0} is not known here (any more)")]
    UnknownProcess(crate::id::BootId),
}

/// Something that a page lists.
pub(super) trait Rows {
    /// Sort keys of the kind's own order, which puts trouble first; the flag says descending.
    const DEFAULT_ORDER: &'static [(&'static str, bool)];

    /// What the row shows.
    fn id(&self) -> RowId;
    /// The worst open finding about it.
    fn level(&self) -> Option<Level>;
    /// How much trouble it is in, for sorting by flag.
    fn rank(&self) -> u8;
    /// The order of rows that are equal otherwise: by what they are, so that it never changes.
    fn by_id(&self, other: &Self) -> Ordering;
    /// Holds a bare word of the filter against the row's texts.
    fn texts(&self, texts: &mut Texts<'_>) -> bool;
}

/// Answers a query over all things that `items` gives; it may be asked for them twice.
///
/// Cost: one look at each item for the filter and, mostly, for its first sort key; then that of the
/// page. A page deep inside of very many rows sorts all of them.
pub(super) fn page<I: Rows, T: Iterator<Item = I>>(
    query: &Query,
    meta: Meta,
    fields: &Fields<I>,
    items: impl Fn() -> T,
) -> Result<Page, QueryError> {
    page_keeping(KEPT, query, meta, fields, items)
}

fn page_keeping<I: Rows, T: Iterator<Item = I>>(
    kept: u64,
    query: &Query,
    meta: Meta,
    fields: &Fields<I>,
    items: impl Fn() -> T,
) -> Result<Page, QueryError> {
    let filter = Filter::parse(&query.filter, query.kind)?;
    let order = Order::new(sort_order::<I>(query)?, fields);
    let mut sieve = RowMatcher::new(&filter);
    let mut pass = |take: &mut dyn FnMut(I)| {
        let (mut total, mut matched) = (0u64, 0u64);
        // Faster than a loop where the items come from nested tables.
        items().for_each(|item| {
            total += 1;
            if sieve.passes(&item, fields) {
                matched += 1;
                take(item);
            }
        });
        (total, matched)
    };
    let end = query.offset.saturating_add(query.limit);
    let mut first = Best::new(&order, end, false);
    if end <= kept {
        let (total, matched) = pass(&mut |item| first.take(item));
        return Ok(cut(query, meta, fields, (total, matched), &first.rows(query.offset, query.limit)));
    }
    // Far down the list, perhaps near its other end.
    let (total, matched) = pass(&mut drop);
    let (start, end) = (query.offset.min(matched), end.min(matched));
    let found = if matched - start <= kept {
        let mut last = Best::new(&order, matched - start, true);
        pass(&mut |item| last.take(item));
        let mut found = last.rows(matched - end, end - start);
        found.reverse();
        found
    } else {
        pass(&mut |item| first.take(item));
        first.rows(start, end - start)
    };
    Ok(cut(query, meta, fields, (total, matched), &found))
}

/// The page of what was found.
pub(super) fn cut<I: Rows>(
    query: &Query,
    meta: Meta,
    fields: &Fields<I>,
    (total, matched): (u64, u64),
    found: &[I],
) -> Page {
    let rows = found.iter().map(|item| row(item, fields)).collect();
    Page { kind: query.kind, meta, total, matched, offset: query.offset, rows }
}

/// The cells of one thing, as a row.
pub(super) fn row<I: Rows>(item: &I, fields: &Fields<I>) -> Row {
    let cells = fields.iter().map(|field| (field.get)(item)).collect();
    Row { id: item.id(), level: item.level(), cells }
}

/// Column indexes and directions to sort by.
pub(super) fn sort_order<I: Rows>(query: &Query) -> Result<Vec<(usize, bool)>, QueryError> {
    let columns = columns(query.kind);
    let find = |name: &str| columns.iter().position(|column| sortable(column) && column.is_named(name));
    if query.sort.is_empty() {
        return Ok(I::DEFAULT_ORDER.iter().filter_map(|(key, down)| Some((find(key)?, *down))).collect());
    }
    let keys = query.sort.iter().map(|sort| match find(&sort.column) {
        Some(index) => Ok((index, sort.descending)),
        None => Err(unknown(query, &sort.column, &columns)),
    });
    keys.collect()
}

fn sortable(column: &Column) -> bool {
    column.unit != Unit::Series
}

fn unknown(query: &Query, column: &str, columns: &[&Column]) -> QueryError {
    let names: Vec<&str> = columns.iter().filter(|c| sortable(c)).map(|column| column.alias).collect();
    let all = columns.iter().filter(|c| sortable(c)).flat_map(|column| [column.alias, column.key]);
    let hint = nearest(column, all).map_or(String::new(), |name| format!(", did you mean `{name}`?"));
    QueryError::Sort { kind: query.kind.as_str(), column: column.to_owned(), hint, names: names.join(", ") }
}

#[cfg(test)]
mod tests;
