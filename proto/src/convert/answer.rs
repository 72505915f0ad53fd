//! Answers about one thing, and the answer as a whole.

use std::sync::Arc;

use pollscope_model::entity::heat::HeatColumn;
use pollscope_model::finding::Finding;
use pollscope_model::id::TaskId;
use pollscope_model::query::ask::Answer;
use pollscope_model::query::detail::{
    Overview, RuntimeOverview, SiteDetail, TaskDetail, TaskLink, WorkerHeat,
};

use super::field::{Field, message};
use super::{DecodeError, flight, slow};
use crate::wire;

pub(crate) fn answer_to_wire(answer: &Answer) -> wire::Answer {
    use wire::answer::Answer as Wire;
    let answer = match answer {
        Answer::Page(page) => Wire::Page(page.to_wire()),
        Answer::Task(task) => Wire::Task(task.as_ref().to_wire()),
        Answer::Site(site) => Wire::Site(site.as_ref().to_wire()),
        Answer::Finding(finding) => Wire::Finding(finding.as_ref().to_wire()),
        Answer::Overview(overview) => Wire::Overview(overview.as_ref().to_wire()),
        Answer::Flight(picture) => Wire::Flight(flight::to_wire(picture)),
        Answer::No(reason) => Wire::No(reason.to_string()),
    };
    wire::Answer { answer: Some(answer) }
}

pub(crate) fn answer_from_wire(answer: wire::Answer) -> Result<Answer, DecodeError> {
    use wire::answer::Answer as Wire;
    Ok(match answer.answer.ok_or(DecodeError::missing("answer"))? {
        Wire::Page(page) => Answer::Page(Field::from_wire("answer.page", page)?),
        Wire::Task(task) => Answer::Task(Box::new(Field::from_wire("answer.task", task)?)),
        Wire::Site(site) => Answer::Site(Box::new(Field::from_wire("answer.site", site)?)),
        Wire::Finding(finding) => Answer::Finding(Box::new(Field::from_wire("answer.finding", finding)?)),
        Wire::Overview(overview) => {
            Answer::Overview(Box::new(Field::from_wire("answer.overview", overview)?))
        }
        Wire::Flight(picture) => Answer::Flight(Box::new(flight::from_wire(picture)?)),
        Wire::No(reason) => Answer::No(reason.into()),
    })
}

message! {
    "answer.task": TaskDetail = wire::TaskDetail {
        meta, row, facts, ancestors, children, children_total, poll, sched, life, poll_limit_ns, findings,
    }
    to |task| {
        slow_polls: task.slow_polls.iter().map(|seen| seen.poll.to_wire()).collect(),
        sights: slow::sights_to_wire(&task.slow_polls),
    }
    from |wire| { slow_polls: slow::seen_polls_from_wire(wire.slow_polls, wire.sights)? }
}

message! {
    "answer.site": SiteDetail = wire::SiteDetail {
        meta, row, poll, sched, life, heat, tasks, names, findings, woken_by,
    }
}

message! {
    "answer.finding": Finding = wire::Finding {
        number, detector, level, fingerprint, site, line, scope, task, task_name, process, value, limit, count, first_ns, last_ns,
        open, kind, waiting_in, waiters, waited_ns, max_waited_ns, stack, headline, why, fix,
    }
}

message! {
    "answer.overview": Overview = wire::Overview {
        meta, lag_ns, presence, tasks, findings, ribbon, marks, workers, runtimes, hellos, notes, undecided,
        set_aside,
    }
}

message! {
    "answer.overview.runtimes": RuntimeOverview = wire::RuntimeNow {
        process, name, flavor, workers, alive_tasks, seen_tasks, global_queue, blocking_threads, blocking_queue,
        global_queue_series, blocking_series,
    }
}

message! { "answer.overview.workers": WorkerHeat = wire::WorkerHeat { label, busy } }

message! { "answer.site.heat": HeatColumn = wire::HeatColumn { decades } }

message! {
    "answer.task.links": TaskLink = wire::TaskLink { label }
    to |link| { task: link.id.0 }
    from |wire| { id: TaskId(wire.task) }
}

/// Two texts, or a text and a number, that are a message on the wire.
macro_rules! pair {
    ($(($A:ty, $B:ty) = wire::$Wire:ident { $a:ident, $b:ident })*) => {
        $(impl Field<wire::$Wire> for ($A, $B) {
            fn to_wire(&self) -> wire::$Wire {
                wire::$Wire { $a: self.0.to_wire(), $b: self.1.to_wire() }
            }

            fn from_wire(field: &'static str, wire: wire::$Wire) -> Result<Self, DecodeError> {
                Ok((Field::from_wire(field, wire.$a)?, Field::from_wire(field, wire.$b)?))
            }
        })*
    };
}
pair! {
    (Arc<str>, Arc<str>) = wire::Fact { label, text }
    (Arc<str>, u64) = wire::NameCount { name, alive }
    (Arc<str>, u64) = wire::WakeCount { waker, count }
}

impl Field<wire::WakeCounts> for Vec<(Arc<str>, u64)> {
    fn to_wire(&self) -> wire::WakeCounts {
        wire::WakeCounts { wakers: self.to_wire() }
    }

    fn from_wire(field: &'static str, wire: wire::WakeCounts) -> Result<Self, DecodeError> {
        Field::from_wire(field, wire.wakers)
    }
}
