//! A task's record as the row that a report carries.

use pollscope_model::entity::task::{TaskRecord, WakesBy, WokenBy};
use pollscope_model::id::{NameId, RuntimeId, SiteId, TaskId};
use pollscope_recorder::task::TaskState;
use pollscope_recorder::thread;

/// Reads a task's record. Racy while the task runs, by at most the poll or wake that is going on.
pub(super) fn row(state: &TaskState) -> TaskRecord {
    // The state first: the thread that ended the task had written everything else before.
    let (phase, scheduled_since_ns) = state.state();
    let running = phase == pollscope_model::entity::task::TaskState::Running;
    let clones = state.clones();
    let wakers = state.wakers();
    let self_wakes = state.self_wakes();
    let [tasks, runtime, threads] = state.inner.wakes();
    TaskRecord {
        id: TaskId(state.id()),
        site: SiteId(state.site()),
        name: NameId(state.aside.name.get().into()),
        group: NameId(state.aside.group.get().into()),
        scope: NameId(state.scope()),
        parent: Some(state.aside.parent.get()).filter(|parent| *parent != 0).map(TaskId),
        runtime: state.runtime().map(RuntimeId),
        mode: state.mode(),
        kind: state.kind(),
        state: phase,
        long_lived: state.is_long_lived(),
        spawned_ns: state.spawned_ns.get(),
        ended_ns: state.ended_ns(),
        last_poll_end_ns: state.last_poll_end_ns.get(),
        poll_start_ns: if running { state.poll_start_ns() } else { 0 },
        worker: if running {
            state.poller().and_then(|poller| thread::at(poller, |thread| thread.place().1)).flatten()
        } else {
            None
        },
        scheduled_since_ns,
        polls: state.polls(),
        busy_ns: state.busy_ns(),
        max_poll_ns: state.max_poll_ns(),
        scheduled_ns: state.scheduled_ns(),
        max_sched_ns: state.max_sched_ns(),
        wakes: tasks + runtime + threads + self_wakes,
        self_wakes,
        wakes_by: WakesBy { tasks, runtime, threads },
        forced_yields: state.aside.forced_yields.get().into(),
        wakers,
        waker_clones: clones,
        waker_drops: clones.saturating_sub(wakers.into()),
        woken_by: if state.polls() == 0 && scheduled_since_ns == state.spawned_ns.get() {
            WokenBy::Unknown
        } else {
            state.woken_by()
        },
        handle: state.handle(),
        future_bytes: state.aside.future_bytes.get().into(),
    }
}
