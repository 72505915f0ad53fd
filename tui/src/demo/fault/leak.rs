//! `--fault leak`: twenty sessions a second are opened, and none is ever closed.
//!
//! **Raises** `task-leak`: the number of living tasks of one spawn site only ever grows. The remedy is
//! an owner that ends them: a `JoinSet`, an `AbortHandle`, a cancellation token, a timeout.
//!
//! It stops at twenty thousand, so that a demo that was left alone eats no machine.

use std::time::Duration;

use pollscope::task;
use tokio::time::{interval, sleep};

use crate::demo::shop::Plan;

const MOST: usize = 20_000;

pub(super) fn install(plan: &mut Plan) {
    plan.beside(open_sessions);
}

fn open_sessions() {
    task("session door").group("sessions").long_lived().spawn(async {
        let mut ticks = interval(Duration::from_millis(50));
        for opened in 0.. {
            ticks.tick().await;
            if opened < MOST {
                task("session").group("sessions").spawn(keep_alive());
            }
        }
    });
}

/// The connection is gone, but the heart beats.
async fn keep_alive() {
    loop {
        sleep(Duration::from_secs(2)).await;
    }
}
