//! Questions, rows and pages.

use std::sync::Arc;

use pollscope_model::entity::presence::Presence;
use pollscope_model::id::{BootId, RuntimeId, TaskId, WorkerId};
use pollscope_model::level::Level;
use pollscope_model::measured::Mode;
use pollscope_model::query::ask::Ask;
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::{Meta, Page, Query, Row, RowId, Scope, Sort};
use pollscope_model::value::Value;

use super::flight;
use super::greeting::boot_from_wire;
use super::text::{checked, clip};
use super::{DecodeError, Reason, at_most};
use crate::wire;

/// The most sort keys of one query.
const MAX_SORT_KEYS: usize = 16;

pub(crate) fn unknown(field: &'static str, name: &str) -> DecodeError {
    DecodeError::new(field, Reason::UnknownName(clip(name)))
}

pub(crate) fn ask_to_wire(ask: &Ask) -> wire::Ask {
    use wire::ask::Ask as Wire;
    let ask = match ask {
        Ask::Page(query) => Wire::Page(wire::Query {
            kind: query.kind.as_str().to_owned(),
            scope: Some(scope_to_wire(query.scope)),
            filter: clip(&query.filter),
            sort: query
                .sort
                .iter()
                .take(MAX_SORT_KEYS)
                .map(|sort| wire::Sort { column: clip(&sort.column), descending: sort.descending })
                .collect(),
            offset: query.offset,
            limit: query.limit,
        }),
        Ask::Task(boot, task) => Wire::Task(task_key(*boot, *task)),
        Ask::Site(scope, site) => {
            Wire::Site(wire::SiteKey { scope: Some(scope_to_wire(*scope)), site: clip(site) })
        }
        Ask::Finding(number) => Wire::Finding(*number),
        Ask::Overview(scope) => Wire::Overview(scope_to_wire(*scope)),
        Ask::Flight(query) => Wire::Flight(flight::query_to_wire(query)),
    };
    wire::Ask { ask: Some(ask) }
}

pub(crate) fn ask_from_wire(ask: wire::Ask) -> Result<Ask, DecodeError> {
    use wire::ask::Ask as Wire;
    Ok(match ask.ask.ok_or(DecodeError::missing("ask"))? {
        Wire::Page(query) => {
            at_most("ask.page.sort", MAX_SORT_KEYS, query.sort.len())?;
            Ask::Page(Query {
                kind: kind("ask.page.kind", &query.kind)?,
                scope: scope_from_wire(query.scope)?,
                filter: checked("ask.page.filter", query.filter)?,
                sort: query
                    .sort
                    .into_iter()
                    .map(|sort| {
                        let column = checked("ask.page.sort", sort.column)?;
                        Ok(Sort { column, descending: sort.descending })
                    })
                    .collect::<Result<_, DecodeError>>()?,
                offset: query.offset,
                limit: query.limit,
            })
        }
        Wire::Task(key) => Ask::Task(boot_from_wire("ask.task.boot", &key.boot)?, TaskId(key.task)),
        Wire::Site(key) => {
            Ask::Site(scope_from_wire(key.scope)?, Arc::from(checked("ask.site.site", key.site)?))
        }
        Wire::Finding(number) => Ask::Finding(number),
        Wire::Overview(scope) => Ask::Overview(scope_from_wire(Some(scope))?),
        Wire::Flight(query) => Ask::Flight(flight::query_from_wire(&query)?),
    })
}

fn task_key(boot: BootId, task: TaskId) -> wire::TaskKey {
    wire::TaskKey { boot: boot_to_wire(boot), task: task.0 }
}

fn boot_to_wire(boot: BootId) -> Vec<u8> {
    boot.0.to_be_bytes().to_vec()
}

fn scope_to_wire(scope: Scope) -> wire::Scope {
    wire::Scope {
        boot: match scope {
            Scope::All => Vec::new(),
            Scope::Process(boot) => boot_to_wire(boot),
        },
    }
}

fn scope_from_wire(scope: Option<wire::Scope>) -> Result<Scope, DecodeError> {
    match scope {
        Some(scope) if !scope.boot.is_empty() => {
            Ok(Scope::Process(boot_from_wire("ask.scope", &scope.boot)?))
        }
        _ => Ok(Scope::All),
    }
}

fn kind(field: &'static str, name: &str) -> Result<Kind, DecodeError> {
    Kind::from_name(name).ok_or_else(|| unknown(field, name))
}

pub(crate) fn level(field: &'static str, name: &str) -> Result<Level, DecodeError> {
    Level::from_name(name).ok_or_else(|| unknown(field, name))
}

pub(crate) fn meta_to_wire(meta: &Meta) -> wire::Meta {
    wire::Meta {
        now_unix_ns: meta.now_unix_ns,
        source: meta.source.to_string(),
        presence: meta.presence.as_str().to_owned(),
        mode: meta.mode.as_str().to_owned(),
        lost: meta.lost,
        processes: meta.processes,
        loading: meta.loading.map(u32::from),
    }
}

pub(crate) fn meta_from_wire(meta: Option<wire::Meta>) -> Result<Meta, DecodeError> {
    let meta = meta.ok_or(DecodeError::missing("answer.meta"))?;
    Ok(Meta {
        now_unix_ns: meta.now_unix_ns,
        source: meta.source.into(),
        presence: Presence::from_name(&meta.presence)
            .ok_or_else(|| unknown("answer.meta.presence", &meta.presence))?,
        mode: Mode::from_name(&meta.mode).ok_or_else(|| unknown("answer.meta.mode", &meta.mode))?,
        lost: meta.lost,
        processes: meta.processes,
        loading: meta.loading.map(|percent| percent.min(99) as u8),
    })
}

pub(crate) fn page_to_wire(page: &Page) -> wire::Page {
    wire::Page {
        kind: page.kind.as_str().to_owned(),
        meta: Some(meta_to_wire(&page.meta)),
        total: page.total,
        matched: page.matched,
        offset: page.offset,
        rows: page.rows.iter().map(row_to_wire).collect(),
    }
}

pub(crate) fn page_from_wire(page: wire::Page) -> Result<Page, DecodeError> {
    Ok(Page {
        kind: kind("answer.page.kind", &page.kind)?,
        meta: meta_from_wire(page.meta)?,
        total: page.total,
        matched: page.matched,
        offset: page.offset,
        rows: page.rows.into_iter().map(row_from_wire).collect::<Result<_, _>>()?,
    })
}

pub(crate) fn row_to_wire(row: &Row) -> wire::Row {
    use wire::row::Id;
    wire::Row {
        id: Some(match &row.id {
            RowId::Process(boot) => Id::Process(boot_to_wire(*boot)),
            RowId::Task(boot, task) => Id::Task(task_key(*boot, *task)),
            RowId::Site(site) => Id::Site(site.to_string()),
            RowId::Worker(boot, worker) => Id::Worker(wire::WorkerKey {
                boot: boot_to_wire(*boot),
                runtime: worker.runtime.0,
                index: worker.index,
            }),
            RowId::Finding(number) => Id::Finding(*number),
        }),
        level: row.level.map_or_else(String::new, |level| level.as_str().to_owned()),
        cells: row.cells.iter().map(value_to_wire).collect(),
    }
}

pub(crate) fn row_from_wire(row: wire::Row) -> Result<Row, DecodeError> {
    use wire::row::Id;
    Ok(Row {
        id: match row.id.ok_or(DecodeError::missing("answer.row.id"))? {
            Id::Process(boot) => RowId::Process(boot_from_wire("answer.row.process", &boot)?),
            Id::Task(key) => RowId::Task(boot_from_wire("answer.row.task", &key.boot)?, TaskId(key.task)),
            Id::Site(site) => RowId::Site(site.into()),
            Id::Worker(key) => RowId::Worker(
                boot_from_wire("answer.row.worker", &key.boot)?,
                WorkerId { runtime: RuntimeId(key.runtime), index: key.index },
            ),
            Id::Finding(number) => RowId::Finding(number),
        },
        level: if row.level.is_empty() { None } else { Some(level("answer.row.level", &row.level)?) },
        cells: row.cells.into_iter().map(value_from_wire).collect(),
    })
}

pub(crate) fn value_to_wire(value: &Value) -> wire::Value {
    use wire::value::Value as Wire;
    let value = match value {
        Value::Null => None,
        Value::Count(n) => Some(Wire::Count(*n)),
        Value::Nanos(n) => Some(Wire::Nanos(*n)),
        Value::Time(n) => Some(Wire::Time(*n)),
        Value::Bytes(n) => Some(Wire::Bytes(*n)),
        Value::Ratio(share) => Some(Wire::Ratio(*share)),
        Value::Rate(rate) => Some(Wire::Rate(*rate)),
        Value::Text(text) => Some(Wire::Text(text.to_string())),
        Value::List(texts) => {
            Some(Wire::List(wire::Texts { texts: texts.iter().map(ToString::to_string).collect() }))
        }
        Value::Series(points) => Some(Wire::Series(series_to_wire(points))),
    };
    wire::Value { value }
}

pub(crate) fn value_from_wire(value: wire::Value) -> Value {
    use wire::value::Value as Wire;
    match value.value {
        None => Value::Null,
        Some(Wire::Count(n)) => Value::Count(n),
        Some(Wire::Nanos(n)) => Value::Nanos(n),
        Some(Wire::Time(n)) => Value::Time(n),
        Some(Wire::Bytes(n)) => Value::Bytes(n),
        Some(Wire::Ratio(share)) => Value::Ratio(share),
        Some(Wire::Rate(rate)) => Value::Rate(rate),
        Some(Wire::Text(text)) => Value::Text(text.into()),
        Some(Wire::List(list)) => Value::List(list.texts.into_iter().map(Into::into).collect()),
        Some(Wire::Series(series)) => Value::Series(series_from_wire(Some(series))),
    }
}

pub(crate) fn series_to_wire(points: &[Option<f32>]) -> wire::Series {
    wire::Series { points: points.iter().map(|point| point.unwrap_or(f32::NAN)).collect() }
}

pub(crate) fn series_from_wire(series: Option<wire::Series>) -> Vec<Option<f32>> {
    let points = series.unwrap_or_default().points;
    points.into_iter().map(|point| (!point.is_nan()).then_some(point)).collect()
}
