//! Runtimes and their workers over one interval.

use crate::id::{NameId, RuntimeId, TaskId, WorkerId};
use crate::names::names;

names! {
    /// Which of tokio's schedulers runs.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    #[non_exhaustive]
    pub enum Flavor {
        /// `multi_thread`.
        #[default]
        MultiThread = "multi_thread",
        /// `current_thread`.
        CurrentThread = "current_thread",
    }
}

/// State of one runtime at the end of the interval. Absolute values: the newest replaces.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RuntimeRecord {
    /// The runtime.
    pub id: RuntimeId,
    /// Its name.
    pub name: NameId,
    /// Its scheduler.
    pub flavor: Flavor,
    /// Number of workers.
    pub workers: u32,
    /// Tasks alive as tokio counts them, pollscope's or not.
    pub alive_tasks: Option<u64>,
    /// Tasks in the global queue.
    pub global_queue: Option<u64>,
    /// Threads of the blocking pool.
    pub blocking_threads: Option<u64>,
    /// Of these, idle.
    pub blocking_idle: Option<u64>,
    /// Jobs that wait for a blocking thread.
    pub blocking_queue: Option<u64>,
    /// Jobs of that pool that ended since the runtime is observed.
    pub blocking_ended: Option<u64>,
    /// The runtime was shut down.
    pub gone: bool,
}

/// One worker over one interval: `*_ns` and counters add, the rest is its state at the end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WorkerDelta {
    /// The worker.
    pub id: WorkerId,
    /// Name of its thread, if known.
    pub thread: NameId,
    /// Operating system's thread id, if known.
    pub tid: Option<u32>,
    /// Time spent busy during the interval.
    pub busy_ns: u64,
    /// Length of the interval that `busy_ns` was measured over.
    pub interval_ns: u64,
    /// CPU time that its thread used during the interval; `None` if not measured.
    pub cpu_ns: Option<u64>,
    /// Time that its thread could run but had no CPU (Linux: the second field of
    /// `/proc/self/task/TID/schedstat`); `None` if not measured. Tells a starved machine from a
    /// starved runtime.
    pub preempted_ns: Option<u64>,
    /// Times that it parked.
    pub parks: u64,
    /// Polls that pollscope recorded on it; `None` in sample mode.
    pub polls: Option<u64>,
    /// Whether it is parked now.
    pub parked: bool,
    /// The task that it polls now, and since when.
    pub polling: Option<(TaskId, u64)>,
    /// Tasks in its own queue.
    pub local_queue: Option<u64>,
    /// Tasks that it stole.
    pub steals: Option<u64>,
}

/// Gives the delta its sums, each listed once: the numbers, and those that may not be measured.
macro_rules! sums {
    ($($number:ident),*; $($measured:ident),*) => {
        impl WorkerDelta {
            /// Adds a later interval of the same worker.
            pub fn merge(&mut self, later: &Self) {
                *self = Self {
                    $($number: self.$number.saturating_add(later.$number),)*
                    $($measured: match (self.$measured, later.$measured) {
                        (Some(a), Some(b)) => Some(a.saturating_add(b)),
                        (a, b) => b.or(a),
                    },)*
                    ..later.clone()
                };
            }

            /// What was added after an earlier state of the same totals, never below zero; the rest is the
            /// state now.
            #[must_use]
            pub fn since(&self, earlier: &Self) -> Self {
                Self {
                    $($number: self.$number.saturating_sub(earlier.$number),)*
                    $($measured: self.$measured.map(|now| now.saturating_sub(earlier.$measured.unwrap_or(0))),)*
                    ..self.clone()
                }
            }
        }
    };
}

sums! { busy_ns, interval_ns, parks; cpu_ns, preempted_ns, polls, steals }
