//! What was opened on top of a tab: a list with a filter of its own, or everything about one thing.

use std::sync::Arc;

use pollscope_model::id::{BootId, TaskId};
use pollscope_model::query::ask::{Answer, Ask};
use pollscope_model::query::page::{RowId, Scope};

use super::list::List;

/// One level.
pub enum Level {
    /// A list.
    List(List),
    /// One thing.
    Detail(Detail),
}

/// The thing that a detail is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// A task.
    Task(BootId, TaskId),
    /// A site in a scope.
    Site(Scope, Arc<str>),
    /// A finding.
    Finding(u64),
}

impl Subject {
    /// The question whose answer shows it.
    pub fn ask(&self) -> Ask {
        match self {
            Self::Task(boot, task) => Ask::Task(*boot, *task),
            Self::Site(scope, site) => Ask::Site(*scope, site.clone()),
            Self::Finding(number) => Ask::Finding(*number),
        }
    }

    /// The thing that a row stands for, if it has a detail.
    pub fn of_row(row: &RowId, scope: Scope) -> Option<Self> {
        match row {
            RowId::Task(boot, task) => Some(Self::Task(*boot, *task)),
            RowId::Site(site) => Some(Self::Site(scope, site.clone())),
            RowId::Finding(number) => Some(Self::Finding(*number)),
            RowId::Process(_) | RowId::Worker(..) => None,
        }
    }
}

/// Everything about one thing.
pub struct Detail {
    /// The thing.
    pub subject: Subject,
    /// The newest answer about it.
    pub answer: Option<Box<Answer>>,
    /// Why there is no newer one.
    pub error: Option<Arc<str>>,
    /// Lines scrolled away at the top.
    pub scroll: usize,
}

impl Detail {
    /// A detail that was not answered yet.
    pub fn new(subject: Subject) -> Self {
        Self { subject, answer: None, error: None, scroll: 0 }
    }
}
