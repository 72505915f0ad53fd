//! Which instrumented processes are on this machine: every service listens on a socket that is named
//! after its pid, in a folder of its user.
//!
//! Only looks; whether anybody answers is found out by connecting.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, getuid, test_kill_process};

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

/// Every socket of a living process in the folders, by pid.
///
/// A folder that belongs to another user is not looked into: who could write there could pose as
/// any of this user's services.
pub fn scan(folders: &[PathBuf]) -> Vec<Found> {
    let mut found: Vec<Found> = folders
        .iter()
        .filter(|folder| is_own_folder(folder))
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .filter_map(|entry| found_at(&entry.ok()?.path()))
        .filter(|found| is_alive(found.pid))
        .collect();
    found.sort_by_key(|found| found.pid);
    found.dedup_by_key(|found| found.pid);
    found
}

/// Whether the process exists, whosever it is.
pub fn is_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    // A process of another user answers EPERM: it is there.
    test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
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
    use super::*;

    #[test]
    fn sockets_of_living_processes_are_found_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let own = std::process::id();
        // Above the largest pid that Linux hands out.
        for name in [format!("{own}.sock"), "4194305.sock".into(), "x.sock".into(), format!("{own}.txt")] {
            std::fs::write(dir.path().join(name), "").expect("a file");
        }
        let missing = dir.path().join("missing");
        let found = scan(&[missing, dir.path().to_path_buf()]);
        assert_eq!(found, [Found { pid: own, socket: dir.path().join(format!("{own}.sock")) }]);
    }

    #[test]
    fn the_first_folder_wins_for_a_process_with_two_sockets() {
        let dirs = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        let own = std::process::id();
        for dir in &dirs {
            std::fs::write(dir.path().join(format!("{own}.sock")), "").expect("a file");
        }
        let folders: Vec<_> = dirs.iter().map(|dir| dir.path().to_path_buf()).collect();
        assert_eq!(scan(&folders).len(), 1);
    }

    #[test]
    fn a_folder_behind_a_link_is_not_looked_into() {
        let dir = tempfile::tempdir().expect("a folder");
        let real = dir.path().join("real");
        std::fs::create_dir(&real).expect("a folder");
        std::fs::write(real.join(format!("{}.sock", std::process::id())), "").expect("a file");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&real, &link).expect("a link");
        assert_eq!(scan(&[link]), []);
        assert_eq!(scan(&[real]).len(), 1);
    }

    #[test]
    fn this_process_lives_and_an_impossible_one_does_not() {
        assert!(is_alive(std::process::id()));
        assert!(is_alive(1));
        assert!(!is_alive(0));
        assert!(!is_alive(u32::MAX));
        assert!(!is_alive(4_194_305));
    }
}
