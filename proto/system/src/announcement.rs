//! The note that a listener leaves beside the sockets of its user, `<pid>.listen`, where its address cannot be told
//! from its pid: a TCP port, or a socket at a path of its own. A service writes it, viewers read it, and both remove
//! those of processes that have surely ended.
//!
//! Never follows a link, never reads more than some hundred bytes, and never removes a note of a process in another
//! pid namespace: folders of containers may be shared, and a number says nothing there.

use std::fs;
use std::io::{self, Error, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::file;
use crate::process::{self, Run};

/// The largest note, in bytes: a path has at most 4096.
pub const MAX_BYTES: u64 = 8 << 10;
/// What the name of a note ends with, after the pid.
pub const EXTENSION: &str = "listen";

/// Where a process listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announcement {
    /// Its pid, as it sees itself.
    pub pid: u32,
    /// `127.0.0.1:40123` or `unix:/absolute/path`.
    pub address: String,
    /// Which of all processes with that number it is; `None` where the system does not say.
    run: Option<Run>,
}

impl Announcement {
    /// What this process has to say.
    pub fn of_this_process(address: impl Into<String>) -> Self {
        let pid = std::process::id();
        Self { pid, address: address.into(), run: process::run(pid) }
    }

    /// Writes the note into the folder, whole or not at all, over an earlier one of that pid.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        let path = folder.join(format!("{}.{EXTENSION}", self.pid));
        let unfinished = folder.join(format!(".{}.{EXTENSION}", self.pid));
        // Left behind by a process of the same number that was killed while it wrote.
        let _ = fs::remove_file(&unfinished);
        let mut file = file::create_private(&unfinished)?;
        let written = file.write_all(self.text().as_bytes()).and_then(|()| fs::rename(&unfinished, &path));
        written.inspect_err(|_| drop(fs::remove_file(&unfinished)))?;
        Ok(path)
    }

    fn text(&self) -> String {
        let Self { address, run, .. } = self;
        let run = run.as_ref().map(|Run { boot, pid_namespace, start }| {
            format!("boot {boot}\npid-namespace {pid_namespace}\nstart {start}\n")
        });
        format!("listen {address}\n{}", run.unwrap_or_default())
    }

    /// Reads a note of this user.
    ///
    /// # Errors
    /// What the system says, or that it is no such note.
    pub fn read(path: &Path) -> io::Result<Self> {
        if !fs::symlink_metadata(path)?.is_file() {
            return Err(Error::new(ErrorKind::InvalidInput, "it is no plain file"));
        }
        let text = file::read_text(path, MAX_BYTES)?;
        pid_of(path)
            .and_then(|pid| Self::parse(pid, &text))
            .ok_or_else(|| Error::new(ErrorKind::InvalidData, "it does not say where a process listens"))
    }

    /// The note of that pid from its text; what it does not know it passes over.
    pub fn parse(pid: u32, text: &str) -> Option<Self> {
        let value = |key: &str| {
            text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ').map(str::to_owned))
        };
        let run = || {
            Some(Run {
                boot: value("boot")?,
                pid_namespace: value("pid-namespace")?.parse().ok()?,
                start: value("start")?.parse().ok()?,
            })
        };
        let address = value("listen").filter(|address| !address.is_empty())?;
        Some(Self { pid, address, run: run() })
    }

    /// Whether the process that wrote it runs, and is the one that has this number here.
    pub fn is_of_a_living_process(&self) -> bool {
        match &self.run {
            Some(run) => process::run(self.pid).as_ref() == Some(run) && process::is_alive(self.pid),
            None => process::is_alive(self.pid),
        }
    }

    /// Whether the process that wrote it has surely ended: the machine was started anew, or in this pid namespace no
    /// process has its number and its time of start. False where that cannot be told.
    pub fn has_ended(&self) -> bool {
        let Some(run) = &self.run else { return process::has_surely_ended(self.pid) };
        let Some(here) = process::run(std::process::id()) else { return false };
        if run.boot != here.boot {
            return true;
        }
        let is_gone = || match process::start(self.pid) {
            Some(start) => start != run.start,
            None => !process::is_alive(self.pid),
        };
        run.pid_namespace == here.pid_namespace && is_gone()
    }
}

/// The process that a note is named after.
pub fn pid_of(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(EXTENSION)?.strip_suffix('.')?.parse().ok().filter(|pid| *pid > 0)
}

/// Removes a note of this user whose process has surely ended. Returns whether it was removed.
pub fn remove_ended(path: &Path) -> bool {
    let identity = || {
        let found = fs::symlink_metadata(path).ok()?;
        let own = found.uid() == rustix::process::geteuid().as_raw();
        (own && found.is_file()).then_some((found.dev(), found.ino(), found.mtime(), found.mtime_nsec()))
    };
    let Some(before) = identity() else { return false };
    Announcement::read(path).is_ok_and(|note| note.has_ended())
        && identity() == Some(before)
        && fs::remove_file(path).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

    use super::*;

    #[test]
    fn a_note_says_where_this_process_listens_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let note = Announcement::of_this_process("127.0.0.1:40123");
        let path = note.write(folder.path()).unwrap();
        assert_eq!(note.write(folder.path()).unwrap(), path);
        assert_eq!(Announcement::read(&path).unwrap(), note);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(note.is_of_a_living_process() && !note.has_ended() && !remove_ended(&path));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_the_note_of_a_process_that_surely_ended_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let note = Announcement::of_this_process("127.0.0.1:1");
        let run = note.run.clone().unwrap();
        let gone = 4_194_305;
        let cases = [
            ("the number is free", gone, run.clone(), true),
            ("another process has it", note.pid, Run { start: run.start + 1, ..run.clone() }, true),
            (
                "of another start of the machine",
                note.pid,
                Run { boot: "before".to_owned(), ..run.clone() },
                true,
            ),
            (
                "of another namespace",
                gone,
                Run { pid_namespace: run.pid_namespace + 1, ..run.clone() },
                false,
            ),
            ("of this process", note.pid, run, false),
        ];
        for (what, pid, run, goes) in cases {
            let note = Announcement { pid, run: Some(run), ..note.clone() };
            let path = note.write(folder.path()).unwrap();
            assert_eq!(note.is_of_a_living_process(), what == "of this process", "{what}");
            assert_eq!((remove_ended(&path), path.exists()), (goes, !goes), "{what}");
            let _ = fs::remove_file(&path);
        }
    }

    #[test]
    fn what_is_no_note_is_neither_read_nor_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("4194305.listen");
        for text in ["", "listen \n", "boot x\n"] {
            fs::write(&path, text).unwrap();
            assert!(Announcement::read(&path).is_err() && !remove_ended(&path), "{text:?}");
        }
        fs::write(&path, vec![b'x'; MAX_BYTES as usize + 1]).unwrap();
        assert!(Announcement::read(&path).is_err());
        let link = folder.path().join("4194306.listen");
        let target = folder.path().join("target");
        fs::write(&target, "listen 127.0.0.1:1\nboot before\npid-namespace 1\nstart 1\n").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(Announcement::read(&link).is_err() && !remove_ended(&link) && target.exists());
    }
}
