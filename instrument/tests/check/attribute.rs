//! `#[pollscope::test]`: what passes, and what libtest prints of what does not.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::RUNS;

#[pollscope::test]
async fn a_test_has_one_thread_as_with_tokio() {
    assert_eq!(Handle::current().runtime_flavor(), RuntimeFlavor::CurrentThread);
    let not_send = std::rc::Rc::new(1);
    tokio::task::yield_now().await;
    assert_eq!(*not_send, 1);
}

#[pollscope::test(flavor = "multi_thread", worker_threads = 2, name = "threaded", crate = "tokio")]
async fn a_test_has_the_workers_that_it_asks_for() {
    let runtime = Handle::current();
    assert_eq!((runtime.runtime_flavor(), runtime.metrics().num_workers()), (RuntimeFlavor::MultiThread, 2));
    assert_eq!(runtime.name(), Some("threaded"));
    tokio::task::block_in_place(|| ());
}

#[pollscope::test(start_paused = true, max_poll = "1h", leaks = "deny", deny = ["large-future", "task-leak"])]
async fn a_paused_day_takes_no_time() {
    tokio::time::sleep(Duration::from_secs(86_400)).await;
}

use pollscope as renamed;

#[renamed::test(pollscope = "renamed", leaks = "deny")]
async fn a_test_finds_pollscope_under_another_name() {
    renamed::spawn(async {}).await.expect("returns");
}

#[pollscope::test(flavor = "local")]
async fn a_local_runtime_spawns_locally() {
    let here = std::rc::Rc::new(3);
    let there = tokio::task::spawn_local(async move { *here });
    assert_eq!(there.await.expect("returns"), 3);
}

#[pollscope::test(allow = "task-leak, forgotten-task", profile = "")]
async fn a_test_may_return_a_result() -> Result<(), std::num::ParseIntError> {
    "7".parse::<u8>().map(drop)
}

#[should_panic(expected = "the test's own panic")]
#[pollscope::test]
async fn a_panic_is_the_tests_own() {
    panic!("the test's own panic");
}

#[should_panic(expected = "blocking-poll")]
#[pollscope::test(max_poll = "5ms")]
async fn a_failure_can_be_expected() {
    // Not once: the first poll touches new memory, and a busy machine may leave that one in doubt.
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(30));
        tokio::task::yield_now().await;
    }
}

/// Runs a test of `victims.rs` as cargo would; again if the machine left a poll in doubt.
pub(crate) fn run(victim: &str, change: impl Fn(&mut Command)) -> (Output, String) {
    let mut ran = run_once(victim, &change);
    for _ in 1..RUNS {
        if !is_in_doubt(&ran.1) {
            break;
        }
        ran = run_once(victim, &change);
    }
    ran
}

/// Whether a verdict stayed in doubt, by what the test said.
pub(crate) fn is_in_doubt(text: &str) -> bool {
    text.contains("\n  undecided ")
}

pub(crate) fn run_once(victim: &str, change: impl Fn(&mut Command)) -> (Output, String) {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.args(["--ignored", "--exact", &format!("victims::{victim}")]);
    command.env_remove("POLLSCOPE").env_remove("POLLSCOPE_RECORD").env("RUST_BACKTRACE", "0");
    change(&mut command);
    let output = command.output().expect("runs");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, text)
}

#[track_caller]
fn fails_with(victim: &str, parts: &[&str]) -> String {
    let (output, text) = run(victim, |_| ());
    assert_eq!(output.status.code(), Some(101), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    text
}

pub(crate) fn line_of(part: &str) -> usize {
    include_str!("victims.rs").lines().position(|line| line.contains(part)).expect("a line") + 1
}

#[test]
fn libtest_shows_what_where_and_what_to_do() {
    let text = fails_with(
        "blocks_and_leaks",
        &[
            "pollscope: check::victims::blocks_and_leaks fails on 2 findings",
            // How long is the machine's business, too: what it waited for a CPU is off.
            "deny: blocking-poll: ",
            "ms in one poll, blocked (limit 10ms)",
            "`handler`",
            &format!("victims.rs:{}", line_of("task(\"handler\")")),
            "deny: task-leak: 1 task still alive at the end of the test",
            "`left`",
            &format!("victims.rs:{}", line_of("task(\"left\")")),
            "pollscope explain blocking-poll",
        ],
    );
    // The failure points at the test, once.
    let place = format!("victims.rs:{}:", line_of("async fn blocks_and_leaks"));
    assert!(text.contains(&format!("panicked at instrument/tests/check/{place}")), "{text}");
    assert_eq!(text.matches("fails on 2 findings").count(), 1, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 200), "{text}");
    if cfg!(all(target_os = "linux", feature = "backtrace")) {
        // On a busy machine a poll may be over before it is looked at.
        let begin = Instant::now();
        let mut seen = text;
        while !seen.contains("read_config") && begin.elapsed() < Duration::from_secs(300) {
            seen = run("blocks_and_leaks", |_| ()).1;
        }
        assert!(seen.contains("read_config"), "{seen}");
    }
}

#[test]
fn an_error_of_the_body_is_told_before_what_was_found() {
    let text = fails_with("returns_an_error_and_blocks", &["InvalidDigit", "blocking-poll"]);
    assert!(text.find("InvalidDigit") < text.find("deny: blocking-poll"), "{text}");
}

#[test]
fn what_was_found_is_printed_beside_a_panic() {
    fails_with("panics_and_blocks", &["the test's own panic", "panicked; found beside it", "blocking-poll"]);
}

#[test]
fn a_panic_with_its_backtrace_is_no_poll_of_the_users() {
    for (victim, says) in
        [("asserts", "the test's own assertion"), ("asserts_in_tasks", "the test's own end")]
    {
        let (output, text) = run_once(victim, |command| {
            command.env("RUST_BACKTRACE", "full");
        });
        assert_eq!(output.status.code(), Some(101), "{text}");
        assert!(text.contains(says) && text.contains("stack backtrace:"), "{text}");
        assert!(!text.contains("deny: blocking-poll"), "{text}");
    }
}

#[test]
fn a_body_that_holds_its_thread_ends_the_process() {
    let parts =
        ["holds_its_thread timed out after 200ms", "`test`: running for", "inside a poll", "cannot be ended"];
    fails_with("holds_its_thread", &parts);
}

#[test]
fn what_is_not_armed_does_not_pass() {
    let (output, text) = run("does_nothing", |_| ());
    assert!(output.status.success(), "{text}");
    let (output, text) = run("does_nothing", |command| {
        command.env("POLLSCOPE", "off");
    });
    assert_eq!(output.status.code(), Some(101), "{text}");
    assert!(text.contains("is not armed: POLLSCOPE=off switches pollscope off; unset it"), "{text}");
}

#[test]
fn a_policy_that_cannot_be_read_fails_and_names_the_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pollscope.toml");
    std::fs::write(&path, "[detectors.task-leek]\nlevel = \"deny\"\n").expect("written");
    let (output, text) = run("does_nothing", |command| {
        command.env("POLLSCOPE_POLICY", &path);
    });
    assert_eq!(output.status.code(), Some(101), "{text}");
    for part in ["pollscope.toml: line 1, column", "did you mean `task-leak`?"] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}
