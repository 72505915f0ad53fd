//! Running a query: filter, sort, cut out the page. Only the rows on the page become cells.

use std::cmp::Ordering;
use std::sync::Arc;

use super::column::{Column, Field, Fields, Unit, columns};
use super::filter::{Filter, FilterError, Sieve};
use super::page::{Level, Meta, Page, Query, Row, RowId};
use super::value::Value;
use crate::nearest::nearest;

pub(super) use super::filter::Texts;

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

/// A cell to sort by. What is not measured comes last in either direction.
#[derive(Clone, Debug)]
enum Key {
    Null,
    Number(f64),
    Text(Arc<str>),
}

/// Answers a query over all of `items`.
///
/// Cost: one look at each item for the filter, one sort key per match, a partial selection of the
/// page, and cells for the page's rows alone.
pub(super) fn page<I: Rows>(
    query: &Query,
    meta: Meta,
    fields: &Fields<I>,
    items: impl Iterator<Item = I>,
) -> Result<Page, QueryError> {
    let filter = Filter::parse(&query.filter, query.kind)?;
    let order = sort_order::<I>(query)?;
    let mut sieve = Sieve::new(&filter);
    let mut total = 0;
    let mut matched: Vec<I> = Vec::new();
    for item in items {
        total += 1;
        if filter.is_empty() || sieve.passes(&item, fields) {
            matched.push(item);
        }
    }
    let width = order.len();
    let mut keys: Vec<Key> = Vec::with_capacity(width * matched.len());
    for item in &matched {
        keys.extend(order.iter().map(|(column, _)| key(item, &fields[*column])));
    }
    let compare = |a: &u32, b: &u32| {
        let (a, b) = (*a as usize, *b as usize);
        let sides = keys[a * width..(a + 1) * width].iter().zip(&keys[b * width..(b + 1) * width]);
        let mut by_keys = sides.zip(&order).map(|((a, b), (_, descending))| by_key(a, b, *descending));
        by_keys.find(|ordering| ordering.is_ne()).unwrap_or_else(|| matched[a].by_id(&matched[b]))
    };
    let mut rows: Vec<u32> = (0..u32::try_from(matched.len()).unwrap_or(u32::MAX)).collect();
    let start = usize::try_from(query.offset).unwrap_or(usize::MAX).min(rows.len());
    let end = start.saturating_add(usize::try_from(query.limit).unwrap_or(usize::MAX)).min(rows.len());
    if end < rows.len() && end > 0 {
        rows.select_nth_unstable_by(end - 1, compare);
        rows.truncate(end);
    }
    if start > 0 && start < rows.len() {
        rows.select_nth_unstable_by(start, compare);
    }
    let rows = &mut rows[start..end];
    rows.sort_unstable_by(compare);
    let rows = rows.iter().map(|row| {
        let item = &matched[*row as usize];
        let cells = fields.iter().map(|field| (field.get)(item)).collect();
        Row { id: item.id(), level: item.level(), cells }
    });
    let rows = rows.collect();
    Ok(Page { kind: query.kind, meta, total, matched: matched.len() as u64, offset: query.offset, rows })
}

/// The cells of one thing, as a row.
pub(super) fn row<I: Rows>(item: &I, fields: &Fields<I>) -> Row {
    let cells = fields.iter().map(|field| (field.get)(item)).collect();
    Row { id: item.id(), level: item.level(), cells }
}

/// Column indexes and directions to sort by.
fn sort_order<I: Rows>(query: &Query) -> Result<Vec<(usize, bool)>, QueryError> {
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

fn key<I: Rows>(item: &I, field: &Field<fn(&I) -> Value>) -> Key {
    if matches!(field.column.key, "flag" | "health") {
        return Key::Number(item.rank().into());
    }
    match (field.get)(item) {
        Value::Text(text) if field.column.key == "level" => {
            Level::from_name(&text).map_or(Key::Null, |level| Key::Number(f64::from(level as u8)))
        }
        Value::Text(text) => Key::Text(text),
        Value::List(items) => Key::Number(items.len() as f64),
        cell => cell.number().map_or(Key::Null, Key::Number),
    }
}

fn by_key(a: &Key, b: &Key, descending: bool) -> Ordering {
    let turn = |ordering: Ordering| if descending { ordering.reverse() } else { ordering };
    match (a, b) {
        (Key::Null, Key::Null) => Ordering::Equal,
        (Key::Number(a), Key::Number(b)) => turn(a.total_cmp(b)),
        (Key::Text(a), Key::Text(b)) => turn(a.cmp(b)),
        (Key::Number(_), Key::Text(_)) | (_, Key::Null) => Ordering::Less,
        (Key::Text(_), Key::Number(_)) | (Key::Null, _) => Ordering::Greater,
    }
}
