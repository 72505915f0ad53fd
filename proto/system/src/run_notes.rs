//! What the processes of `pollscope check -- CMD` say beside their recordings: how many tests judged themselves, and
//! what was refused, so that a run is green only for what was really looked at. Each process appends lines to a file of
//! its own in the run's folder, with whatever features it is built; the check reads them all.
//!
//! Nothing is written but where a check waits: its socket is in the folder. Files and lines are bounded. Never fails
//! and never waits: a note that cannot be written is given up.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::file;

/// The name of the check's socket in the folder.
pub const SOCKET: &str = "collector.sock";
/// How the names of the files end.
pub const EXTENSION: &str = "notes";
/// Bytes of one file: some 30,000 tests. What comes after is left out.
const MAX_BYTES: u64 = 256 << 10;
/// Bytes of one line.
const MAX_LINE: usize = 512;
/// Reasons that are told apart.
const MAX_REASONS: usize = 16;

const PASSED: &str = "passed";
const FAILED: &str = "failed";
const REFUSED: &str = "refused ";

/// One line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note<'a> {
    /// A test judged itself and passed.
    TestPassed,
    /// A test judged itself and failed.
    TestFailed,
    /// Something that the process was to record is not recorded, or not as was asked for: why.
    Refused(&'a str),
}

/// Appends a note for the check that waits in that folder, if one does.
pub fn leave(folder: &Path, note: Note<'_>) {
    if folder.join(SOCKET).exists() {
        // The process goes on without it.
        let _ = append(&folder.join(format!("{}.{EXTENSION}", std::process::id())), note);
    }
}

fn append(path: &Path, note: Note<'_>) -> std::io::Result<()> {
    let mut file = file::append_private(path)?;
    if file.metadata()?.len() >= MAX_BYTES {
        return Ok(());
    }
    let line = match note {
        Note::TestPassed => PASSED.to_owned(),
        Note::TestFailed => FAILED.to_owned(),
        Note::Refused(why) => REFUSED.to_owned() + why,
    };
    let plain = line.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: String = plain.take(MAX_LINE).collect();
    line.push('\n');
    // At once, since other threads may append, too.
    file.write_all(line.as_bytes())
}

/// What all processes of a run said.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RunNotes {
    /// Tests that judged themselves and passed.
    pub passed: u64,
    /// Tests that judged themselves and failed.
    pub failed: u64,
    /// Why something was refused, each reason once; the first sixteen.
    pub refused: BTreeSet<String>,
}

impl RunNotes {
    /// Reads the files of those names; what cannot be read says so as a refusal, since it is unknown what it holds.
    pub fn read(files: &[PathBuf]) -> Self {
        let mut notes = Self::default();
        for path in files {
            match file::read_text(path, MAX_BYTES + 4 * MAX_LINE as u64 + 1) {
                Ok(text) => text.lines().for_each(|line| notes.add(line)),
                Err(error) => notes.refuse(format!("{} cannot be read: {error}", path.display())),
            }
        }
        notes
    }

    fn add(&mut self, line: &str) {
        match line {
            PASSED => self.passed += 1,
            FAILED => self.failed += 1,
            _ => {
                if let Some(why) = line.strip_prefix(REFUSED) {
                    self.refuse(why.to_owned());
                }
            }
        }
    }

    fn refuse(&mut self, why: String) {
        if self.refused.len() < MAX_REASONS {
            self.refused.insert(why);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

    use super::*;

    fn files(folder: &Path) -> Vec<PathBuf> {
        let found = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        found.filter(|path| path.extension().is_some_and(|ending| ending == EXTENSION)).collect()
    }

    #[test]
    fn notes_are_left_where_a_check_waits_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        leave(folder.path(), Note::TestPassed);
        assert!(files(folder.path()).is_empty());
        std::fs::write(folder.path().join(SOCKET), "").unwrap();
        for note in [Note::TestPassed, Note::TestFailed, Note::TestPassed, Note::Refused("no\nthread")] {
            leave(folder.path(), note);
        }
        leave(folder.path(), Note::Refused("no thread"));
        let notes = RunNotes::read(&files(folder.path()));
        assert_eq!((notes.passed, notes.failed), (2, 1));
        assert_eq!(notes.refused.into_iter().collect::<Vec<_>>(), ["no thread"]);
    }

    #[test]
    fn files_are_bounded_and_one_that_cannot_be_read_is_a_refusal() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(SOCKET), "").unwrap();
        let why = "é".repeat(2 * MAX_LINE);
        for _ in 0..MAX_BYTES / MAX_LINE as u64 {
            leave(folder.path(), Note::Refused(&why));
        }
        let files = files(folder.path());
        let bytes = std::fs::metadata(&files[0]).unwrap().len();
        assert!((MAX_BYTES..MAX_BYTES + 4 * MAX_LINE as u64).contains(&bytes), "{bytes}");
        assert_eq!(RunNotes::read(&files).refused.len(), 1);
        std::fs::write(&files[0], b"\xff").unwrap();
        assert!(RunNotes::read(&files).refused.first().unwrap().contains("UTF-8"));
    }
}
