//! The Unix socket: in a folder that only this user can enter, named after the process.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// A listening socket whose file goes when it is dropped.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    pid: u32,
}

impl Socket {
    /// The socket that viewers on this machine find by themselves.
    pub(super) fn of_this_process() -> Result<Self, String> {
        let folder = folder();
        private(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
        remove_leftovers(&folder);
        Self::at(&folder.join(format!("{}.sock", std::process::id())))
    }

    /// A socket at that path. A file that a dead process left there is replaced.
    pub(super) fn at(path: &Path) -> Result<Self, String> {
        let bound = match UnixListener::bind(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                if !is_socket(path) {
                    return Err(
                        "there is a file that is no socket; remove it, or choose another path".to_owned()
                    );
                }
                if answers(path) {
                    return Err("a living process listens there; choose another path".to_owned());
                }
                fs::remove_file(path).and_then(|()| UnixListener::bind(path))
            }
            bound => bound,
        };
        let open = || {
            let listener = bound?;
            listener.set_nonblocking(true)?;
            fs::set_permissions(path, Permissions::from_mode(0o600))?;
            io::Result::Ok(listener)
        };
        let listener = open().map_err(|error| error.to_string())?;
        Ok(Self { listener, path: path.to_owned(), pid: std::process::id() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A forked child must not take its parent's door away.
        if self.pid == std::process::id() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// `$XDG_RUNTIME_DIR/pollscope`, or `/tmp/pollscope-<uid>`.
#[expect(clippy::disallowed_methods, reason = "the rim: where the system wants its sockets")]
fn folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(run) if run.is_absolute() && run.is_dir() => run.join("pollscope"),
        _ => PathBuf::from(format!("/tmp/pollscope-{}", rustix::process::getuid().as_raw())),
    }
}

/// Makes the folder, or makes sure that it is this user's and nobody else's.
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

/// Removes sockets of processes that are gone: their pid is free and nobody answers.
fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if pid_of(&path).is_some_and(|pid| !is_alive(pid)) && is_socket(&path) && !answers(&path) {
            let _ = fs::remove_file(path);
        }
    }
}

/// The process that a socket is named after.
fn pid_of(path: &Path) -> Option<i32> {
    path.file_name()?.to_str()?.strip_suffix(".sock")?.parse().ok()
}

fn is_alive(pid: i32) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid) else { return false };
    rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// Anything but a refusal is an answer: when in doubt the file stays.
fn answers(path: &Path) -> bool {
    match UnixStream::connect(path) {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::ConnectionRefused,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

    use super::*;

    #[test]
    fn a_dead_processs_socket_is_replaced_and_a_living_ones_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sock");
        drop(UnixListener::bind(&path).unwrap());
        let socket = Socket::at(&path).unwrap();
        let taken = Socket::at(&path).err().unwrap();
        assert!(taken.contains("living process"), "{taken}");
        drop(socket);
        assert!(!path.exists());
        fs::write(&path, "not ours").unwrap();
        assert!(Socket::at(&path).err().unwrap().contains("no socket"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "not ours");
    }

    #[test]
    fn leftovers_of_the_dead_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (dead, other) = (folder.path().join("2147483646.sock"), folder.path().join("notes.txt"));
        let alive = folder.path().join(format!("{}.sock", std::process::id()));
        drop(UnixListener::bind(&dead).unwrap());
        drop(UnixListener::bind(&alive).unwrap());
        fs::write(&other, "x").unwrap();
        remove_leftovers(folder.path());
        assert!(!dead.exists());
        assert!(alive.exists() && other.exists());
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
