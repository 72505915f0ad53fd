//! Answers about one thing, and the answer as a whole.

use std::sync::Arc;

use pollscope_model::entity::heat::HeatColumn;
use pollscope_model::entity::slow_poll::PollKind;
use pollscope_model::finding::Finding;
use pollscope_model::hist::Hist;
use pollscope_model::id::TaskId;
use pollscope_model::query::ask::Answer;
use pollscope_model::query::detail::{Overview, RuntimeNow, SiteDetail, TaskDetail, TaskLink, WorkerHeat};

use super::query::{
    level, meta_from_wire, meta_to_wire, page_from_wire, page_to_wire, row_from_wire, row_to_wire,
    series_from_wire, series_to_wire, unknown, value_from_wire, value_to_wire,
};
use super::{DecodeError, Reason, flight, greeting, hist, slow};
use crate::limits::MAX_FRAME_HIST_CELLS;
use crate::wire;

pub(crate) fn answer_to_wire(answer: &Answer) -> wire::Answer {
    use wire::answer::Answer as Wire;
    let answer = match answer {
        Answer::Page(page) => Wire::Page(page_to_wire(page)),
        Answer::Task(task) => Wire::Task(task_to_wire(task)),
        Answer::Site(site) => Wire::Site(site_to_wire(site)),
        Answer::Finding(finding) => Wire::Finding(finding_to_wire(finding)),
        Answer::Overview(overview) => Wire::Overview(overview_to_wire(overview)),
        Answer::Flight(picture) => Wire::Flight(flight::to_wire(picture)),
        Answer::No(reason) => Wire::No(reason.to_string()),
    };
    wire::Answer { answer: Some(answer) }
}

pub(crate) fn answer_from_wire(answer: wire::Answer) -> Result<Answer, DecodeError> {
    use wire::answer::Answer as Wire;
    Ok(match answer.answer.ok_or(DecodeError::missing("answer"))? {
        Wire::Page(page) => Answer::Page(page_from_wire(page)?),
        Wire::Task(task) => Answer::Task(Box::new(task_from_wire(task)?)),
        Wire::Site(site) => Answer::Site(Box::new(site_from_wire(site)?)),
        Wire::Finding(finding) => Answer::Finding(Box::new(finding_from_wire(finding)?)),
        Wire::Overview(overview) => Answer::Overview(Box::new(overview_from_wire(overview)?)),
        Wire::Flight(picture) => Answer::Flight(Box::new(flight::from_wire(picture)?)),
        Wire::No(reason) => Answer::No(reason.into()),
    })
}

fn hist_to_wire(hist: &Hist) -> Option<wire::HistColumns> {
    hist::to_wire(std::iter::once(hist))
}

fn hist_from_wire(field: &'static str, columns: Option<&wire::HistColumns>) -> Result<Hist, DecodeError> {
    let mut reader = hist::Reader::new(field, columns, 1)?;
    let hist = reader.next(&mut { MAX_FRAME_HIST_CELLS })?;
    reader.finish()?;
    Ok(hist)
}

pub(super) fn texts_to_wire(texts: &[Arc<str>]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

pub(super) fn texts_from_wire(texts: Vec<String>) -> Vec<Arc<str>> {
    texts.into_iter().map(Into::into).collect()
}

fn facts_to_wire(facts: &[(Arc<str>, Arc<str>)]) -> Vec<wire::Fact> {
    facts
        .iter()
        .map(|(label, text)| wire::Fact { label: label.to_string(), text: text.to_string() })
        .collect()
}

fn facts_from_wire(facts: Vec<wire::Fact>) -> Vec<(Arc<str>, Arc<str>)> {
    facts.into_iter().map(|fact| (fact.label.into(), fact.text.into())).collect()
}

fn links_to_wire(links: &[TaskLink]) -> Vec<wire::TaskLink> {
    links.iter().map(|link| wire::TaskLink { task: link.id.0, label: link.label.to_string() }).collect()
}

fn links_from_wire(links: Vec<wire::TaskLink>) -> Vec<TaskLink> {
    links.into_iter().map(|link| TaskLink { id: TaskId(link.task), label: link.label.into() }).collect()
}

fn findings_from_wire(findings: Vec<wire::Finding>) -> Result<Vec<Finding>, DecodeError> {
    findings.into_iter().map(finding_from_wire).collect()
}

fn task_to_wire(task: &TaskDetail) -> wire::TaskDetail {
    wire::TaskDetail {
        meta: Some(meta_to_wire(&task.meta)),
        row: Some(row_to_wire(&task.row)),
        facts: facts_to_wire(&task.facts),
        ancestors: links_to_wire(&task.ancestors),
        children: links_to_wire(&task.children),
        children_total: task.children_total,
        slow_polls: task.slow_polls.iter().map(|seen| slow::poll_to_wire(&seen.poll)).collect(),
        sights: slow::sights_to_wire(&task.slow_polls),
        poll: hist_to_wire(&task.poll),
        sched: hist_to_wire(&task.sched),
        life: hist_to_wire(&task.life),
        poll_limit_ns: task.poll_limit_ns,
        findings: task.findings.iter().map(finding_to_wire).collect(),
    }
}

fn task_from_wire(task: wire::TaskDetail) -> Result<TaskDetail, DecodeError> {
    Ok(TaskDetail {
        meta: meta_from_wire(task.meta)?,
        row: row_from_wire(task.row.ok_or(DecodeError::missing("answer.task.row"))?)?,
        facts: facts_from_wire(task.facts),
        ancestors: links_from_wire(task.ancestors),
        children: links_from_wire(task.children),
        children_total: task.children_total,
        slow_polls: slow::seen_polls_from_wire(task.slow_polls, task.sights),
        poll: hist_from_wire("answer.task.poll", task.poll.as_ref())?,
        sched: hist_from_wire("answer.task.sched", task.sched.as_ref())?,
        life: hist_from_wire("answer.task.life", task.life.as_ref())?,
        poll_limit_ns: task.poll_limit_ns,
        findings: findings_from_wire(task.findings)?,
    })
}

fn site_to_wire(site: &SiteDetail) -> wire::SiteDetail {
    wire::SiteDetail {
        meta: Some(meta_to_wire(&site.meta)),
        row: Some(row_to_wire(&site.row)),
        poll: hist_to_wire(&site.poll),
        sched: hist_to_wire(&site.sched),
        life: hist_to_wire(&site.life),
        heat: site.heat.iter().map(|column| wire::HeatColumn { decades: column.decades.to_vec() }).collect(),
        tasks: links_to_wire(&site.tasks),
        names: site
            .names
            .iter()
            .map(|(name, alive)| wire::NameCount { name: name.to_string(), alive: *alive })
            .collect(),
        findings: site.findings.iter().map(finding_to_wire).collect(),
        woken_by: site.woken_by.as_ref().map(|wakers| wire::WakeCounts {
            wakers: wakers
                .iter()
                .map(|(waker, count)| wire::WakeCount { waker: waker.to_string(), count: *count })
                .collect(),
        }),
    }
}

fn site_from_wire(site: wire::SiteDetail) -> Result<SiteDetail, DecodeError> {
    Ok(SiteDetail {
        meta: meta_from_wire(site.meta)?,
        row: row_from_wire(site.row.ok_or(DecodeError::missing("answer.site.row"))?)?,
        poll: hist_from_wire("answer.site.poll", site.poll.as_ref())?,
        sched: hist_from_wire("answer.site.sched", site.sched.as_ref())?,
        life: hist_from_wire("answer.site.life", site.life.as_ref())?,
        heat: site
            .heat
            .iter()
            .map(|column| Ok(HeatColumn { decades: exactly("answer.site.heat", &column.decades)? }))
            .collect::<Result<_, DecodeError>>()?,
        tasks: links_from_wire(site.tasks),
        names: site.names.into_iter().map(|count| (count.name.into(), count.alive)).collect(),
        findings: findings_from_wire(site.findings)?,
        woken_by: site.woken_by.map(|woken_by| {
            woken_by.wakers.into_iter().map(|waker| (waker.waker.into(), waker.count)).collect()
        }),
    })
}

/// A list that must have that many numbers.
fn exactly<const N: usize>(field: &'static str, numbers: &[u64]) -> Result<[u64; N], DecodeError> {
    let wrong = Reason::Length { expected: N, got: numbers.len() };
    numbers.try_into().map_err(|_| DecodeError::new(field, wrong))
}

fn finding_to_wire(finding: &Finding) -> wire::Finding {
    wire::Finding {
        number: finding.number,
        detector: finding.detector.to_string(),
        level: finding.level.as_str().to_owned(),
        fingerprint: finding.fingerprint.to_string(),
        site: finding.site.to_string(),
        task: finding.task.map(|task| task.0),
        task_name: finding.task_name.to_string(),
        process: finding.process.to_string(),
        value: Some(value_to_wire(&finding.value)),
        limit: Some(value_to_wire(&finding.limit)),
        count: finding.count,
        first_ns: finding.first_ns,
        last_ns: finding.last_ns,
        open: finding.open,
        kind: finding.kind.map_or_else(String::new, |kind| kind.as_str().to_owned()),
        stack: texts_to_wire(&finding.stack),
        headline: finding.headline.to_string(),
        why: finding.why.to_string(),
        fix: finding.fix.to_string(),
        waiting_in: finding.waiting_in.to_string(),
        waiters: finding.waiters,
        waited_ns: finding.waited_ns,
        max_waited_ns: finding.max_waited_ns,
    }
}

fn finding_from_wire(finding: wire::Finding) -> Result<Finding, DecodeError> {
    Ok(Finding {
        number: finding.number,
        detector: finding.detector.into(),
        level: level("answer.finding.level", &finding.level)?,
        fingerprint: finding.fingerprint.into(),
        site: finding.site.into(),
        task: finding.task.map(TaskId),
        task_name: finding.task_name.into(),
        process: finding.process.into(),
        value: finding.value.map(value_from_wire).unwrap_or_default(),
        limit: finding.limit.map(value_from_wire).unwrap_or_default(),
        count: finding.count,
        first_ns: finding.first_ns,
        last_ns: finding.last_ns,
        open: finding.open,
        kind: poll_kind(&finding.kind)?,
        waiting_in: finding.waiting_in.into(),
        waiters: finding.waiters,
        waited_ns: finding.waited_ns,
        max_waited_ns: finding.max_waited_ns,
        stack: texts_from_wire(finding.stack),
        headline: finding.headline.into(),
        why: finding.why.into(),
        fix: finding.fix.into(),
    })
}

fn poll_kind(name: &str) -> Result<Option<PollKind>, DecodeError> {
    if name.is_empty() {
        return Ok(None);
    }
    PollKind::from_name(name).map(Some).ok_or_else(|| unknown("answer.finding.kind", name))
}

fn overview_to_wire(overview: &Overview) -> wire::Overview {
    wire::Overview {
        meta: Some(meta_to_wire(&overview.meta)),
        lag_ns: overview.lag_ns,
        presence: overview.presence.to_vec(),
        tasks: overview.tasks,
        findings: overview.findings.to_vec(),
        ribbon: Some(series_to_wire(&overview.ribbon)),
        marks: overview.marks.clone(),
        workers: overview
            .workers
            .iter()
            .map(|worker| wire::WorkerHeat {
                label: worker.label.to_string(),
                busy: Some(series_to_wire(&worker.busy)),
            })
            .collect(),
        runtimes: overview.runtimes.iter().map(runtime_to_wire).collect(),
        hellos: overview.hellos.iter().map(greeting::hello_to_wire).collect(),
        notes: texts_to_wire(&overview.notes),
        undecided: facts_to_wire(&overview.undecided),
    }
}

fn overview_from_wire(overview: wire::Overview) -> Result<Overview, DecodeError> {
    Ok(Overview {
        meta: meta_from_wire(overview.meta)?,
        lag_ns: overview.lag_ns,
        presence: exactly("answer.overview.presence", &overview.presence)?,
        tasks: overview.tasks,
        findings: exactly("answer.overview.findings", &overview.findings)?,
        ribbon: series_from_wire(overview.ribbon),
        marks: overview.marks,
        workers: overview
            .workers
            .into_iter()
            .map(|worker| WorkerHeat { label: worker.label.into(), busy: series_from_wire(worker.busy) })
            .collect(),
        runtimes: overview.runtimes.into_iter().map(runtime_from_wire).collect(),
        hellos: overview.hellos.into_iter().map(greeting::hello_from_wire).collect::<Result<_, _>>()?,
        notes: texts_from_wire(overview.notes),
        undecided: facts_from_wire(overview.undecided),
    })
}

fn runtime_to_wire(runtime: &RuntimeNow) -> wire::RuntimeNow {
    wire::RuntimeNow {
        process: runtime.process.to_string(),
        name: runtime.name.to_string(),
        flavor: runtime.flavor.to_string(),
        workers: runtime.workers,
        alive_tasks: runtime.alive_tasks,
        seen_tasks: runtime.seen_tasks,
        global_queue: runtime.global_queue,
        blocking_threads: runtime.blocking_threads,
        blocking_queue: runtime.blocking_queue,
        global_queue_series: Some(series_to_wire(&runtime.global_queue_series)),
        blocking_series: Some(series_to_wire(&runtime.blocking_series)),
    }
}

fn runtime_from_wire(runtime: wire::RuntimeNow) -> RuntimeNow {
    RuntimeNow {
        process: runtime.process.into(),
        name: runtime.name.into(),
        flavor: runtime.flavor.into(),
        workers: runtime.workers,
        alive_tasks: runtime.alive_tasks,
        seen_tasks: runtime.seen_tasks,
        global_queue: runtime.global_queue,
        blocking_threads: runtime.blocking_threads,
        blocking_queue: runtime.blocking_queue,
        global_queue_series: series_from_wire(runtime.global_queue_series),
        blocking_series: series_from_wire(runtime.blocking_series),
    }
}
