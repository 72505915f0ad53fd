//! The Unix socket: in the [`folder`](super::folder) of this user, named after the process, or at a path that was asked
//! for.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use pollscope_system::socket::{self, SocketState};

use super::folder;

/// A listening socket whose file goes when it is dropped.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    pid: u32,
}

impl Socket {
    /// The socket that viewers on this machine find by themselves.
    pub(super) fn of_this_process() -> Result<Self, String> {
        let folder = folder::ready()?;
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
}
