//! Everything about one spawn site, over all processes of the scope.

use std::collections::HashMap;
use std::sync::Arc;

use super::answer::meta;
use super::detail::{Finding, HeatColumn, SiteDetail, TaskLink};
use super::flag::Judge;
use super::page::Level;
use super::run;
use super::sites::{FIELDS, SiteItem, collect};
use super::task_detail::link;
use crate::world::Process;

/// Tasks and names shown at most.
const SHOWN: usize = 20;

/// The site, or nothing if no process has it.
///
/// Cost: a walk over the processes' task rows, to find those that were spawned there.
pub(super) fn build(scope: &[&Process], judge: &dyn Judge, text: &str) -> Option<SiteDetail> {
    let site = collect(scope.iter().copied(), judge).into_iter().find(|site| *site.text == *text)?;
    let totals = site.totals();
    let findings: Vec<Finding> = site
        .parts
        .iter()
        .flat_map(|part| judge.findings(part.process.boot()))
        .filter(|finding| finding.open && finding.site == site.text)
        .cloned()
        .collect();
    let (tasks, names) = tasks_of(&site, judge);
    Some(SiteDetail {
        meta: meta(scope),
        row: run::row(&site, FIELDS),
        poll: totals.poll.clone(),
        sched: totals.sched.clone(),
        life: totals.life.clone(),
        heat: heat(&site),
        tasks,
        names,
        findings,
    })
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
fn tasks_of(site: &SiteItem<'_>, judge: &dyn Judge) -> (Vec<TaskLink>, Vec<(Arc<str>, u64)>) {
    let mut names: HashMap<Arc<str>, u64> = HashMap::new();
    let mut tasks: Vec<(Option<Level>, TaskLink)> = Vec::new();
    for part in &site.parts {
        let mut by_name = HashMap::new();
        let id = part.site.id();
        for task in part.process.tasks().filter(|task| task.site() == id && !task.state().is_ended()) {
            *by_name.entry(task.name()).or_insert(0u64) += 1;
            let level = judge.task(part.process.boot(), task.id()).map(|flag| flag.level);
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
