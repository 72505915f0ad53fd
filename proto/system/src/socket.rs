//! Unix sockets by their path: listening so that only this user can connect from the first moment on,
//! asking without waiting whether anything listens, and removing files that no process listens at.

use std::fs::{self, Permissions};
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;
/// A socket file younger than this may belong to a process between `bind` and `listen`.
const YOUNG: Duration = Duration::from_secs(10);

/// What is at a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SocketState {
    /// A process listens there; it may be too busy to answer.
    Listening,
    /// A socket file at which no process listens.
    Abandoned,
    /// Nothing, something else than a stream socket, or one that this user may not connect to.
    Other,
}

/// Listens at a path. The socket has the mode 0600 before anything can connect, whatever the umask is.
///
/// # Errors
/// What the system says: `AddrInUse` where the name is taken.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    let address = SocketAddrUnix::new(path)?;
    let socket = new_socket()?;
    // Linux creates the file with the socket's own mode; other systems refuse to set it.
    let _ = rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR);
    rustix::net::bind(&socket, &address)?;
    // Nothing can connect before `listen`.
    let listening = fs::set_permissions(path, Permissions::from_mode(0o600))
        .and_then(|()| Ok(rustix::net::listen(&socket, BACKLOG)?));
    if let Err(error) = listening {
        let _ = fs::remove_file(path);
        return Err(error);
    }
    let listener = UnixListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// What is at the path, found out by connecting without waiting: a full queue of connections counts as
/// listening.
pub fn probe(path: &Path) -> SocketState {
    if is_socket(path) { answer(path) } else { SocketState::Other }
}

/// [`probe`] of a socket that is open as a path (`O_PATH`), so that it is the one that was looked at before.
#[cfg(target_os = "linux")]
pub fn probe_open(socket: BorrowedFd<'_>) -> SocketState {
    answer(&path_of(socket))
}

/// A path by which this process can connect to a socket that is open as a path (`O_PATH`): short, however long its own
/// is, and always to that socket.
#[cfg(target_os = "linux")]
pub fn path_of(socket: BorrowedFd<'_>) -> std::path::PathBuf {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", socket.as_raw_fd()).into()
}

fn answer(path: &Path) -> SocketState {
    let connected =
        SocketAddrUnix::new(path).and_then(|address| rustix::net::connect(&new_socket()?, &address));
    match connected {
        Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS) => SocketState::Listening,
        Err(Errno::CONNREFUSED) => SocketState::Abandoned,
        Err(_) => SocketState::Other,
    }
}

/// Whether the path itself, not what a link there leads to, is a socket.
pub fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// Removes a socket file of this user at which no process listens. `owner_ended`: the process that it is
/// named after is surely gone; otherwise a file that is only seconds old stays, since its process may be about to
/// listen. Returns whether it was removed.
pub fn remove_abandoned(path: &Path, owner_ended: bool) -> bool {
    let identity = |path: &Path| {
        let found = fs::symlink_metadata(path).ok()?;
        let own = found.uid() == rustix::process::geteuid().as_raw();
        (own && found.file_type().is_socket()).then_some((found.dev(), found.ino(), found.mtime()))
    };
    let Some(before) = identity(path) else { return false };
    // Where a full queue is refused as well, only the end of the process proves anything.
    let may_go = owner_ended || cfg!(target_os = "linux") && !is_young(path);
    may_go
        && probe(path) == SocketState::Abandoned
        && identity(path) == Some(before)
        && fs::remove_file(path).is_ok()
}

#[expect(clippy::disallowed_methods, reason = "the rim: the age of a file is measured by the wall clock")]
fn is_young(path: &Path) -> bool {
    let modified = fs::symlink_metadata(path).and_then(|found| found.modified());
    // A file from the future is not known to be old.
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age < YOUNG))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn new_socket() -> Result<OwnedFd, Errno> {
    use rustix::net::{SocketFlags, socket_with};
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn new_socket() -> Result<OwnedFd, Errno> {
    use rustix::fs::{OFlags, fcntl_setfl};
    use rustix::io::{FdFlags, fcntl_setfd};
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    fcntl_setfl(&socket, OFlags::NONBLOCK)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_socket_is_for_this_user_alone_and_taken_names_stay_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = bind(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(probe(&path), SocketState::Listening);
        assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        assert_eq!(probe(&path), SocketState::Abandoned);
        assert_eq!(probe(&folder.path().join("nothing")), SocketState::Other);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_listener_with_a_full_queue_is_found_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = new_socket().unwrap();
        rustix::net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let mut waiting = Vec::new();
        loop {
            let socket = new_socket().unwrap();
            match rustix::net::connect(&socket, &SocketAddrUnix::new(&path).unwrap()) {
                Ok(()) => waiting.push(socket),
                Err(error) => break assert_eq!(error, Errno::AGAIN),
            }
        }
        assert_eq!(probe(&path), SocketState::Listening);
        assert!(!remove_abandoned(&path, true) && path.exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_an_abandoned_socket_that_is_old_or_whose_process_ended_is_removed() {
        use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
        let folder = tempfile::tempdir().unwrap();
        let [young, old, file] = ["young", "old", "file"].map(|name| folder.path().join(name));
        fs::write(&file, "").unwrap();
        drop((bind(&young).unwrap(), bind(&old).unwrap()));
        let long_ago = Timespec { tv_sec: 1_000_000, tv_nsec: 0 };
        let times = Timestamps { last_access: long_ago, last_modification: long_ago };
        utimensat(CWD, &old, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
        assert!(!remove_abandoned(&young, false) && young.exists());
        assert!(remove_abandoned(&young, true) && !young.exists());
        assert!(remove_abandoned(&old, false) && !old.exists());
        assert!(!remove_abandoned(&file, true) && file.exists());
    }
}
