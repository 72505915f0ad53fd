//! What pollscope holds in a process of this machine: threads and descriptors, as the kernel lists them. Asks nothing
//! of the process and changes nothing; what another user's process does not show is `–`. For `pollscope doctor`.
//!
//! Threads are known by their names. Of the descriptors those are ours that lead to the socket at which the process is
//! attached to (the listening one and every connection there), the epoll that watches it with all that it watches, and
//! the files by which threads are told apart from a busy machine. Drivers of runtimes that are gone, recordings and
//! dumps look like the service's own and are not counted.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::output::fmt::clean;

/// Two lines: threads and descriptors.
/// The socket is that at which it is attached to, by its own path; `None` of one that listens on a port.
pub(super) fn lines(pid: u32, socket: Option<&Path>) -> String {
    let mut text = String::new();
    let threads = match threads(pid) {
        Some(names) if names.is_empty() => "none of pollscope's".to_owned(),
        Some(names) => format!("{} of pollscope's: {}", names.len(), clean(&names.join(", "))),
        None => "–".to_owned(),
    };
    let _ = writeln!(text, "  threads      {threads}");
    let descriptors = match socket.and_then(|socket| descriptors(pid, socket)) {
        Some((ours, all)) => format!("{ours} of pollscope's, of {all} open"),
        None => "–".to_owned(),
    };
    let _ = writeln!(text, "  descriptors  {descriptors}");
    text
}

/// The names of its threads that are ours.
fn threads(pid: u32) -> Option<Vec<String>> {
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    let names = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten().filter_map(name);
    let mut names: Vec<String> = names.map(|name| name.trim().to_owned()).collect();
    names.retain(|name| name.starts_with("pollscope-"));
    names.sort();
    Some(names)
}

/// How many of its descriptors are ours, and how many there are.
fn descriptors(pid: u32, socket: &Path) -> Option<(usize, usize)> {
    let link = |descriptor: fs::DirEntry| {
        let to = fs::read_link(descriptor.path()).ok()?.to_string_lossy().into_owned();
        Some((descriptor.file_name().to_string_lossy().parse::<u32>().ok()?, to))
    };
    let open: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten().filter_map(link).collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/unix")).ok()?;
    let at_socket = table.lines().filter(|line| line.ends_with(&format!(" {}", socket.display())));
    let at_socket: BTreeSet<String> =
        at_socket.filter_map(|line| Some(format!("socket:[{}]", line.split_whitespace().nth(6)?))).collect();
    let is_ours = |to: &String| at_socket.contains(to) || to.ends_with("/schedstat");
    let mut ours: BTreeSet<u32> = open.iter().filter(|(_, to)| is_ours(to)).map(|(fd, _)| *fd).collect();
    let sockets: BTreeSet<u32> =
        open.iter().filter(|(_, to)| at_socket.contains(to)).map(|(fd, _)| *fd).collect();
    for (epoll, _) in open.iter().filter(|(_, to)| to.contains("[eventpoll]")) {
        let watched = watched(pid, *epoll);
        if !watched.is_disjoint(&sockets) {
            ours.insert(*epoll);
            ours.extend(watched.iter().filter(|fd| open.iter().any(|(known, _)| known == *fd)));
        }
    }
    Some((ours.len(), open.len()))
}

/// The descriptors that an epoll watches.
fn watched(pid: u32, epoll: u32) -> BTreeSet<u32> {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{epoll}")).unwrap_or_default();
    let watched =
        info.lines().filter_map(|line| line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok());
    watched.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_the_epoll_that_watches_it_and_threads_by_name_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.sock");
        let (pid, before) = (std::process::id(), descriptors(std::process::id(), &path).expect("our own"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _inside = runtime.enter();
        let listener = tokio::net::UnixListener::bind(&path).expect("a socket");
        let now = descriptors(pid, &path).expect("our own");
        // The socket, epoll and what else it watches; beside other tests.
        assert!(now.0 >= 3, "{before:?} {now:?}");
        let text = lines(pid, Some(&path));
        assert!(text.contains("of pollscope's, of "), "{text}");
        drop(listener);
        assert_eq!(threads(u32::MAX), None);
        assert!(lines(u32::MAX, Some(&path)).contains("descriptors  –"));
    }
}
