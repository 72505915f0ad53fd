//! Recordings folded to their end, for `diff` and `baseline`: the same fold and the same detectors as for
//! `check`.

use std::path::PathBuf;

use pollscope_model::id::BootId;
use pollscope_model::query::detail::Finding;
use pollscope_model::query::flag::Judge as _;
use pollscope_model::query::page::Level;
use pollscope_model::verdict::MAX_LOST_SHARE;
use pollscope_model::world::World;
use pollscope_proto::recording::Recording;

use crate::check::named;
use crate::failure::Failure;
use crate::source::open::unreadable;
use crate::source::replay::whole::Whole;

/// One process at the end of its recordings.
pub(crate) struct Folded {
    /// Its newest file.
    pub(crate) path: PathBuf,
    /// What became of it.
    pub(crate) whole: Whole,
}

impl Folded {
    /// What was found in it at warn or above.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let (engine, world) = (self.whole.monitor().engine(), self.whole.monitor().world());
        let found = world.processes().flat_map(|process| engine.findings(process.boot()));
        found.filter(|finding| finding.level > Level::Allow).cloned().collect()
    }
}

/// Reads files, and all recordings of folders. Several of one process are one.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Folded>, Failure> {
    let mut processes: Vec<(BootId, Vec<(u64, PathBuf)>)> = Vec::new();
    for path in named(paths)? {
        let recording = Recording::open(&path).map_err(|error| unreadable(&path, error))?;
        let (boot, part) = (recording.hello().boot, (recording.span().0, path));
        match processes.iter_mut().find(|(known, _)| *known == boot) {
            Some((_, parts)) => parts.push(part),
            None => processes.push((boot, vec![part])),
        }
    }
    let mut folded = Vec::new();
    for (_, mut parts) in processes {
        parts.sort();
        let mut whole = Whole::new(None);
        for (_, path) in &parts {
            whole.fold(&mut Recording::open(path).map_err(|error| unreadable(path, error))?);
        }
        whole.settle();
        if let Some((_, path)) = parts.pop() {
            folded.push(Folded { path, whole });
        }
    }
    Ok(folded)
}

/// Their worlds.
pub(crate) fn worlds(folded: &[Folded]) -> impl Iterator<Item = &World> {
    folded.iter().map(|folded| folded.whole.monitor().world())
}

/// What is missing in them and more than counts as complete, in words.
pub(crate) fn incomplete(folded: &[Folded]) -> Option<String> {
    let (mut lost, mut told) = (0_u64, 0_u64);
    for process in worlds(folded).flat_map(World::processes) {
        lost = lost.saturating_add(process.lost());
        for site in process.sites() {
            let totals = site.totals();
            told = told.saturating_add(totals.poll.count()).saturating_add(totals.wakes);
        }
    }
    let all = told.saturating_add(lost);
    (lost as f64 > all as f64 * MAX_LOST_SHARE)
        .then(|| format!("{lost} of {all} polls, wakes and rows are missing"))
}
