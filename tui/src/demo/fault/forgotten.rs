//! `--fault forgotten`: a task waits for a delivery's signal, and the task that should give it has
//! forgotten to.
//!
//! **Raises** `forgotten-task`: the task is pending, holds its memory, and nothing ever wakes it. The
//! `Notify` is alive, so a waker is kept: this is no lost waker. The remedy is a timeout round the
//! wait, or to end the task together with what it waits for.

use std::sync::{Arc, OnceLock};

use pollscope::task;
use tokio::sync::Notify;

use crate::demo::shop::Plan;

/// Alive for as long as the process, and never notified.
static DELIVERY: OnceLock<Arc<Notify>> = OnceLock::new();

pub(super) fn install(plan: &mut Plan) {
    plan.beside(wait_for_delivery);
}

fn wait_for_delivery() {
    let delivery = DELIVERY.get_or_init(Arc::default).clone();
    task("wait for delivery").group("stock").spawn(async move {
        delivery.notified().await;
    });
}
