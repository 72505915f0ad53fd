//! A process that is looked into as if it were another one's: this one, and children of it.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::*;
use crate::socket::{SocketState, probe_open};

fn this_process() -> ForeignProcess {
    ForeignProcess::open(std::process::id()).unwrap()
}

#[test]
fn numbers_are_read_as_the_process_sees_them() {
    let text = "Name:\tx\nPid:\t4711\nUid:\t1000\t1001\t1000\t1000\nNSpid:\t4711\t7\nThreads:\t5\n";
    let expected = Status { users: [1000, 1001], own_pid: 7, depth: 1, threads: 5 };
    assert_eq!(Status::parse(text), Some(expected));
    assert_eq!(Status::parse("Name:\tx\n"), None);
    let this = this_process();
    assert_eq!((this.status.own_pid, this.status.depth), (std::process::id(), 0));
    assert!(!this.is_apart() && this.has_this_network());
}

#[test]
fn a_user_of_a_user_namespace_has_its_number_there() {
    let map = "         0       1000          1\n         1     100000      65536\n";
    assert_eq!(seen_inside(map, 1000), Some(0));
    assert_eq!(seen_inside(map, 100_032), Some(33));
    assert_eq!(seen_inside(map, 1001), None);
    assert_eq!(seen_inside("0 0 4294967295\n", 33), Some(33));
    assert_eq!(seen_inside("", 0), None);
}

#[test]
fn its_folders_are_those_of_its_own_environment() {
    let mut child =
        std::process::Command::new("sleep").arg("600").env("XDG_RUNTIME_DIR", "/run/user/7").spawn().unwrap();
    // Before its `exec` the child still has the environment of this process.
    let folders = loop {
        let folders = ForeignProcess::open(child.id()).unwrap().folders();
        if folders[0] == Path::new("/run/user/7/pollscope") {
            break folders;
        }
        std::thread::yield_now();
    };
    assert_eq!(folders[1], PathBuf::from(format!("/tmp/pollscope-{}", rustix::process::getuid().as_raw())));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ForeignProcess::open(child.id()).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_socket_with_a_long_path_is_connected_to_and_what_is_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("x".repeat(100));
    fs::create_dir(&deep).unwrap();
    let short = dir.path().join("s");
    let _listener = UnixListener::bind(&short).unwrap();
    fs::rename(&short, deep.join("s")).unwrap();
    let this = this_process();
    let socket = this.socket(&deep.join("s")).unwrap();
    assert_eq!(probe_open(socket.as_fd()), SocketState::Listening);
    fs::write(deep.join("file"), "x").unwrap();
    symlink(deep.join("s"), deep.join("link")).unwrap();
    for name in ["file", "link"] {
        assert_eq!(this.socket(&deep.join(name)).unwrap_err().to_string(), "it is no socket", "{name}");
    }
    assert_eq!(this.socket(&deep.join("none")).unwrap_err().kind(), ErrorKind::NotFound);
}

/// A process whose root is the folder, as far as it goes: only the root's descriptor differs.
fn in_root(root: &Path, users: [u32; 2]) -> ForeignProcess {
    let this = this_process();
    let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    ForeignProcess { root, status: Status { users, ..this.status }, ..this }
}

#[test]
fn no_link_leads_out_of_its_root_and_what_is_another_users_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let own = rustix::process::geteuid().as_raw();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("run")).unwrap();
    fs::write(dir.path().join("secret"), "secret").unwrap();
    fs::write(root.join("run/own"), "own").unwrap();
    symlink("/run", root.join("absolute")).unwrap();
    symlink("../..", root.join("above")).unwrap();
    symlink(dir.path(), root.join("outside")).unwrap();
    symlink("/proc/self/root", root.join("magic")).unwrap();
    let process = in_root(&root, [own, own]);
    let text = |path: &str| process.text(Path::new(path), 100).map_err(|error| error.kind());
    assert_eq!(text("/run/own"), Ok("own".to_owned()));
    assert_eq!(text("/absolute/own"), Ok("own".to_owned()), "a link means what it means to the process");
    for path in ["/above/secret", "/outside/secret", "/../secret", "/magic/etc/passwd"] {
        assert_eq!(text(path), Err(ErrorKind::NotFound), "{path}");
    }
    assert_eq!(process.text(Path::new("/run/own"), 2).unwrap_err().kind(), ErrorKind::FileTooLarge);
    let others = in_root(&root, [own + 1, own + 1]);
    let error = others.text(Path::new("/run/own"), 100).unwrap_err();
    assert_eq!(error.to_string(), "it belongs to another user than the process");
}
