//! The service's callbacks beside ours: none is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pollscope_model::entity::runtime::RuntimeRecord;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::testkit::{fold_until, record};

const TASKS: usize = 100;

/// How often each callback of the service was called.
#[derive(Clone, Default)]
struct Calls(Arc<[AtomicUsize; 7]>);

impl Calls {
    /// A callback that counts as the `nth`.
    fn count(&self, nth: usize) -> impl Fn() + Send + Sync + 'static {
        let calls = Arc::clone(&self.0);
        move || _ = calls[nth].fetch_add(1, Ordering::Relaxed)
    }

    fn made(&self) -> [usize; 7] {
        self.0.each_ref().map(|calls| calls.load(Ordering::Relaxed))
    }

    /// Waits until that is so.
    #[track_caller]
    fn until(&self, done: impl Fn([usize; 7]) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !done(self.made()) {
            assert!(Instant::now() < deadline, "{:?}", self.made());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn builder(name: &str) -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).name(name);
    builder
}

/// Tasks of the caller's line.
#[track_caller]
fn run_tasks(runtime: &Runtime) {
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        tasks.push(runtime.spawn(async {}));
    }
    runtime.block_on(async {
        for task in tasks {
            task.await.expect("returns");
        }
    });
}

fn wait_until_observed(name: &str) {
    fold_until("the runtime", |fold| {
        let named = |known: &&RuntimeRecord| &*fold.dict.name(known.name) == name && !known.gone;
        fold.runtimes.iter().find(named).map(|_| ())
    });
}

#[test]
fn all_callbacks_that_are_given_are_called_beside_ours() {
    record();
    let calls = Calls::default();
    let callbacks = Callbacks::new()
        .on_thread_start(calls.count(0))
        .on_thread_stop(calls.count(1))
        .on_thread_park(calls.count(2));
    #[cfg(tokio_unstable)]
    let callbacks = {
        let of_task = |nth| {
            let count = calls.count(nth);
            move |_: &TaskMeta<'_>| count()
        };
        callbacks
            .on_task_spawn(of_task(3))
            .on_before_task_poll(of_task(4))
            .on_after_task_poll(of_task(5))
            .on_task_terminate(of_task(6))
    };
    let mut builder = builder("callbacks");
    attach_with(&mut builder, callbacks);
    let runtime = builder.build().expect("a runtime");
    run_tasks(&runtime);
    #[cfg(tokio_unstable)]
    let line = line!() - 2;
    wait_until_observed("callbacks");
    calls.until(|calls| calls[0] > 0 && calls[2] > 0);
    #[cfg(tokio_unstable)]
    {
        calls.until(|calls| calls[3..6] == [TASKS; 3] && calls[6] >= TASKS);
        fold_until("our own count", |fold| {
            let site = fold.site_at(file!(), line)?;
            (site.ended == TASKS as u64 && site.poll.count() == TASKS as u64).then_some(())
        });
    }
    drop(runtime);
    calls.until(|calls| calls[1] == calls[0]);
}

#[test]
fn the_callbacks_of_threads_stay_the_services_where_ours_do_without() {
    record();
    let calls = Calls::default();
    let mut builder = builder("threads-of-the-service");
    builder.on_thread_start(calls.count(0)).on_thread_stop(calls.count(1)).on_thread_unpark(calls.count(2));
    attach(&mut builder);
    let runtime = builder.build().expect("a runtime");
    run_tasks(&runtime);
    wait_until_observed("threads-of-the-service");
    drop(runtime);
    calls.until(|calls| calls[0] > 0 && calls[1] == calls[0] && calls[2] > 0);
}

/// Tokio calls `on_thread_park` only where there is nothing to do.
#[test]
#[cfg(tokio_unstable)]
fn a_runtime_that_is_never_idle_is_observed() {
    record();
    let mut builder = Builder::new_current_thread();
    let calls = Calls::default();
    builder.on_thread_park(calls.count(0));
    attach_to_tasks(builder.name("never-idle"), Callbacks::new(), Session::NONE);
    let runtime = builder.build().expect("a runtime");
    runtime.block_on(async {
        let task = tokio::spawn(async {});
        while !task.is_finished() {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(calls.made()[0], 0, "it never parked");
    fold_until("the runtime", |fold| {
        fold.runtimes.iter().find(|known| &*fold.dict.name(known.name) == "never-idle").cloned()
    });
}
