//! Every detector, so that a name that was mistyped is an error where it stands. A test of the crate `pollscope`
//! holds this file against the detectors that there are.

pub(crate) const DETECTORS: &[&str] = &[
    "blocking-poll",
    "stuck-poll",
    "sched-delay",
    "forgotten-task",
    "lost-waker",
    "never-polled",
    "self-wake-storm",
    "task-leak",
    "never-yields",
    "large-future",
    "swallowed-panic",
    "detached-failure",
    "unread-outcomes",
    "tail-latency",
    "runtime-saturated",
    "blocking-pool-exhausted",
];
