//! A scope at a glance: what the title line, the ribbon and the panels round the tables show.

use std::sync::Arc;

use super::answer::meta;
use super::detail::{Overview, RuntimeOverview, WorkerHeat};
use super::flag::FindingSource;
use super::notes::notes;
use crate::entity::presence::Presence;
use crate::id::{BootId, RuntimeId};
use crate::level::Level;
use crate::measured::Metric;
use crate::report::Detail;
use crate::time::SECOND;
use crate::world::{Process, RuntimeView};

/// Heat map rows shown at most.
const WORKERS: usize = 16;
/// Rules that could not judge, and pieces of evidence in doubt, shown at most of each.
const UNDECIDED: usize = 64;
/// One point of the ribbon.
const POINT_NS: u64 = 10 * SECOND;

/// The scope as it is now.
pub(super) fn build(scope: &[&Process], source: &dyn FindingSource, now_unix_ns: u64) -> Overview {
    let count = |presence| scope.iter().filter(|process| process.presence() == presence).count() as u64;
    let meta = meta(scope);
    let heard = scope.iter().map(|process| process.received_unix_ns()).max().unwrap_or(now_unix_ns);
    let ribbon = ribbon(scope);
    let open: Vec<_> = scope
        .iter()
        .flat_map(|process| source.findings(process.boot()))
        .filter(|finding| finding.open)
        .collect();
    let at = |level| open.iter().filter(|finding| finding.level == level).count() as u64;
    let mut marks: Vec<u32> = scope
        .iter()
        .flat_map(|process| source.findings(process.boot()))
        .filter_map(|finding| {
            let back = meta.now_unix_ns.saturating_sub(finding.first_ns) / POINT_NS;
            Some(ribbon.len().checked_sub(1 + usize::try_from(back).ok()?)? as u32)
        })
        .collect();
    marks.sort_unstable();
    marks.dedup();
    Overview {
        lag_ns: now_unix_ns.saturating_sub(heard),
        presence: [count(Presence::Live), count(Presence::Stale), count(Presence::Gone)],
        tasks: scope.iter().filter_map(|process| process.alive_tasks()).fold(0, u64::saturating_add),
        findings: [at(Level::Deny), at(Level::Warn)],
        ribbon,
        marks,
        workers: workers(scope),
        runtimes: scope.iter().flat_map(|process| runtimes(process)).collect(),
        hellos: scope.iter().map(|process| process.hello().clone()).collect(),
        notes: notes(scope, source, now_unix_ns),
        undecided: by_rule(scope, |boot| source.undecided(boot)),
        set_aside: by_rule(scope, |boot| source.set_aside(boot)),
        meta,
    }
}

/// The longest poll of all processes per 10 s. Processes that were heard last some time before the
/// newest one are moved back by as much.
fn ribbon(scope: &[&Process]) -> Vec<Option<f32>> {
    let newest = scope.iter().map(|process| process.received_unix_ns()).max().unwrap_or(0);
    let mut all: Vec<Option<f32>> = Vec::new();
    for process in scope {
        let mut ribbon = process.ribbon();
        let late = (newest - process.received_unix_ns()) / POINT_NS;
        ribbon.extend(std::iter::repeat_n(None, late.min(90) as usize));
        let ribbon = &ribbon[ribbon.len().saturating_sub(90)..];
        if ribbon.len() > all.len() {
            all.splice(0..0, std::iter::repeat_n(None, ribbon.len() - all.len()));
        }
        for (all, point) in all.iter_mut().rev().zip(ribbon.iter().rev()) {
            *all = match (*all, *point) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
        }
    }
    all
}

/// Of one process its workers in order, of several the busiest.
fn workers(scope: &[&Process]) -> Vec<WorkerHeat> {
    let mut all: Vec<_> =
        scope.iter().flat_map(|process| process.workers().map(move |worker| (*process, worker))).collect();
    if scope.len() > 1 {
        let busy =
            |(_, worker): &(&Process, crate::world::WorkerView<'_>)| worker.rates(10).busy.unwrap_or(-1.0);
        all.sort_by(|a, b| busy(b).total_cmp(&busy(a)));
    }
    let heat = |(process, worker): (&Process, crate::world::WorkerView<'_>)| WorkerHeat {
        label: format!("{} w{}", process.label(), worker.id().index).into(),
        busy: worker.busy_fives(),
    };
    all.into_iter().take(WORKERS).map(heat).collect()
}

fn runtimes(process: &Process) -> Vec<RuntimeOverview> {
    let now = |runtime: RuntimeView<'_>| {
        let record = runtime.record();
        RuntimeOverview {
            process: process.label().clone(),
            name: process.dictionary().name(record.name),
            flavor: record.flavor.as_str().into(),
            workers: record.workers,
            alive_tasks: record.alive_tasks,
            seen_tasks: seen_tasks(process, record.id),
            global_queue: record.global_queue,
            blocking_threads: record.blocking_threads,
            blocking_queue: record.blocking_queue,
            global_queue_series: runtime.global_queue_tens(),
            blocking_series: runtime.blocking_threads_tens(),
        }
    };
    process.runtimes().map(now).collect()
}

/// Living tasks on the runtime; nothing where the rows do not tell all of them.
fn seen_tasks(process: &Process, runtime: RuntimeId) -> Option<u64> {
    let all = process.detail() == Detail::Full && process.measures_for_some(Metric::Polls);
    all.then(|| process.tasks_on(runtime))
}

/// Rules with a reason each, of all processes.
fn by_rule(
    scope: &[&Process],
    reasons: impl Fn(BootId) -> Vec<(&'static str, String)>,
) -> Vec<(Arc<str>, Arc<str>)> {
    let alone = scope.len() == 1;
    let of = |process: &&Process| {
        let label = process.label().clone();
        reasons(process.boot()).into_iter().map(move |(rule, reason)| {
            let reason = if alone { reason } else { format!("{label}: {reason}") };
            (rule.into(), reason.into())
        })
    };
    scope.iter().flat_map(of).take(UNDECIDED).collect()
}
