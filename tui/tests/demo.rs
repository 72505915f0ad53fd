//! The demo, end to end through the built binary: each fault raises its detector at its own line,
//! and a healthy service raises nothing.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "rig/demo.rs"]
mod demo;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use demo::{Demo, pollscope, run, words};
use serde_json::Value as Json;

/// Longer than any rule waits, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// One demo at a time: they are services under load.
static MACHINE: Mutex<()> = Mutex::new(());

fn machine() -> MutexGuard<'static, ()> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `findings --watch`, ended with the test.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Watches the demo's findings until one satisfies the predicate.
fn until_found(demo: &Demo, wanted: impl Fn(&Json) -> bool) -> Json {
    let mut command = pollscope(demo.runtime.path());
    command.args(["findings", "--from", &demo.target, "--format", "json", "--watch", "--for", "0"]);
    let mut watching = Watching(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let stdout = watching.0.stdout.take().unwrap();
    let (line, lines) = mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(stdout).lines().map_while(Result::ok).all(|text| line.send(text).is_ok())
    });
    let deadline = Instant::now() + PATIENCE;
    let mut last = Json::Null;
    while let Ok(text) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        last = serde_json::from_str(&text).unwrap();
        if let Some(found) = last["rows"].as_array().unwrap().iter().find(|row| wanted(row)) {
            return found.clone();
        }
    }
    panic!("never found it; the last page was {last:#}");
}

/// Waits for the fault's finding at warn or above, with that kind (or none, where the system does not
/// tell how a poll's time was spent).
fn finds(fault: &str, detector: &str, file: &str, kind: Option<&str>) {
    let _machine = machine();
    let mut demo = Demo::start(&[fault]);
    let row = until_found(&demo, |row| {
        row["detector"] == detector
            && row["site"].as_str().is_some_and(|site| site.contains(file))
            && (row["level"] == "warn" || row["level"] == "deny")
            && (row["kind"].is_null() || row["kind"].as_str() == kind)
    });
    for key in ["fingerprint", "headline", "why", "fix"] {
        assert!(row[key].as_str().is_some_and(|text| !text.is_empty()), "no {key}: {row:#}");
    }
    assert!(demo.stop(), "the demo did not end in good order");
}

#[test]
fn blocking() {
    finds("blocking", "blocking-poll", "fault/blocking.rs", Some("blocked"));
}

#[test]
fn cpu() {
    finds("cpu", "blocking-poll", "fault/cpu.rs", Some("busy"));
}

#[test]
fn forgotten() {
    finds("forgotten", "forgotten-task", "fault/forgotten.rs", None);
}

#[test]
fn lost_waker() {
    finds("lost-waker", "lost-waker", "fault/lost_waker.rs", None);
}

#[test]
fn self_wake() {
    finds("self-wake", "self-wake-storm", "fault/self_wake.rs", None);
}

#[test]
fn leak() {
    finds("leak", "task-leak", "fault/leak.rs", None);
}

#[test]
fn starve() {
    finds("starve", "sched-delay", "fault/starve.rs", None);
}

#[test]
fn tail() {
    finds("tail", "tail-latency", "fault/tail.rs", None);
}

#[test]
fn panic() {
    finds("panic", "swallowed-panic", "fault/panic.rs", None);
}

#[test]
fn a_healthy_service_raises_nothing() {
    let _machine = machine();
    let demo = Demo::start(&[]);
    let output = run(demo.runtime.path(), &["findings", "--from", &demo.target, "--format", "json"]);
    assert!(output.status.success(), "{}", words(&output));
    let page: Json = serde_json::from_slice(&output.stdout).unwrap();
    let raised = page["rows"].as_array().unwrap().iter().filter(|row| row["level"] != "allow");
    assert_eq!(raised.count(), 0, "{page:#}");
}

#[test]
fn every_page_of_a_live_service_has_rows() {
    let _machine = machine();
    let demo = Demo::start(&[]);
    let pid = demo.pid().to_string();
    for (from, kind) in [
        (demo.target.as_str(), "ps"),
        (pid.as_str(), "tasks"),
        ("pollscope-demo", "sites"),
        (demo.target.as_str(), "workers"),
    ] {
        let output = run(demo.runtime.path(), &[kind, "--from", from, "--format", "json"]);
        assert!(output.status.success(), "{kind} --from {from}: {}", words(&output));
        let page: Json = serde_json::from_slice(&output.stdout).unwrap();
        assert!(!page["rows"].as_array().unwrap().is_empty(), "{kind} --from {from}: {page:#}");
    }
    let filter = ["tasks", "--from", &demo.target, "--filter", "state=", "--format", "json"];
    let output = run(demo.runtime.path(), &filter);
    assert_eq!(output.status.code(), Some(2), "{}", words(&output));
    assert_eq!(words(&output).lines().count(), 1, "{}", words(&output));
}

#[test]
fn doctor_names_the_mode_and_what_is_not_measured() {
    let _machine = machine();
    let demo = Demo::start(&[]);
    let output = run(demo.runtime.path(), &["doctor", &demo.target]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{}", words(&output));
    assert!(text.contains("pollscope-demo (pid "), "{text}");
    assert!(text.contains("mode         hooks") || text.contains("mode         wrap"), "{text}");
    assert!(text.contains("measured     "), "{text}");
    assert!(text.contains("mode         hooks") || text.contains("tokio_unstable"), "{text}");
    let output = run(demo.runtime.path(), &["doctor"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let clock = text.lines().find_map(|line| line.strip_prefix("  clock        "));
    assert!(clock.is_some_and(|clock| clock.contains("read")), "what a read of it costs: {text}");
}

#[test]
fn a_socket_that_was_left_behind_hides_no_service_and_is_removed() {
    let _machine = machine();
    let demo = Demo::start(&[]);
    let folder = demo.runtime.path().join("pollscope");
    // Its number is a living process's: one of a container, or one that was given again.
    let leftover = folder.join("1.sock");
    drop(std::os::unix::net::UnixListener::bind(&leftover).unwrap());
    let runtime = demo.runtime.path();
    for _ in 0..3 {
        let output = run(runtime, &["tasks", "--from", "pollscope-demo"]);
        assert!(output.status.success(), "{}", words(&output));
    }
    assert!(leftover.exists(), "a process that is about to listen keeps its socket");
    let long_ago = rustix::fs::Timespec { tv_sec: 1_000_000, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: long_ago, last_modification: long_ago };
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::utimensat(rustix::fs::CWD, &leftover, &times, flags).unwrap();
    let output = run(runtime, &["ps"]);
    assert!(output.status.success(), "{}", words(&output));
    assert!(!leftover.exists());
}
