//! Tokio's own tracking of schedule latency, which gives hooked tasks their delay from wake to poll: asking for it, and
//! reading it. Tokio has it on 64-bit systems only. Used by [`attach`](super::attach).

use tokio::runtime::{Builder, TaskMeta};

use crate::setup::tracking;

/// Has the runtime track the delay of each poll, if that is wanted.
pub(super) fn track(builder: &mut Builder) {
    if tracking::is_wanted() {
        track_always(builder);
    }
}

#[cfg(all(target_pointer_width = "64", target_has_atomic = "64"))]
fn track_always(builder: &mut Builder) {
    builder.track_task_schedule_latency();
    pollscope_recorder::Recorder::global().set_delays_told();
}

#[cfg(not(all(target_pointer_width = "64", target_has_atomic = "64")))]
fn track_always(_: &mut Builder) {}

/// How long the poll that is about to begin was due, in nanoseconds; `None` where the runtime does not track it.
#[cfg(all(target_pointer_width = "64", target_has_atomic = "64"))]
#[inline]
pub(super) fn of(task: &TaskMeta<'_>) -> Option<u64> {
    task.schedule_latency().map(super::nanos)
}

#[cfg(not(all(target_pointer_width = "64", target_has_atomic = "64")))]
#[inline]
pub(super) fn of(_: &TaskMeta<'_>) -> Option<u64> {
    None
}
