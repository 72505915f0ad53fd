//! Polls that do not come back, and tasks that never get one.

use std::hint::spin_loop;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::sleep;
use std::time::Duration;

use pollscope::check::{Flavor, Judged};
use tokio::sync::Notify;
use tokio::task::LocalSet;

use crate::case::{ANYWHERE, Case, EVERYWHERE, FAULT, MS, Place, session, unknown};

/// Longer than the rules wait.
const LONG: Duration = Duration::from_millis(900);

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a lock in a circle",
        advice: "stuck-poll",
        remedies: &["held across an .await"],
        places: &[Place::LocalSet],
        run: locks_in_a_circle,
    },
    Case {
        name: "an endless loop",
        advice: "stuck-poll",
        remedies: &["loop yield"],
        places: EVERYWHERE,
        run: |place, remedy| place.run(session("loops"), loops(remedy)),
    },
    Case {
        name: "a call without a time-out",
        advice: "stuck-poll",
        remedies: &["spawn_blocking"],
        places: EVERYWHERE,
        run: |place, remedy| place.run(session("calls"), calls(remedy)),
    },
    Case {
        name: "a first poll that does not end",
        advice: "never-yields/first-poll",
        remedies: &[".await that really waits", "yield_now", "spawn_blocking"],
        places: &[Place::Workers, Place::OneThread, Place::LocalSet],
        run: |place, remedy| place.run(session("never yields"), loops(remedy)),
    },
    Case {
        name: "a consumer that always finds a message",
        advice: "never-yields/forced",
        remedies: &["yield_now"],
        places: ANYWHERE,
        run: consumes,
    },
    Case {
        name: "a runtime that is not driven",
        advice: "never-polled",
        remedies: &["block_on"],
        places: ANYWHERE,
        run: |_, remedy| session("not driven").run(spawns_elsewhere(remedy)),
    },
    Case {
        name: "a LocalSet that is not awaited",
        advice: "never-polled",
        remedies: &[".await for a LocalSet"],
        places: ANYWHERE,
        run: |_, remedy| session("not awaited").run_local(spawns_in_a_set(remedy)),
    },
    Case {
        name: "a task behind a stuck poll",
        advice: "never-polled",
        remedies: &["begin with those"],
        places: ANYWHERE,
        run: |_, remedy| session("behind").run(is_behind(remedy)),
    },
];

/// One task holds the lock while it waits for a third, and another blocks their thread for the lock.
fn locks_in_a_circle(_: Place, remedy: &'static str) -> Judged<()> {
    let tasks = async move {
        let (ready, signal) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
        let (waits, tells) = (Rc::clone(&signal), Rc::clone(&ready));
        let third = async move {
            ready.notified().await;
            tokio::time::sleep(5 * MS).await;
            signal.notify_one();
        };
        let third = pollscope::task("third").spawn_local(third);
        if remedy == "held across an .await" {
            let lock = Rc::new(tokio::sync::Mutex::new(()));
            let held = Rc::clone(&lock);
            let holds = async move {
                let _guard = held.lock().await;
                tells.notify_one();
                waits.notified().await;
            };
            let holds = pollscope::task("holds").spawn_local(holds);
            let takes = pollscope::task("takes").spawn_local(async move { drop(lock.lock().await) });
            holds.await.expect("returns");
            takes.await.expect("returns");
        } else {
            assert_eq!(remedy, FAULT);
            let lock = Rc::new(Mutex::new(()));
            let held = Rc::clone(&lock);
            let holds = async move {
                let _guard = held.lock();
                tells.notify_one();
                waits.notified().await;
            };
            let holds = pollscope::task("holds").spawn_local(holds);
            let takes = async move {
                // As `lock()` does, but not for ever.
                let tries = LONG.as_millis() / 5;
                _ = (0..tries).find(|_| {
                    sleep(5 * MS);
                    lock.try_lock().is_ok()
                });
            };
            pollscope::task("takes").spawn_local(takes).await.expect("returns");
            holds.await.expect("returns");
        }
        third.await.expect("returns");
    };
    session("locks in a circle").run_local(LocalSet::new().run_until(tasks))
}

/// A loop until a thread sets a flag.
async fn loops(remedy: &'static str) {
    let is_over = Arc::new(AtomicBool::new(false));
    let sets = Arc::clone(&is_over);
    std::thread::spawn(move || {
        sleep(LONG);
        sets.store(true, Ordering::SeqCst);
    });
    let goes_on = || !is_over.load(Ordering::SeqCst);
    match remedy {
        FAULT => {
            while goes_on() {
                spin_loop();
            }
        }
        "loop yield" | "yield_now" => {
            while goes_on() {
                tokio::task::yield_now().await;
            }
        }
        ".await that really waits" => {
            while goes_on() {
                tokio::time::sleep(MS).await;
            }
        }
        "spawn_blocking" => {
            let waits = move || {
                while !is_over.load(Ordering::SeqCst) {
                    spin_loop();
                }
            };
            pollscope::spawn_blocking(waits).await.expect("returns");
        }
        other => unknown(other),
    }
}

/// A call that returns when another thread answers.
async fn calls(remedy: &'static str) {
    let (answer, answers) = mpsc::channel();
    std::thread::spawn(move || {
        sleep(LONG);
        answer.send(())
    });
    match remedy {
        FAULT => answers.recv().expect("an answer"),
        "spawn_blocking" => {
            let call = move || answers.recv_timeout(10 * LONG).expect("an answer");
            pollscope::spawn_blocking(call).await.expect("returns");
        }
        other => unknown(other),
    }
}

/// Messages enough for thirty budgets, beside a task that wants its turn.
fn consumes(_: Place, remedy: &'static str) -> Judged<()> {
    let session = session("consumes").flavor(Flavor::MultiThread).worker_threads(1);
    session.run(async move {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        (0..3_840_u32).for_each(|message| sender.send(message).expect("it is open"));
        drop(sender);
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let other = async move {
            while !is_over.load(Ordering::SeqCst) {
                tokio::time::sleep(MS).await;
            }
        };
        let other = pollscope::task("other").spawn(other);
        let consumer = async move {
            while let Some(message) = receiver.recv().await {
                // The work.
                sleep(MS / 10);
                if remedy == "yield_now" && message.is_multiple_of(8) {
                    tokio::task::yield_now().await;
                }
            }
            ends.store(true, Ordering::SeqCst);
        };
        pollscope::task("consumer").spawn(consumer).await.expect("returns");
        other.await.expect("returns");
    })
}

async fn spawns_elsewhere(remedy: &'static str) {
    let other = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let task = pollscope::task("elsewhere").spawn_on(async {}, other.handle());
    match remedy {
        FAULT => {
            tokio::time::sleep(LONG).await;
            other.shutdown_background();
        }
        "block_on" => {
            let drives = std::thread::spawn(move || other.block_on(task));
            tokio::time::sleep(LONG).await;
            drives.join().expect("no panic").expect("returns");
        }
        other => unknown(other),
    }
}

async fn spawns_in_a_set(remedy: &'static str) {
    let set = LocalSet::new();
    drop(pollscope::task("in a set").spawn_local_on(async {}, &set));
    if remedy == ".await for a LocalSet" {
        set.await;
    } else {
        assert_eq!(remedy, FAULT);
        tokio::time::sleep(LONG).await;
    }
}

async fn is_behind(remedy: &'static str) {
    let behind = pollscope::task("behind").spawn(async {});
    if remedy == FAULT {
        sleep(LONG);
    } else {
        assert_eq!(remedy, "begin with those");
        pollscope::spawn_blocking(|| sleep(LONG)).await.expect("returns");
    }
    behind.await.expect("returns");
}
