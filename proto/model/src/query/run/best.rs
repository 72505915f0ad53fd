//! The first so many things of an order, out of very many that come in any order.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Rows;
use crate::level::Level;
use crate::query::column::Fields;
use crate::query::page::RowId;
use crate::value::Value;

/// A cell to sort by. What is not measured comes last in either direction.
#[derive(Clone, Debug)]
enum SortKey {
    Null,
    Number(f64),
    Text(Arc<str>),
}

/// How a column's key is made.
enum By<I> {
    /// From how much trouble the row is in.
    Rank,
    /// From a level's name.
    Level(fn(&I) -> Value),
    /// From the cell.
    Cell(fn(&I) -> Value),
}

/// The columns that decide, the first first, and for each whether the largest comes first.
pub(in crate::query) struct Order<I>(Vec<(By<I>, bool)>);

impl<I: Rows> Order<I> {
    /// The order by those columns.
    pub(in crate::query) fn new(columns: Vec<(usize, bool)>, fields: &Fields<I>) -> Self {
        let by = |(column, descending): (usize, bool)| {
            let field = &fields[column];
            let by = match field.column.key {
                "flag" | "health" => By::Rank,
                "level" => By::Level(field.get),
                _ => By::Cell(field.get),
            };
            (by, descending)
        };
        Self(columns.into_iter().map(by).collect())
    }

    #[inline]
    fn key(&self, place: usize, item: &I) -> SortKey {
        match self.0.get(place).map(|(by, _)| by) {
            None => SortKey::Null,
            Some(By::Rank) => SortKey::Number(item.rank().into()),
            Some(By::Level(get)) => match get(item) {
                Value::Text(text) => Level::from_name(&text)
                    .map_or(SortKey::Null, |level| SortKey::Number(f64::from(level as u8))),
                _ => SortKey::Null,
            },
            Some(By::Cell(get)) => match get(item) {
                Value::Text(text) => SortKey::Text(text),
                Value::List(items) => SortKey::Number(items.len() as f64),
                Value::Lines(lines) => SortKey::Number(lines.len() as f64),
                cell => cell.number().map_or(SortKey::Null, SortKey::Number),
            },
        }
    }

    #[inline]
    fn compare_keys(&self, place: usize, a: &SortKey, b: &SortKey) -> Ordering {
        let descending = self.0.get(place).is_some_and(|(_, descending)| *descending);
        let turn = |ordering: Ordering| if descending { ordering.reverse() } else { ordering };
        match (a, b) {
            (SortKey::Null, SortKey::Null) => Ordering::Equal,
            (SortKey::Number(a), SortKey::Number(b)) => turn(a.total_cmp(b)),
            (SortKey::Text(a), SortKey::Text(b)) => turn(a.cmp(b)),
            (SortKey::Number(_), SortKey::Text(_)) | (_, SortKey::Null) => Ordering::Less,
            (SortKey::Text(_), SortKey::Number(_)) | (SortKey::Null, _) => Ordering::Greater,
        }
    }

    /// Where the item is, to tell who comes after it when the item is another.
    pub(in crate::query) fn bound(&self, item: &I) -> Bound {
        Bound { keys: (0..self.0.len()).map(|place| self.key(place, item)).collect(), id: item.id() }
    }

    /// Whether the item comes after the bound.
    pub(in crate::query) fn is_beyond(&self, item: &I, bound: &Bound) -> bool {
        let keys = bound.keys.iter().enumerate();
        let by_key = keys.map(|(place, key)| self.compare_keys(place, &self.key(place, item), key));
        let decided = by_key.into_iter().find(|ordering| ordering.is_ne());
        decided.unwrap_or_else(|| item.id().cmp(&bound.id)).is_gt()
    }

    fn compare(&self, a: &Candidate<I>, b: &Candidate<I>) -> Ordering {
        self.compare_keys(0, &a.keys[0], &b.keys[0])
            .then_with(|| self.compare_keys(1, &a.keys[1], &b.keys[1]))
            .then_with(|| {
                // A sort by more than two columns is rare: the rest is worked out when it decides.
                let rest = (2..self.0.len()).map(|place| {
                    self.compare_keys(place, &self.key(place, &a.item), &self.key(place, &b.item))
                });
                rest.into_iter().find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
            })
            .then_with(|| a.item.by_id(&b.item))
    }
}

/// A place in an order.
#[derive(Debug)]
pub(in crate::query) struct Bound {
    keys: Vec<SortKey>,
    id: RowId,
}

/// A thing with the keys that mostly decide.
struct Candidate<I> {
    keys: [SortKey; 2],
    item: I,
}

/// Keeps the first so many of all that it takes.
///
/// Cost: for most things one key and one comparison with the last that is kept; memory for twice as
/// many as are kept.
pub(in crate::query) struct Best<'a, I> {
    order: &'a Order<I>,
    most: usize,
    /// From the order's other end.
    reversed: bool,
    candidates: Vec<Candidate<I>>,
    /// The last of the first `most` is at its place: what comes after it need not be kept.
    closed: bool,
}

impl<'a, I: Rows> Best<'a, I> {
    /// Keeps up to `most` of the order's beginning, or of its end.
    pub(in crate::query) fn new(order: &'a Order<I>, most: u64, reversed: bool) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { order, most, reversed, candidates: Vec::new(), closed: false }
    }

    /// Takes one.
    #[inline]
    pub(in crate::query) fn take(&mut self, item: I) {
        if self.most == 0 {
            return;
        }
        let order = self.order;
        let first = order.key(0, &item);
        let last = if self.closed { self.candidates.get(self.most - 1) } else { None };
        let Some(last) = last else {
            let second = order.key(1, &item);
            return self.keep(Candidate { keys: [first, second], item });
        };
        let by_first = self.turn(order.compare_keys(0, &first, &last.keys[0]));
        if by_first.is_gt() {
            return;
        }
        let second = order.key(1, &item);
        if by_first.is_eq() && self.turn(order.compare_keys(1, &second, &last.keys[1])).is_gt() {
            return;
        }
        let candidate = Candidate { keys: [first, second], item };
        if self.turn(order.compare(&candidate, last)).is_lt() {
            self.keep(candidate);
        }
    }

    fn keep(&mut self, candidate: Candidate<I>) {
        self.candidates.push(candidate);
        if self.candidates.len() >= self.most.saturating_mul(2).saturating_add(16) {
            self.cut();
        }
    }

    /// Of those kept, in order, `count` from `skip` on.
    pub(in crate::query) fn rows(mut self, skip: u64, count: u64) -> Vec<I> {
        let (order, reversed) = (self.order, self.reversed);
        if self.candidates.len() > self.most {
            self.cut();
        }
        self.candidates.sort_unstable_by(|a, b| turn(reversed, order.compare(a, b)));
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.candidates.into_iter().skip(skip).take(count).map(|candidate| candidate.item).collect()
    }

    /// Drops what is over.
    fn cut(&mut self) {
        let (order, reversed) = (self.order, self.reversed);
        self.candidates.select_nth_unstable_by(self.most - 1, |a, b| turn(reversed, order.compare(a, b)));
        self.candidates.truncate(self.most);
        self.closed = true;
    }

    fn turn(&self, ordering: Ordering) -> Ordering {
        turn(self.reversed, ordering)
    }
}

fn turn(reversed: bool, ordering: Ordering) -> Ordering {
    if reversed { ordering.reverse() } else { ordering }
}
