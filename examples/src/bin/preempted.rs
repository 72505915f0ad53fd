//! Honest handlers on a machine that has other work.
//!
//! Each request is answered with some 4 ms of computing: below every limit. But beside the service
//! four threads per core are busy, so that the scheduler of the operating system takes the CPU away
//! in the middle of it, and by the clock a poll takes 20 ms and more. Two visitors ask over HTTP.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin preempted
//! cargo run -- attach preempted     # in another terminal
//! ```
//!
//! You will see, in **Task detail** of a `price`, slow polls of kind *preempted*: the wall time is
//! long, its own time is not. **Findings** has no `blocking-poll`, since no line of this service is to
//! blame; **Workers** shows how long the workers had to wait for a CPU.
//!
//! The way out is not in the code: fewer neighbours, a CPU quota that fits, or other priorities.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::hint::black_box;
use std::num::NonZero;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;

/// What a handler computes for, if no other process takes the CPU away.
const WORK: Duration = Duration::from_millis(4);
const NEIGHBOURS_PER_CORE: usize = 4;

/// Blocks that a handler hashes.
static BLOCKS: OnceLock<u32> = OnceLock::new();

#[pollscope::main(worker_threads = 2)]
async fn main() -> std::io::Result<()> {
    BLOCKS.get_or_init(blocks_of_work);
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    for neighbour in 0..cores * NEIGHBOURS_PER_CORE {
        std::thread::Builder::new().name(format!("neighbour-{neighbour}")).spawn(|| {
            loop {
                black_box(hash(1_000));
            }
        })?;
    }
    let app = Router::new().route("/price", get(handle));
    pollscope_examples::serve_visitors(app, &["/price"], 2, Duration::from_millis(20)).await
}

async fn handle() -> String {
    match pollscope::task("price").group("http").spawn(price()).await {
        Ok(price) => format!("{price}\n"),
        Err(error) => format!("{error}\n"),
    }
}

/// The same amount of work each time, however long it takes.
async fn price() -> u64 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    let blocks = BLOCKS.get().copied().unwrap_or_default();
    black_box(hash(blocks)) % 10_000
}

fn hash(blocks: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    (0..blocks).for_each(|block| block.hash(&mut hasher));
    hasher.finish()
}

/// How much work is [`WORK`] on this machine: by the fastest of many tries, since that one was not
/// preempted.
fn blocks_of_work() -> u32 {
    const TRIED: u32 = 1_000;
    let fastest = (0..200)
        .map(|_| {
            let begin = Instant::now();
            black_box(hash(TRIED));
            begin.elapsed()
        })
        .min()
        .unwrap_or(WORK);
    let blocks = WORK.as_nanos() * u128::from(TRIED) / fastest.as_nanos().max(1);
    u32::try_from(blocks).unwrap_or(u32::MAX)
}
