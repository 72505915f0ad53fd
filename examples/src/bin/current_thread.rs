//! One thread for everything: what blocks in the body of `main`, or in a `!Send` task, holds all the rest.
//!
//! `main` runs on a current-thread runtime. Its body reads a slow file now and then, and so does a session of its
//! `LocalSet`. Both wait for the disk without `.await`, and the heartbeat, which does nothing wrong, stops meanwhile.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin current_thread
//! cargo run -- attach current_thread    # in another terminal
//! ```
//!
//! You will see, in **Findings**, `blocking-poll` at `main` with the line of `reload`, and at the `session` with the line
//! of `look_up`; none at `heartbeat`. The same fails a build:
//!
//! ```sh
//! cargo run -- check --max-poll 100ms -- target/debug/current_thread 3
//! ```
//!
//! The way out: `tokio::fs`, or `pollscope::spawn_blocking`, and `.await`.

use std::time::Duration;

use tokio::task::LocalSet;

#[pollscope::main(flavor = "current_thread")]
async fn main() {
    let local = LocalSet::new();
    let sessions = local.run_until(async {
        pollscope::task("heartbeat").spawn(heartbeat());
        pollscope::task("session").spawn_local(session());
        loop {
            tokio::time::sleep(Duration::from_millis(350)).await;
            reload();
        }
    });
    tokio::select! {
        () = sessions => {}
        () = pollscope_examples::until_stopped() => {}
    }
}

/// Runs in the body of `main`.
#[inline(never)]
fn reload() {
    std::thread::sleep(Duration::from_millis(150));
}

async fn session() {
    loop {
        tokio::time::sleep(Duration::from_millis(400)).await;
        look_up();
    }
}

/// Runs in a task of the `LocalSet`.
#[inline(never)]
fn look_up() {
    std::thread::sleep(Duration::from_millis(150));
}

/// Holds the thread for microseconds.
async fn heartbeat() {
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
