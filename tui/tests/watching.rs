//! Commands that watch say which process or collector went away, and end where it cannot come back.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "rig/demo.rs"]
#[allow(dead_code, reason = "what runs to its end is for the other tests")]
mod demo;
#[path = "rig/fakes.rs"]
mod fakes;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use demo::{Demo, pollscope};
use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that watches. Dropping it ends it.
struct Watching {
    child: Child,
    pages: Arc<Mutex<Vec<String>>>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Watching {
    fn start(runtime: &Path, arguments: &[&str]) -> Self {
        let mut command = pollscope(runtime);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdout, stderr): (ChildStdout, ChildStderr) =
            (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self { child, pages: lines_of(stdout), said: lines_of(stderr) }
    }

    fn is_told(&self, part: &str) -> bool {
        self.said.lock().unwrap().iter().any(|line| line.contains(part))
    }

    fn wait(&self, what: &str, mut until: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !until(self) {
            assert!(Instant::now() < deadline, "never saw {what}: {:?}", self.said.lock().unwrap());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn wait_for_a_page(&self) {
        self.wait("a page", |watching| !watching.pages.lock().unwrap().is_empty());
    }

    fn wait_for(&self, part: &str) {
        self.wait(part, |watching| watching.is_told(part));
    }

    /// Its exit code, once it has ended by itself.
    fn code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            let said = self.said.lock().unwrap();
            assert!(Instant::now() < deadline, "it watches on; it said {said:?}");
            drop(said);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn last_page(&self) -> String {
        self.pages.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of(pipe: impl std::io::Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = lines.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            kept.lock().unwrap().push(line);
        }
    });
    lines
}

/// Ends the process at once; it stays a zombie until its [`Demo`] is dropped.
fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn a_killed_process_ends_the_watch_with_its_last_page_and_a_code() {
    let mut demo = Demo::start(&[]);
    let target = demo.target.clone();
    let mut watching =
        Watching::start(demo.runtime.path(), &["ps", "--from", &target, "--watch", "--format", "json"]);
    watching.wait_for_a_page();
    kill(demo.pid());
    // Its parent takes its exit code: no zombie is left.
    demo.stop();
    assert_eq!(watching.code(), Some(2));
    let pid = demo.pid();
    watching.wait_for(&format!("pollscope: pollscope-demo (pid {pid}) went away: "));
    watching.wait_for(&format!("process {pid} has ended"));
    watching.wait("the last page", |watching| watching.last_page().contains("\"state\":\"gone\""));
}

#[test]
fn a_zombie_has_ended() {
    let demo = Demo::start(&[]);
    let pid = demo.pid().to_string();
    let mut watching =
        Watching::start(demo.runtime.path(), &["tasks", "--from", &pid, "--watch", "--format", "csv"]);
    watching.wait_for_a_page();
    kill(demo.pid());
    assert_eq!(watching.code(), Some(2));
    watching.wait_for(&format!("pollscope-demo (pid {pid}) went away: "));
    watching.wait_for(&format!("process {pid} has ended"));
}

#[test]
fn a_process_that_ends_in_good_order_ends_the_watch_in_good_order() {
    let mut demo = Demo::start(&[]);
    let pid = demo.pid().to_string();
    let mut watching =
        Watching::start(demo.runtime.path(), &["sites", "--from", &pid, "--watch", "--format", "csv"]);
    watching.wait_for_a_page();
    assert!(demo.stop());
    assert_eq!(watching.code(), Some(0));
    watching.wait_for(&format!("process {pid} has ended"));
}

#[test]
fn a_command_that_waits_for_the_rules_stops_waiting_for_a_killed_process() {
    let demo = Demo::start(&[]);
    let pid = demo.pid().to_string();
    let mut watching = Watching::start(
        demo.runtime.path(),
        &["findings", "--from", &pid, "--for", "1h", "--format", "json"],
    );
    watching.wait_for("so that the rules can judge");
    kill(demo.pid());
    assert_eq!(watching.code(), Some(0), "one page was asked for and is there");
    watching.wait_for(&format!("pollscope-demo (pid {pid}) went away: "));
    watching.wait_for_a_page();
}

#[test]
fn a_name_is_waited_for() {
    let demo = Demo::start(&[]);
    let arguments = ["tasks", "--from", "pollscope-demo", "--watch", "--format", "csv"];
    let watching = Watching::start(demo.runtime.path(), &arguments);
    watching.wait_for_a_page();
    kill(demo.pid());
    watching.wait_for(&format!("pollscope-demo (pid {}) went away: ", demo.pid()));
    watching.wait_for("pollscope: waiting for a process named pollscope-demo");
}

#[test]
fn a_socket_that_is_named_after_no_process_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("checkout.sock");
    let target = format!("unix:{}", socket.display());
    let service = fakes::service(&socket, 412);
    let arguments = ["ps", "--from", &target, "--watch", "--format", "json"];
    let watching = Watching::start(folder.path(), &arguments);
    watching.wait_for_a_page();
    drop(service);
    watching.wait_for("pollscope: checkout (pid 412) went away: ");
    watching.wait_for(&format!("pollscope: waiting for {target} to come back"));
    let _again = fakes::service(&socket, 413);
    watching.wait_for("pollscope: connected again: ");
}

#[test]
fn a_collector_that_goes_away_is_waited_for_and_what_leaves_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("collector.sock");
    let target = format!("unix:{}", socket.display());
    let collector = fakes::collector(&socket);
    let arguments = ["ps", "--from", &target, "--watch", "--format", "json"];
    let watching = Watching::start(folder.path(), &arguments);
    watching.wait_for_a_page();
    collector.lose_the_process("it was killed");
    watching.wait_for("pollscope: checkout (pid 412) went away: it was killed");
    drop(collector);
    watching.wait_for(&format!("pollscope: collector {target} went away: "));
    watching.wait_for("; waiting for it to come back");
    let _again = fakes::collector(&socket);
    watching.wait_for("pollscope: connected again: ");
}
