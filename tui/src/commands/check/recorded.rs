//! Hands the judge what was recorded, process by process; memory is that of one.

use std::path::{Path, PathBuf};

use pollscope_model::verdict::{Judge, OwnTests, RunEvidence};
use pollscope_system::run_notes::RunNotes;

use super::terms::Rules;
use crate::commands::recordings::{Grouped, Parts, by_process};
use crate::output::failure::Failure;

/// Reads the files that were named: each must hold something, and one that is cut says so.
pub(super) fn files(judge: &mut Judge, files: &[PathBuf], rules: &Rules) -> Result<(), Failure> {
    for parts in by_process(files)?.all()? {
        let judged = process(judge, parts, rules)?;
        if !judged.words.is_empty() {
            judge.note(format!("{}: {}.", judged.path.display(), judged.words));
        }
    }
    Ok(())
}

/// Hands the judge everything that the processes of a command recorded: one may have ended before its first report, or
/// in the middle of one.
pub(super) fn command(judge: &mut Judge, files: &[PathBuf], rules: &Rules) -> Result<(), Failure> {
    let Grouped { processes, silent } = by_process(files)?;
    let mut unfinished: Vec<String> = silent.iter().map(|(path, _)| file_name(path)).collect();
    for parts in processes {
        let judged = process(judge, parts, rules)?;
        if !judged.ended || !judged.words.is_empty() {
            unfinished.push(file_name(&judged.path));
        }
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

/// Hands the judge what processes said beside their recordings.
pub(super) fn notes(judge: &mut Judge, notes: &RunNotes) {
    let own = OwnTests { passed: notes.passed, failed: notes.failed };
    judge.add_own_tests(own);
    if own != OwnTests::default() {
        judge.note(
            "Tests that judge themselves (#[pollscope::test]) do so by limits of their own: those of this check are not \
             applied to them.",
        );
    }
    notes.refused.iter().for_each(|why| judge.add_refusal(why.as_str()));
}

/// What the recording of one process is like.
struct Judged {
    path: PathBuf,
    /// What is not whole about it; empty if nothing is.
    words: String,
    /// The process ended in good order.
    ended: bool,
}

fn process(judge: &mut Judge, parts: Parts, rules: &Rules) -> Result<Judged, Failure> {
    let folded = parts.fold(rules.policy.as_ref())?;
    let mut run = RunEvidence::of(folded.whole.monitor());
    run.recording = Some(folded.path.display().to_string().into());
    run.ended = folded.whole.ended();
    judge.add_run(&run);
    let (words, ended) = (folded.whole.shortcomings(), folded.whole.ended());
    Ok(Judged { path: folded.path, words, ended })
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
