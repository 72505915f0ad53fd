//! Finding recordings, and having each of them heard.

use std::path::{Path, PathBuf};

use pollscope_model::id::BootId;
use pollscope_model::verdict::{Judge, Run};
use pollscope_proto::recording::{EXTENSION, OpenError, Recording};

use super::terms::Rules;
use crate::failure::Failure;
use crate::source::open::unreadable;
use crate::source::replay::whole::Whole;

/// What a recording may be short of without being an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lenience {
    /// Somebody named it: it must hold something.
    None,
    /// A process of a command may have ended before it said anything.
    Unfinished,
}

/// The named files, and for a folder every recording in it.
pub(crate) fn named(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let found = in_folder(path)?;
        if found.is_empty() {
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
pub(super) fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::io(format!("read {}", folder.display()), error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The recordings of one process, the oldest first: a file that was full made room for another.
type Files = Vec<(u64, PathBuf)>;

/// Folds the recordings of each process and has it heard; memory is that of one.
pub(super) fn hear(
    judge: &mut Judge,
    files: &[PathBuf],
    rules: &Rules,
    lenience: Lenience,
) -> Result<(), Failure> {
    let mut processes: Vec<(BootId, Files)> = Vec::new();
    let mut unfinished = Vec::new();
    for path in files {
        let recording = match Recording::open(path) {
            Ok(recording) => recording,
            Err(OpenError::Empty(_)) if lenience == Lenience::Unfinished => {
                unfinished.push(file_name(path));
                continue;
            }
            Err(error) => return Err(unreadable(path, error)),
        };
        let (boot, part) = (recording.hello().boot, (recording.span().0, path.clone()));
        match processes.iter_mut().find(|(known, _)| *known == boot) {
            Some((_, parts)) => parts.push(part),
            None => processes.push((boot, vec![part])),
        }
    }
    for (_, mut parts) in processes {
        parts.sort();
        let mut whole = Whole::new(rules.policy.as_ref());
        for (_, path) in &parts {
            let mut recording = Recording::open(path).map_err(|error| unreadable(path, error))?;
            whole.fold(&mut recording);
        }
        whole.settle();
        let Some((_, newest)) = parts.last() else { continue };
        let mut run = Run::of(whole.monitor());
        run.recording = Some(newest.display().to_string().into());
        run.ended = whole.ended();
        match (&*whole.shortcomings(), lenience) {
            ("", _) => {}
            (_, Lenience::Unfinished) => unfinished.push(file_name(newest)),
            (words, Lenience::None) => run.notes.push(format!("{}: {words}.", newest.display()).into()),
        }
        judge.hear(&run);
    }
    if let [first, rest @ ..] = &unfinished[..] {
        let others = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        judge.note(format!(
            "{first}{others}: not finished, since the process ended without dropping the guard of \
             pollscope::init(); what it did in its last second may be missing."
        ));
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
