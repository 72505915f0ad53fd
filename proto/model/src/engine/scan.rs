//! The look at single tasks, shared by every detector that judges them.
//!
//! Cost: what [`Watchlist`] says, and for each task whose time has come a copy of its row, a handful of
//! comparisons and, if it is hit, one hash look-up.

use std::collections::HashMap;

use super::watchlist::Watchlist;
use crate::detect::signal::{Group, Hit};
use crate::detect::view::Moment;
use crate::detect::{ALL, TaskRule, TaskTest};
use crate::id::{NameId, SiteId, TaskId};
use crate::level::Level;
use crate::policy::Policy;
use crate::world::TaskRow;

/// The most tasks of one process that carry flags of their own; findings count all of them.
pub(super) const MAX_FLAGGED: usize = 16_384;

/// What the scan found.
#[derive(Debug, Default)]
pub(super) struct ScanResult {
    /// For each detector (by index in [`ALL`]) its groups, the worst first.
    pub(super) groups: Vec<(usize, Vec<Group>)>,
    /// Tasks that were hit above the limit, by which detector, how badly.
    pub(super) flagged: Vec<(TaskId, usize, Level)>,
}

impl ScanResult {
    /// What a detector hit; `None` if it judges no single tasks or could not judge.
    pub(super) fn groups_of(&self, detector: usize) -> Option<&[Group]> {
        self.groups.iter().find(|(of, _)| *of == detector).map(|(_, groups)| groups.as_slice())
    }
}

/// What is kept from look to look.
#[derive(Clone, Debug, Default)]
pub(super) struct ScanState {
    list: Watchlist,
    /// The detectors that could judge at the last look.
    detectors: Vec<usize>,
}

pub(super) fn scan_tasks(moment: Moment<'_>, policy: &Policy, scan_state: &mut ScanState) -> ScanResult {
    let rules: Vec<(usize, TaskRule)> = ALL
        .iter()
        .enumerate()
        .filter(|(_, detector)| detector.not_measured(moment.process).is_none())
        .filter_map(|(index, detector)| Some((index, detector.tasks?)))
        .collect();
    if !rules.iter().map(|(index, _)| index).eq(&scan_state.detectors) {
        scan_state.detectors = rules.iter().map(|(index, _)| *index).collect();
        scan_state.list.clear();
    }
    let due = |row: TaskRow<'_>| {
        rules.iter().filter_map(|(index, rule)| (rule.due)(policy.rule(*index), row)).min()
    };
    let tests: Vec<(usize, TaskTest<'_>)> =
        rules.iter().map(|(index, rule)| (*index, (rule.test)(moment, policy.rule(*index)))).collect();
    let mut groups: HashMap<(usize, SiteId, NameId), Group> = HashMap::new();
    let mut scan = ScanResult::default();
    for place in scan_state.list.due_places(moment.process, moment.now_ns, due) {
        let Some(row) = moment.process.row_at(*place).filter(|row| !row.state().is_ended()) else { continue };
        let task = row.record();
        for (index, test) in &tests {
            let Some(hit) = test(&task) else { continue };
            add(groups.entry((*index, task.site, task.name)), task.id, hit);
            if let Some(level) = hit.level.filter(|_| scan.flagged.len() < MAX_FLAGGED) {
                scan.flagged.push((task.id, *index, level.min(policy.rule(*index).level)));
            }
        }
    }
    for (index, _) in tests {
        let mut of_it: Vec<Group> =
            groups.iter().filter(|((of, ..), _)| *of == index).map(|(_, group)| group.clone()).collect();
        of_it.sort_unstable_by_key(|group| (std::cmp::Reverse((group.level, group.ns)), group.worst));
        scan.groups.push((index, of_it));
    }
    scan
}

fn add(entry: std::collections::hash_map::Entry<'_, (usize, SiteId, NameId), Group>, task: TaskId, hit: Hit) {
    let (_, site, name) = *entry.key();
    let group = entry.or_insert(Group { site, name, tasks: 0, worst: task, ns: hit.ns, level: hit.level });
    // Tasks that are only near the limit are not counted beside those over it.
    match hit.level.cmp(&group.level) {
        std::cmp::Ordering::Less if hit.level.is_none() => return,
        std::cmp::Ordering::Greater if group.level.is_none() => group.tasks = 0,
        _ => {}
    }
    group.tasks += 1;
    group.level = group.level.max(hit.level);
    if (hit.ns, task) > (group.ns, group.worst) {
        (group.ns, group.worst) = (hit.ns, task);
    }
}

#[cfg(test)]
mod tests;
