//! Recordings found, grouped by process and folded to their end: for `check`, `diff` and `baseline`, so that all
//! three see the same. Judges nothing itself.

use std::path::{Path, PathBuf};

use pollscope_model::finding::Finding;
use pollscope_model::id::BootId;
use pollscope_model::level::Level;
use pollscope_model::policy::Policy;
use pollscope_model::query::flag::FindingSource as _;
use pollscope_model::verdict::MAX_LOST_SHARE;
use pollscope_model::world::World;
use pollscope_proto::recording::{EXTENSION, OpenError, Recording};
use pollscope_system::run_notes;

use crate::output::failure::Failure;
use crate::sources::open::unreadable;
use crate::sources::replay::whole::Whole;

/// The named files, and for a folder every recording in it.
pub(crate) fn named(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let found = in_folder(path)?;
        if found.is_empty() && notes_in_folder(path)?.is_empty() {
            return Err(Failure::NoData(format!(
                "{} holds no recording: expected files that end in .{EXTENSION}",
                path.display()
            )));
        }
        files.extend(found);
    }
    Ok(files)
}

/// Every recording in a folder, by name.
pub(crate) fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    ending_in(folder, EXTENSION)
}

/// What the processes of a run left beside their recordings in a folder, by name.
pub(crate) fn notes_in_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    ending_in(folder, run_notes::EXTENSION)
}

fn ending_in(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::io(format!("read {}", folder.display()), error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == ending) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Files that belong together.
#[derive(Debug, Default)]
pub(crate) struct Grouped {
    /// Each process once, in the order of its first file.
    pub(crate) processes: Vec<Parts>,
    /// Files of processes that ended before their first report, each with the reason.
    pub(crate) silent: Vec<(PathBuf, OpenError)>,
}

/// The recordings of one process: a file that was full made room for another.
#[derive(Debug)]
pub(crate) struct Parts {
    boot: BootId,
    /// With the time at which each begins.
    files: Vec<(u64, PathBuf)>,
}

/// Groups files by the process that they are of.
pub(crate) fn by_process(files: &[PathBuf]) -> Result<Grouped, Failure> {
    let mut grouped = Grouped::default();
    for path in files {
        let recording = match Recording::open(path) {
            Ok(recording) => recording,
            Err(error @ OpenError::Empty(_)) => {
                grouped.silent.push((path.clone(), error));
                continue;
            }
            Err(error) => return Err(unreadable(path, error)),
        };
        let (boot, part) = (recording.hello().boot, (recording.span().0, path.clone()));
        match grouped.processes.iter_mut().find(|known| known.boot == boot) {
            Some(known) => known.files.push(part),
            None => grouped.processes.push(Parts { boot, files: vec![part] }),
        }
    }
    Ok(grouped)
}

impl Grouped {
    /// The processes, if every file holds a report: the user named them.
    pub(crate) fn all(self) -> Result<Vec<Parts>, Failure> {
        match self.silent.into_iter().next() {
            Some((path, error)) => Err(unreadable(&path, error)),
            None => Ok(self.processes),
        }
    }
}

impl Parts {
    /// Folds them, the oldest first; judged by `policy`, or by the one that the process brings.
    pub(crate) fn fold(mut self, policy: Option<&Policy>) -> Result<Folded, Failure> {
        self.files.sort();
        let mut folded = Folded { path: PathBuf::new(), whole: Whole::new(policy) };
        for (_, path) in self.files {
            folded.whole.fold(&mut Recording::open(&path).map_err(|error| unreadable(&path, error))?);
            folded.path = path;
        }
        folded.whole.settle();
        Ok(folded)
    }
}

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
    let processes = by_process(&named(paths)?)?.all()?;
    processes.into_iter().map(|parts| parts.fold(None)).collect()
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
