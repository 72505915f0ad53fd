//! A handler that reads a slow pipe with std's I/O.
//!
//! Each request asks a helper for a thumbnail through a pipe. The helper takes its time, 120 ms, and
//! the handler waits for it in `read`, as a program without a runtime may. In a runtime nothing else
//! of that worker moves meanwhile. Two visitors ask over HTTP.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin slow_pipe
//! cargo run -- attach slow_pipe     # in another terminal
//! ```
//!
//! You will see, in **Findings**, `blocking-poll` of kind *blocked* with the line of the spawn below:
//! polls of 120 ms off the CPU, and a stack that leads through `read_to_end` to `thumbnail`. The
//! `heartbeat` in **Tasks** polls in microseconds and waits up to 120 ms for a worker.
//!
//! The way out: `tokio::process` or `tokio::net::unix::pipe`, or `pollscope::spawn_blocking` for the
//! read as it is.

use std::io::{Read, Write};
use std::time::Duration;

use axum::Router;
use axum::routing::get;

#[pollscope::main(worker_threads = 2)]
async fn main() -> std::io::Result<()> {
    let heartbeat = pollscope::task("heartbeat").long_lived().spawn(async {
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        loop {
            tick.tick().await;
        }
    });
    let app = Router::new().route("/thumbnail", get(handle));
    let served =
        pollscope_examples::serve_visitors(app, &["/thumbnail"], 2, Duration::from_millis(200)).await;
    heartbeat.abort();
    served
}

async fn handle() -> String {
    match pollscope::task("thumbnail").group("http").spawn(thumbnail()).await {
        Ok(Ok(image)) => format!("{} bytes\n", image.len()),
        Ok(Err(error)) => format!("{error}\n"),
        Err(error) => format!("{error}\n"),
    }
}

async fn thumbnail() -> std::io::Result<Vec<u8>> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    let (mut answer, question) = std::io::pipe()?;
    std::thread::Builder::new().name("thumbnailer".to_owned()).spawn(move || draw(question))?;
    let mut image = Vec::new();
    // The mistake: the thread waits, not the task.
    answer.read_to_end(&mut image)?;
    Ok(image)
}

/// Stands for a program that takes 120 ms.
fn draw(mut to: std::io::PipeWriter) {
    std::thread::sleep(Duration::from_millis(120));
    // The caller may be gone.
    let _ = to.write_all(&[0x2a; 4_096]);
}
