//! Slow polls and open ones, and what was seen of them.

use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::stall::Stall;
use pollscope_model::entity::stop::Stop;
use pollscope_model::id::{RuntimeId, WorkerId};
use pollscope_model::query::detail::ObservedPoll;

use super::DecodeError;
use super::field::{Field, message};
use crate::wire;

message! {
    "report.slow_polls": SlowPoll = wire::SlowPoll {
        task, site, nth, worker, start_ns, wall_ns, busy_ns, preempted_ns, stack, waiting_in, waiters, waited_ns,
        max_waited_ns, in_place, allowed_ns, allowed_for, allowed_at, allowed_others, allowed_preempted_ns, faults,
        nested_ns, nested_preempted_ns,
    }
}

message! {
    "report.stalls": Stall = wire::Stall { tid, thread, task, site, since_ns, stack, waiting_in, allowed_ns }
    to |stall| {
        on_worker: stall.worker.is_some(),
        runtime: stall.worker.unwrap_or_default().runtime.0,
        index: stall.worker.unwrap_or_default().index,
    }
    from |wire| {
        worker: wire.on_worker.then_some(WorkerId { runtime: RuntimeId(wire.runtime), index: wire.index }),
    }
}

message! { "report.stops": Stop = wire::Stop { from_ns, to_ns } }

/// Nothing if none was looked at, which is the common case.
pub(crate) fn sights_to_wire(polls: &[ObservedPoll]) -> Vec<wire::PollSight> {
    let nothing =
        |seen: &ObservedPoll| seen.waiting_in.is_empty() && seen.stack.is_empty() && seen.allowed.is_empty();
    if polls.iter().all(nothing) {
        return Vec::new();
    }
    let sight = |seen: &ObservedPoll| wire::PollSight {
        waiting_in: seen.waiting_in.to_string(),
        stack: seen.stack.to_wire(),
        allowed: seen.allowed.to_string(),
    };
    polls.iter().map(sight).collect()
}

pub(crate) fn seen_polls_from_wire(
    polls: Vec<wire::SlowPoll>,
    sights: Vec<wire::PollSight>,
) -> Result<Vec<ObservedPoll>, DecodeError> {
    let sights = sights.into_iter().chain(std::iter::repeat_with(wire::PollSight::default));
    polls
        .into_iter()
        .zip(sights)
        .map(|(poll, sight)| {
            Ok(ObservedPoll {
                poll: Field::from_wire("answer.task.slow_polls", poll)?,
                waiting_in: sight.waiting_in.into(),
                stack: Field::from_wire("answer.task.sights", sight.stack)?,
                allowed: sight.allowed.into(),
            })
        })
        .collect()
}
