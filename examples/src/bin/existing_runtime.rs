//! A service that has a `tracing` subscriber and builds its runtime itself, with pollscope.
//!
//! All that was added:
//!
//! ```diff
//! +    let _pollscope = pollscope::init();
//!      let mut builder = tokio::runtime::Builder::new_multi_thread();
//!      builder.worker_threads(2).enable_all();
//! +    pollscope::attach(&mut builder);
//!      let runtime = builder.build()?;
//! +    pollscope::observe(runtime.handle(), "jobs");
//! ```
//!
//! The subscriber stays as it was: pollscope installs none. `attach` shows the tasks that libraries
//! spawn, too, where the build has tokio's hooks, `observe` the workers and queues on any build.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin existing_runtime
//! cargo run -- attach existing_runtime  # in another terminal
//! ```

use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> std::io::Result<()> {
    // At `TRACE` it would also hear of pollscope's own connections.
    tracing_subscriber::registry().with(LevelFilter::INFO).with(tracing_subscriber::fmt::layer()).init();

    let _pollscope = pollscope::init();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all();
    pollscope::attach(&mut builder);
    let runtime = builder.build()?;
    pollscope::observe(runtime.handle(), "jobs");

    runtime.block_on(async {
        let jobs = tokio::spawn(run_jobs());
        pollscope_examples::until_stopped().await;
        jobs.abort();
    });
    Ok(())
}

async fn run_jobs() {
    let mut schedule = tokio::time::interval(Duration::from_millis(100));
    for number in 0_u64.. {
        schedule.tick().await;
        tokio::spawn(job(number));
        if number.is_multiple_of(100) {
            tracing::info!(number, "jobs started");
        }
    }
}

async fn job(number: u64) {
    tokio::time::sleep(Duration::from_millis(10 + number % 7)).await;
}
