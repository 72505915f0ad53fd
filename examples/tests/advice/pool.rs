//! A blocking pool of two threads whose jobs wait for each other.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use pollscope::check::{Flavor, Judged};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::case::{ANYWHERE, Case, FAULT, MS, Place, session, unknown};

/// Longer than the rule waits. A service would stand still for ever.
const LONG: Duration = Duration::from_millis(1_500);

pub(crate) const CASES: &[Case] = &[Case {
    name: "jobs that wait for jobs",
    advice: "blocking-pool-exhausted",
    remedies: &[
        "Await such jobs in a task",
        "call the inner function",
        "std::thread::spawn",
        "a Semaphore's permit",
    ],
    places: ANYWHERE,
    run: waits_for_jobs,
}];

fn inner() {
    sleep(MS);
}

/// A job that waits for another one.
fn outer() {
    let handle = Handle::current();
    let waits = async { tokio::time::timeout(LONG, pollscope::spawn_blocking(inner)).await };
    // Its time is up, or the inner job has returned.
    drop(handle.block_on(waits));
}

fn waits_for_jobs(_: Place, remedy: &'static str) -> Judged<()> {
    let session = session("waits for jobs").flavor(Flavor::MultiThread).worker_threads(1);
    let session = session.configure(|builder| _ = builder.max_blocking_threads(2));
    session.run(async move {
        let permits = Arc::new(Semaphore::new(1));
        let mut tasks = Vec::new();
        for _ in 0..2 {
            let permits = Arc::clone(&permits);
            tasks.push(pollscope::task("caller").spawn(async move {
                match remedy {
                    FAULT => pollscope::spawn_blocking(outer).await.expect("returns"),
                    "Await such jobs in a task" => {
                        pollscope::spawn_blocking(|| sleep(MS)).await.expect("returns");
                        pollscope::spawn_blocking(inner).await.expect("returns");
                    }
                    "call the inner function" => pollscope::spawn_blocking(inner).await.expect("returns"),
                    "std::thread::spawn" => {
                        let (tell, told) = tokio::sync::oneshot::channel();
                        let handle = Handle::current();
                        std::thread::spawn(move || {
                            let _runtime = handle.enter();
                            outer();
                            tell.send(())
                        });
                        told.await.expect("returns");
                    }
                    "a Semaphore's permit" => {
                        let _permit = permits.acquire().await;
                        pollscope::spawn_blocking(outer).await.expect("returns");
                    }
                    other => unknown(other),
                }
            }));
        }
        for task in tasks {
            task.await.expect("returns");
        }
    })
}
