//! `--fault panic`: `POST /refunds` hands the work to a task and drops its handle; every fifth of
//! these panics, and its handle is dropped.
//!
//! **Raises** `swallowed-panic`: the customer was told "accepted", and the refund is gone. The remedy
//! is to await the handle, or to keep it in a `JoinSet` that is drained.

use std::panic::resume_unwind;
use std::time::Duration;

use pollscope::task;
use tokio::time::sleep;

use crate::demo::shop::{Answer, Plan, Reply, Request};

pub(super) fn install(plan: &mut Plan) {
    plan.replace("POST", "/refunds", refunds);
}

fn refunds(request: &Request) -> Answer {
    let strikes = request.nth.is_multiple_of(5);
    drop(task("refund").group("payments").spawn(async move {
        sleep(Duration::from_millis(5)).await;
        if strikes {
            // A panic like any other, but for the hook, whose message would be on the terminal.
            resume_unwind(Box::new("the refund exceeds the payment"));
        }
    }));
    Box::pin(std::future::ready(Reply::accepted()))
}
