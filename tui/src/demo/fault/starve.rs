//! `--fault starve`: twice a second sixty computing tasks arrive at once, 4 ms each. No single poll is
//! long; together they keep every worker busy, and all else waits its turn.
//!
//! **Raises** `sched-delay`: the time from wake to poll grows, for these tasks and for everybody. The
//! remedy is a limit on how many run at once, or a pool of their own.

use std::time::{Duration, Instant};

use pollscope::task;
use tokio::time::{MissedTickBehavior, interval};

use crate::demo::shop::Plan;

const BURST: usize = 60;

pub(super) fn install(plan: &mut Plan) {
    plan.beside(import_catalogue);
}

fn import_catalogue() {
    task("catalogue import").group("import").long_lived().spawn(async {
        let mut ticks = interval(Duration::from_millis(500));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for item in 0..BURST {
                task("parse item").group("import").spawn(async move { parse(item) });
            }
        }
    });
}

/// 4 ms of arithmetic.
fn parse(item: usize) -> usize {
    let begin = Instant::now();
    let mut sum = item;
    while begin.elapsed() < Duration::from_millis(4) {
        sum = (0..100).fold(sum, |sum, byte| sum.rotate_left(3) ^ byte);
    }
    sum
}
