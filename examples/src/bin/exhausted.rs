//! Two blocking pools that are full, of which one stands still.
//!
//! Each report is a job of `spawn_blocking` which waits for another job of the same pool. One at a time that works; as
//! many at once as the pool has threads take them all and wait for ever, at no CPU and with idle workers. The pool of
//! the imports is just as full all the time, and works off its queue.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin exhausted
//! cargo run -- attach exhausted     # in another terminal
//! ```
//!
//! You will see, after some seconds, in **Findings** `blocking-pool-exhausted` at the line of `render` below, and
//! `never-polled` for the `load` jobs that have no thread; nothing about the imports.
//!
//! The way out: `load` is awaited in the task before `render` is spawned, or called by `render` itself.

use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

/// Threads of the pool that stands still, and reports that are asked for at once.
const REPORTS: usize = 4;

fn main() -> std::io::Result<()> {
    let _pollscope = pollscope::init();
    let reports = runtime("reports", REPORTS)?;
    let imports = runtime("imports", 2)?;
    pollscope::spawn_on(serve_reports(), reports.handle());
    for _ in 0..8 {
        pollscope::task("importer").long_lived().spawn_on(import(), imports.handle());
    }
    imports.block_on(pollscope_examples::until_stopped());
    // A job that waits for ever would keep its runtime from ending.
    reports.shutdown_background();
    imports.shutdown_background();
    Ok(())
}

fn runtime(name: &str, blocking_threads: usize) -> std::io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).max_blocking_threads(blocking_threads).enable_all();
    pollscope::attach(&mut builder);
    let runtime = builder.build()?;
    pollscope::observe(runtime.handle(), name);
    Ok(runtime)
}

async fn serve_reports() {
    for _ in 0..10 {
        report().await;
    }
    for _ in 0..REPORTS {
        pollscope::task("report").spawn(report());
    }
}

async fn report() {
    let rows = pollscope::task("render").spawn_blocking(render).await;
    rows.expect("nothing panics");
}

/// Runs on a thread of the pool, and needs a second one.
fn render() -> usize {
    std::thread::sleep(Duration::from_millis(50));
    let rows = pollscope::task("load").spawn_blocking(load);
    Handle::current().block_on(rows).expect("nothing panics")
}

fn load() -> usize {
    std::thread::sleep(Duration::from_millis(5));
    1_000
}

async fn import() {
    loop {
        let row = pollscope::task("row").spawn_blocking(|| std::thread::sleep(Duration::from_millis(20)));
        row.await.expect("nothing panics");
    }
}
