//! A release that made one handler slower: what a baseline is for.
//!
//! Every 30 ms a price is worked out and a mail is sent. A price reads a tariff synchronously: 20 ms, which
//! `blocking-poll` warns of since long; and in the release that is called `slow` 40 ms for one price in
//! ten. No test fails, the same finding is there as before, and the mean hardly moves; the p99 doubled.
//! `busy` is the usual code with a third more prices, which is no fault.
//!
//! ```sh
//! for run in 1 2 3; do
//!   POLLSCOPE_RECORD=run$run.mcap cargo run -p pollscope-examples --bin pricing -- 6
//! done
//! POLLSCOPE_RECORD=slow.mcap cargo run -p pollscope-examples --bin pricing -- 6 slow
//! cargo run -- diff run1.mcap run2.mcap run3.mcap slow.mcap
//! ```
//!
//! You will see `price` at the line of its spawn below, twice as long as before, and nothing else: that
//! others waited for it is told as what follows.
//!
//! The way out: keep the tariff in memory, or read it in `pollscope::spawn_blocking`.

use std::time::Duration;

const TARIFF: Duration = Duration::from_millis(20);
/// So long that a virtual machine whose host is late by half a millisecond makes it no quarter longer.
const MAIL: Duration = Duration::from_millis(5);

#[pollscope::main(worker_threads = 2)]
async fn main() {
    let slow = is_asked("slow");
    let between = Duration::from_millis(if is_asked("busy") { 22 } else { 30 });
    let service = pollscope::spawn(async move {
        let mut requests = tokio::time::interval(between);
        for request in 0_u32.. {
            requests.tick().await;
            let special = slow && request.is_multiple_of(10);
            pollscope::task("price").spawn(price(if special { 2 * TARIFF } else { TARIFF }));
            pollscope::task("mail").spawn(mail());
        }
    });
    pollscope_examples::until_stopped().await;
    service.abort();
}

async fn price(tariff: Duration) {
    tokio::time::sleep(Duration::from_millis(1)).await;
    // Stands for reading and parsing a file.
    std::thread::sleep(tariff);
}

async fn mail() {
    tokio::time::sleep(Duration::from_millis(2)).await;
    std::thread::sleep(MAIL);
}

/// Whether the word stands behind the number of seconds.
#[expect(clippy::disallowed_methods, reason = "the rim: the example's own words")]
fn is_asked(word: &str) -> bool {
    std::env::args().skip(2).any(|argument| argument == word)
}
