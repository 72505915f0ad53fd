//! `--fault tail`: `GET /search` takes 3 ms, but 120 ms for one request in twenty, whose shard is
//! slow.
//!
//! **Raises** `tail-latency`: the median looks well, the p999 is forty times as long. Its histogram has
//! two modes. No poll is long: the time goes in waiting, so look at what the slow ones wait for.

use std::time::Duration;

use pollscope::task;
use tokio::time::sleep;

use crate::demo::shop::{Answer, Plan, Reply, Request};

pub(super) fn install(plan: &mut Plan) {
    plan.replace("GET", "/search", search);
}

fn search(request: &Request) -> Answer {
    let shard = request.nth % 20;
    let hits = task("GET /search").group("http").spawn(async move {
        ask_shard(shard).await;
        Reply::ok("12 hits")
    });
    Box::pin(async { hits.await.unwrap_or_else(|_| Reply::failed()) })
}

/// Shard 7 lives on the old disk.
async fn ask_shard(shard: u64) {
    sleep(Duration::from_millis(if shard == 7 { 120 } else { 3 })).await;
}
