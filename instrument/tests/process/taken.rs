//! What pollscope takes of the process it runs in, measured with it and without it, and compared with the page of the
//! manual that says so: a figure of the page that no program here measures fails, as does one that is exceeded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io::ErrorKind::WouldBlock;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::rig::viewer::Viewer;
use crate::rig::{Child, runtime, say, until};

mod everything;
mod host;
mod page;
mod state;

pub(crate) use everything::{ends_again_and_again, exits, has_everything, holds_tasks, is_off};
pub(crate) use host::host;

/// Reads "that is all" of a child's figures.
const DONE: &str = "done";

/// Silent peers, more than a service lets in.
const PEERS: usize = 80;

/// Says a figure of the page.
fn figure(name: &str, value: impl Display) {
    say(&format!("{name}: {value}"));
}

/// A folder of its own, which the test made, and which is this process's current one from now on.
#[expect(clippy::disallowed_methods, reason = "the child's own folder, where it is told which")]
fn enter_own_folder() -> PathBuf {
    let folder = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR").expect("the rig sets it"));
    std::env::set_current_dir(&folder).unwrap();
    folder
}

/// The files and folders below a folder, by their names in it.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|below| format!("{name}/{below}")));
        }
        found.push(name);
    }
    found.sort();
    found
}

fn takes_stacks() -> bool {
    cfg!(feature = "backtrace") && cfg!(any(target_arch = "x86_64", target_arch = "aarch64"))
}

/// Figures by name.
type Figures = BTreeMap<String, u64>;

/// Takes a child's figures until it is done.
fn take(child: &mut Child, figures: &mut Figures) {
    loop {
        let line = child.line();
        if line == DONE {
            return;
        }
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no figure: {line}"));
        let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        let before = figures.insert(name.to_owned(), value);
        assert_eq!(before, None, "{name} was measured twice");
    }
}

/// Looked at by a viewer, and knocked at by peers that say nothing.
fn host_figures(figures: &mut Figures) {
    let mut child = Child::start("host", &[]);
    take(&mut child, figures);
    let address = child.line();
    let path = address.strip_prefix("unix:").expect("a Unix socket").to_owned();
    let runtime = runtime();
    let viewer = runtime.block_on(async {
        let mut viewer = Viewer::attach(&address).await.unwrap();
        viewer.next_report().await;
        viewer
    });
    child.go_on();
    assert_eq!(child.line(), "a viewer was seen");
    let silent: Vec<_> = (0..PEERS).map(|_| UnixStream::connect(&path).unwrap()).collect();
    for peer in &silent {
        peer.set_nonblocking(true).unwrap();
    }
    // What it is told before that is read away.
    let is_refused = |mut peer: &UnixStream| match peer.read(&mut [0; 64]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != WouldBlock,
    };
    let mut refused = BTreeSet::new();
    until("those that are too many are refused", || {
        refused.extend((0..PEERS).filter(|peer| is_refused(&silent[*peer])));
        refused.len() >= PEERS - 63
    });
    child.go_on();
    assert_eq!(child.line(), "peers were seen");
    drop((silent, viewer));
    child.go_on();
    take(&mut child, figures);
    assert!(child.wait().success());
}

/// Runs a program that needs nothing of the test.
fn run(program: &str, variables: &[(&str, &str)], figures: &mut Figures) {
    let mut child = Child::start(program, variables);
    take(&mut child, figures);
    assert!(child.wait().success());
}

#[test]
fn the_manual_says_what_is_taken_of_the_process() {
    let mut measured = Figures::new();
    host_figures(&mut measured);
    for program in ["everything", "off", "again"] {
        let switch = if program == "off" { "off" } else { "" };
        run(program, &[("POLLSCOPE", switch)], &mut measured);
    }
    let of_tasks = ["off", ""].map(|switch| {
        let mut figures = Figures::new();
        run("tasks", &[("POLLSCOPE", switch)], &mut figures);
        figures["bytes"]
    });
    let each = of_tasks[1].saturating_sub(of_tasks[0]) / everything::TASKS as u64;
    measured.insert("memory of a living task".to_owned(), each);
    page::compare(&measured);
}

#[test]
fn the_exit_code_is_the_services() {
    for switch in ["off", ""] {
        let child = Child::start("exits", &[("POLLSCOPE", switch)]);
        assert_eq!(child.wait().code(), Some(everything::EXIT_CODE), "POLLSCOPE={switch}");
    }
}
