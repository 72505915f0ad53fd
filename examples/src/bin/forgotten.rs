//! Tasks that wait for an answer that never comes.
//!
//! Each request registers a one-shot channel, pauses so that others can be sent along, and waits for the
//! reply. The replies come within milliseconds, except that every tenth request stays in the table: its
//! sender is still there, so that the channel never closes. What woke such a request last is a timer, which
//! says nothing about what it waits for now.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin forgotten
//! cargo run -- attach forgotten     # in another terminal
//! ```
//!
//! You will see, in **Tasks** sorted by idle time, `await_reply` tasks that were not woken since
//! their pause, and in **Findings** `forgotten-task` with the line of the spawn below.
//!
//! The way out: a timeout round the wait, and an owner for each entry of the table.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// Requests whose reply is outstanding.
type Outstanding = Arc<Mutex<Vec<oneshot::Sender<u32>>>>;

#[pollscope::main(worker_threads = 2)]
async fn main() {
    let outstanding = Outstanding::default();
    let service = pollscope::spawn(serve(Arc::clone(&outstanding)));
    pollscope_examples::until_stopped().await;
    service.abort();
}

async fn serve(outstanding: Outstanding) {
    let mut requests = tokio::time::interval(Duration::from_millis(20));
    // The first request is one of the forgotten, so that there is something to see at once.
    for id in 0_u32.. {
        requests.tick().await;
        let (sender, receiver) = oneshot::channel();
        pollscope::task("await_reply").group("rpc").spawn(async move {
            tokio::time::sleep(Duration::from_millis(2)).await;
            receiver.await.unwrap_or_default()
        });
        if id % 10 == 0 && id < 100 {
            outstanding.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        } else {
            pollscope::spawn(reply(id, sender));
        }
    }
}

async fn reply(id: u32, sender: oneshot::Sender<u32>) {
    tokio::time::sleep(Duration::from_millis(6)).await;
    // A requester that gave up needs no answer.
    let _ = sender.send(id);
}
