//! The arguments of a poll, a task or a finding: names and values, the same in every format.

use std::sync::Arc;

use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::task::{TaskRecord, WokenBy};
use pollscope_model::finding::Finding;
use pollscope_model::id::{NameId, RuntimeId, WorkerId};
use pollscope_model::measured::Metric;

use super::index::ExportIndex;
use super::lane::{Lanes, runtime_names};
use super::meter::Meter;
use super::trace::Poll;

/// A value. Names of durations end in `_ns`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Arg {
    /// A text.
    Text(Arc<str>),
    /// A number.
    Uint(u64),
    /// Lines.
    List(Vec<Arc<str>>),
}

/// Arguments with their names, in the order in which they are shown.
pub(super) type Args = Vec<(&'static str, Arg)>;

/// Of any poll: its task. Of a slow one: where its time went, and where its thread was.
pub(super) fn of_poll(index: &ExportIndex, poll: &Poll<'_>) -> Args {
    let mut args = vec![
        ("task", Arg::Uint(poll.task.0)),
        ("spawned at", Arg::Text(index.dictionary.site_text(poll.site))),
    ];
    if let Some(slow) = poll.slow {
        of_slow(index, slow, &mut args);
    }
    args
}

fn of_slow(index: &ExportIndex, slow: &SlowPoll, args: &mut Args) {
    let mut uint = |name, value: Option<u64>| args.extend(value.map(|value| (name, Arg::Uint(value))));
    uint("poll", Some(slow.nth).filter(|nth| *nth > 0));
    uint("busy_ns", slow.busy_ns);
    uint("blocked_ns", slow.blocked_ns());
    uint("preempted_ns", slow.preempted_ns);
    uint("allowed_ns", Some(slow.allowed_ns).filter(|ns| *ns > 0));
    uint("nested_ns", Some(slow.nested_ns).filter(|ns| *ns > 0));
    uint("waiters", slow.waiters.map(u64::from));
    uint("waited_ns", slow.waited_ns);
    uint("max_waited_ns", slow.max_waited_ns);
    if let Some(why) = slow.allowance(&index.dictionary) {
        args.push(("allowed", Arg::Text(why.into())));
    }
    if let Some(kind) = slow.kind() {
        args.push(("slow", Arg::Text(kind.as_str().into())));
    }
    let waiting_in = index.waiting_in(slow);
    if !waiting_in.is_empty() {
        args.push(("waiting in", Arg::Text(waiting_in)));
    }
    if let Some(stack) = index.stack_of(slow) {
        args.push(("stack", Arg::List(stack.shown())));
    }
}

/// What a task was and did, as far as its observer measures it.
pub(super) fn of_task(index: &ExportIndex, task: &TaskRecord) -> Args {
    let text = |id: NameId| Some(index.dictionary.name(id)).filter(|name| !name.is_empty()).map(Arg::Text);
    let uint = |measured: bool, value: u64| measured.then_some(Arg::Uint(value));
    let wakes = task.measures(Metric::Wakes);
    let sched = task.measures(Metric::ScheduleDelay);
    let polls = task.measures(Metric::Polls);
    let all = [
        ("task", Some(Arg::Uint(task.id.0))),
        ("spawned at", Some(Arg::Text(index.dictionary.site_text(task.site)))),
        ("group", text(task.group)),
        ("scope", text(task.scope)),
        ("parent", task.parent.map(|parent| Arg::Uint(parent.0))),
        ("state", Some(Arg::Text(state(task).into()))),
        ("kind", Some(Arg::Text(task.kind.as_str().into()))),
        ("polls", uint(polls, task.polls)),
        ("busy_ns", uint(polls, task.busy_ns)),
        ("max_poll_ns", uint(polls, task.max_poll_ns)),
        ("scheduled_ns", uint(sched, task.scheduled_ns)),
        ("max_sched_ns", uint(sched, task.max_sched_ns)),
        ("wakes", uint(wakes, task.wakes)),
        ("self_wakes", uint(wakes, task.self_wakes)),
        ("future_bytes", uint(task.measures(Metric::FutureSize), task.future_bytes)),
    ];
    all.into_iter().filter_map(|(name, arg)| Some((name, arg?))).collect()
}

/// The state at the end of the recording; where the mode does not see the outcome, only that it ended.
fn state(task: &TaskRecord) -> &'static str {
    if task.state.is_ended() && !task.measures(Metric::Outcome) { "ended" } else { task.state.as_str() }
}

/// A finding.
pub(super) fn of_finding(finding: &Finding) -> Args {
    let text = |text: &Arc<str>| Some(text.clone()).filter(|text| !text.is_empty()).map(Arg::Text);
    let all = [
        ("detector", text(&finding.detector)),
        ("level", Some(Arg::Text(finding.level.as_str().into()))),
        ("line", text(&finding.line)),
        ("spawned at", text(&finding.site)),
        ("scope", text(&finding.scope)),
        ("task", finding.task.map(|task| Arg::Uint(task.0))),
        ("task name", text(&finding.task_name)),
        ("count", Some(Arg::Uint(finding.count))),
        ("kind", finding.kind.map(|kind| Arg::Text(kind.as_str().into()))),
        ("waiting in", text(&finding.waiting_in)),
        ("waiters", finding.waiters.map(|waiters| Arg::Uint(waiters.into()))),
        ("waited_ns", finding.waited_ns.map(Arg::Uint)),
        ("why", text(&finding.why)),
        ("fix", text(&finding.fix)),
        ("stack", Some(finding.stack.clone()).filter(|stack| !stack.is_empty()).map(Arg::List)),
    ];
    all.into_iter().filter_map(|(name, arg)| Some((name, arg?))).collect()
}

/// Who woke a task.
pub(super) fn woken_by(index: &ExportIndex, by: WokenBy) -> Arc<str> {
    match by {
        WokenBy::Unknown => "nobody".into(),
        WokenBy::Task(task) => index.task_label(task).into(),
        WokenBy::Itself => "itself".into(),
        WokenBy::Runtime => "the runtime".into(),
        WokenBy::OtherThread => "another thread".into(),
    }
}

/// What people call a meter.
pub(super) fn meter_name(index: &ExportIndex, meter: Meter) -> String {
    let names = runtime_names(&index.dictionary, &index.runtimes);
    let runtime = |id: RuntimeId| match names.iter().find(|(known, _)| *known == id) {
        Some((_, name)) if names.len() > 1 => format!(", {name}"),
        _ => String::new(),
    };
    meter.name(runtime, |worker: WorkerId| Lanes::worker_name(worker, &names))
}
