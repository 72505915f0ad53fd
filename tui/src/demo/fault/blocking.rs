//! `--fault blocking`: every eighth `GET /checkout` calls a library that sleeps the thread for
//! 150 ms, inside a poll.
//!
//! **Raises** `blocking-poll`, kind *blocked*. The worker stands still, and whatever waits in its
//! queue with it. The remedy is `spawn_blocking`, or a library that awaits.

use std::time::Duration;

use pollscope::task;
use tokio::time::sleep;

use crate::demo::shop::{Answer, Plan, Reply, Request};

pub(super) fn install(plan: &mut Plan) {
    plan.replace("GET", "/checkout", checkout);
}

fn checkout(request: &Request) -> Answer {
    let strikes = request.nth.is_multiple_of(8);
    let receipt = task("GET /checkout").group("http").spawn(async move {
        sleep(Duration::from_millis(15)).await;
        if strikes {
            charge_card();
        }
        Reply::ok("paid")
    });
    Box::pin(async { receipt.await.unwrap_or_else(|_| Reply::failed()) })
}

/// A payment library from before there was async.
fn charge_card() {
    std::thread::sleep(Duration::from_millis(150));
}
