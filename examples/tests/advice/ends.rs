//! Tasks that outlive their test, that fail unseen, that are large or of uneven speed.

use std::future::pending;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use pollscope::JoinSet;
use pollscope::check::{Judged, Level};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::case::{ANYWHERE, Case, FAULT, MS, Place, session, unknown};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a task that is left",
        advice: "task-leak/test",
        remedies: &["await", "abort", "a JoinSet", "a token", "long_lived"],
        places: ANYWHERE,
        run: |_, remedy| session("leaves a task").run(leaves_a_task(remedy)),
    },
    Case {
        name: "a job that is left",
        advice: "task-leak/test-jobs",
        remedies: &["a flag", "a channel", "a time-out"],
        places: ANYWHERE,
        run: |_, remedy| session("leaves a job").run(leaves_a_job(remedy)),
    },
    Case {
        name: "a large future",
        advice: "large-future",
        remedies: &["Vec, Box", "Box::pin"],
        places: ANYWHERE,
        run: |_, remedy| session("is large").run(is_large(remedy)),
    },
    Case {
        name: "a panic that is swallowed",
        advice: "swallowed-panic",
        remedies: &["JoinError::is_panic", "a JoinSet"],
        places: ANYWHERE,
        run: |_, remedy| session("panics").run(panics(remedy)),
    },
    Case {
        name: "a detached task that fails",
        advice: "detached-failure",
        remedies: &["a JoinSet", "catch the failure"],
        places: ANYWHERE,
        run: |_, remedy| session("is detached").run(is_detached(remedy)),
    },
    Case {
        name: "one look-up in twenty",
        advice: "tail-latency",
        remedies: &["time-out", "concurrency limit", "as fast as the other"],
        places: ANYWHERE,
        run: looks_up,
    },
];

async fn leaves_a_task(remedy: &'static str) {
    let (closed, token) = (Arc::new(Notify::new()), CancellationToken::new());
    let (watcher, cancelled) = (Arc::clone(&closed), token.clone());
    let watch = async move {
        tokio::select! {
            () = watcher.notified() => {}
            () = cancelled.cancelled() => {}
        }
    };
    let task = pollscope::task("watcher");
    if remedy == "a JoinSet" {
        let mut tasks = JoinSet::new();
        tasks.spawn(watch);
        tokio::time::sleep(MS).await;
        return;
    }
    let task = if remedy == "long_lived" { task.long_lived() } else { task };
    let handle = task.spawn(watch);
    tokio::time::sleep(MS).await;
    match remedy {
        FAULT | "long_lived" => {}
        "await" => {
            closed.notify_one();
            handle.await.expect("returns");
        }
        "abort" => handle.abort(),
        "a token" => token.cancel(),
        other => unknown(other),
    }
}

async fn leaves_a_job(remedy: &'static str) {
    let long = Duration::from_secs(3);
    let (sender, receiver) = mpsc::channel::<()>();
    let is_over = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&is_over);
    let job = move || match remedy {
        "a flag" => {
            while !ends.load(Ordering::SeqCst) {
                std::thread::sleep(MS);
            }
        }
        "a time-out" => _ = receiver.recv_timeout(20 * MS),
        _ => _ = receiver.recv_timeout(long),
    };
    let job = pollscope::spawn_blocking(job);
    tokio::time::sleep(MS).await;
    match remedy {
        FAULT => {
            // Does not reach it.
            job.abort();
            std::mem::forget(sender);
        }
        "a flag" => is_over.store(true, Ordering::SeqCst),
        "a channel" => {
            drop(sender);
            job.await.expect("returns");
        }
        "a time-out" => job.await.expect("returns"),
        other => unknown(other),
    }
}

#[expect(clippy::large_stack_arrays, reason = "the fault")]
async fn large() -> u8 {
    let buffer = [7_u8; 20_000];
    tokio::task::yield_now().await;
    buffer[buffer.len() - 1]
}

async fn is_large(remedy: &'static str) {
    let task = pollscope::task("large");
    let task = match remedy {
        FAULT => task.spawn(large()),
        "Vec, Box" => task.spawn(async {
            let buffer = vec![7_u8; 20_000];
            tokio::task::yield_now().await;
            buffer[buffer.len() - 1]
        }),
        "Box::pin" => task.spawn(async { Box::pin(large()).await }),
        other => unknown(other),
    };
    assert_eq!(task.await.expect("returns"), 7);
}

/// As a panic does, but without its message.
fn fail() {
    resume_unwind(Box::new("an input is a number"));
}

async fn panics(remedy: &'static str) {
    match remedy {
        FAULT => drop(pollscope::task("import").spawn(async { fail() })),
        "JoinError::is_panic" => {
            let import = pollscope::task("import").spawn(async { fail() });
            assert!(import.await.expect_err("it panics").is_panic());
        }
        "a JoinSet" => drained().await,
        other => unknown(other),
    }
}

async fn drained() {
    let mut imports = JoinSet::new();
    imports.spawn(async { fail() });
    while let Some(ended) = imports.join_next().await {
        assert!(ended.expect_err("it panics").is_panic());
    }
}

async fn is_detached(remedy: &'static str) {
    match remedy {
        FAULT => {
            let (begin, told) = tokio::sync::oneshot::channel();
            let import = async {
                told.await.expect("it is told");
                fail();
            };
            drop(pollscope::task("import").spawn(import));
            begin.send(()).expect("it waits");
        }
        "a JoinSet" => drained().await,
        "catch the failure" => {
            let import = async { assert!(std::panic::catch_unwind(fail).is_err()) };
            drop(pollscope::task("import").spawn(import));
        }
        other => unknown(other),
    }
}

/// A service that is slow for those beyond the first 280 that ask at once.
fn looks_up(_: Place, remedy: &'static str) -> Judged<()> {
    session("looks up").deny("tail-latency").leaks(Level::Deny).run(async move {
        let at_once = Arc::new(AtomicU32::new(0));
        let limit = Arc::new(Semaphore::new(if remedy == "concurrency limit" { 50 } else { 300 }));
        let mut lookups = Vec::new();
        for _ in 0..300 {
            let permit = Arc::clone(&limit).acquire_owned().await.expect("it is open");
            let at_once = Arc::clone(&at_once);
            let lookup = async move {
                let is_slow =
                    at_once.fetch_add(1, Ordering::SeqCst) >= 280 && remedy != "as fast as the other";
                let answer = async {
                    tokio::time::sleep(2 * MS).await;
                    if is_slow {
                        pending::<()>().await;
                    }
                };
                let longest = if remedy == "time-out" { 12 * MS } else { 400 * MS };
                _ = tokio::time::timeout(longest, answer).await;
                at_once.fetch_sub(1, Ordering::SeqCst);
                drop(permit);
            };
            lookups.push(pollscope::task("lookup").spawn(lookup));
        }
        for lookup in lookups {
            lookup.await.expect("returns");
        }
    })
}
