//! Everything about one spawn site, over all processes of the scope.

use std::collections::HashMap;
use std::sync::Arc;

use super::answer::meta;
use super::detail::{SiteDetail, TaskLink};
use super::flag::FindingSource;
use super::run;
use super::sites::{FIELDS, SiteItem, collect};
use super::task_detail::link;
use crate::entity::edge::Waker;
use crate::entity::heat::HeatColumn;
use crate::finding::Finding;
use crate::level::Level;
use crate::measured::Metric;
use crate::world::Process;

/// Tasks and names shown at most.
const SHOWN: usize = 20;

/// The site, or nothing if no process has it.
///
/// Cost: a walk over the processes' task rows, to find those that were spawned there.
pub(super) fn build(scope: &[&Process], source: &dyn FindingSource, text: &str) -> Option<SiteDetail> {
    let site = collect(scope.iter().copied(), source).into_iter().find(|site| *site.text == *text)?;
    let totals = site.totals();
    let findings: Vec<Finding> = site
        .parts
        .iter()
        .flat_map(|part| source.findings(part.process.boot()))
        .filter(|finding| finding.open && finding.site == site.text)
        .cloned()
        .collect();
    let (tasks, names) = tasks_of(&site, source);
    Some(SiteDetail {
        meta: meta(scope),
        row: run::row(&site, FIELDS),
        poll: totals.poll.clone(),
        sched: totals.sched.clone(),
        life: totals.life.clone(),
        heat: heat(&site),
        tasks,
        names,
        woken_by: woken_by(&site),
        findings,
    })
}

/// Who wakes the site's tasks; `None` if no process measures it.
fn woken_by(site: &SiteItem<'_>) -> Option<Vec<(Arc<str>, u64)>> {
    let measures = |part: &&super::sites::Part<'_>| part.process.measures_for_some(Metric::WakeEdges);
    let mut counts: HashMap<Arc<str>, u64> = HashMap::new();
    let (mut any, mut wakes, mut told) = (false, 0u64, 0u64);
    for part in site.parts.iter().filter(measures) {
        any = true;
        wakes = wakes.saturating_add(part.site.totals().wakes);
        for (waker, count) in part.process.wakers_of(part.site.id()) {
            let label = match waker {
                Waker::Site(site) => part.process.dictionary().site_text(site),
                Waker::Runtime => "the runtime".into(),
                Waker::OtherThread => "threads outside of it".into(),
            };
            told = told.saturating_add(count);
            let sum = counts.entry(label).or_insert(0);
            *sum = sum.saturating_add(count);
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
    let others: u64 = counts.iter().skip(SHOWN).fold(0, |sum, (_, count)| sum.saturating_add(*count));
    counts.truncate(SHOWN);
    let rest = wakes.saturating_sub(told).saturating_add(others);
    if rest > 0 {
        counts.push(("others".into(), rest));
    }
    any.then_some(counts)
}

/// The sum of the processes' heat maps, newest ends aligned.
fn heat(site: &SiteItem<'_>) -> Vec<HeatColumn> {
    let mut sum: Vec<HeatColumn> = Vec::new();
    for part in &site.parts {
        let heat = part.site.heat();
        if heat.len() > sum.len() {
            let missing = heat.len() - sum.len();
            sum.splice(0..0, std::iter::repeat_n(HeatColumn::default(), missing));
        }
        for (sum, column) in sum.iter_mut().rev().zip(heat.iter().rev()) {
            for (sum, n) in sum.decades.iter_mut().zip(column.decades) {
                *sum = sum.saturating_add(n);
            }
        }
    }
    sum
}

/// Some living tasks of the site, flagged ones first, and the names that most of them have.
fn tasks_of(site: &SiteItem<'_>, source: &dyn FindingSource) -> (Vec<TaskLink>, Vec<(Arc<str>, u64)>) {
    let mut names: HashMap<Arc<str>, u64> = HashMap::new();
    let mut tasks: Vec<(Option<Level>, TaskLink)> = Vec::new();
    for part in &site.parts {
        let mut by_name = HashMap::new();
        let id = part.site.id();
        for task in part.process.tasks().filter(|task| task.site() == id && !task.state().is_ended()) {
            *by_name.entry(task.name()).or_insert(0u64) += 1;
            let level = source.task(part.process.boot(), task.id()).map(|flag| flag.level);
            if tasks.len() < SHOWN {
                tasks.push((level, link(part.process, &task.record())));
            } else if let Some(place) = tasks.iter_mut().min_by_key(|(level, _)| *level)
                && place.0 < level
            {
                *place = (level, link(part.process, &task.record()));
            }
        }
        for (name, count) in by_name {
            *names.entry(part.process.dictionary().name(name)).or_insert(0) += count;
        }
    }
    names.remove("");
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
    names.truncate(SHOWN);
    tasks.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.id.cmp(&other.id)));
    (tasks.into_iter().map(|(_, link)| link).collect(), names)
}
