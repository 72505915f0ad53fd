//! `#[pollscope::main]` in place of `#[tokio::main]`, with tokio's arguments.
#![cfg(feature = "macros")]

use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

#[pollscope::main(flavor = "current_thread", start_paused = true, name = "paused")]
async fn paused(hours: u64) -> u64 {
    // Tokio's clock is paused, so this takes no time.
    tokio::time::sleep(Duration::from_secs(3_600 * hours)).await;
    assert_eq!(Handle::current().name(), Some("paused"));
    pollscope::spawn(async move { hours + 1 }).await.expect("the task returns")
}

#[pollscope::main(worker_threads = 2)]
async fn threaded() -> Result<usize, std::num::ParseIntError> {
    let parsed: usize = "3".parse()?;
    assert_eq!(Handle::current().runtime_flavor(), RuntimeFlavor::MultiThread);
    Ok(parsed + Handle::current().metrics().num_workers())
}

#[pollscope::main(crate = "tokio", flavor = "current_thread")]
async fn failing() -> Result<(), std::num::ParseIntError> {
    "x".parse::<u8>()?;
    Ok(())
}

/// A crate that exports pollscope under another name.
mod house {
    pub(crate) use pollscope as scope;
}

#[house::scope::main(pollscope = "crate::house::scope", flavor = "current_thread")]
async fn renamed() -> usize {
    house::scope::spawn(async { 5 }).await.expect("the task returns")
}

#[pollscope::main]
async fn plain() {
    tokio::task::yield_now().await;
}

/// Runs the test in a process of its own, so that its sockets are in a folder of its own.
#[expect(clippy::disallowed_methods, reason = "how the child knows what it is")]
fn in_own_folder(test: &str) -> bool {
    if std::env::var_os("MAIN_ATTRIBUTE_ALONE").is_some() {
        return true;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = std::process::Command::new(std::env::current_exe().expect("the test binary"));
    command.args([test, "--exact"]).env("MAIN_ATTRIBUTE_ALONE", "1").env("XDG_RUNTIME_DIR", folder.path());
    assert!(command.status().expect("the test binary starts").success(), "{test} failed in its own process");
    false
}

#[test]
fn the_body_runs_in_the_runtime_that_was_asked_for() {
    if !in_own_folder("the_body_runs_in_the_runtime_that_was_asked_for") {
        return;
    }
    assert_eq!(paused(2), 3);
    assert_eq!(threaded(), Ok(5));
    assert!(failing().is_err());
    assert_eq!(renamed(), 5);
    plain();
}
