//! What a session that fails leaves behind, where a recording is wanted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pollscope_model::monitor::Monitor;
use pollscope_model::query::flag::FindingSource as _;
use pollscope_model::world::WorldLimits;
use pollscope_proto::feed::Message;
use pollscope_proto::recording::{Ending, Recording};

use crate::RUNS;
use crate::attribute::{is_in_doubt, line_of, run, run_once};

/// Runs a victim; its code, what it said, and the recordings that are there then. Once more if the machine left its
/// verdict in doubt, without what that run left.
fn record(victim: &str, to: &Path) -> (Option<i32>, String, BTreeSet<PathBuf>) {
    let before = files(to);
    let mut ran = record_once(victim, to);
    for _ in 1..RUNS {
        if !is_in_doubt(&ran.1) {
            break;
        }
        for path in ran.2.difference(&before) {
            std::fs::remove_file(path).expect("it is there");
        }
        ran = record_once(victim, to);
    }
    ran
}

fn record_once(victim: &str, to: &Path) -> (Option<i32>, String, BTreeSet<PathBuf>) {
    let (output, text) = run_once(victim, |command| {
        command.env("POLLSCOPE_RECORD", to);
    });
    (output.status.code(), text, files(to))
}

fn files(to: &Path) -> BTreeSet<PathBuf> {
    let folder = if to.extension().is_some() { to.parent().expect("a folder") } else { to };
    let files = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    files.collect()
}

/// What the failure says to open.
fn named(text: &str) -> PathBuf {
    let line = text.lines().find_map(|line| line.strip_prefix("  open      pollscope open "));
    PathBuf::from(line.unwrap_or_else(|| panic!("nothing to open in:\n{text}")))
}

/// All of a recording, and how it ends.
fn folded(path: &Path) -> (Monitor, Ending) {
    let mut recording = Recording::open(path).expect("a recording");
    let (mut monitor, mut now) = (Monitor::new(WorldLimits::default()), 0);
    for entry in recording.messages() {
        now = entry.unix_ns;
        match entry.message {
            Message::Hello(hello) => drop(monitor.connect(*hello, now).expect("room for one")),
            Message::Report(report) => {
                monitor.apply(*report, now);
                monitor.tick(now);
            }
            Message::Goodbye { .. } => {}
        }
    }
    monitor.finish(now);
    (monitor, recording.ending())
}

#[test]
fn a_session_that_fails_leaves_its_recording_and_names_it_last() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("my runs");
    let (code, text, files) = record("blocks_and_leaks", &to);
    assert_eq!((code, files.len()), (Some(101), 1), "{text}");
    let path = files.first().expect("one");
    let last = format!("  open      pollscope open '{}'", path.display());
    assert_eq!(text.matches("pollscope open").count(), 1, "{text}");
    let after = text.lines().skip_while(|line| *line != last).nth(1);
    assert!(after.is_some_and(|line| line.is_empty() || line.starts_with("note:")), "{text}");
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(name.starts_with("check__victims__blocks_and_leaks-"), "{name}");

    let (monitor, ending) = folded(path);
    assert_eq!(ending, Ending::Finished);
    let reports = Recording::open(path).expect("a recording").messages().count() - 2;
    assert!(reports > 1, "{reports} steps for a replay of half a second");
    let process = monitor.world().processes().next().expect("the session");
    assert_eq!(process.hello().process.name, "check::victims::blocks_and_leaks");
    let site = format!("victims.rs:{}:", line_of("task(\"handler\")"));
    let findings = monitor.engine().findings(process.boot());
    let found = findings.iter().find(|finding| &*finding.detector == "blocking-poll");
    assert!(found.is_some_and(|finding| finding.site.contains(&site)), "{findings:?}");
    let left: Vec<_> =
        process.tasks().map(|task| task.record()).filter(|task| !task.state.is_ended()).collect();
    assert!(left.iter().any(|task| &*process.dictionary().name(task.name) == "left"), "{left:?}");
}

#[test]
fn one_that_passes_leaves_nothing_and_one_that_fails_again_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("runs");
    let (code, text, files) = record("does_nothing", &to);
    assert_eq!((code, files.len()), (Some(0), 0), "{text}");
    for run in 1..3 {
        let (_, text, files) = record("returns_an_error_and_blocks", &to);
        assert_eq!(files.len(), run);
        assert!(files.contains(&named(&text)), "{text}");
    }
    let (output, text) = run("returns_an_error_and_blocks", |_| ());
    assert_eq!(output.status.code(), Some(101));
    assert!(!text.contains("pollscope open"), "{text}");
}

#[test]
fn what_panics_and_what_hangs_leaves_one_too() {
    let folder = tempfile::tempdir().expect("a folder");
    for (victim, seen) in [("panics_and_blocks", 1), ("holds_its_thread", 2)] {
        let (code, text, files) = record(victim, folder.path());
        assert_eq!((code, files.len()), (Some(101), seen), "{text}");
        let (monitor, ending) = folded(&named(&text));
        assert_eq!(ending, Ending::Finished);
        let process = monitor.world().processes().next().expect("the session");
        assert!(process.tasks().next().is_some());
        assert_eq!(process.stalls().is_empty(), victim != "holds_its_thread", "the poll that hangs is open");
    }
}

#[test]
fn of_one_test_the_newest_four_stay_beside_a_file_that_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, text, files) = record("fails_six_times", &folder.path().join("ci.mcap"));
    let named: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("  open      pollscope open "))
        .map(PathBuf::from)
        .collect();
    assert_eq!(named.iter().collect::<BTreeSet<_>>().len(), 6, "{text}");
    assert_eq!(files, named[2..].iter().cloned().collect());
    let prefix = folder.path().join("ci-again-").display().to_string();
    assert!(files.iter().all(|path| path.display().to_string().starts_with(&prefix)), "{files:?}");
}

#[test]
fn what_cannot_be_written_is_said_and_decides_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").expect("written");
    for to in [file.clone(), file.join("below")] {
        let (output, text) = run("blocks_and_leaks", |command| {
            command.env("POLLSCOPE_RECORD", &to);
        });
        assert_eq!(output.status.code(), Some(101));
        for part in ["fails on 2 findings", &format!("  record    cannot record to {}: ", to.display())] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
        assert!(!text.contains("pollscope open"), "{text}");
        assert_eq!(record("does_nothing", &to).0, Some(0));
    }
    let (output, text) = run("blocks_and_leaks", |command| {
        command.env("POLLSCOPE_RECORD", "run\n.mcap");
    });
    assert_eq!(output.status.code(), Some(101));
    assert!(text.contains("is ignored: the path has control characters"), "{text}");
}
