//! Slow polls and open ones, and what was seen of them.

use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::stall::Stall;
use pollscope_model::entity::stop::Stop;
use pollscope_model::id::{NameId, RuntimeId, SiteId, StackId, TaskId, WorkerId};
use pollscope_model::query::detail::SeenPoll;

use super::answer::{texts_from_wire, texts_to_wire};
use crate::wire;

pub(crate) fn poll_to_wire(poll: &SlowPoll) -> wire::SlowPoll {
    wire::SlowPoll {
        task: poll.task.0,
        site: poll.site.0,
        nth: poll.nth,
        worker: poll.worker,
        start_ns: poll.start_ns,
        wall_ns: poll.wall_ns,
        busy_ns: poll.busy_ns,
        preempted_ns: poll.preempted_ns,
        stack: poll.stack.map(|stack| stack.0),
        waiting_in: poll.waiting_in.map(|name| name.0),
        waiters: poll.waiters,
        waited_ns: poll.waited_ns,
        max_waited_ns: poll.max_waited_ns,
        in_place: poll.in_place,
        allowed_ns: poll.allowed_ns,
        allowed_for: poll.allowed_for.map(|name| name.0),
        allowed_at: poll.allowed_at.map(|name| name.0),
        allowed_others: poll.allowed_others,
        allowed_preempted_ns: poll.allowed_preempted_ns,
        faults: poll.faults,
    }
}

pub(crate) fn poll_from_wire(poll: wire::SlowPoll) -> SlowPoll {
    SlowPoll {
        task: TaskId(poll.task),
        site: SiteId(poll.site),
        nth: poll.nth,
        worker: poll.worker,
        start_ns: poll.start_ns,
        wall_ns: poll.wall_ns,
        busy_ns: poll.busy_ns,
        preempted_ns: poll.preempted_ns,
        stack: poll.stack.map(StackId),
        waiting_in: poll.waiting_in.map(NameId),
        waiters: poll.waiters,
        waited_ns: poll.waited_ns,
        max_waited_ns: poll.max_waited_ns,
        in_place: poll.in_place,
        allowed_ns: poll.allowed_ns,
        allowed_for: poll.allowed_for.map(NameId),
        allowed_at: poll.allowed_at.map(NameId),
        allowed_others: poll.allowed_others,
        allowed_preempted_ns: poll.allowed_preempted_ns,
        faults: poll.faults,
    }
}

pub(crate) fn stall_to_wire(stall: &Stall) -> wire::Stall {
    let worker = stall.worker.unwrap_or_default();
    wire::Stall {
        on_worker: stall.worker.is_some(),
        runtime: worker.runtime.0,
        index: worker.index,
        tid: stall.tid,
        thread: stall.thread.0,
        task: stall.task.map(|task| task.0),
        site: stall.site.map(|site| site.0),
        since_ns: stall.since_ns,
        stack: stall.stack.map(|stack| stack.0),
        waiting_in: stall.waiting_in.map(|name| name.0),
        allowed_ns: stall.allowed_ns,
    }
}

pub(crate) fn stall_from_wire(stall: wire::Stall) -> Stall {
    let worker = WorkerId { runtime: RuntimeId(stall.runtime), index: stall.index };
    Stall {
        worker: stall.on_worker.then_some(worker),
        tid: stall.tid,
        thread: NameId(stall.thread),
        task: stall.task.map(TaskId),
        site: stall.site.map(SiteId),
        since_ns: stall.since_ns,
        stack: stall.stack.map(StackId),
        waiting_in: stall.waiting_in.map(NameId),
        allowed_ns: stall.allowed_ns,
    }
}

pub(crate) fn stop_to_wire(stop: &Stop) -> wire::Stop {
    wire::Stop { from_ns: stop.from_ns, to_ns: stop.to_ns }
}

pub(crate) fn stop_from_wire(stop: wire::Stop) -> Stop {
    Stop { from_ns: stop.from_ns, to_ns: stop.to_ns }
}

/// Nothing if none was looked at, which is the common case.
pub(crate) fn sights_to_wire(polls: &[SeenPoll]) -> Vec<wire::PollSight> {
    let nothing =
        |seen: &SeenPoll| seen.waiting_in.is_empty() && seen.stack.is_empty() && seen.allowed.is_empty();
    if polls.iter().all(nothing) {
        return Vec::new();
    }
    let sight = |seen: &SeenPoll| wire::PollSight {
        waiting_in: seen.waiting_in.to_string(),
        stack: texts_to_wire(&seen.stack),
        allowed: seen.allowed.to_string(),
    };
    polls.iter().map(sight).collect()
}

pub(crate) fn seen_polls_from_wire(
    polls: Vec<wire::SlowPoll>,
    sights: Vec<wire::PollSight>,
) -> Vec<SeenPoll> {
    let sights = sights.into_iter().chain(std::iter::repeat_with(wire::PollSight::default));
    polls
        .into_iter()
        .zip(sights)
        .map(|(poll, sight)| SeenPoll {
            poll: poll_from_wire(poll),
            waiting_in: sight.waiting_in.into(),
            stack: texts_from_wire(sight.stack),
            allowed: sight.allowed.into(),
        })
        .collect()
}
