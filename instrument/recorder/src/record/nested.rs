//! The slow polls that lie inside of others: of futures and requests that are recorded within the poll of a task.
//!
//! A slow poll inside of another has evidence of its own, and its task is blamed for it; the poll round it took as long,
//! and would be blamed for the same. So the longest one inside is taken off it. Only one: many polls that together take
//! long, each of them within its limit, are the fault of the poll round them. Costs a poll that is not slow nothing.

use std::cell::Cell;

use pollscope_model::entity::slow_poll::SlowPoll;

use super::thread::Thread;

/// A slow poll that ended inside of another.
#[derive(Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "the unit, as everywhere")]
struct Inner {
    /// Start of the thread's outermost poll, in which it was.
    of_ns: u64,
    start_ns: u64,
    /// What it is answerable for, and what is not taken off as preempted.
    held_ns: u64,
    preempted_ns: u64,
    wall_ns: u64,
}

thread_local! {
    /// The longest of the poll that is open here. Written and read by the polling thread alone.
    static LONGEST: Cell<Option<Inner>> = const { Cell::new(None) };
}

/// A slow poll has ended inside of another of this thread.
pub(super) fn note(thread: &Thread, poll: &SlowPoll) {
    let of_ns = thread.since_ns();
    // What is taken off it is taken off the poll round it, too.
    let held_ns = poll.held_ns().saturating_add(poll.nested_ns);
    let preempted_ns = poll.preempted_outside_ns().unwrap_or(0).saturating_add(poll.nested_preempted_ns);
    let inner = Inner { of_ns, start_ns: poll.start_ns, held_ns, preempted_ns, wall_ns: poll.wall_ns };
    let _ = LONGEST.try_with(|longest| {
        let known = longest.get().filter(|known| known.of_ns == of_ns && known.held_ns > held_ns);
        longest.set(Some(known.unwrap_or(inner)));
    });
}

/// Takes the longest slow poll that lay inside of this one off it, which has just ended on this thread.
pub(super) fn subtract_nested(poll: &mut SlowPoll) {
    let inner = LONGEST.try_with(Cell::get).ok().flatten();
    let end_ns = poll.start_ns.saturating_add(poll.wall_ns);
    let lies_inside = |inner: &Inner| {
        inner.start_ns >= poll.start_ns && inner.start_ns.saturating_add(inner.wall_ns) <= end_ns
    };
    if let Some(inner) = inner.filter(lies_inside) {
        poll.nested_ns = inner.held_ns.min(poll.wall_ns);
        poll.nested_preempted_ns = inner.preempted_ns.min(poll.nested_ns);
    }
}
