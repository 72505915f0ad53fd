//! `#[pollscope::main]` in place of `#[tokio::main]`, with tokio's arguments.
#![cfg(all(feature = "macros", not(loom)))]

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

#[pollscope::main]
async fn plain() {
    tokio::task::yield_now().await;
}

#[test]
fn the_body_runs_in_the_runtime_that_was_asked_for() {
    assert_eq!(paused(2), 3);
    assert_eq!(threaded(), Ok(5));
    assert!(failing().is_err());
    plain();
}
