//! Very many tasks, nothing wrong: for looking at what a large service looks like, and costs.
//!
//! A hundred thousand long waits stay alive, and ten thousand short tasks come every second and go.
//! Two numbers on the command line change the two.
//!
//! ```sh
//! cargo run --release -p pollscope-examples --bin crowd -- 100000 10000
//! cargo run --release -- attach crowd                     # in another terminal
//! cargo run --release -- tasks --from crowd --format json # every row, and `total`
//! ```
//!
//! You will see, in **Tasks**, all of them at the next tick; sorting (`s`), filtering (`/`) and `G` to
//! the last row answer at once, since a screen asks for the page that it shows and no more.

use std::time::Duration;

/// The number at that place on the command line.
#[expect(clippy::disallowed_methods, reason = "the rim: a program's own arguments")]
fn argument(place: usize, default: u64) -> u64 {
    std::env::args().nth(place).and_then(|word| word.parse().ok()).unwrap_or(default)
}

#[pollscope::main]
async fn main() {
    let (waiting, short) = (argument(1, 100_000), argument(2, 10_000));
    for n in 0..waiting {
        let name = if n % 2 == 0 { "connection" } else { "session" };
        pollscope::task(name).group("crowd").long_lived().spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(5 + n % 20)).await;
            }
        });
    }
    loop {
        for _ in 0..short {
            pollscope::task("request").spawn(tokio::time::sleep(Duration::from_millis(300)));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
