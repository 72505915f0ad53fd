//! Questions for a page and the page itself.

use std::sync::Arc;

use super::column::{self, Kind};
use crate::entity::presence::Presence;
use crate::id::{BootId, TaskId, WorkerId};
use crate::level::Level;
use crate::measured::Mode;
use crate::value::Value;

/// Whom a question is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Scope {
    /// Every process that is known.
    #[default]
    All,
    /// One incarnation.
    Process(BootId),
}

/// One sort key.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sort {
    /// Key or alias of a column of the page's kind; an unknown one is an error, never ignored.
    pub column: String,
    /// Largest first.
    pub descending: bool,
}

/// A question for one page.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Query {
    /// What to list.
    pub kind: Kind,
    /// Of whom.
    pub scope: Scope,
    /// Filter text in the one grammar (see `query::filter`); empty for everything.
    pub filter: String,
    /// Sort keys, the first decides; empty for the kind's own order, which puts trouble first.
    pub sort: Vec<Sort>,
    /// Rows to skip.
    pub offset: u64,
    /// Rows to return at most.
    pub limit: u64,
}

impl Query {
    /// Everything of that kind in its own order, up to `limit` rows.
    pub fn all(kind: Kind, limit: u64) -> Self {
        Self { kind, scope: Scope::All, filter: String::new(), sort: Vec::new(), offset: 0, limit }
    }
}

/// Which thing a row shows; stays the same from page to page, so that a selection can follow it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum RowId {
    /// A process.
    Process(BootId),
    /// A task.
    Task(BootId, TaskId),
    /// A site, `src/cart.rs:88:9`, over all processes of the scope.
    Site(Arc<str>),
    /// A worker.
    Worker(BootId, WorkerId),
    /// A finding: its number in this monitor.
    Finding(u64),
}

/// One row.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// What it shows.
    pub id: RowId,
    /// The worst open finding about it.
    pub level: Option<Level>,
    /// The cells, in the order of the kind's column table.
    pub cells: Vec<Value>,
}

impl RowId {
    /// The kind of page that the row is from.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Process(_) => Kind::Processes,
            Self::Task(..) => Kind::Tasks,
            Self::Site(_) => Kind::Sites,
            Self::Worker(..) => Kind::Workers,
            Self::Finding(_) => Kind::Findings,
        }
    }
}

impl Row {
    /// The cell in the column of that key: `None` where the kind has no such column, or the peer sent too few cells.
    pub fn cell(&self, key: &str) -> Option<&Value> {
        self.cells.get(column::index(self.id.kind(), key)?)
    }
}

/// What every answer says of its source.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Meta {
    /// Wall-clock time of the newest data in the answer, nanoseconds since the Unix epoch.
    pub now_unix_ns: u64,
    /// The scope in words: a process's label, or how many processes.
    pub source: Arc<str>,
    /// Whether it is there; of several processes the best.
    pub presence: Presence,
    /// The deepest mode in the scope.
    pub mode: Mode,
    /// Everything in the scope that is missing (see [`Losses::total`](crate::report::Losses::total)),
    /// reports in gaps included.
    pub lost: u64,
    /// Processes in the scope.
    pub processes: u64,
    /// While a live process of the scope tells its state for the first time: how much of that is in, in
    /// percent (0 to 99). Rows are those that came so far and nothing was judged yet; totals are exact
    /// as soon as it is not 0.
    pub loading: Option<u8>,
}

/// The answer to a [`Query`].
#[derive(Clone, PartialEq, Debug)]
pub struct Page {
    /// What is listed.
    pub kind: Kind,
    /// About the source.
    pub meta: Meta,
    /// Rows in the scope, before the filter.
    pub total: u64,
    /// Rows that the filter let through; the page holds `offset..offset + rows.len()` of them.
    pub matched: u64,
    /// Rows skipped.
    pub offset: u64,
    /// The rows.
    pub rows: Vec<Row>,
}
