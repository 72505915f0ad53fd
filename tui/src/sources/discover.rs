//! Which instrumented processes are on this machine: every service listens on a socket that is named
//! after its pid, in a folder of its user, or leaves a note there of where it listens. Those of other users and
//! containers are looked for by [`elsewhere`].
//!
//! A socket file at which no process listens is no process: it is left out, and can be removed. Whether
//! what listens has our protocol is found out by a greeting.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pollscope_system::announcement::{self, Announcement};
use pollscope_system::process::{has_surely_ended, is_alive};
use pollscope_system::socket;
use rustix::process::getuid;

use super::elsewhere;
use super::endpoint::Endpoint;

/// A living process that may listen.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Found {
    /// The process, by its number here.
    pub pid: u32,
    /// Where it listens.
    pub endpoint: Endpoint,
}

/// Where to look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Places {
    /// The folders of this user.
    pub folders: Vec<PathBuf>,
    /// Also look into processes of other users and in other namespaces, as far as this user may.
    pub elsewhere: bool,
}

impl Places {
    /// All of this machine.
    pub fn all() -> Self {
        Self { folders: folders(), elsewhere: true }
    }

    /// Every process that listens, by pid, and those that could not be looked into. Waits for no answer. Cost: some system
    /// calls for each process of the machine that has several threads.
    pub fn scan(&self) -> Scan {
        let mut scan = Scan { found: scan(&self.folders), unreadable: Vec::new() };
        if self.elsewhere {
            let other = elsewhere::scan(|pid| scan.found.iter().any(|found| found.pid == pid));
            scan.found.extend(other.found);
            scan.unreadable = other.unreadable;
            scan.found.sort_by_key(|found| found.pid);
        }
        scan
    }
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scan {
    /// Processes that listen.
    pub found: Vec<Found>,
    /// Processes of other users, or in other namespaces, that this user may not look into.
    pub unreadable: Vec<u32>,
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

/// Every socket in the folders that is named after a living process and at which a process listens, and where living
/// processes say that they listen, by pid; of two with one number the one of the first folder. Waits for no answer.
///
/// A folder that belongs to another user is not looked into: a program of that user could pose as
/// any of this user's services.
pub fn scan(folders: &[PathBuf]) -> Vec<Found> {
    scan_unknown(folders, |_| false)
}

/// The same; those that the caller `knows` already are left out without being connected to.
pub fn scan_unknown(folders: &[PathBuf], knows: impl Fn(&Endpoint) -> bool) -> Vec<Found> {
    let listens = |endpoint: &Endpoint| match endpoint {
        Endpoint::Unix(path) => socket::probe(path) == socket::SocketState::Listening,
        Endpoint::Tcp(_) | Endpoint::Inside(_) => true,
    };
    let mut found: Vec<Found> = entries(folders).filter_map(|path| found_at(&path)).collect();
    found.retain(|found| !knows(&found.endpoint) && is_alive(found.pid) && listens(&found.endpoint));
    found.sort_by_key(|found| found.pid);
    found.dedup_by_key(|found| found.pid);
    found
}

/// Removes the sockets in the folders at which no process listens, also where the number belongs to another process by
/// now, and the notes of processes that have surely ended: what a service that was killed left behind.
pub fn remove_abandoned(folders: &[PathBuf]) {
    for path in entries(folders) {
        if let Some(pid) = pid_of(&path) {
            socket::remove_abandoned(&path, has_surely_ended(pid));
        } else if announcement::pid_of(&path).is_some() {
            announcement::remove_ended(&path);
        }
    }
}

/// Everything in the folders that are this user's.
fn entries(folders: &[PathBuf]) -> impl Iterator<Item = PathBuf> {
    let own = folders.iter().filter(|folder| is_own_folder(folder));
    let entries = own.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}

fn is_own_folder(folder: &Path) -> bool {
    std::fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_dir() && meta.uid() == getuid().as_raw())
}

/// Where a socket or a note says that a process listens.
fn found_at(path: &Path) -> Option<Found> {
    if let Some(pid) = pid_of(path) {
        return Some(Found { pid, endpoint: Endpoint::Unix(path.to_path_buf()) });
    }
    announcement::pid_of(path)?;
    let note = Announcement::read(path).ok().filter(Announcement::is_of_a_living_process)?;
    let endpoint = match note.address.strip_prefix("unix:") {
        Some(path) => Endpoint::Unix(path.into()),
        None => Endpoint::Tcp(loopback(&note.address)?),
    };
    Some(Found { pid: note.pid, endpoint })
}

/// The address if it is one of this machine: a service listens at no other.
pub(super) fn loopback(address: &str) -> Option<String> {
    let address: std::net::SocketAddr = address.parse().ok()?;
    address.ip().is_loopback().then(|| address.to_string())
}

/// The process that a socket is named after, `<pid>.sock`.
pub fn pid_of(socket: &Path) -> Option<u32> {
    if socket.extension()? != "sock" {
        return None;
    }
    socket.file_stem()?.to_str()?.parse().ok().filter(|pid| *pid > 0)
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
        let endpoint = Endpoint::Unix(dir.path().join(format!("{own}.sock")));
        let expected = [Found { pid: own, endpoint }];
        assert_eq!(scan(&folders), expected);
        assert_eq!(scan_unknown(&folders, |endpoint| *endpoint == expected[0].endpoint), []);
    }

    #[test]
    fn a_socket_at_which_no_process_listens_hides_none_in_another_folder() {
        let dirs = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        let folders: Vec<_> = dirs.iter().map(|dir| dir.path().to_path_buf()).collect();
        let name = format!("{}.sock", std::process::id());
        drop(listener(&folders[0], &name));
        let _listener = listener(&folders[1], &name);
        let found: Vec<_> = scan(&folders).into_iter().map(|found| found.endpoint).collect();
        assert_eq!(found, [Endpoint::Unix(folders[1].join(&name))]);
    }

    #[test]
    fn what_ended_processes_left_behind_is_removed() {
        let dir = tempfile::tempdir().expect("a folder");
        drop(listener(dir.path(), "4194305.sock"));
        make_old(&dir.path().join("4194305.sock"));
        // Of another namespace, perhaps, and about to listen.
        drop(listener(dir.path(), "4194307.sock"));
        let _listener = listener(dir.path(), "4194306.sock");
        let gone = "listen 127.0.0.1:1\nboot of another start\npid-namespace 1\nstart 1\n";
        std::fs::write(dir.path().join("4194305.listen"), gone).expect("a file");
        let other = Announcement::of_this_process("127.0.0.1:1").write(dir.path()).expect("a note");
        let text =
            std::fs::read_to_string(&other).expect("a note").replace("pid-namespace ", "pid-namespace 1");
        std::fs::write(dir.path().join("4194306.listen"), text).expect("a file");
        remove_abandoned(&[dir.path().to_path_buf()]);
        let left = std::fs::read_dir(dir.path()).expect("a folder").flatten();
        let mut left: Vec<_> = left.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        left.sort();
        let own = format!("{}.listen", std::process::id());
        let mut expected = ["4194306.listen", "4194306.sock", "4194307.sock", own.as_str()];
        expected.sort_unstable();
        assert_eq!(left, expected);
    }

    fn make_old(path: &Path) {
        use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
        let long_ago = Timespec { tv_sec: 1_000_000, tv_nsec: 0 };
        let times = Timestamps { last_access: long_ago, last_modification: long_ago };
        utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("its times");
    }

    #[test]
    fn a_listener_at_an_address_is_found_by_its_note_and_only_on_this_machine() {
        let dir = tempfile::tempdir().expect("a folder");
        let own = std::process::id();
        let cases = [
            ("127.0.0.1:40123", Some(Endpoint::Tcp("127.0.0.1:40123".to_owned()))),
            ("[::1]:7", Some(Endpoint::Tcp("[::1]:7".to_owned()))),
            ("unix:/nonexistent/s", None),
            ("192.0.2.1:80", None),
            ("example.org:80", None),
        ];
        for (address, expected) in cases {
            Announcement::of_this_process(address).write(dir.path()).expect("a note");
            let expected: Vec<_> =
                expected.into_iter().map(|endpoint| Found { pid: own, endpoint }).collect();
            assert_eq!(scan(&[dir.path().to_path_buf()]), expected, "{address}");
        }
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
