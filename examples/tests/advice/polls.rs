//! Polls that take too long, and what allows them.

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::sleep;
use std::time::Duration;

use pollscope::allow_blocking;
use pollscope::check::Judged;
use tokio::io::AsyncReadExt as _;
use tokio::sync::oneshot;

use crate::case::compute;
use crate::case::{ANYWHERE, Case, EVERYWHERE, FAULT, MS, Place, session, unknown};

const LIMIT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_millis(60);
const BLOCKED: &str = "blocking-poll/blocked";
const WAYS: &[&str] = &["tokio's counterpart", "spawn_blocking"];
const WHY: &str = "reads its configuration once";

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "computes",
        advice: "blocking-poll/busy",
        remedies: &["spawn_blocking", "thread pool", "yield_now"],
        places: EVERYWHERE,
        run: |place, remedy| limited(place, "computes", computes(remedy)),
    },
    Case {
        name: "sleeps",
        advice: BLOCKED,
        remedies: WAYS,
        places: EVERYWHERE,
        run: |place, remedy| limited(place, "sleeps", sleeps(remedy)),
    },
    Case {
        name: "locks",
        advice: BLOCKED,
        remedies: WAYS,
        places: EVERYWHERE,
        run: |place, remedy| limited(place, "locks", locks(remedy)),
    },
    Case {
        name: "reads a socket",
        advice: BLOCKED,
        remedies: WAYS,
        places: EVERYWHERE,
        run: |place, remedy| limited(place, "reads a socket", reads_a_socket(remedy)),
    },
    Case {
        name: "reads a file",
        advice: BLOCKED,
        remedies: WAYS,
        places: EVERYWHERE,
        run: |place, remedy| limited(place, "reads a file", reads_a_file(remedy)),
    },
    Case {
        name: "drops",
        advice: BLOCKED,
        remedies: &["in a Drop"],
        places: &[Place::Workers, Place::OneThread],
        run: |place, remedy| limited(place, "drops", drops(remedy)),
    },
    Case {
        name: "is allowed",
        advice: "max-poll/allowed",
        remedies: &["await it", "spawn_blocking"],
        places: EVERYWHERE,
        run: |place, remedy| limited(place, "is allowed", is_allowed(remedy)),
    },
    Case {
        name: "is allowed for nothing",
        advice: "unused-expectation/allowance",
        remedies: &["Take the call out"],
        places: ANYWHERE,
        run: |place, remedy| {
            place.run(session("unused").max_poll(Duration::from_secs(3_600)), async move { is_fast(remedy) })
        },
    },
    Case {
        name: "is expected and does not happen",
        advice: "unused-expectation",
        remedies: &["Remove it", "correct its site", "comes by there"],
        places: ANYWHERE,
        run: is_expected,
    },
];

fn limited(place: Place, name: &str, task: impl Future<Output = ()> + Send + 'static) -> Judged<()> {
    place.run(session(name).max_poll(LIMIT), task)
}

async fn in_the_pool(job: impl FnOnce() + Send + 'static) {
    pollscope::spawn_blocking(job).await.expect("returns");
}

async fn computes(remedy: &str) {
    match remedy {
        FAULT => _ = black_box(compute(LONG)),
        "spawn_blocking" => in_the_pool(|| _ = black_box(compute(LONG))).await,
        "thread pool" => {
            let (tell, told) = oneshot::channel();
            std::thread::spawn(move || tell.send(compute(LONG)));
            told.await.expect("computed");
        }
        "yield_now" => {
            for _ in 0..LONG.as_millis() {
                black_box(compute(MS));
                tokio::task::yield_now().await;
            }
        }
        other => unknown(other),
    }
}

async fn sleeps(remedy: &str) {
    match remedy {
        FAULT => sleep(LONG),
        "tokio's counterpart" => tokio::time::sleep(LONG).await,
        "spawn_blocking" => in_the_pool(|| sleep(LONG)).await,
        other => unknown(other),
    }
}

/// A lock that a thread holds for long.
async fn locks(remedy: &str) {
    let (tell, told) = mpsc::channel();
    if remedy == "tokio's counterpart" {
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        let held = Arc::clone(&lock);
        std::thread::spawn(move || {
            let guard = held.blocking_lock();
            tell.send(()).expect("it waits");
            sleep(LONG);
            drop(guard);
        });
        told.recv().expect("held");
        drop(lock.lock().await);
        return;
    }
    let lock = Arc::new(Mutex::new(()));
    let held = Arc::clone(&lock);
    std::thread::spawn(move || {
        let guard = held.lock().unwrap_or_else(PoisonError::into_inner);
        tell.send(()).expect("it waits");
        sleep(LONG);
        drop(guard);
    });
    told.recv().expect("held");
    let takes = move || drop(lock.lock().unwrap_or_else(PoisonError::into_inner));
    match remedy {
        FAULT => takes(),
        "spawn_blocking" => in_the_pool(takes).await,
        other => unknown(other),
    }
}

/// A peer that answers after a while.
async fn reads_a_socket(remedy: &str) {
    let (mut socket, mut peer) = std::os::unix::net::UnixStream::pair().expect("a pair");
    std::thread::spawn(move || {
        sleep(LONG);
        peer.write_all(&[7])
    });
    let mut byte = [0];
    match remedy {
        FAULT => socket.read_exact(&mut byte).expect("an answer"),
        "tokio's counterpart" => {
            socket.set_nonblocking(true).expect("a socket");
            let mut socket = tokio::net::UnixStream::from_std(socket).expect("in a runtime");
            socket.read_exact(&mut byte).await.expect("an answer");
        }
        "spawn_blocking" => in_the_pool(move || socket.read_exact(&mut byte).expect("an answer")).await,
        other => unknown(other),
    }
}

/// A file whose bytes come after a while.
async fn reads_a_file(remedy: &str) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    std::thread::spawn(move || {
        sleep(LONG);
        writer.write_all(&[7])
    });
    let mut file = std::fs::File::from(std::os::fd::OwnedFd::from(reader));
    let mut byte = [0];
    match remedy {
        FAULT => file.read_exact(&mut byte).expect("a byte"),
        "tokio's counterpart" => {
            tokio::fs::File::from_std(file).read_exact(&mut byte).await.expect("a byte");
        }
        "spawn_blocking" => in_the_pool(move || file.read_exact(&mut byte).expect("a byte")).await,
        other => unknown(other),
    }
}

/// What a task holds that waits when it is dropped.
struct Held(&'static str);

impl Drop for Held {
    fn drop(&mut self) {
        match self.0 {
            FAULT => sleep(LONG),
            "in a Drop" => drop(pollscope::spawn_blocking(|| sleep(LONG))),
            other => unknown(other),
        }
    }
}

/// The task is aborted while it waits.
async fn drops(remedy: &'static str) {
    let (tell, told) = oneshot::channel();
    let waits = pollscope::task("waits").spawn(async move {
        let _held = Held(remedy);
        tell.send(()).expect("it is awaited");
        std::future::pending::<()>().await;
    });
    told.await.expect("it runs");
    waits.abort();
    assert!(waits.await.expect_err("it was aborted").is_cancelled());
}

async fn is_allowed(remedy: &str) {
    match remedy {
        FAULT => allow_blocking(WHY, || sleep(LONG)),
        "await it" => tokio::time::sleep(LONG).await,
        "spawn_blocking" => in_the_pool(|| sleep(LONG)).await,
        other => unknown(other),
    }
}

fn is_fast(remedy: &str) {
    let reads = || _ = black_box(7);
    match remedy {
        FAULT => allow_blocking(WHY, reads),
        "Take the call out" => reads(),
        other => unknown(other),
    }
}

fn is_expected(place: Place, remedy: &'static str) -> Judged<()> {
    let session = session("expects").max_poll(LIMIT);
    let (session, blocks) = match remedy {
        FAULT => (session.expect("blocking-poll", "src/gone.rs", WHY), false),
        "Remove it" => (session, false),
        "correct its site" | "comes by there" => (session.expect("blocking-poll", "advised", WHY), true),
        other => unknown(other),
    };
    place.run(session, async move {
        if blocks {
            sleep(LONG);
        }
    })
}
