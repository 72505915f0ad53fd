//! `--fault cpu`: every twentieth `GET /thumbnail` scales its picture in the handler, 150 ms of
//! arithmetic in one poll.
//!
//! **Raises** `blocking-poll`, kind *busy*. The remedy is `spawn_blocking` or a thread pool for
//! computing, or to yield now and then.

use std::time::Duration;

use pollscope::task;
use tokio::time::sleep;

use super::work::compute;
use crate::demo::shop::{Answer, Plan, Reply, Request};

pub(super) fn install(plan: &mut Plan) {
    plan.replace("GET", "/thumbnail", thumbnail);
}

fn thumbnail(request: &Request) -> Answer {
    let strikes = request.nth.is_multiple_of(20);
    let picture = task("GET /thumbnail").group("http").spawn(async move {
        sleep(Duration::from_millis(5)).await;
        let checksum = if strikes { scale_picture() } else { 0 };
        Reply::ok(format!("{checksum:x}"))
    });
    Box::pin(async { picture.await.unwrap_or_else(|_| Reply::failed()) })
}

/// A large picture.
fn scale_picture() -> u64 {
    compute(Duration::from_millis(150))
}
