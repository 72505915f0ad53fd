//! Many tasks that each behave, and together starve the rest.
//!
//! Sixteen tasks share one worker and compute for 4 ms whenever they run: each poll is below every
//! limit. A task that is woken has to wait for all the others in front of it.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin starve
//! cargo run -- attach starve        # in another terminal
//! ```
//!
//! You will see, in **Sites**, the heartbeat with short polls and a p99 schedule delay of some
//! 60 ms; in **Findings** `sched-delay`; in **Workers** one worker at 100 %.
//!
//! With `plain` after the number of seconds (`starve 60 plain`) the tasks are spawned through tokio, as a library spawns
//! them: in a build with `--cfg tokio_unstable` and with `POLLSCOPE_SCHEDULE_DELAY=on` they have the same delay and the
//! same finding.
//!
//! The way out: `pollscope::spawn_blocking` for computation, or fewer of these tasks at a time.

use std::future::Future;
use std::time::{Duration, Instant};

use pollscope::AbortHandle;

#[pollscope::main(worker_threads = 1)]
async fn main() {
    let mut tasks = Vec::new();
    for _ in 0..16 {
        tasks.push(spawn(async {
            loop {
                compress(Duration::from_millis(4));
                tokio::task::yield_now().await;
            }
        }));
    }
    tasks.push(spawn(async {
        let mut heartbeat = tokio::time::interval(Duration::from_millis(10));
        loop {
            heartbeat.tick().await;
        }
    }));
    pollscope_examples::until_stopped().await;
    tasks.iter().for_each(AbortHandle::abort);
}

/// Through pollscope, or as the argument says.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a program: its arguments are its own")]
fn spawn(future: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
    if std::env::args().skip(2).any(|word| word == "plain") {
        tokio::spawn(future).abort_handle()
    } else {
        pollscope::spawn(future).abort_handle()
    }
}

/// Computes for as long as it is told, so that it takes as long on every machine.
fn compress(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        std::hint::spin_loop();
    }
}
