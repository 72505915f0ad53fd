//! Questions and answers: the whole interface between whoever has a [`World`](crate::world::World)
//! and whoever looks at it.

use std::sync::Arc;

use super::detail::{Overview, SiteDetail, TaskDetail};
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
    Finding(Box<super::detail::Finding>),
    /// The scope.
    Overview(Box<Overview>),
    /// The question cannot be answered, and why: an unknown column, a bad filter (the text names
    /// the place), a task that is no longer known.
    No(Arc<str>),
}
