//! The job queue and the timers: what a service does without a request over HTTP.

use std::time::Duration;

use pollscope::task;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// A receipt to print.
pub(super) struct Job {
    /// The order.
    pub(super) order: u64,
}

const WORKERS: usize = 3;
const QUEUE: usize = 256;

/// Starts the workers of the queue and returns its open end.
pub(super) fn start_queue() -> mpsc::Sender<Job> {
    let (queue, mut jobs) = mpsc::channel::<Job>(QUEUE);
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (desk, mut jobs) = mpsc::channel::<Job>(QUEUE / WORKERS);
            task("receipt printer").group("jobs").long_lived().spawn(async move {
                while let Some(job) = jobs.recv().await {
                    print_receipt(&job).await;
                }
            });
            desk
        })
        .collect();
    task("job dispatcher").group("jobs").long_lived().spawn(async move {
        let mut turn = 0;
        while let Some(job) = jobs.recv().await {
            turn = (turn + 1) % workers.len();
            if workers[turn].send(job).await.is_err() {
                return;
            }
        }
    });
    queue
}

async fn print_receipt(job: &Job) {
    sleep(Duration::from_millis(5 + job.order % 4)).await;
}

/// Starts what runs by the clock.
pub(super) fn start_timers() {
    task("metrics flush").group("timers").long_lived().spawn(every(Duration::from_secs(1)));
    task("session sweep").group("timers").long_lived().spawn(every(Duration::from_millis(250)));
    task("price refresh").group("timers").long_lived().spawn(every(Duration::from_millis(500)));
}

async fn every(period: Duration) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // What a flush writes goes over the network, too.
        sleep(Duration::from_millis(2)).await;
    }
}
