//! Waits that do not end, and futures that do not wait.

use std::sync::{Arc, Mutex, PoisonError};

use pollscope::check::{Judged, Level};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::case::{ANYWHERE, Case, EVERYWHERE, FAULT, MS, Place, session, unknown};
use futures::{Slot, Spin, Take};

#[path = "../verdicts/futures.rs"]
mod futures;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a reply that never comes",
        advice: "forgotten-task",
        remedies: &["time-out", "every path answers", "long_lived"],
        places: ANYWHERE,
        run: awaits_replies,
    },
    Case {
        name: "a waker that is not kept",
        advice: "lost-waker",
        remedies: &["Clone cx.waker()", "long_lived"],
        places: ANYWHERE,
        run: |_, remedy| session("takes a slot").run(takes_a_slot(remedy)),
    },
    Case {
        name: "a loop of wakes",
        advice: "self-wake-storm",
        remedies: &["a Notify", "a watch", "a channel", "yield_now"],
        places: EVERYWHERE,
        run: |place, remedy| place.run(session("asks again"), asks_again(remedy)),
    },
];

/// Five requests, of which one gets no answer.
fn awaits_replies(_: Place, remedy: &'static str) -> Judged<()> {
    let outstanding = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&outstanding);
    let judged = session("awaits replies").forgotten(Level::Deny).run(async move {
        let mut requests = Vec::new();
        for id in 0..5_u32 {
            let (sender, receiver) = oneshot::channel();
            let reply = async move {
                if remedy == "time-out" {
                    tokio::time::timeout(10 * MS, receiver).await.ok().and_then(Result::ok).unwrap_or(0)
                } else {
                    receiver.await.unwrap_or(0)
                }
            };
            let task = pollscope::task("await_reply");
            let task = if remedy == "long_lived" && id == 2 { task.long_lived() } else { task };
            let request = task.spawn(reply);
            if id == 2 && remedy != "every path answers" {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
            } else {
                sender.send(id).expect("it waits");
            }
            if id != 2 || matches!(remedy, "time-out" | "every path answers") {
                requests.push(request);
            }
        }
        for request in requests {
            request.await.expect("returns");
        }
    });
    drop(outstanding);
    judged
}

async fn takes_a_slot(remedy: &'static str) {
    let slot = Arc::new(Slot::default());
    let keeps = remedy == "Clone cx.waker()";
    let task = pollscope::task("take_slot");
    let task = if remedy == "long_lived" { task.long_lived() } else { task };
    let take = task.spawn(Take(Arc::clone(&slot), keeps));
    tokio::time::sleep(5 * MS).await;
    if keeps {
        slot.free();
        take.await.expect("returns");
    }
}

async fn asks_again(remedy: &'static str) {
    match remedy {
        FAULT => Spin::default().await,
        "a Notify" => {
            let ready = Arc::new(Notify::new());
            let tells = Arc::clone(&ready);
            std::thread::spawn(move || tells.notify_one());
            ready.notified().await;
        }
        "a watch" => {
            let (tell, mut told) = watch::channel(false);
            std::thread::spawn(move || tell.send_replace(true));
            told.wait_for(|ready| *ready).await.expect("it is told");
        }
        "a channel" => {
            let (tell, mut told) = mpsc::channel(1);
            std::thread::spawn(move || tell.blocking_send(()));
            told.recv().await.expect("it is told");
        }
        "yield_now" => {
            for _ in 0..30_000 {
                tokio::task::yield_now().await;
            }
        }
        other => unknown(other),
    }
}
