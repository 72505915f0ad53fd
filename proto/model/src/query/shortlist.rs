//! Pages of very many tasks by what changed: who was near the top of an order is remembered, so that the same
//! page costs, when it is asked for again, what was told meanwhile and what it shows, not every row.
//!
//! A list is what a walk over all rows left: the first few thousand, its members, and the bound, the last of
//! these; all others come after it. For a row that was not told since, is not in the middle of a poll or
//! of a wait and of which no finding speaks, that is still true. So the walk is spared if enough of all others
//! come before the bound. Which page it is cut out of never shows in the page: the tests hold the two against
//! each other. Only the answers make and ask lists.

use std::sync::{Mutex, PoisonError};

use super::flag::FindingSource;
use super::page::{Meta, Page, Query};
use super::run::best::{Best, Bound, Order};
use super::run::{self, QueryError};
use super::tasks::{FIELDS, TaskItem};
use crate::id::{BootId, TaskId};
use crate::world::{Process, TaskRow};

/// Pages that end further down are not remembered.
const DEEPEST: u64 = 8_192;
/// Members beyond those of the page and as many again.
const SPARE: u64 = 1_024;
/// Rows that are looked at each time, whether they changed or not.
const MOST_WATCHED: usize = 65_536;
/// Orders that are remembered at once.
const LISTS: usize = 8;

/// A task of the scope's process of that index.
type Place = (u32, TaskId);

/// What was near the top of the orders that were asked for last, so that the same page costs what changed since.
///
/// It belongs to one [`World`](crate::world::World); a clone of it is empty.
#[derive(Debug, Default)]
pub(crate) struct Shortlists(Mutex<Vec<Shortlist>>);

#[derive(Debug)]
struct Shortlist {
    order: Vec<(usize, bool)>,
    /// The processes of the scope, each with how much of it was seen.
    seen: Vec<(BootId, u64)>,
    members: Vec<Place>,
    /// Rows in the middle of something, or of which a finding spoke.
    watched: Vec<Place>,
    bound: Bound,
}

impl Clone for Shortlists {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Shortlists {
    /// Nothing of a process is what it was.
    pub(crate) fn forget(&self, boot: BootId) {
        self.lists().retain(|list| list.seen.iter().all(|(seen, _)| *seen != boot));
    }

    fn lists(&self) -> std::sync::MutexGuard<'_, Vec<Shortlist>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page, if it is one that can be cut out of a list; `None` for all others.
    pub(super) fn page(
        &self,
        query: &Query,
        meta: &Meta,
        scope: &[&Process],
        source: &dyn FindingSource,
    ) -> Result<Option<Page>, QueryError> {
        self.page_sparing(SPARE, query, meta, scope, source)
    }

    fn page_sparing(
        &self,
        spare: u64,
        query: &Query,
        meta: &Meta,
        scope: &[&Process],
        source: &dyn FindingSource,
    ) -> Result<Option<Page>, QueryError> {
        let end = query.offset.saturating_add(query.limit);
        let columns = run::sort_order::<TaskItem<'_>>(query)?;
        let still = columns.iter().all(|(column, _)| FIELDS[*column].column.still);
        let total: u64 = scope.iter().map(|process| process.task_rows() as u64).sum();
        let keep = end.saturating_mul(2).saturating_add(spare);
        if !still || end > DEEPEST || total <= keep || !query.filter.trim().is_empty() {
            return Ok(None);
        }
        let look = Look { scope, source, order: Order::new(columns.clone(), FIELDS), keep };
        let boots = || scope.iter().map(|process| process.boot());
        let mut lists = self.lists();
        let of_it =
            |list: &Shortlist| list.order == columns && list.seen.iter().map(|(boot, _)| *boot).eq(boots());
        let known = lists.iter().position(of_it).map(|at| lists.remove(at));
        let (list, first) = match known.and_then(|list| look.again(list, end)) {
            Some(found) => found,
            None => look.at_all(columns, end),
        };
        lists.extend(list);
        if lists.len() > LISTS {
            lists.remove(0);
        }
        let skip = usize::try_from(query.offset).unwrap_or(usize::MAX).min(first.len());
        Ok(Some(run::cut(query, meta.clone(), FIELDS, (total, total), &first[skip..])))
    }
}

/// A look at the rows, for one order.
struct Look<'a> {
    scope: &'a [&'a Process],
    source: &'a dyn FindingSource,
    order: Order<TaskItem<'a>>,
    /// Members of a fresh list.
    keep: u64,
}

impl<'a> Look<'a> {
    /// How the process's rows become items.
    fn items(&self, process: &'a Process) -> impl Fn(TaskRow<'a>) -> TaskItem<'a> + use<'a> {
        let flagged = self.source.flagged(process.boot());
        move |task| TaskItem { process, task, flag: flagged.and_then(|flagged| flagged.get(&task.id())) }
    }

    fn of(&self, (process, id): Place) -> Option<TaskItem<'a>> {
        let process = *self.scope.get(process as usize)?;
        process.task_row(id).map(self.items(process))
    }

    fn flagged(&self) -> impl Iterator<Item = Place> {
        let of = |(at, process): (u32, &&Process)| {
            let flagged = self.source.flagged(process.boot()).into_iter();
            flagged.flat_map(move |flagged| flagged.keys().map(move |id| (at, *id)))
        };
        (0..).zip(self.scope).flat_map(of)
    }

    /// The first so many of all rows, and a list for the next time unless too many had to be watched.
    fn at_all(&self, columns: Vec<(usize, bool)>, end: u64) -> (Option<Shortlist>, Vec<TaskItem<'a>>) {
        let mut best = Best::new(&self.order, self.keep, false);
        let mut watched = Vec::new();
        for (at, process) in (0..).zip(self.scope) {
            process.tasks().map(self.items(process)).for_each(|item| {
                if is_open(item.task) && watched.len() <= MOST_WATCHED {
                    watched.push((at, item.task.id()));
                }
                best.take(item);
            });
        }
        watched.extend(self.flagged().take(MOST_WATCHED + 1));
        let seen = self.scope.iter().map(|process| (process.boot(), process.changes_ever())).collect();
        let mut first = best.rows(0, self.keep);
        let list = first.last().filter(|_| watched.len() <= MOST_WATCHED).map(|last| Shortlist {
            order: columns,
            seen,
            members: self.places(&first),
            watched,
            bound: self.order.bound(last),
        });
        first.truncate(usize::try_from(end).unwrap_or(usize::MAX));
        (list, first)
    }

    /// The same out of a list, if that still tells.
    fn again(&self, mut list: Shortlist, end: u64) -> Option<(Option<Shortlist>, Vec<TaskItem<'a>>)> {
        let mut before = Vec::with_capacity(list.members.len());
        let mut watched = Vec::with_capacity(list.watched.len());
        let mut consider = |place: Place, item: TaskItem<'a>| {
            if is_open(item.task) || item.flag.is_some() {
                watched.push(place);
            }
            if !self.order.is_beyond(&item, &list.bound) {
                before.push((place, item));
            }
        };
        for (at, (process, (_, mark))) in (0..).zip(self.scope.iter().zip(&mut list.seen)) {
            let changed = process.changed_places(*mark)?.filter_map(|place| process.row_at(place));
            changed.map(self.items(process)).for_each(|item| consider((at, item.task.id()), item));
            *mark = process.changes_ever();
        }
        let flagged: Vec<Place> = self.flagged().take(MOST_WATCHED + 1).collect();
        if flagged.len() > MOST_WATCHED {
            return None;
        }
        for place in list.members.iter().chain(&list.watched).chain(&flagged).copied() {
            if let Some(item) = self.of(place) {
                consider(place, item);
            }
        }
        before.sort_unstable_by_key(|(place, _)| *place);
        before.dedup_by_key(|(place, _)| *place);
        watched.sort_unstable();
        watched.dedup();
        if (before.len() as u64) < end || watched.len() > MOST_WATCHED {
            return None;
        }
        let crowded = before.len() as u64 > self.keep.saturating_mul(2);
        list.members.clear();
        if !crowded {
            list.members.extend(before.iter().map(|(place, _)| *place));
        }
        let mut best = Best::new(&self.order, if crowded { self.keep } else { end }, false);
        for (_, item) in before {
            best.take(item);
        }
        let mut first = best.rows(0, u64::MAX);
        if crowded {
            list.members = self.places(&first);
            list.bound = self.order.bound(first.last()?);
        }
        list.watched = watched;
        first.truncate(usize::try_from(end).unwrap_or(usize::MAX));
        Some((Some(list), first))
    }

    fn places(&self, items: &[TaskItem<'_>]) -> Vec<Place> {
        let index = |item: &TaskItem<'_>| {
            let at = self.scope.iter().position(|process| process.boot() == item.process.boot());
            (at.unwrap_or(usize::MAX) as u32, item.task.id())
        };
        items.iter().map(index).collect()
    }
}

/// Whether its cells change while nothing is told of it.
fn is_open(row: TaskRow<'_>) -> bool {
    row.poll_start_ns() > 0 || row.scheduled_since_ns() > 0
}

#[cfg(test)]
mod tests;
