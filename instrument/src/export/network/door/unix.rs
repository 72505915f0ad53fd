//! The Unix socket: in a folder that only this user can enter, named after the process.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use pollscope_system::process::is_alive;
use pollscope_system::socket::{self, SocketState};

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
        let bound = match socket::bind(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => match socket::probe(path) {
                SocketState::Listening => {
                    return Err("a living process listens there; choose another path".to_owned());
                }
                SocketState::Other if !socket::is_socket(path) => {
                    return Err(
                        "there is a file that is no socket; remove it, or choose another path".to_owned()
                    );
                }
                SocketState::Other => {
                    return Err("there is a socket that does not answer; choose another path".to_owned());
                }
                SocketState::Abandoned => fs::remove_file(path).and_then(|()| socket::bind(path)),
            },
            bound => bound,
        };
        let listener = bound.map_err(|error| error.to_string())?;
        Ok(Self { listener, path: path.to_owned(), pid: std::process::id() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
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
/// another process by now.
fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if let Some(pid) = pid_of(&path) {
            socket::remove_abandoned(&path, !is_alive(pid));
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
