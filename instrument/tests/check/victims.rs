//! Tests that fail on purpose, for `attribute.rs` to run in processes of their own.

use std::num::ParseIntError;
use std::time::Duration;

#[inline(never)]
fn read_config() {
    std::thread::sleep(Duration::from_millis(60));
}

#[ignore = "fails on purpose"]
#[pollscope::test(flavor = "multi_thread", worker_threads = 2, max_poll = "10ms", leaks = "deny")]
async fn blocks_and_leaks() {
    pollscope::task("handler").spawn(async { read_config() }).await.expect("returns");
    pollscope::task("left").spawn(tokio::time::sleep(Duration::from_secs(3_600)));
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[ignore = "fails on purpose"]
#[pollscope::test(max_poll = "10ms")]
async fn returns_an_error_and_blocks() -> Result<(), ParseIntError> {
    read_config();
    "seven".parse::<u8>().map(drop)
}

#[ignore = "fails on purpose"]
#[pollscope::test(max_poll = "10ms")]
async fn panics_and_blocks() {
    read_config();
    panic!("the test's own panic");
}

/// Where the answer comes from.
async fn answer() -> u32 {
    tokio::task::yield_now().await;
    41
}

#[ignore = "fails on purpose"]
#[pollscope::test(max_poll = "10ms")]
async fn asserts() {
    assert_eq!(answer().await, 42, "the test's own assertion");
}

#[ignore = "fails on purpose"]
#[pollscope::test(flavor = "multi_thread", max_poll = "10ms")]
async fn asserts_in_tasks() {
    let wrapped = pollscope::spawn(async { assert_eq!(answer().await, 42, "the test's own assertion") });
    let plain = tokio::spawn(async { assert_eq!(answer().await, 42, "the test's own assertion") });
    let caught =
        pollscope::spawn(async { std::panic::catch_unwind(|| panic!("the test's own panic")).is_err() });
    assert!(wrapped.await.is_err() & plain.await.is_err() & caught.await.expect("returns"));
    panic!("the test's own end");
}

#[ignore = "fails on purpose"]
#[pollscope::test(timeout = "200ms")]
async fn holds_its_thread() {
    let (_sender, receiver) = std::sync::mpsc::channel::<()>();
    while receiver.recv().is_err() {
        std::thread::park();
    }
}

#[ignore = "fails on purpose"]
#[pollscope::test]
async fn does_nothing() {}

/// As a test that is run again until it passes, or with other values each time.
#[ignore = "fails on purpose"]
#[test]
#[expect(clippy::print_stdout, reason = "a test's output, which its runner captures")]
fn fails_six_times() {
    for _ in 0..6 {
        let session = pollscope::check::Session::new("again").max_poll(Duration::from_millis(10));
        println!("{}", session.run(async { read_config() }).text());
    }
    panic!("the test's own panic");
}
