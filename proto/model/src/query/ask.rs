//! Questions and answers: the whole interface between the owner of a [`World`](crate::world::World)
//! and its viewers.

use std::sync::Arc;

use super::detail::{Overview, SiteDetail, TaskDetail};
use super::flight::Flight;
use super::page::{Page, Query, Scope};
use crate::id::{BootId, TaskId};

/// A question.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Ask {
    /// One page of a list.
    Page(Query),
    /// One task.
    Task(BootId, TaskId),
    /// One site, as it prints: `src/cart.rs:88:9`.
    Site(Scope, Arc<str>),
    /// One finding by its number.
    Finding(u64),
    /// A scope at a glance.
    Overview(Scope),
    /// Single polls over time. A relay also asks the process to record them.
    Flight(FlightQuery),
}

/// Whose single polls, and how wide a picture of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FlightQuery {
    /// The process.
    pub boot: BootId,
    /// What of it.
    pub of: FlightOf,
    /// Wall-clock time at which the picture ends, nanoseconds since the Unix epoch; `None` for the
    /// newest that there is.
    pub until_unix_ns: Option<u64>,
    /// How much time it shows.
    pub span_ns: u64,
    /// In how many columns.
    pub columns: u16,
}

/// Whose single polls.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FlightOf {
    /// A lane for each worker.
    Workers {
        /// Lanes to skip.
        first: u32,
        /// Lanes to return at most.
        most: u32,
    },
    /// One task.
    Task(TaskId),
}

/// Its answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// The page.
    Page(Page),
    /// The task.
    Task(Box<TaskDetail>),
    /// The site.
    Site(Box<SiteDetail>),
    /// The finding.
    Finding(Box<crate::finding::Finding>),
    /// The scope.
    Overview(Box<Overview>),
    /// The picture.
    Flight(Box<Flight>),
    /// The question cannot be answered, and why: an unknown column, a bad filter (the text names
    /// the place), a task that is no longer known.
    No(Arc<str>),
}
