//! Where recordings lie: the file's name, the older files beside it, and who may write.
//!
//! The newest recording always has the name that was asked for; older ones become `name.1.mcap`, `.2`
//! and `.3`, the oldest leaves. A restart counts as one more: what a crashed run recorded stays.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use pollscope_proto::recording::EXTENSION;
use pollscope_system::file::create_private;

use crate::setup::config::Record;
use crate::setup::identity::Identity;

/// Files of one recording, the newest included; they share its limit.
const FILES: u64 = 4;

/// The files of one process.
pub(super) struct Place {
    path: PathBuf,
    part_bytes: u64,
}

impl Place {
    /// A path that ends in `.mcap` is the file; any other is a folder, with a file for each process.
    pub(super) fn of(setting: &Record, identity: &Identity) -> Self {
        let is_file = setting.path.extension().is_some_and(|ending| ending == EXTENSION);
        let path =
            if is_file { setting.path.clone() } else { setting.path.join(identity.file_name(EXTENSION)) };
        Self { path, part_bytes: setting.limit / FILES }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The size at which a file is full.
    pub(super) fn part_bytes(&self) -> u64 {
        self.part_bytes
    }

    /// Opens a new file, after moving older ones out of its way.
    pub(super) fn begin(&self) -> Result<File, String> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => format!("{} is no folder", folder.display()),
                _ => plain(&error),
            })?;
        }
        // A pipe or a device that has the name was put there on purpose, and not to be moved out of the way.
        if fs::metadata(&self.path).is_ok_and(|found| !found.is_file()) {
            return Err("it is no plain file; remove it, or name another".to_owned());
        }
        if is_locked(&self.path) {
            return Err("another process records into it; name a folder, for one file per process".to_owned());
        }
        self.rotate().map_err(|error| plain(&error))
    }

    /// The same, for a file that is full.
    pub(super) fn rotate(&self) -> io::Result<File> {
        if self.path.try_exists()? {
            for older in (1..FILES).rev() {
                let from = if older == 1 { self.path.clone() } else { self.older(older - 1) };
                match fs::rename(from, self.older(older)) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        let file = create_private(&self.path)?;
        lock(&file);
        Ok(file)
    }

    /// `name.1.mcap` beside `name.mcap`.
    fn older(&self, number: u64) -> PathBuf {
        let mut name = OsString::from(self.path.file_stem().unwrap_or_default());
        name.push(format!(".{number}.{EXTENSION}"));
        self.path.with_file_name(name)
    }
}

/// What the system said, without the number that says nothing to people.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Held until the last handle of the file is closed.
#[cfg(unix)]
fn lock(file: &File) {
    // Without a lock, where a file system has none, two writers are not told apart: no reason to fail.
    let _ = rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
}

#[cfg(unix)]
fn is_locked(path: &Path) -> bool {
    let Ok(file) = pollscope_system::file::open(path) else { return false };
    let taken = rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockShared);
    taken == Err(rustix::io::Errno::WOULDBLOCK)
}

#[cfg(not(unix))]
fn lock(_: &File) {}

#[cfg(not(unix))]
fn is_locked(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

    use std::io::Write;

    use super::*;

    fn place(folder: &Path) -> Place {
        Place { path: folder.join("sub/run.mcap"), part_bytes: 100 }
    }

    #[test]
    fn older_recordings_move_on_and_the_oldest_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        for run in 0..6_u8 {
            place.begin().unwrap().write_all(&[run]).unwrap();
        }
        let read = |name: &str| fs::read(folder.path().join("sub").join(name)).unwrap();
        assert_eq!(read("run.mcap"), [5]);
        assert_eq!((read("run.1.mcap"), read("run.2.mcap"), read("run.3.mcap")), (vec![4], vec![3], vec![2]));
        assert_eq!(fs::read_dir(folder.path().join("sub")).unwrap().count() as u64, FILES);
    }

    #[test]
    fn a_file_that_somebody_writes_is_left_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        let first = place.begin().unwrap();
        assert!(place.begin().unwrap_err().starts_with("another process records into it"));
        drop(first);
        assert!(place.begin().is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_recording_is_for_this_user_alone_and_never_waits_for_a_pipe() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        drop(place.begin().unwrap());
        assert_eq!(fs::metadata(place.path()).unwrap().mode() & 0o777, 0o600);
        let pipe = folder.path().join("pipe.mcap");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let why = Place { path: pipe, part_bytes: 1 }.begin().unwrap_err();
        assert!(why.starts_with("it is no plain file"), "{why}");
    }

    #[test]
    fn what_is_in_the_way_is_said_in_words() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let place = Place { path: folder.path().join("file/run.mcap"), part_bytes: 1 };
        let why = place.begin().unwrap_err();
        assert!(!why.contains("os error") && !why.is_empty(), "{why}");
    }
}
