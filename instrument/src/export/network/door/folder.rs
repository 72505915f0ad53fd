//! The folder in which viewers of this machine look for the services of a user: closed to every other user, with the
//! [`Socket`](super::unix::Socket) of each service, or a note of where it listens otherwise.

use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use pollscope_system::announcement::{self, Announcement};
use pollscope_system::process::has_surely_ended;
use pollscope_system::socket;

use crate::setup::config::Listen;

/// A note of where this process listens. Dropping it removes its file.
pub(super) struct Note {
    path: PathBuf,
    pid: u32,
}

impl Note {
    /// Leaves a note in the folder of this user; `None` where a viewer finds the address without one.
    pub(super) fn of(address: &Listen) -> Result<Option<Self>, String> {
        let address = match address {
            Listen::Off | Listen::Auto => return Ok(None),
            Listen::Tcp(address) => address.to_string(),
            Listen::Unix(socket) => {
                let path = std::path::absolute(socket).map_err(|error| error.to_string())?;
                format!("unix:{}", path.to_str().ok_or("its path is no UTF-8")?)
            }
        };
        Self::write(&ready()?, address).map(Some)
    }

    fn write(folder: &Path, address: String) -> Result<Self, String> {
        let written = Announcement::of_this_process(address).write(folder);
        let path = written.map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { path, pid: std::process::id() })
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        // A forked child must not take its parent's note away.
        if self.pid == std::process::id() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The folder of this user, made and closed to others, without what ended processes left there.
pub(super) fn ready() -> Result<PathBuf, String> {
    let folder = path();
    private(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    remove_leftovers(&folder);
    Ok(folder)
}

/// `$XDG_RUNTIME_DIR/pollscope`, or `/tmp/pollscope-<uid>`.
#[expect(clippy::disallowed_methods, reason = "the rim: where the system wants its sockets")]
fn path() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(run) if run.is_absolute() && run.is_dir() => run.join("pollscope"),
        _ => PathBuf::from(format!("/tmp/pollscope-{}", rustix::process::getuid().as_raw())),
    }
}

/// Makes the folder, or makes sure that it is this user's alone.
fn private(folder: &Path) -> Result<(), String> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.to_string()),
    }
    let found = fs::symlink_metadata(folder).map_err(|error| error.to_string())?;
    if !found.is_dir() {
        return Err("it is no folder; remove it, or set XDG_RUNTIME_DIR".to_owned());
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err("it belongs to another user; set XDG_RUNTIME_DIR".to_owned());
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Removes sockets at which no process listens: of processes that are gone, and those whose number belongs to
/// another process by now; and notes of listeners whose process has surely ended.
fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if let Some(pid) = pid_of(&path) {
            socket::remove_abandoned(&path, has_surely_ended(pid));
        } else if announcement::pid_of(&path).is_some() {
            announcement::remove_ended(&path);
        }
    }
}

/// The process that a socket is named after.
fn pid_of(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_suffix(".sock")?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_note_is_there_as_long_as_its_door() {
        let folder = tempfile::tempdir().unwrap();
        let note = Note::write(folder.path(), "127.0.0.1:40123".to_owned()).unwrap();
        let path = folder.path().join(format!("{}.listen", std::process::id()));
        assert_eq!(Announcement::read(&path).unwrap().address, "127.0.0.1:40123");
        remove_leftovers(folder.path());
        assert!(path.exists());
        drop(note);
        assert!(!path.exists());
    }

    #[test]
    fn sockets_at_which_no_process_listens_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let [dead, reused, starting, listening, other] =
            ["2147483646.sock", "1.sock", "2.sock", "3.sock", "notes.txt"]
                .map(|name| folder.path().join(name));
        for path in [&dead, &reused, &starting] {
            drop(UnixListener::bind(path).unwrap());
        }
        let _listener = UnixListener::bind(&listening).unwrap();
        fs::write(&other, "x").unwrap();
        make_old(&dead);
        make_old(&reused);
        make_old(&listening);
        remove_leftovers(folder.path());
        assert!(!dead.exists() && !reused.exists());
        assert!(starting.exists() && listening.exists() && other.exists());
    }

    fn make_old(path: &Path) {
        use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
        let long_ago = Timespec { tv_sec: 1_000_000, tv_nsec: 0 };
        let times = Timestamps { last_access: long_ago, last_modification: long_ago };
        utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }

    #[test]
    fn the_folder_is_closed_to_others() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("pollscope");
        private(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        private(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        let file = parent.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(private(&file).unwrap_err().contains("no folder"));
    }
}
