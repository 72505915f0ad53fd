//! What the column `state` says of a row, read by the table of the row's kind: the name of a state of another kind is
//! none. A pure function of the cell; the cells' look (`cells`) calls it.

use pollscope_model::entity::presence::Presence;
use pollscope_model::entity::task::TaskState;
use pollscope_model::query::column::Kind;

use crate::screens::theme::Role;

/// A state that changes how its row looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RowState {
    /// Of a task.
    Task(TaskState),
    /// Of a process.
    Process(Presence),
    /// A worker polls a task.
    Polling,
    /// A worker has nothing to do.
    Parked,
    /// A finding holds no longer.
    Closed,
}

impl RowState {
    /// The state of that name; `None` for one that looks like any other text.
    pub(super) fn of(kind: Kind, word: &str) -> Option<Self> {
        match kind {
            Kind::Tasks => TaskState::from_name(word).map(Self::Task),
            Kind::Processes => Presence::from_name(word).map(Self::Process),
            Kind::Workers => match word {
                "polling" => Some(Self::Polling),
                "parked" => Some(Self::Parked),
                _ => None,
            },
            Kind::Findings => (word == "closed").then_some(Self::Closed),
            _ => None,
        }
    }

    /// Whether the row's thing is over.
    pub(super) fn is_over(self) -> bool {
        match self {
            Self::Task(state) => state.is_ended(),
            Self::Process(presence) => presence == Presence::Gone,
            Self::Closed => true,
            Self::Polling | Self::Parked => false,
        }
    }

    /// How the text of the state looks.
    pub(super) fn role(self) -> Role {
        match self {
            Self::Task(TaskState::Panicked) | Self::Process(Presence::Gone) => Role::Bad,
            Self::Task(TaskState::Scheduled) | Self::Process(Presence::Stale) => Role::Warn,
            Self::Task(TaskState::Running) | Self::Process(Presence::Live) | Self::Polling => Role::Good,
            Self::Task(TaskState::Completed | TaskState::Cancelled) | Self::Parked | Self::Closed => {
                Role::Dim
            }
            Self::Task(TaskState::Idle) => Role::Text,
        }
    }
}
