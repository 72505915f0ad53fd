//! Identifiers. Each is meaningful only inside the scope that its documentation names; none is ever
//! compared across processes except [`BootId`].

use std::fmt;

/// One incarnation of one process: drawn at random when the process's recorder starts.
///
/// Two runs of the same service have two boot ids, so a restart is never mistaken for a
/// continuation. A process that is copied while it runs (a snapshot of a virtual machine that is restored twice,
/// CRIU) cannot know of it: both copies say the same id, and a collector refuses the second in words for as long as
/// the first one speaks. It needs a restart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct BootId(pub u128);

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::str::FromStr for BootId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

/// A task of one process, unique for the whole incarnation and never reused.
///
/// Handed out by pollscope's recorder; not tokio's task id, which does not exist on other executors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct TaskId(pub u64);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Index of a spawn site in the process's [`Dictionary`](crate::dict::Dictionary).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct SiteId(pub u32);

/// Index of an interned string in the process's [`Dictionary`](crate::dict::Dictionary).
///
/// `0` is the empty string in every dictionary: no name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct NameId(pub u32);

impl NameId {
    /// No name was given.
    pub const NONE: Self = Self(0);
}

/// Index of a call stack in the process's [`Dictionary`](crate::dict::Dictionary).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct StackId(pub u32);

/// Index of a line of the user's code, or of one of its functions, as stacks show them, in the process's
/// [`Dictionary`](crate::dict::Dictionary). It is counted by the receiver and never on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct LineId(pub u32);

/// A runtime of one process, numbered from 0 in the order in which the recorder met them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct RuntimeId(pub u32);

/// A worker of one runtime: tokio's worker index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct WorkerId {
    /// The runtime that owns the worker.
    pub runtime: RuntimeId,
    /// Tokio's index, from 0.
    pub index: u32,
}
