//! Who is flagged: for each task, each site and the process itself, what its open findings say.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

use super::found::TrackedFinding;
use super::scan::ScanResult;
use crate::detect::ALL;
use crate::detect::signal::FindingKey;
use crate::id::SiteId;
use crate::level::Level;
use crate::query::flag::{Flag, TaskFlags};
use crate::world::Process;

/// The flags of one process; made anew at each look, from what is open.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags {
    tasks: TaskFlags,
    sites: HashMap<SiteId, Flag>,
}

impl Flags {
    pub(super) fn new<'a>(
        found: impl Iterator<Item = &'a TrackedFinding>,
        scan: &ScanResult,
        process: &Process,
    ) -> Self {
        let mut flags = Self::default();
        let mut open: HashSet<(usize, FindingKey)> = HashSet::new();
        for found in found.filter(|found| found.shown.open) {
            let level = found.shown.level;
            if let Some(site) = found.site() {
                add(&mut flags.sites, site, found.detector, level);
            }
            if let Some(task) = found.task() {
                add(&mut flags.tasks, task, found.detector, level);
            }
            open.insert((found.detector, found.key));
        }
        if open.is_empty() {
            return flags;
        }
        for (id, detector, level) in &scan.flagged {
            let Some(task) = process.task_row(*id) else { continue };
            if open.contains(&(*detector, FindingKey::Named(task.site(), task.name()))) {
                add(&mut flags.tasks, *id, *detector, *level);
            }
        }
        flags
    }

    pub(super) fn tasks(&self) -> Option<&TaskFlags> {
        Some(&self.tasks).filter(|tasks| !tasks.is_empty())
    }

    pub(super) fn site(&self, site: SiteId) -> Option<&Flag> {
        self.sites.get(&site)
    }
}

/// Adds a detector to what is said of a thing, the worst first.
fn add<K: Hash + Eq, S: BuildHasher>(flags: &mut HashMap<K, Flag, S>, key: K, detector: usize, level: Level) {
    let detector = ALL[detector];
    let flag =
        flags.entry(key).or_insert_with(|| Flag { level, letter: detector.letter, detectors: Vec::new() });
    if flag.detectors.contains(&detector.id) {
        return;
    }
    if level > flag.level {
        (flag.level, flag.letter) = (level, detector.letter);
        flag.detectors.insert(0, detector.id);
    } else {
        flag.detectors.push(detector.id);
    }
}
