//! Everything about one task, put together from its row, its site and its relatives.

use std::sync::Arc;

use super::answer::meta;
use super::detail::{ObservedPoll, TaskDetail, TaskLink};
use super::flag::FindingSource;
use super::run;
use super::tasks::{FIELDS, TaskItem, woken_by};
use crate::entity::slow_poll::SlowPoll;
use crate::entity::task::{TaskRecord, WakesBy};
use crate::hist::Hist;
use crate::id::TaskId;
use crate::measured::Metric;
use crate::time::Nanos;
use crate::world::Process;

/// Relatives shown at most.
const RELATIVES: usize = 20;

/// The task, or nothing if it is not remembered.
///
/// Cost: a walk over the process's task rows as far as the last child that is shown; none if it has no
/// children.
pub(super) fn build(process: &Process, source: &dyn FindingSource, id: TaskId) -> Option<TaskDetail> {
    let row = process.task_row(id)?;
    let task = &row.record();
    let site = process.site(task.site);
    let site_text = process.dictionary().site_text(task.site);
    let hist = |of: fn(&crate::entity::site::SiteDelta) -> &Hist| {
        site.map_or(Hist::new(), |site| of(site.totals()).clone())
    };
    let total = process.children_of(id);
    let shown = RELATIVES.min(usize::try_from(total).unwrap_or(RELATIVES));
    let children = process.tasks().filter(|child| child.parent() == Some(id) && !child.state().is_ended());
    let of_it = site.into_iter().flat_map(|site| site.slow_polls()).filter(|poll| poll.task == id);
    let mut slow_polls: Vec<_> = of_it.map(|poll| observed_poll(process, poll)).collect();
    slow_polls.sort_by_key(|seen| seen.poll.start_ns);
    let about = |finding: &&crate::finding::Finding| {
        finding.open && (finding.task == Some(id) || finding.site == site_text)
    };
    let item = TaskItem { process, task: row, flag: source.task(process.boot(), id) };
    Some(TaskDetail {
        meta: meta(&[process]),
        row: run::row(&item, FIELDS),
        facts: facts(process, task),
        ancestors: ancestors(process, task),
        children: children.take(shown).map(|child| link(process, &child.record())).collect(),
        children_total: total,
        slow_polls,
        poll: hist(|site| &site.poll),
        sched: hist(|site| &site.sched),
        life: hist(|site| &site.life),
        poll_limit_ns: source.poll_limit_ns(process.boot()),
        findings: source.findings(process.boot()).into_iter().filter(about).cloned().collect(),
    })
}

fn observed_poll(process: &Process, poll: &SlowPoll) -> ObservedPoll {
    let dictionary = process.dictionary();
    ObservedPoll {
        poll: poll.clone(),
        waiting_in: poll.waiting_in.map_or_else(|| "".into(), |word| dictionary.name(word)),
        stack: poll
            .stack
            .and_then(|stack| dictionary.stack(stack))
            .map(|stack| stack.shown())
            .unwrap_or_default(),
        allowed: poll.allowance(dictionary).unwrap_or_default().into(),
    }
}

/// What to call a task: its name, or its short site if it has none.
pub(super) fn label(process: &Process, task: &TaskRecord) -> Arc<str> {
    let name = process.dictionary().name(task.name);
    if name.is_empty() { process.dictionary().site(task.site).short().into() } else { name }
}

pub(super) fn link(process: &Process, task: &TaskRecord) -> TaskLink {
    TaskLink { id: task.id, label: label(process, task) }
}

/// Parents as far as their rows are known; a hostile ring of parents ends at the limit.
fn ancestors(process: &Process, task: &TaskRecord) -> Vec<TaskLink> {
    let parent = |task: &TaskRecord| process.task(task.parent?);
    std::iter::successors(process.task(task.parent.unwrap_or(task.id)), parent)
        .filter(|ancestor| ancestor.id != task.id)
        .take(RELATIVES)
        .map(|ancestor| link(process, &ancestor))
        .collect()
}

/// Facts in the order in which a reader asks for them.
fn facts(process: &Process, task: &TaskRecord) -> Vec<(Arc<str>, Arc<str>)> {
    let now_ns = process.now_ns();
    let name = |id| process.dictionary().name(id).to_string();
    let measured = |metric, text: String| {
        if task.measures(metric) { text } else { format!("not measured: {}", why_not(process, task, metric)) }
    };
    let since = |ns: u64| format!("{} ago", Nanos(now_ns.saturating_sub(ns)));
    let mut facts: Vec<(&str, String)> = Vec::new();
    if let Some(open_ns) = task.current_poll_ns(now_ns) {
        let on = task.worker.map_or(String::new(), |worker| format!(" on w{worker}"));
        facts.push(("polling", format!("for {}{on}", Nanos(open_ns))));
    } else if task.scheduled_since_ns > 0 {
        let waits = Nanos(now_ns.saturating_sub(task.scheduled_since_ns));
        facts.push(("waits for a worker", format!("for {waits}")));
    }
    if task.ended_ns > 0 {
        facts.push(("ended", since(task.ended_ns)));
    } else if task.last_poll_end_ns > 0 {
        facts.push(("last poll ended", since(task.last_poll_end_ns)));
    } else {
        facts.push(("last poll ended", "never: it was not polled to an end yet".to_owned()));
    }
    let woken = woken_by(task.woken_by);
    let woken = if woken.is_null() { "nothing yet".to_owned() } else { woken.to_string() };
    facts.push(("woken by", measured(Metric::Wakes, woken)));
    if let Some(WakesBy { tasks, runtime, threads }) = task.wakes_by() {
        let own = task.self_wakes;
        let counts =
            format!("{tasks} by tasks, {runtime} by the runtime, {threads} by threads, {own} by itself");
        facts.push(("wakes", counts));
    }
    let wakers = format!("{} alive, {} cloned, {} dropped", task.wakers, task.waker_clones, task.waker_drops);
    facts.push(("wakers", measured(Metric::Wakes, wakers)));
    facts.push(("join handle", measured(Metric::Handles, task.handle.as_str().to_owned())));
    facts.push(("kind", task.kind.as_str().to_owned()));
    facts.push(("observed by", task.mode.as_str().to_owned()));
    if let Some(runtime) = task.runtime.and_then(|id| process.runtime(id)) {
        facts.push(("runtime", name(runtime.record().name)));
    }
    facts.push(("scope", name(task.scope)));
    if task.long_lived {
        let why = "yes: exempt from the rules on forgotten and leaked tasks";
        facts.push(("long-lived", why.to_owned()));
    }
    facts.retain(|(_, text)| !text.is_empty());
    facts.into_iter().map(|(label, text)| (label.into(), text.into())).collect()
}

/// Why the task's metric is not measured: the hello's reason, or the task's own mode or kind.
fn why_not(process: &Process, task: &TaskRecord, metric: Metric) -> String {
    let said = process.hello().capabilities.iter().find(|capability| capability.metric == metric);
    match said.filter(|said| !said.reason.is_empty()) {
        Some(said) => said.reason.clone(),
        None => format!("a {} task observed by {} does not tell it", task.kind.as_str(), task.mode),
    }
}
