//! Taking the callbacks of a runtime that is about to be built, and calling the service's own from them.
//!
//! Tokio keeps one callback of each kind and tells of none, so that what is to be called beside ours has to be given
//! here. Called by the service, by `#[pollscope::main]`, and for the runtimes of test sessions.

use std::fmt;
#[cfg(any(feature = "check", test))]
use std::sync::Arc;

use pollscope_recorder::session::Session;
#[cfg(any(feature = "check", test))]
use pollscope_recorder::session::numbers::Lease;
#[cfg(tokio_unstable)]
use tokio::runtime::TaskMeta;

#[cfg(tokio_unstable)]
use super::latency;

/// **Replaces** the builder's `on_thread_park` callback, and with `--cfg tokio_unstable` its `on_task_spawn`,
/// `on_before_task_poll`, `on_after_task_poll` and `on_task_terminate` callbacks, by pollscope's: whatever of them the
/// service set before is never called. Use [`attach_with`] if it has any, which calls both.
///
/// With the task callbacks every task of the runtime is seen, libraries' included, but for those of a `LocalSet`; on
/// stock tokio they do not exist, and none is taken. `on_thread_park` tells which thread is which worker, and observes
/// the runtime (see [`observe`](crate::observe)) under its own name when a worker parks or polls a task for the first
/// time. `on_thread_start`, `on_thread_stop` and `on_thread_unpark` stay the service's.
///
/// A later registration replaces ours as silently: call this after everything else that sets callbacks and give those to
/// [`attach_with`], or call the functions of [`hooks`](crate::api::hooks) from callbacks of your own.
///
/// With [`Builder::schedule_delay`](crate::Builder::schedule_delay) or `POLLSCOPE_SCHEDULE_DELAY=on`, which have to be set
/// before, the runtime also tracks how long each task waits for a worker.
///
/// Costs a poll two clock reads and some thread-local stores while recording is on.
pub fn attach(builder: &mut tokio::runtime::Builder) {
    builder.on_thread_park(parks);
    #[cfg(tokio_unstable)]
    attach_to_tasks(builder, Callbacks::new(), Session::NONE);
}

/// Like [`attach`], and calls the service's own callbacks beside pollscope's: none is lost that is given here instead of
/// to the builder.
///
/// Takes `on_thread_start` and `on_thread_stop`, too, which observe the runtime from its first thread on and until its
/// last one is gone.
///
/// ```
/// let mut builder = tokio::runtime::Builder::new_multi_thread();
/// let callbacks = pollscope::Callbacks::new()
///     .on_thread_start(|| { /* pin the thread to a core */ })
///     .on_thread_stop(|| { /* … */ });
/// pollscope::attach_with(builder.enable_all(), callbacks);
/// # drop(builder);
/// ```
///
/// Costs what [`attach`] does, and one indirect call for each callback that is given.
pub fn attach_with(builder: &mut tokio::runtime::Builder, callbacks: Callbacks) {
    attach_to_all(builder, callbacks, Session::NONE, super::on_thread_start);
}

/// The same for a runtime whose tasks are a session's, wherever they are spawned. The runtime keeps the lease.
#[cfg(any(feature = "check", test))]
pub(crate) fn attach_in(builder: &mut tokio::runtime::Builder, lease: &Arc<Lease>, callbacks: Callbacks) {
    let kept = Arc::clone(lease);
    let starts = move || {
        kept.stay();
        crate::report::sample::thread_starts(kept.session());
    };
    attach_to_all(builder, callbacks, lease.session(), starts);
}

type OfThread = Box<dyn Fn() + Send + Sync>;
#[cfg(tokio_unstable)]
type OfTask = Box<dyn Fn(&TaskMeta<'_>) + Send + Sync>;

/// The service's own callbacks for [`attach_with`]: each method is tokio's of the same name, and replaces what an earlier
/// call of it gave.
#[derive(Default)]
#[must_use = "callbacks do nothing until they are given to `attach_with`"]
pub struct Callbacks {
    start: Option<OfThread>,
    stop: Option<OfThread>,
    park: Option<OfThread>,
    #[cfg(tokio_unstable)]
    spawn: Option<OfTask>,
    #[cfg(tokio_unstable)]
    before_poll: Option<OfTask>,
    #[cfg(tokio_unstable)]
    after_poll: Option<OfTask>,
    #[cfg(tokio_unstable)]
    terminate: Option<OfTask>,
}

impl Callbacks {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Called on each thread of the runtime before it does anything: see
    /// [`on_thread_start`](tokio::runtime::Builder::on_thread_start).
    pub fn on_thread_start(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.start = Some(Box::new(callback));
        self
    }

    /// Called on each thread of the runtime before it ends: see
    /// [`on_thread_stop`](tokio::runtime::Builder::on_thread_stop).
    pub fn on_thread_stop(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.stop = Some(Box::new(callback));
        self
    }

    /// Called on a worker before it parks: see [`on_thread_park`](tokio::runtime::Builder::on_thread_park).
    pub fn on_thread_park(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.park = Some(Box::new(callback));
        self
    }
}

/// The task callbacks, which tokio has with `--cfg tokio_unstable` only.
#[cfg(tokio_unstable)]
impl Callbacks {
    /// Called where a task is spawned: see [`on_task_spawn`](tokio::runtime::Builder::on_task_spawn).
    pub fn on_task_spawn(mut self, callback: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static) -> Self {
        self.spawn = Some(Box::new(callback));
        self
    }

    /// Called before each poll, whose time it does not count to: see
    /// [`on_before_task_poll`](tokio::runtime::Builder::on_before_task_poll).
    pub fn on_before_task_poll(mut self, callback: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static) -> Self {
        self.before_poll = Some(Box::new(callback));
        self
    }

    /// Called after each poll, whose time it does not count to: see
    /// [`on_after_task_poll`](tokio::runtime::Builder::on_after_task_poll).
    pub fn on_after_task_poll(mut self, callback: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static) -> Self {
        self.after_poll = Some(Box::new(callback));
        self
    }

    /// Called when a task ends: see [`on_task_terminate`](tokio::runtime::Builder::on_task_terminate).
    pub fn on_task_terminate(mut self, callback: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static) -> Self {
        self.terminate = Some(Box::new(callback));
        self
    }
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbacks").finish_non_exhaustive()
    }
}

fn attach_to_all(
    builder: &mut tokio::runtime::Builder,
    mut callbacks: Callbacks,
    session: Session,
    starts: impl Fn() + Send + Sync + 'static,
) {
    match callbacks.start.take() {
        None => builder.on_thread_start(starts),
        Some(users) => builder.on_thread_start(move || {
            starts();
            users();
        }),
    };
    match callbacks.stop.take() {
        None => builder.on_thread_stop(super::on_thread_stop),
        Some(users) => builder.on_thread_stop(move || {
            users();
            super::on_thread_stop();
        }),
    };
    match callbacks.park.take() {
        None => builder.on_thread_park(parks),
        Some(users) => builder.on_thread_park(move || {
            parks();
            users();
        }),
    };
    #[cfg(tokio_unstable)]
    attach_to_tasks(builder, callbacks, session);
    #[cfg(not(tokio_unstable))]
    let _ = session;
}

/// A thread of a runtime that has all callbacks of ours parks.
fn parks() {
    super::on_thread_park();
    #[cfg(tokio_unstable)]
    super::count_jobs_by_termination();
}

/// The service's callbacks come outside of ours, so that their time is no poll's.
#[cfg(tokio_unstable)]
fn attach_to_tasks(builder: &mut tokio::runtime::Builder, callbacks: Callbacks, session: Session) {
    super::set_hooked();
    latency::track(builder);
    let spawn = move |task: &TaskMeta<'_>| super::on_spawn_in(session, task.id(), task.spawned_at());
    match callbacks.spawn {
        None => builder.on_task_spawn(spawn),
        Some(users) => builder.on_task_spawn(move |task| {
            spawn(task);
            users(task);
        }),
    };
    match callbacks.before_poll {
        None => builder.on_before_task_poll(|task| super::before_poll_in(task.id(), latency::of(task))),
        Some(users) => builder.on_before_task_poll(move |task| {
            users(task);
            super::before_poll_in(task.id(), latency::of(task));
        }),
    };
    match callbacks.after_poll {
        None => builder.on_after_task_poll(|task| super::after_poll(task.id())),
        Some(users) => builder.on_after_task_poll(move |task| {
            super::after_poll(task.id());
            users(task);
        }),
    };
    match callbacks.terminate {
        None => builder.on_task_terminate(|task| super::on_terminate(task.id())),
        Some(users) => builder.on_task_terminate(move |task| {
            super::on_terminate(task.id());
            users(task);
        }),
    };
}

#[cfg(test)]
mod tests;
