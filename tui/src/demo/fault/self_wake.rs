//! `--fault self-wake`: a future looks at a flag, wakes itself and looks again, twenty thousand times
//! a second.
//!
//! **Raises** `self-wake-storm`: the task is never idle, and burns a worker's time without getting
//! anywhere. The remedy is to wait for the event (a `Notify`, a `watch`) instead of asking for it.
//!
//! It rests after each burst, so that the rest of the demo stays alive.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pollscope::task;
use tokio::time::sleep;

use crate::demo::shop::Plan;

pub(super) fn install(plan: &mut Plan) {
    plan.beside(watch_flag);
}

fn watch_flag() {
    task("watch flag").group("config").long_lived().spawn(async {
        loop {
            Spin { looks: 2_000 }.await;
            sleep(Duration::from_millis(100)).await;
        }
    });
}

/// Looks so often before it gives up.
struct Spin {
    looks: u32,
}

impl Future for Spin {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.looks == 0 {
            return Poll::Ready(());
        }
        self.looks -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
