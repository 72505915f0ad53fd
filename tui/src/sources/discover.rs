//! Which instrumented processes are on this machine: every service listens on a socket that is named
//! after its pid, in a folder of its user.
//!
//! A socket file at which no process listens is no process: it is left out, and can be removed. Whether
//! what listens has our protocol is found out by a greeting.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pollscope_system::process::is_alive;
use pollscope_system::socket;
use rustix::process::getuid;

/// A socket that a living process may listen on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Found {
    /// The process.
    pub pid: u32,
    /// Its socket.
    pub socket: PathBuf,
}

/// The folders in which services of this user put their sockets: `$XDG_RUNTIME_DIR/pollscope` and
/// `/tmp/pollscope-<uid>`.
#[expect(clippy::disallowed_methods, reason = "the rim: where the system wants its sockets")]
pub fn folders() -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    let runtime = runtime.map(|dir| PathBuf::from(dir).join("pollscope"));
    let fallback = PathBuf::from(format!("/tmp/pollscope-{}", getuid().as_raw()));
    runtime.into_iter().chain([fallback]).collect()
}

/// Every socket in the folders that is named after a living process and at which a process listens, by pid;
/// of two with one number the one of the first folder. Waits for no answer.
///
/// A folder that belongs to another user is not looked into: a program of that user could pose as
/// any of this user's services.
pub fn scan(folders: &[PathBuf]) -> Vec<Found> {
    scan_unknown(folders, |_| false)
}

/// The same; sockets that the caller `knows` already are left out without being connected to.
pub fn scan_unknown(folders: &[PathBuf], knows: impl Fn(&Path) -> bool) -> Vec<Found> {
    let mut found = candidates(folders);
    found.retain(|found| {
        !knows(&found.socket)
            && is_alive(found.pid)
            && socket::probe(&found.socket) == socket::SocketState::Listening
    });
    found.sort_by_key(|found| found.pid);
    found.dedup_by_key(|found| found.pid);
    found
}

/// Removes the sockets in the folders at which no process listens: what a service that was killed left
/// behind, also where its number belongs to another process by now.
pub fn remove_abandoned(folders: &[PathBuf]) {
    for Found { pid, socket } in candidates(folders) {
        socket::remove_abandoned(&socket, !is_alive(pid));
    }
}

/// Everything in the folders that has a socket's name.
fn candidates(folders: &[PathBuf]) -> Vec<Found> {
    let own = folders.iter().filter(|folder| is_own_folder(folder));
    let entries = own.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    entries.filter_map(|entry| found_at(&entry.ok()?.path())).collect()
}

/// The process that a socket is named after, `<pid>.sock`.
pub fn pid_of(socket: &Path) -> Option<u32> {
    found_at(socket).map(|found| found.pid)
}

fn is_own_folder(folder: &Path) -> bool {
    std::fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_dir() && meta.uid() == getuid().as_raw())
}

/// `<pid>.sock`, or nothing.
fn found_at(socket: &Path) -> Option<Found> {
    if socket.extension()? != "sock" {
        return None;
    }
    let pid = socket.file_stem()?.to_str()?.parse().ok().filter(|pid| *pid > 0)?;
    Some(Found { pid, socket: socket.to_path_buf() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn listener(folder: &Path, name: &str) -> UnixListener {
        UnixListener::bind(folder.join(name)).expect("a socket")
    }

    #[test]
    fn sockets_of_living_processes_are_found_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let own = std::process::id();
        // Above the largest pid that Linux hands out.
        let _listeners = [format!("{own}.sock"), "4194305.sock".into(), "x.sock".into()]
            .map(|name| listener(dir.path(), &name));
        std::fs::write(dir.path().join(format!("{own}.txt")), "").expect("a file");
        // Left behind by a process whose number is another's now.
        drop(listener(dir.path(), "1.sock"));
        std::fs::write(dir.path().join("2.sock"), "").expect("a file");
        let missing = dir.path().join("missing");
        let folders = [missing, dir.path().to_path_buf()];
        let expected = [Found { pid: own, socket: dir.path().join(format!("{own}.sock")) }];
        assert_eq!(scan(&folders), expected);
        assert_eq!(scan_unknown(&folders, |socket| socket == expected[0].socket), []);
    }

    #[test]
    fn a_socket_at_which_no_process_listens_hides_none_in_another_folder() {
        let dirs = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        let folders: Vec<_> = dirs.iter().map(|dir| dir.path().to_path_buf()).collect();
        let name = format!("{}.sock", std::process::id());
        drop(listener(&folders[0], &name));
        let _listener = listener(&folders[1], &name);
        let sockets: Vec<_> = scan(&folders).into_iter().map(|found| found.socket).collect();
        assert_eq!(sockets, [folders[1].join(&name)]);
    }

    #[test]
    fn what_ended_processes_left_behind_is_removed() {
        let dir = tempfile::tempdir().expect("a folder");
        drop(listener(dir.path(), "4194305.sock"));
        let _listener = listener(dir.path(), "4194306.sock");
        remove_abandoned(&[dir.path().to_path_buf()]);
        let left: Vec<_> = std::fs::read_dir(dir.path()).expect("a folder").flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(left[0].file_name(), "4194306.sock");
    }

    #[test]
    fn the_first_folder_wins_for_a_process_with_two_sockets() {
        let dirs = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        let name = format!("{}.sock", std::process::id());
        let _listeners = [0, 1].map(|dir| listener(dirs[dir].path(), &name));
        let folders: Vec<_> = dirs.iter().map(|dir| dir.path().to_path_buf()).collect();
        assert_eq!(scan(&folders).len(), 1);
    }

    #[test]
    fn a_folder_behind_a_link_is_not_looked_into() {
        let dir = tempfile::tempdir().expect("a folder");
        let real = dir.path().join("real");
        std::fs::create_dir(&real).expect("a folder");
        let _listener = listener(&real, &format!("{}.sock", std::process::id()));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&real, &link).expect("a link");
        assert_eq!(scan(&[link]), []);
        assert_eq!(scan(&[real]).len(), 1);
    }
}
