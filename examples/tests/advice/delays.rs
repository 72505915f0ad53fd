//! Tasks that wait for a worker. Their work is to sleep, so that it takes as long on a machine that is short of CPU.

use std::sync::Arc;
use std::thread::sleep;

use pollscope::check::{Flavor, Session};
use tokio::sync::Semaphore;

use crate::case::{ANYWHERE, Case, MS, session};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "many tasks with long polls",
        advice: "sched-delay/long-polls",
        remedies: &["spawn_blocking", "yield"],
        places: ANYWHERE,
        run: |_, remedy| one_worker("long polls").run(have_long_polls(remedy)),
    },
    Case {
        name: "many tasks with short polls",
        advice: "sched-delay/many-polls",
        remedies: &["before each spawn"],
        places: ANYWHERE,
        run: |_, remedy| one_worker("many polls").run(have_short_polls(400, remedy == "before each spawn")),
    },
    Case {
        name: "a delay without a long poll",
        advice: "max-sched-delay",
        remedies: &["more workers", "less load"],
        places: ANYWHERE,
        run: |_, remedy| {
            let tasks = if remedy == "less load" { 4 } else { 60 };
            let workers = if remedy == "more workers" { 16 } else { 1 };
            let session = session("delays").flavor(Flavor::MultiThread).worker_threads(workers);
            session.max_sched_delay(50 * MS).run(have_short_polls(tasks, false))
        },
    },
];

fn one_worker(name: &str) -> Session {
    session(name).flavor(Flavor::MultiThread).worker_threads(1)
}

/// Each of them works for 9 ms; eight of them at once, or with yields one.
async fn have_long_polls(remedy: &'static str) {
    let limit = Arc::new(Semaphore::new(if remedy == "yield" { 1 } else { 8 }));
    let mut tasks = Vec::new();
    for _ in 0..120 {
        let limit = Arc::clone(&limit);
        let works = async move {
            let _permit = limit.acquire().await;
            match remedy {
                "spawn_blocking" => pollscope::spawn_blocking(|| sleep(9 * MS)).await.expect("returns"),
                "yield" => {
                    for _ in 0..9 {
                        sleep(MS);
                        tokio::task::yield_now().await;
                    }
                }
                _ => sleep(9 * MS),
            }
        };
        tasks.push(pollscope::task("works").spawn(works));
    }
    for task in tasks {
        task.await.expect("returns");
    }
}

/// Each of them works for 2 ms.
async fn have_short_polls(tasks: usize, is_limited: bool) {
    let limit = Arc::new(Semaphore::new(if is_limited { 1 } else { tasks }));
    let mut spawned = Vec::new();
    for _ in 0..tasks {
        let permit = Arc::clone(&limit).acquire_owned().await;
        spawned.push(pollscope::task("works").spawn(async move {
            let _permit = permit;
            sleep(2 * MS);
        }));
    }
    for task in spawned {
        task.await.expect("returns");
    }
}
