//! The split of a slow poll into busy, blocked and preempted, from what the operating system counts
//! for the thread.

/// Why the split cannot be measured here; `None` when it can.
pub(crate) fn unreadable() -> Option<&'static str> {
    Some("the operating system does not tell a thread's waiting time")
}
