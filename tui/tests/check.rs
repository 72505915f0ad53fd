//! `pollscope check -- CMD` as a process of its own: what it does with signals and with its temporary folder.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Until then anything that will happen has happened, on a machine that has other work, too.
const PATIENCE: Duration = Duration::from_secs(120);

/// The check, with temporary files in that folder.
fn pollscope(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pollscope"));
    command.args(arguments).current_dir(folder).env("TMPDIR", folder);
    // Services listen where no other test, and no user, looks.
    command.env("XDG_RUNTIME_DIR", folder).env_remove("POLLSCOPE").env_remove("POLLSCOPE_LISTEN");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What is left in a folder.
fn left_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

fn send(signal: &str, to: &Child) {
    let sent = Command::new("kill").args([signal, &to.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "our own child can be sent a signal");
}

#[test]
fn a_command_that_is_not_there_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = pollscope(folder.path(), &["check", "--", "no-such-program-anywhere"]).output();
    let ended = ended.expect("the check runs");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(told.contains("there is no program `no-such-program-anywhere`"), "{told}");
    assert_eq!(left_in(folder.path()), [""; 0]);
}

/// Until something was measured that can be judged.
fn wait_for_polls(folder: &Path, target: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = pollscope(folder, &["sites", "--from", target, "--format", "json"]).output();
        let page = page.expect("the page is asked for").stdout;
        let page: serde_json::Value = serde_json::from_slice(&page).unwrap_or_default();
        let rows = page["rows"].as_array().map_or(&[][..], Vec::as_slice);
        if rows.iter().any(|row| row["polls"].as_u64() > Some(0)) {
            return;
        }
        assert!(Instant::now() < deadline, "no poll within {PATIENCE:?}: {page}");
    }
}

/// A service under a check that any poll fails, ended by that signal to the check alone.
#[track_caller]
fn ends_by(signal: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("verdict.json");
    let service = env!("CARGO_BIN_EXE_pollscope");
    let mut check = pollscope(
        folder.path(),
        &["check", "--max-poll", "1ns", "--count-preempted", "--report", "verdict.json", "--format", "junit"],
    );
    check.args(["--", service, "demo", "--headless", "--fault", "blocking"]);
    let mut child = check.spawn().expect("the check runs");
    let mut says = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let said = says.find_map(|line| Some(line.ok()?.strip_prefix("listening on ")?.to_owned()));
    wait_for_polls(folder.path(), &said.expect("the service says where it listens"));
    send(signal, &child);
    let ended = child.wait_with_output().expect("our own child can be waited for");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("<testsuites") && told.contains("<failure "), "{told}");
    let text = fs::read_to_string(report).expect("the report was written");
    let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(read["verdict"], "findings", "{text}");
    let recording = read["findings"][0]["recording"].as_str().expect("a recording");
    assert!(Path::new(recording).is_file(), "what did not pass is kept: {recording}");
}

#[test]
fn an_interrupt_ends_the_command_and_what_it_recorded_is_judged() {
    ends_by("-INT");
}

#[test]
fn a_request_to_terminate_does_so_too() {
    ends_by("-TERM");
}
