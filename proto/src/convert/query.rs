//! Questions, rows and pages.

use std::sync::Arc;

use pollscope_model::id::{BootId, RuntimeId, TaskId, WorkerId};
use pollscope_model::query::ask::Ask;
use pollscope_model::query::page::{Meta, Page, Query, Row, RowId, Scope, Sort};
use pollscope_model::value::{LineTally, Value};

use super::field::{Field, message, required};
use super::text::{checked, clip};
use super::{DecodeError, at_most, flight};
use crate::wire;

/// The most sort keys of one query.
const MAX_SORT_KEYS: usize = 16;

pub(crate) fn ask_to_wire(ask: &Ask) -> wire::Ask {
    use wire::ask::Ask as Wire;
    let ask = match ask {
        Ask::Page(query) => Wire::Page(query.to_wire()),
        Ask::Task(boot, task) => Wire::Task(task_key(*boot, *task)),
        Ask::Site(scope, site) => Wire::Site(wire::SiteKey { scope: scope.to_wire(), site: clip(site) }),
        Ask::Finding(number) => Wire::Finding(*number),
        Ask::Overview(scope) => Wire::Overview(scope.to_wire()),
        Ask::Flight(query) => Wire::Flight(flight::query_to_wire(query)),
    };
    wire::Ask { ask: Some(ask) }
}

pub(crate) fn ask_from_wire(ask: wire::Ask) -> Result<Ask, DecodeError> {
    use wire::ask::Ask as Wire;
    Ok(match ask.ask.ok_or(DecodeError::missing("ask"))? {
        Wire::Page(query) => {
            at_most("ask.page.sort", MAX_SORT_KEYS, query.sort.len())?;
            Ask::Page(Field::from_wire("ask.page", query)?)
        }
        Wire::Task(key) => Ask::Task(Field::from_wire("ask.task.boot", key.boot)?, TaskId(key.task)),
        Wire::Site(key) => Ask::Site(
            Field::from_wire("ask.site.scope", key.scope)?,
            Arc::from(checked("ask.site.site", key.site)?),
        ),
        Wire::Finding(number) => Ask::Finding(number),
        Wire::Overview(scope) => Ask::Overview(Field::from_wire("ask.overview", scope)?),
        Wire::Flight(query) => Ask::Flight(flight::query_from_wire(&query)?),
    })
}

fn task_key(boot: BootId, task: TaskId) -> wire::TaskKey {
    wire::TaskKey { boot: boot.to_wire(), task: task.0 }
}

message! {
    "ask.page": Query = wire::Query { kind, scope, filter, offset, limit }
    to |query| { sort: query.sort.iter().take(MAX_SORT_KEYS).map(Field::to_wire).collect() }
    from |wire| { sort: Field::from_wire("ask.page.sort", wire.sort)? }
}

message! { "ask.page.sort": Sort = wire::Sort { column, descending } }

/// An empty boot, or none at all, stands for all processes.
impl Field<wire::Scope> for Scope {
    fn to_wire(&self) -> wire::Scope {
        match self {
            Self::All => wire::Scope::default(),
            Self::Process(boot) => wire::Scope { boot: boot.to_wire() },
        }
    }

    fn from_wire(_: &'static str, wire: wire::Scope) -> Result<Self, DecodeError> {
        if wire.boot.is_empty() {
            return Ok(Self::All);
        }
        Field::from_wire("ask.scope", wire.boot).map(Self::Process)
    }
}

impl Field<Option<wire::Scope>> for Scope {
    fn to_wire(&self) -> Option<wire::Scope> {
        Some(self.to_wire())
    }

    fn from_wire(field: &'static str, wire: Option<wire::Scope>) -> Result<Self, DecodeError> {
        Self::from_wire(field, wire.unwrap_or_default())
    }
}

message! {
    "answer.meta": Meta = wire::Meta { now_unix_ns, source, presence, mode, lost, processes }
    to |meta| { loading: meta.loading.map(u32::from) }
    from |wire| { loading: wire.loading.map(|percent| percent.min(99) as u8) }
}

message! { "answer.page": Page = wire::Page { kind, meta, total, matched, offset, rows } }

required! { Meta = wire::Meta, Row = wire::Row }

message! {
    "answer.row": Row = wire::Row { level, cells }
    to |row| { id: Some(row_id_to_wire(&row.id)) }
    from |wire| { id: row_id_from_wire(wire.id.ok_or(DecodeError::missing("answer.row.id"))?)? }
}

fn row_id_to_wire(id: &RowId) -> wire::row::Id {
    use wire::row::Id;
    match id {
        RowId::Process(boot) => Id::Process(boot.to_wire()),
        RowId::Task(boot, task) => Id::Task(task_key(*boot, *task)),
        RowId::Site(site) => Id::Site(site.to_string()),
        RowId::Worker(boot, worker) => Id::Worker(wire::WorkerKey {
            boot: boot.to_wire(),
            runtime: worker.runtime.0,
            index: worker.index,
        }),
        RowId::Finding(number) => Id::Finding(*number),
    }
}

fn row_id_from_wire(id: wire::row::Id) -> Result<RowId, DecodeError> {
    use wire::row::Id;
    Ok(match id {
        Id::Process(boot) => RowId::Process(Field::from_wire("answer.row.process", boot)?),
        Id::Task(key) => RowId::Task(Field::from_wire("answer.row.task", key.boot)?, TaskId(key.task)),
        Id::Site(site) => RowId::Site(site.into()),
        Id::Worker(key) => RowId::Worker(
            Field::from_wire("answer.row.worker", key.boot)?,
            WorkerId { runtime: RuntimeId(key.runtime), index: key.index },
        ),
        Id::Finding(number) => RowId::Finding(number),
    })
}

message! {
    "value.lines": LineTally = wire::LineTally { line, polls, total_ns, max_ns }
}

impl Field<wire::Value> for Value {
    fn to_wire(&self) -> wire::Value {
        use wire::value::Value as Wire;
        let value = match self {
            Self::Null => None,
            Self::Count(n) => Some(Wire::Count(*n)),
            Self::Nanos(n) => Some(Wire::Nanos(*n)),
            Self::Time(n) => Some(Wire::Time(*n)),
            Self::Bytes(n) => Some(Wire::Bytes(*n)),
            Self::Ratio(share) => Some(Wire::Ratio(*share)),
            Self::Rate(rate) => Some(Wire::Rate(*rate)),
            Self::Text(text) => Some(Wire::Text(text.to_string())),
            Self::List(texts) => Some(Wire::List(wire::Texts { texts: texts.to_wire() })),
            Self::Lines(lines) => Some(Wire::Lines(wire::Lines { lines: lines.to_wire() })),
            Self::Series(points) => Some(Wire::Series(points.to_wire())),
        };
        wire::Value { value }
    }

    fn from_wire(field: &'static str, wire: wire::Value) -> Result<Self, DecodeError> {
        use wire::value::Value as Wire;
        Ok(match wire.value {
            None => Self::Null,
            Some(Wire::Count(n)) => Self::Count(n),
            Some(Wire::Nanos(n)) => Self::Nanos(n),
            Some(Wire::Time(n)) => Self::Time(n),
            Some(Wire::Bytes(n)) => Self::Bytes(n),
            Some(Wire::Ratio(share)) => Self::Ratio(share),
            Some(Wire::Rate(rate)) => Self::Rate(rate),
            Some(Wire::Text(text)) => Self::Text(text.into()),
            Some(Wire::List(list)) => Self::List(Field::from_wire(field, list.texts)?),
            Some(Wire::Lines(lines)) => Self::Lines(Field::from_wire(field, lines.lines)?),
            Some(Wire::Series(series)) => Self::Series(Field::from_wire(field, series)?),
        })
    }
}

impl Field<Option<wire::Value>> for Value {
    fn to_wire(&self) -> Option<wire::Value> {
        Some(self.to_wire())
    }

    fn from_wire(field: &'static str, wire: Option<wire::Value>) -> Result<Self, DecodeError> {
        Self::from_wire(field, wire.unwrap_or_default())
    }
}
