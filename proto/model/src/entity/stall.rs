//! A thread that is inside one poll right now, for longer than the process's limit.

use crate::id::{NameId, SiteId, StackId, TaskId, WorkerId};

/// An open poll above the limit. A report lists all that are open at its end, so the newest list
/// replaces the one before; when the poll ends, a [`SlowPoll`](super::slow_poll::SlowPoll) with the
/// same task and start says how long it took.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stall {
    /// Worker that is held, if the thread is one.
    pub worker: Option<WorkerId>,
    /// Operating system's id of the thread, if known.
    pub tid: Option<u32>,
    /// Name of the thread.
    pub thread: NameId,
    /// The task; `None` if nothing was told of it (sample mode, or a task that pollscope did not spawn).
    pub task: Option<TaskId>,
    /// Its spawn site.
    pub site: Option<SiteId>,
    /// When the poll began. Where only the runtime's totals are seen, when it was first seen to stand
    /// still: at least that long ago.
    pub since_ns: u64,
    /// Where the thread is. `None` if no stack was taken (see `Metric::Stacks`).
    pub stack: Option<StackId>,
    /// What the kernel says that the thread does: `running`, `runnable`, or the call that it sleeps
    /// in, such as `futex_wait` or `read(fd 7)`. `None` if it was not asked.
    pub waiting_in: Option<NameId>,
    /// Of the time since, what it has spent inside of `allow_blocking`; while it is there it is no stall.
    pub allowed_ns: u64,
}
