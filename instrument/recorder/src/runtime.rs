//! What the recorder has to know of the runtime that runs the tasks: two questions, which the
//! caller of `Recorder::start` answers.
//!
//! Asked on threads of the service, seldom and never on the way of a poll or a wake that finds everything known.

/// The answers of one runtime's kind. None of them waits.
#[derive(Clone, Copy, Debug)]
pub struct Runtime {
    /// Runtime and worker of the calling thread, each plus one, 0 for unknown: `runtime << 32 | worker`.
    pub place: fn() -> u64,
    /// What the calling thread does for a runtime between two polls.
    pub role: fn() -> Role,
}

/// What a thread that is in no poll is to a runtime.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It is a worker for its whole life: whatever it does between two polls, it does for the runtime.
    Pooled,
    /// It works for a runtime now.
    Inside,
    /// It is none of a runtime's.
    Outside,
}

/// Of a process without a runtime.
pub(crate) const NONE: Runtime = Runtime { place: || 0, role: || Role::Outside };
