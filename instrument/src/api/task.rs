//! Tasks with a name: what a user may say of a task before it is spawned.

use std::borrow::Cow;
use std::future::Future;

use pollscope_recorder::Recorder;
use pollscope_recorder::task::Labels;
use tokio::runtime::Handle;
use tokio::task::LocalSet;

use crate::api::handle::JoinHandle;
use crate::api::large::Large;
use crate::api::spawn::Spawn;

/// A task with a name, to be spawned: `task("pool_reaper").group("db").long_lived().spawn(fut)`.
///
/// A name stands for a kind of task, not for one: `task("conn")`, not `task(format!("conn-{id}"))`. Each is kept once
/// for the life of the process, up to 64,511 of them and 8 MiB in all; a task beyond has no name, which is counted and
/// noted where the process is shown. A name of more than 256 bytes is cut. Costs nothing while recording is off.
#[must_use = "a task does nothing until it is spawned"]
pub fn task<'a>(name: impl Into<Cow<'a, str>>) -> TaskBuilder<'a> {
    TaskBuilder { name: name.into(), group: Cow::Borrowed(""), long_lived: false }
}

/// What is said of a task; made by [`task`].
#[derive(Clone, Debug)]
#[must_use = "a task does nothing until it is spawned"]
pub struct TaskBuilder<'a> {
    name: Cow<'a, str>,
    group: Cow<'a, str>,
    long_lived: bool,
}

impl<'a> TaskBuilder<'a> {
    /// Puts the task into a group, by which screens can filter.
    pub fn group(mut self, group: impl Into<Cow<'a, str>>) -> Self {
        self.group = group.into();
        self
    }

    /// The task is meant to live as long as the process: rules about forgotten and leaked tasks leave
    /// it alone.
    pub fn long_lived(mut self) -> Self {
        self.long_lived = true;
        self
    }

    /// Spawns on the current runtime; see [`crate::spawn`].
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let spawn = Spawn::of::<F>(self.labels());
        if Large::<F>::BOXED { spawn.spawn(Box::pin(future)) } else { spawn.spawn(future) }
    }

    /// Spawns on a given runtime; see [`crate::spawn_on`].
    #[track_caller]
    pub fn spawn_on<F>(self, future: F, handle: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let spawn = Spawn::of::<F>(self.labels());
        if Large::<F>::BOXED {
            spawn.spawn_on(Box::pin(future), handle)
        } else {
            spawn.spawn_on(future, handle)
        }
    }

    /// Spawns a `!Send` task on the current `LocalSet`; see [`crate::spawn_local`].
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let spawn = Spawn::of::<F>(self.labels());
        if Large::<F>::BOXED { spawn.spawn_local(Box::pin(future)) } else { spawn.spawn_local(future) }
    }

    /// Spawns a `!Send` task on a given `LocalSet`.
    #[track_caller]
    pub fn spawn_local_on<F>(self, future: F, set: &LocalSet) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let spawn = Spawn::of::<F>(self.labels());
        if Large::<F>::BOXED {
            spawn.spawn_local_on(Box::pin(future), set)
        } else {
            spawn.spawn_local_on(future, set)
        }
    }

    /// Runs a closure on the blocking pool; see [`crate::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F, R>(self, job: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let spawn = Spawn::of::<F>(self.labels());
        if Large::<F>::BOXED { spawn.spawn_blocking(Box::new(job)) } else { spawn.spawn_blocking(job) }
    }

    /// Runs a closure on the blocking pool of a given runtime.
    #[track_caller]
    pub fn spawn_blocking_on<F, R>(self, job: F, handle: &Handle) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let spawn = Spawn::of::<F>(self.labels());
        if Large::<F>::BOXED {
            spawn.spawn_blocking_on(Box::new(job), handle)
        } else {
            spawn.spawn_blocking_on(job, handle)
        }
    }

    fn labels(&self) -> Labels {
        if !Recorder::global().wraps() {
            return Labels::default();
        }
        Labels::new(&self.name, &self.group).long_lived(self.long_lived)
    }
}
