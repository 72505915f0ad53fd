//! The join set: tokio's, with recorded tasks.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::task::{Context, Poll};

use pollscope_model::entity::task::TaskKind;
use pollscope_recorder::handing::Handing;
use pollscope_recorder::tag::Tag;
use pollscope_recorder::task::Labels;
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, Id, JoinError, LocalSet};

use crate::api::future::Instrumented;
use crate::api::large::Large;
use crate::api::spawn::{Spawn, Wrapping};
use crate::runtime::id::BuildIdHasher;

/// Tokio's [`JoinSet`](tokio::task::JoinSet), whose tasks are recorded: the same methods, order of
/// results and cancel safety. Each spawn costs one more entry in a map.
///
/// An abort through the [`AbortHandle`] that `spawn` returns shows as a cancelled task.
pub struct JoinSet<T> {
    inner: tokio::task::JoinSet<T>,
    tags: HashMap<Id, Tag, BuildIdHasher>,
}

impl<T> JoinSet<T> {
    /// An empty set.
    pub fn new() -> Self {
        Self { inner: tokio::task::JoinSet::new(), tags: HashMap::default() }
    }

    /// Tasks in the set, ended ones that were not joined included.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether the set has no task.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns a task on the current runtime.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as tokio's.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let spawn = Spawn::of::<F>(Labels::default());
        if Large::<F>::BOXED { self.spawn_as(spawn, Box::pin(future)) } else { self.spawn_as(spawn, future) }
    }

    /// Spawns a task on a given runtime.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let spawn = Spawn::of::<F>(Labels::default());
        if Large::<F>::BOXED {
            self.spawn_on_as(spawn, Box::pin(future), handle)
        } else {
            self.spawn_on_as(spawn, future, handle)
        }
    }

    /// Spawns a `!Send` task on the current `LocalSet` or local runtime.
    ///
    /// # Panics
    /// Outside of a `LocalSet` or local runtime, as tokio's.
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let spawn = Spawn::of::<F>(Labels::default());
        if Large::<F>::BOXED {
            self.spawn_local_as(spawn, Box::pin(future))
        } else {
            self.spawn_local_as(spawn, future)
        }
    }

    /// Spawns a `!Send` task on a given `LocalSet`.
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, future: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let spawn = Spawn::of::<F>(Labels::default());
        if Large::<F>::BOXED {
            self.spawn_local_on_as(spawn, Box::pin(future), local_set)
        } else {
            self.spawn_local_on_as(spawn, future, local_set)
        }
    }

    /// Runs a closure on the blocking pool of the current runtime.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as tokio's.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, job: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let spawn = Spawn::of::<F>(Labels::default());
        if Large::<F>::BOXED {
            self.spawn_blocking_as(spawn, Box::new(job))
        } else {
            self.spawn_blocking_as(spawn, job)
        }
    }

    /// Runs a closure on the blocking pool of a given runtime.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, job: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let spawn = Spawn::of::<F>(Labels::default());
        if Large::<F>::BOXED {
            self.spawn_blocking_on_as(spawn, Box::new(job), handle)
        } else {
            self.spawn_blocking_on_as(spawn, job, handle)
        }
    }

    #[track_caller]
    fn spawn_as<F>(&mut self, spawn: Spawn, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let Some(site) = spawn.site() else { return self.inner.spawn(future) };
        let (life, tag) = spawn.begin(site, TaskKind::Async);
        let _wrapping = Wrapping::begin();
        let handle = self.inner.spawn(Instrumented::new(future, life));
        self.keep(handle, tag)
    }

    #[track_caller]
    fn spawn_on_as<F>(&mut self, spawn: Spawn, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let Some(site) = spawn.site_on(handle) else { return self.inner.spawn_on(future, handle) };
        let (life, tag) = spawn.begin(site, TaskKind::Async);
        let _wrapping = Wrapping::begin();
        let handle = self.inner.spawn_on(Instrumented::new(future, life), handle);
        self.keep(handle, tag)
    }

    #[track_caller]
    fn spawn_local_as<F>(&mut self, spawn: Spawn, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let Some(site) = spawn.site() else { return self.inner.spawn_local(future) };
        let (life, tag) = spawn.begin(site, TaskKind::Local);
        let _wrapping = Wrapping::begin();
        let handle = self.inner.spawn_local(Instrumented::new(future, life));
        self.keep(handle, tag)
    }

    #[track_caller]
    fn spawn_local_on_as<F>(&mut self, spawn: Spawn, future: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let Some(site) = spawn.site() else { return self.inner.spawn_local_on(future, local_set) };
        let (life, tag) = spawn.begin(site, TaskKind::Local);
        let _wrapping = Wrapping::begin();
        let handle = self.inner.spawn_local_on(Instrumented::new(future, life), local_set);
        self.keep(handle, tag)
    }

    #[track_caller]
    fn spawn_blocking_as<F>(&mut self, spawn: Spawn, job: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let Some(site) = spawn.site() else { return self.inner.spawn_blocking(job) };
        let handing = Handing::begin();
        let (job, tag) = spawn.wrap_job(site, job);
        let handle = self.inner.spawn_blocking(job);
        drop(handing);
        self.keep(handle, tag)
    }

    #[track_caller]
    fn spawn_blocking_on_as<F>(&mut self, spawn: Spawn, job: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let Some(site) = spawn.site_on(handle) else { return self.inner.spawn_blocking_on(job, handle) };
        let handing = Handing::begin();
        let (job, tag) = spawn.wrap_job(site, job);
        let handle = self.inner.spawn_blocking_on(job, handle);
        drop(handing);
        self.keep(handle, tag)
    }

    fn keep(&mut self, handle: AbortHandle, tag: Option<Tag>) -> AbortHandle {
        if let Some(tag) = tag {
            self.tags.insert(handle.id(), tag);
        }
        handle
    }

    fn joined(&mut self, id: Id) {
        if let Some(tag) = self.tags.remove(&id) {
            tag.joined();
        }
    }

    /// Waits for the next task that ends; `None` when the set is empty. Cancel safe.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// The same, with the id of a task that returned. Cancel safe.
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// A task that has ended, if there is one now.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        Some(self.try_join_next_with_id()?.map(|(_, output)| output))
    }

    /// The same, with the id of a task that returned.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        let outcome = self.inner.try_join_next_with_id()?;
        self.joined(id_of(&outcome));
        Some(outcome)
    }

    /// Aborts all tasks and waits until they have ended.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Waits for all tasks, in the order in which they end.
    ///
    /// # Panics
    /// When a task panicked, with its panic, or was cancelled; the others are aborted.
    pub async fn join_all(mut self) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.len());
        while let Some(outcome) = self.join_next().await {
            match outcome {
                Ok(output) => outputs.push(output),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(error) => panic!("{error}"),
            }
        }
        outputs
    }

    /// Aborts all tasks; they stay in the set until they are joined.
    pub fn abort_all(&mut self) {
        self.tags.values().for_each(Tag::aborted);
        self.inner.abort_all();
    }

    /// Lets all tasks go on without the set.
    pub fn detach_all(&mut self) {
        self.tags.clear();
        self.inner.detach_all();
    }

    /// Polls for the next task that ends, as tokio's.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_join_next_with_id(cx).map(|next| next.map(|outcome| outcome.map(|(_, output)| output)))
    }

    /// The same, with the id of a task that returned.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        let next = self.inner.poll_join_next_with_id(cx);
        if let Poll::Ready(Some(outcome)) = &next {
            let id = id_of(outcome);
            self.joined(id);
        }
        next
    }
}

fn id_of<T>(outcome: &Result<(Id, T), JoinError>) -> Id {
    match outcome {
        Ok((id, _)) => *id,
        Err(error) => error.id(),
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        // Tokio's set aborts its tasks when it is dropped.
        self.tags.values().for_each(Tag::aborted);
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = Self::new();
        set.extend(futures);
        set
    }
}

impl<T, F> Extend<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        for future in futures {
            self.spawn(future);
        }
    }
}
