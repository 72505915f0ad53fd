//! Services of other users and in other namespaces (containers, chroots, `PrivateTmp`): each has its socket, or a note of
//! where it listens, in a folder by its own paths, named after its pid as it sees it.
//!
//! What such a process offers is not to be trusted: it is looked at and connected to within its own root, and nothing
//! is written or removed there. Root sees the processes of all users, another user those that it may trace.

use std::io;
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
use pollscope_system::announcement::{self, Announcement};
#[cfg(target_os = "linux")]
use pollscope_system::foreign::{ForeignProcess, Status};
use pollscope_system::process::is_alive;
#[cfg(target_os = "linux")]
use pollscope_system::socket::{SocketState, probe_open};

#[cfg(target_os = "linux")]
use super::discover;
use super::discover::{Found, Scan};
#[cfg(target_os = "linux")]
use super::endpoint::{Endpoint, Inside};
use crate::output::failure::Failure;
use crate::output::fmt::clean;

/// Every process apart from this one's user and namespaces that listens. Those that the caller `knows` are left out
/// without being looked at. Waits for no answer.
#[cfg(target_os = "linux")]
pub fn scan(knows: impl Fn(u32) -> bool) -> Scan {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut scan = Scan::default();
    for pid in pids.filter(|pid| *pid != std::process::id() && !knows(*pid)) {
        // A service that listens has at least two threads of pollscope's beside its own.
        if Status::of(pid).is_ok_and(|status| status.threads < 2) {
            continue;
        }
        match ForeignProcess::open(pid) {
            Ok(process) if process.is_apart() => scan.found.extend(listener(&process)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => scan.unreadable.push(pid),
            _ => {}
        }
    }
    scan
}

/// The process with that number, whatever user and namespaces it has.
#[cfg(target_os = "linux")]
pub fn find(pid: u32) -> Result<Found, Failure> {
    let process = ForeignProcess::open(pid).map_err(|error| unreadable(pid, &error))?;
    let Some(found) = listener(&process) else {
        return Err(Failure::Unreachable(no_socket(pid, &process.folders(), process.is_apart())));
    };
    if let Endpoint::Tcp(address) = &found.endpoint
        && !process.has_this_network()
    {
        return Err(Failure::Unreachable(format!(
            "process {pid} listens on {address} of a network namespace of its own; `{}` connects to it there",
            with_rights(&format!("nsenter -t {pid} -n {} attach {address}", program()))
        )));
    }
    Ok(found)
}

/// Where the process listens, as its folders say.
#[cfg(target_os = "linux")]
fn listener(process: &ForeignProcess) -> Option<Found> {
    use std::os::fd::AsFd;
    let inside = |path: PathBuf| {
        let socket = process.socket(&path).ok()?;
        let listens = probe_open(socket.as_fd()) == SocketState::Listening;
        listens.then_some(Endpoint::Inside(Inside { pid: process.pid, start: process.start, path }))
    };
    let own_pid = process.status.own_pid;
    let endpoint = process.folders().into_iter().find_map(|folder| {
        let note = folder.join(format!("{own_pid}.{}", announcement::EXTENSION));
        inside(folder.join(format!("{own_pid}.sock"))).or_else(|| {
            let text = process.text(&note, announcement::MAX_BYTES).ok()?;
            let Announcement { address, .. } = Announcement::parse(own_pid, &text)?;
            match address.strip_prefix("unix:") {
                Some(path) => inside(path.into()),
                None => discover::loopback(&address).map(Endpoint::Tcp),
            }
        })
    })?;
    Some(Found { pid: process.pid, endpoint })
}

/// Only Linux shows what another process sees.
#[cfg(not(target_os = "linux"))]
pub fn scan(_: impl Fn(u32) -> bool) -> Scan {
    Scan::default()
}

/// Only Linux shows what another process sees.
#[cfg(not(target_os = "linux"))]
pub fn find(pid: u32) -> Result<Found, Failure> {
    let error = if is_alive(pid) { io::ErrorKind::PermissionDenied } else { io::ErrorKind::NotFound };
    Err(unreadable(pid, &error.into()))
}

/// Why a process cannot be looked into, and the command that can.
fn unreadable(pid: u32, error: &io::Error) -> Failure {
    let root = rustix::process::geteuid().is_root();
    let kind = match error.kind() {
        // `/proc` does not show it, since it is mounted with `hidepid`.
        io::ErrorKind::NotFound if is_alive(pid) => io::ErrorKind::PermissionDenied,
        kind => kind,
    };
    let words = match kind {
        io::ErrorKind::NotFound => format!("there is no process {pid}"),
        io::ErrorKind::PermissionDenied if root => format!(
            "process {pid} cannot be looked into: this root lacks CAP_SYS_PTRACE over it; run `{} attach {pid}` \
             on the host, or in a container that has it (`--cap-add SYS_PTRACE`)",
            program()
        ),
        io::ErrorKind::PermissionDenied => format!(
            "process {pid} is another user's, or in a container, and this user may not look into it; `{}` may",
            with_rights(&format!("{} attach {pid}", program()))
        ),
        io::ErrorKind::Unsupported => {
            format!("process {pid} cannot be looked into: that takes Linux 5.6 or later")
        }
        _ => format!("process {pid} cannot be looked into: {error}"),
    };
    Failure::Unreachable(words)
}

/// Of a process that may be looked into, and has no socket where one would be.
fn no_socket(pid: u32, folders: &[PathBuf], is_apart: bool) -> String {
    // The process's own environment names one of them.
    let folders = clean(&super::lookup::listed(folders)).into_owned();
    let seen = if is_apart { ", as that process sees them" } else { "" };
    format!(
        "process {pid} has no pollscope socket in {folders}{seen}; is it instrumented, and not set to \
         POLLSCOPE_LISTEN=off or built without the feature `export`?"
    )
}

/// The command for a user that may see what this one may not.
fn with_rights(command: &str) -> String {
    if rustix::process::geteuid().is_root() { command.to_owned() } else { format!("sudo {command}") }
}

/// This program as `sudo` finds it: by its whole path where that is none that `sudo` searches.
fn program() -> String {
    const SEARCHED: [&str; 4] = ["/usr/local/bin", "/usr/bin", "/usr/local/sbin", "/bin"];
    let path = std::env::current_exe().ok().filter(|path| {
        let is_searched = |folder: &Path| SEARCHED.iter().any(|searched| folder == Path::new(searched));
        !path.parent().is_some_and(is_searched)
    });
    path.map_or_else(|| "pollscope".to_owned(), |path| clean(&path.display().to_string()).into_owned())
}

/// What is said of processes that this user may not look into; `None` if there are none.
pub fn unreadable_note(pids: &[u32]) -> Option<String> {
    const NAMED: usize = 5;
    if pids.is_empty() {
        return None;
    }
    if !rustix::process::geteuid().is_root() {
        let command = with_rights(&format!("{} ps", program()));
        let processes =
            if pids.len() == 1 { "1 process".to_owned() } else { format!("{} processes", pids.len()) };
        return Some(format!("{processes} not looked into, which this user may not; `{command}` may"));
    }
    let named: Vec<String> = pids.iter().take(NAMED).map(u32::to_string).collect();
    let more = pids.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let processes = if pids.len() == 1 { "process" } else { "processes" };
    let named = named.join(", ");
    Some(format!("{processes} {named}{more} not looked into: this root lacks CAP_SYS_PTRACE over them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_way_is_named_with_the_command_that_works() {
        let words = |kind: io::ErrorKind, pid: u32| unreadable(pid, &kind.into()).to_string();
        assert_eq!(words(io::ErrorKind::NotFound, 4_194_305), "there is no process 4194305");
        let own = std::process::id();
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::NotFound] {
            let denied = words(kind, own);
            assert!(denied.contains(&format!(" attach {own}`")), "{denied}");
            let remedy = if rustix::process::geteuid().is_root() { "CAP_SYS_PTRACE" } else { "`sudo " };
            assert!(denied.contains(remedy), "{denied}");
        }
        assert!(words(io::ErrorKind::Unsupported, own).contains("Linux 5.6"));
        let hostile = no_socket(own, &["/tmp/\u{1b}[2J".into()], true);
        assert!(!hostile.contains('\u{1b}') && hostile.contains("as that process sees them"), "{hostile:?}");
        assert_eq!(unreadable_note(&[]), None);
        let note = unreadable_note(&[1, 2, 3, 4, 5, 6, 7]).expect("seven");
        let expected =
            if rustix::process::geteuid().is_root() { "1, 2, 3, 4, 5 and 2 more" } else { "7 processes" };
        assert!(note.contains(expected) && note.contains("not looked into"), "{note}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_of_this_user_and_its_namespaces_is_found_by_its_number_alone() {
        let own = std::process::id();
        assert!(scan(|_| false).found.iter().all(|found| found.pid != own));
        let Err(failure) = find(own) else { panic!("no service runs in this process") };
        assert!(failure.to_string().contains("has no pollscope socket in"), "{failure}");
    }
}
