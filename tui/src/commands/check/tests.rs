//! Recordings of made-up processes, judged as from the command line.

use std::path::{Path, PathBuf};

use clap::Parser;
use pollscope_model::measured::{Capability, Coverage, Metric};
use pollscope_model::testkit::Script;
use pollscope_model::time::MILLISECOND;
use pollscope_proto::recording::Writer;

use super::*;
use crate::commands::cli::{Cli, Command};

const MS: u64 = MILLISECOND;

/// A recording of one process: two quiet seconds with one poll of that length.
fn record(folder: &Path, name: &str, poll_ns: u64) -> PathBuf {
    let mut script = Script::new(name);
    let site = script.site("src/cart.rs:88:9");
    let task = script.spawn(site);
    let mut writer = Writer::new(Vec::new(), &script.hello()).expect("memory takes all");
    script.poll(task, 200, MS / 10);
    writer.report(&script.second()).expect("memory takes all");
    script.slow_poll(task, poll_ns, MS, 0);
    writer.report(&script.second()).expect("memory takes all");
    writer.goodbye("it ended").expect("memory takes all");
    let path = folder.join(format!("{name}.mcap"));
    std::fs::write(&path, writer.finish().expect("memory takes all")).expect("a file");
    path
}

fn checked(line: &[&str]) -> Result<u8, Failure> {
    let cli = Cli::try_parse_from(["pollscope", "check"].iter().chain(line)).expect("a command line");
    match cli.command {
        Some(Command::Check(args)) => judge(&args),
        other => panic!("no check: {other:?}"),
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[test]
fn a_verdict_names_the_processes_of_which_only_wrapped_tasks_are_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, coverage) in [("shop", Coverage::NoTask), ("whole", Coverage::All)] {
        let mut hello = Script::new(name).hello();
        hello.capabilities.retain(|capability| capability.metric != Metric::LibraryTasks);
        hello.capabilities.push(Capability { metric: Metric::LibraryTasks, coverage, reason: String::new() });
        let mut script = Script::of(hello);
        let site = script.site("src/main.rs:8:9");
        let task = script.spawn(site);
        let mut writer = Writer::new(Vec::new(), &script.hello()).expect("memory takes all");
        script.poll(task, 200, MS / 10);
        writer.report(&script.second()).expect("memory takes all");
        writer.goodbye("it ended").expect("memory takes all");
        let bytes = writer.finish().expect("memory takes all");
        std::fs::write(folder.path().join(format!("{name}.mcap")), bytes).expect("a file");
    }
    let [text, json] = ["verdict.txt", "verdict.json"].map(|name| folder.path().join(name));
    let reports = [format!("text={}", path(&text)), format!("json={}", path(&json))];
    let line = [path(folder.path()), "--report", &reports[0], "--report", &reports[1]];
    assert_eq!(checked(&line).expect("a verdict"), 0);
    let text = std::fs::read_to_string(text).expect("the report was written");
    let scope = text.lines().nth(1).expect("a second line");
    assert!(
        text.starts_with("CLEAN") && scope.contains("scope") && scope.contains("Of shop#1 only"),
        "{text}"
    );
    assert!(!scope.contains("whole#1"), "{text}");
    let read = std::fs::read_to_string(json).expect("the report was written");
    let read: serde_json::Value = serde_json::from_str(&read).expect("JSON");
    for process in read["processes"].as_array().expect("processes") {
        assert_eq!(process["wrapped_only"], process["name"] == "shop#1", "{process}");
    }
}

#[test]
fn files_and_folders_are_judged_together_and_the_code_says_what_came_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let quick = record(folder.path(), "quick", 2 * MS);
    let slow = record(folder.path(), "slow", 50 * MS);
    let report = folder.path().join("out/verdict.json");
    assert_eq!(checked(&[path(&quick), "--max-poll", "10ms"]).expect("a verdict"), 0);
    assert_eq!(checked(&[path(&slow), "--max-poll", "60ms"]).expect("a verdict"), 0);
    let reports = format!("json={}", path(&report));
    let code = checked(&[path(folder.path()), "--max-poll", "10ms", "--report", &reports]);
    assert_eq!(code.expect("a verdict"), 1);
    let text = std::fs::read_to_string(&report).expect("the report was written");
    let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(read["source"]["processes"], 2);
    assert_eq!(read["findings"][0]["process"], "slow#1");
    assert_eq!(read["findings"][0]["recording"], path(&slow));
    assert_eq!(read["findings"][0]["polls"]["count"], 201);
    let warned = checked(&[path(&slow), "--max-poll", "10ms", "--warn", "blocking-poll"]);
    assert_eq!(warned.expect("a verdict"), 0);
}

#[test]
fn a_cut_recording_is_judged_up_to_its_last_whole_chunk_and_nothing_is_no_data() {
    let folder = tempfile::tempdir().expect("a folder");
    let slow = record(folder.path(), "slow", 50 * MS);
    let bytes = std::fs::read(&slow).expect("the file");
    std::fs::write(&slow, &bytes[..bytes.len() - 30]).expect("a file");
    let report = folder.path().join("verdict.txt");
    let code = checked(&[path(&slow), "--max-poll", "10ms", "--report", path(&report)]);
    assert_eq!(code.expect("a verdict"), 1);
    let text = std::fs::read_to_string(&report).expect("the report was written");
    assert!(text.contains("it was not finished"), "{text}");

    let empty = tempfile::tempdir().expect("a folder");
    assert_eq!(checked(&[path(empty.path())]).expect_err("nothing is there").exit_code(), 4);
    let other = folder.path().join("other.mcap");
    std::fs::write(&other, "no recording").expect("a file");
    assert_eq!(checked(&[path(&other)]).expect_err("not ours").exit_code(), 2);
    assert_eq!(checked(&["/nowhere/x.mcap"]).expect_err("not there").exit_code(), 2);
}

#[test]
fn the_policy_of_a_file_and_its_profile_decide_and_the_arguments_after_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let slow = record(folder.path(), "slow", 50 * MS);
    let policy = folder.path().join("strict.toml");
    let text = "[check]\nmax_poll = \"10ms\"\n[[profile.lax.expect]]\ndetector = \"blocking-poll\"\n\
                site = \"src/cart.rs\"\nreason = \"known\"\n";
    std::fs::write(&policy, text).expect("a file");
    let with = |more: &[&str]| {
        let mut line = vec![path(&slow), "--policy", path(&policy)];
        line.extend(more);
        checked(&line)
    };
    assert_eq!(with(&[]).expect("a verdict"), 1);
    assert_eq!(with(&["--profile", "lax"]).expect("a verdict"), 0);
    assert_eq!(with(&["--max-poll", "80ms"]).expect("a verdict"), 0);
    let unknown = with(&["--profile", "lux"]).expect_err("no such profile");
    assert!(unknown.to_string().ends_with("there is no profile `lux`; did you mean `lax`?"), "{unknown}");
    std::fs::write(&policy, "[check]\nmax_pol = \"1ms\"\n").expect("a file");
    let wrong = with(&[]).expect_err("a mistake");
    assert!(wrong.to_string().contains("strict.toml: line 2, column 1: unknown key"), "{wrong}");
    assert_eq!(wrong.exit_code(), 2);
}

#[test]
fn a_command_has_its_own_code_and_one_that_records_nothing_is_no_data() {
    assert_eq!(checked(&["--", "true"]).expect("a verdict"), 4);
    assert_eq!(checked(&["--", "sh", "-c", "exit 7"]).expect("a verdict"), 7);
    assert_eq!(checked(&["--", "sh", "-c", "kill -9 $$"]).expect("a verdict"), 137);
    let none = checked(&["--", "no-such-program-anywhere"]).expect_err("it is not there");
    assert!(none.to_string().contains("there is no program `no-such-program-anywhere`"), "{none}");
}

#[test]
fn what_a_command_records_is_judged_and_kept_where_it_was_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let slow = record(folder.path(), "slow", 50 * MS);
    let keep = folder.path().join("kept");
    let copy = format!("test -n \"$POLLSCOPE_SLOW_POLL\" && cp {} \"$POLLSCOPE_RECORD\"/", path(&slow));
    let line = ["--max-poll", "10ms", "--keep", path(&keep), "--", "sh", "-c", &copy];
    assert_eq!(checked(&line).expect("a verdict"), 1);
    assert!(keep.join("slow.mcap").is_file());
    let before = ["--max-poll", "10ms", "--keep", path(&keep), "--", "true"];
    assert_eq!(checked(&before).expect("a verdict"), 4, "what was there before is not this run's");
}
