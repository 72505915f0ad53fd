//! Futures of another executor, seen by name.
//!
//! pollscope's own spawn functions are tokio's. `traced` needs no runtime at all: it gives a name to
//! any future and measures its polls, wakes and delays, here on smol.
//!
//! ```diff
//! +    let _pollscope = pollscope::init();
//! -    smol::spawn(fetch(feed)).detach();
//! +    smol::spawn(fetch(feed).traced("fetch")).detach();
//! ```
//!
//! ```sh
//! cargo run -p pollscope-examples --bin smol_traced
//! cargo run -- attach smol_traced   # in another terminal
//! ```
//!
//! You will see, in **Tasks**, a `fetch` for each feed, with its polls and who woke it.

use std::time::Duration;

use pollscope::Traced;
use smol::Timer;

fn main() {
    let _pollscope = pollscope::init();
    for feed in 1..=3 {
        smol::spawn(fetch(feed).traced("fetch")).detach();
    }
    let until = pollscope_examples::seconds_to_run().map_or_else(Timer::never, Timer::after);
    smol::block_on(until);
}

/// Looks for news, again and again.
async fn fetch(feed: u64) {
    loop {
        Timer::after(Duration::from_millis(10 * feed)).await;
    }
}
