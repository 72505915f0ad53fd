//! A handler that blocks its thread.
//!
//! Every half second a request is answered by a handler that sleeps 150 ms with the thread's sleep
//! instead of tokio's: no other task of that worker moves meanwhile.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin blocking
//! cargo run -- attach blocking      # in another terminal
//! ```
//!
//! You will see, in **Tasks**, `render_cart` on top, flagged; Enter shows a poll time of 150 ms, all
//! of it blocked and none of it busy. **Findings** has `blocking-poll` with the line of the spawn
//! below. **Workers** shows which worker stood still.
//!
//! The way out: `tokio::time::sleep(..).await`, or `pollscope::spawn_blocking` for what must block.

use std::time::Duration;

#[pollscope::main(worker_threads = 2)]
async fn main() {
    let service = pollscope::spawn(async {
        let mut requests = tokio::time::interval(Duration::from_millis(500));
        loop {
            requests.tick().await;
            pollscope::task("render_cart").group("http").spawn(render_cart());
        }
    });
    pollscope_examples::until_stopped().await;
    service.abort();
}

async fn render_cart() {
    tokio::time::sleep(Duration::from_millis(1)).await;
    std::thread::sleep(Duration::from_millis(150));
}
