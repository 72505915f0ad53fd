//! Traced futures on executors that are not tokio.

use std::cell::Cell;
use std::rc::Rc;

use pollscope_model::entity::task::{HandleState, TaskKind, TaskState};
use pollscope_model::measured::{Metric, Mode};

use crate::Traced as _;
use crate::testkit::{fold, record};

#[test]
fn smol_tasks_are_recorded_with_their_wakes() {
    record();
    let executor = smol::Executor::new();
    smol::block_on(executor.run(async {
        let task = executor.spawn(
            async {
                for _ in 0..9 {
                    smol::future::yield_now().await;
                }
            }
            .traced("smol-task"),
        );
        task.await;
    }));
    let fold = fold();
    let row = fold.one("smol-task").expect("drained");
    assert_eq!((row.kind, row.mode, row.state), (TaskKind::Future, Mode::Wrap, TaskState::Completed));
    assert_eq!((row.polls, row.wakes, row.self_wakes), (10, 9, 9));
    assert_eq!((row.handle, row.measures(Metric::Handles)), (HandleState::Held, false));
}

#[test]
fn a_future_may_be_unsendable_and_borrowed() {
    record();
    let count = Cell::new(0);
    let shared = Rc::new(3);
    let local = smol::LocalExecutor::new();
    smol::block_on(local.run(async {
        local
            .spawn(
                async {
                    for _ in 0..*shared {
                        count.set(count.get() + 1);
                        smol::future::yield_now().await;
                    }
                }
                .traced("smol-local"),
            )
            .await;
    }));
    assert_eq!(count.get(), 3);
    assert_eq!(fold().one("smol-local").expect("drained").polls, 4);
}

#[test]
fn a_dropped_future_is_cancelled_and_an_unpolled_one_never_was() {
    record();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut polled = Box::pin(std::future::pending::<()>().traced("traced-dropped"));
    assert!(polled.as_mut().poll(&mut context).is_pending());
    drop(polled);
    drop(std::future::pending::<()>().traced("traced-unpolled"));
    let fold = fold();
    assert_eq!(fold.one("traced-dropped").expect("drained").state, TaskState::Cancelled);
    assert!(fold.one("traced-unpolled").is_none());
}

#[test]
fn a_wrapper_keeps_no_task_alive_after_its_end() {
    record();
    let witness = std::sync::Arc::new(());
    let held = std::sync::Arc::clone(&witness);
    let executor = smol::Executor::new();
    // Pending for ever with a waker of its own inside: only the executor's drop can end it.
    let task = executor.spawn(
        async move {
            let mut own = None;
            std::future::poll_fn(move |cx| {
                own.get_or_insert_with(|| cx.waker().clone());
                std::task::Poll::<()>::Pending
            })
            .await;
            drop(held);
        }
        .traced("cycle"),
    );
    assert!(executor.try_tick());
    drop(task);
    while executor.try_tick() {}
    drop(executor);
    assert_eq!(std::sync::Arc::strong_count(&witness), 1);
    assert_eq!(fold().one("cycle").expect("drained").state, TaskState::Cancelled);
}

#[test]
fn the_body_of_block_on_is_a_task_named_main() {
    record();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    crate::observe(runtime.handle(), "of-main");
    runtime.block_on(crate::api::scope::block_on_body(async {
        crate::task("child-of-main").spawn(async {}).await.expect("returns");
    }));
    let fold = fold();
    let main = fold.one("main").expect("drained");
    assert_eq!((main.kind, main.state, main.long_lived), (TaskKind::BlockOn, TaskState::Completed, true));
    assert!(main.polls >= 2);
    assert!(main.runtime.is_some(), "it decides whether a long poll of the body is in the way of others");
    assert_eq!(fold.one("child-of-main").expect("drained").parent, Some(main.id));
}
