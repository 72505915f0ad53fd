//! `--fault lost-waker`: a hand-written future answers `Pending` without keeping the waker.
//!
//! **Raises** `lost-waker`: nothing can ever wake the task again. A future that is not ready must have
//! handed its waker to whatever will make it ready.

use std::pin::Pin;
use std::task::{Context, Poll};

use pollscope::task;

use crate::demo::shop::Plan;

pub(super) fn install(plan: &mut Plan) {
    plan.beside(await_payment);
}

fn await_payment() {
    task("await payment").group("payments").spawn(Payment);
}

/// Ready when the bank has answered; the waker is never stored.
struct Payment;

impl Future for Payment {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
