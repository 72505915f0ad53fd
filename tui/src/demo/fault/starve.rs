//! `--fault starve`: twice a second sixty computing tasks arrive at once, 4 ms each. No single poll is
//! long; together they keep every worker busy, and all else waits its turn.
//!
//! **Raises** `sched-delay`: the time from wake to poll grows, for these tasks and for all others. The
//! remedy is a limit on how many run at once, or a pool of their own.

use std::time::Duration;

use pollscope::task;
use tokio::time::{MissedTickBehavior, interval};

use super::work::compute;
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
            for _ in 0..BURST {
                task("parse item").group("import").spawn(async { parse() });
            }
        }
    });
}

fn parse() -> u64 {
    compute(Duration::from_millis(4))
}
