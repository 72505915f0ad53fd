//! A slow request inside of its connection's poll: one poll of the thread, and one to blame.

use std::time::Duration;

use http::{Method, Response};
use pollscope_model::entity::slow_poll::SlowPoll;
use tokio::runtime::Builder;
use tower_layer::Layer as _;
use tower_service::Service as _;

use super::{Handler, layer, one_at, to};
use crate::Traced as _;
use crate::testkit::{Fold, fold, record};

const BLOCKED: Duration = Duration::from_millis(30);
const BLOCKED_NS: u64 = BLOCKED.as_nanos() as u64;
/// Far below what was blocked, far above what is done beside it.
const LITTLE_NS: u64 = BLOCKED_NS / 2;

async fn connection(route: &'static str) {
    let block = |_| async {
        std::thread::sleep(BLOCKED);
        Ok(Response::new(()))
    };
    layer().grpc().layer(Handler(block)).call(to(Method::POST, route)).await.expect("an answer");
}

/// The slow poll of the request, and all of the task round it.
fn slow_polls(fold: &Fold, route: &str) -> (SlowPoll, Vec<SlowPoll>) {
    let request = one_at(fold, route);
    let of = |task| fold.slow_polls.iter().filter(move |poll| Some(poll.task) == task).cloned();
    let inner: Vec<_> = of(Some(request.id)).collect();
    assert_eq!(inner.len(), 1, "{inner:?}");
    (inner[0].clone(), of(request.parent).collect())
}

fn only_the_request_is_to_blame(inner: &SlowPoll, round_it: &[SlowPoll]) {
    assert!(inner.held_ns() >= BLOCKED_NS && inner.nested_ns == 0, "{inner:?}");
    for outer in round_it {
        assert!(outer.wall_ns >= BLOCKED_NS && outer.held_ns() < LITTLE_NS, "{outer:?}");
        assert!(outer.judged_ns() <= outer.held_ns(), "{outer:?}");
    }
}

#[test]
fn a_wrapped_task_round_it_is_not_blamed_for_the_same_poll() {
    record();
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async { crate::spawn(connection("/tower.Wrapped/Slow")).await.expect("returns") });
    let fold = fold();
    let (inner, outer) = slow_polls(&fold, "/tower.Wrapped/Slow");
    assert_eq!(outer.len(), 1, "it is told, since it was slow");
    only_the_request_is_to_blame(&inner, &outer);
}

/// On stock tokio no hook tells of the task round it.
#[test]
fn nor_is_a_hooked_one() {
    record();
    let mut builder = Builder::new_multi_thread();
    crate::attach(builder.worker_threads(1));
    let runtime = builder.build().expect("a runtime");
    runtime.block_on(async { tokio::spawn(connection("/tower.Hooked/Slow")).await.expect("returns") });
    drop(runtime);
    let fold = fold();
    let (inner, outer) = slow_polls(&fold, "/tower.Hooked/Slow");
    assert_eq!(outer.len(), usize::from(cfg!(tokio_unstable)));
    only_the_request_is_to_blame(&inner, &outer);
}

#[test]
fn what_a_task_blocks_beside_its_request_is_its_own() {
    record();
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let beside = async {
        connection("/tower.Beside/Slow").await;
        std::thread::sleep(BLOCKED);
    };
    runtime.block_on(async { crate::spawn(beside).await.expect("returns") });
    let fold = fold();
    let (inner, outer) = slow_polls(&fold, "/tower.Beside/Slow");
    assert!(inner.held_ns() >= BLOCKED_NS && outer.len() == 1, "{inner:?} {outer:?}");
    assert!(outer[0].held_ns() >= BLOCKED_NS && outer[0].nested_ns >= BLOCKED_NS, "{outer:?}");
}

/// Three deep: only the innermost is to blame.
#[test]
fn a_traced_future_between_them_is_not_blamed_either() {
    record();
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let between = connection("/tower.Between/Slow").traced("tower-between");
    runtime.block_on(async { crate::task("tower-round").spawn(between).await.expect("returns") });
    let fold = fold();
    let (inner, between) = slow_polls(&fold, "/tower.Between/Slow");
    let round = fold.one("tower-round").expect("drained").id;
    let round: Vec<_> = fold.slow_polls.iter().filter(|poll| poll.task == round).cloned().collect();
    assert_eq!((between.len(), round.len()), (1, 1));
    only_the_request_is_to_blame(&inner, &[between, round].concat());
}
