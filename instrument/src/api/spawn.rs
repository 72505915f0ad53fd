//! Spawning: tokio's functions with tokio's bounds, whose tasks are recorded.
//!
//! While the recorder is off (before [`init`](crate::init), with `POLLSCOPE=off`, after the guard is
//! gone) they are tokio's own at the cost of one relaxed load, and start no thread. A task that was
//! spawned then stays unseen for its whole life.

use std::future::Future;
use std::panic::Location;
use std::sync::atomic::Ordering;

use pollscope_model::entity::task::TaskKind;
use pollscope_recorder::handing::Handing;
#[cfg(any(feature = "check", test))]
use pollscope_recorder::intern;
use pollscope_recorder::life::Life;
use pollscope_recorder::session;
#[cfg(any(feature = "check", test))]
use pollscope_recorder::session::Session;
use pollscope_recorder::tag::Tag;
use pollscope_recorder::task::Labels;
use pollscope_recorder::thread::{self, Thread};
use tokio::runtime::Handle;
use tokio::task::LocalSet;

use crate::api::future::Instrumented;
use crate::api::handle::JoinHandle;
use crate::api::large::Large;
use crate::runtime;

/// Spawns a task on the current runtime: [`tokio::spawn`], recorded.
///
/// # Panics
/// Outside of a tokio runtime, as tokio's.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let spawn = Spawn::of::<F>(Labels::default());
    if Large::<F>::BOXED { spawn.spawn(Box::pin(future)) } else { spawn.spawn(future) }
}

/// Spawns a task on a given runtime: [`Handle::spawn`], recorded.
#[track_caller]
pub fn spawn_on<F>(future: F, handle: &Handle) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let spawn = Spawn::of::<F>(Labels::default());
    if Large::<F>::BOXED { spawn.spawn_on(Box::pin(future), handle) } else { spawn.spawn_on(future, handle) }
}

/// Spawns a `!Send` task on the current `LocalSet` or local runtime: [`tokio::task::spawn_local`],
/// recorded.
///
/// # Panics
/// Outside of a `LocalSet` or local runtime, as tokio's.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let spawn = Spawn::of::<F>(Labels::default());
    if Large::<F>::BOXED { spawn.spawn_local(Box::pin(future)) } else { spawn.spawn_local(future) }
}

/// Runs a closure on the blocking pool: [`tokio::task::spawn_blocking`], recorded as a task of one poll
/// whose schedule delay is the time that it waited for a thread.
///
/// # Panics
/// Outside of a tokio runtime, as tokio's.
#[track_caller]
pub fn spawn_blocking<F, R>(job: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let spawn = Spawn::of::<F>(Labels::default());
    if Large::<F>::BOXED { spawn.spawn_blocking(Box::new(job)) } else { spawn.spawn_blocking(job) }
}

/// One spawn: where it stands in the source, what the user said of it, and how large the user's future or
/// closure is. Its methods take what [`Large`] has looked at.
#[derive(Clone, Copy)]
pub(crate) struct Spawn {
    location: &'static Location<'static>,
    labels: Labels,
    bytes: usize,
}

impl Spawn {
    /// A spawn of an `F` at the caller's line.
    #[inline]
    #[track_caller]
    pub(crate) fn of<F>(labels: Labels) -> Self {
        Self { location: Location::caller(), labels, bytes: size_of::<F>() }
    }

    #[inline]
    #[track_caller]
    pub(crate) fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let Some(site) = self.site() else { return JoinHandle::new(tokio::spawn(future), None) };
        let (life, tag) = self.begin(site, TaskKind::Async);
        let _wrapping = Wrapping::begin();
        JoinHandle::new(tokio::spawn(Instrumented::new(future, life)), tag)
    }

    #[track_caller]
    pub(crate) fn spawn_on<F>(self, future: F, handle: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let Some(site) = self.site_on(handle) else { return JoinHandle::new(handle.spawn(future), None) };
        let (life, tag) = self.begin(site, TaskKind::Async);
        let _wrapping = Wrapping::begin();
        JoinHandle::new(handle.spawn(Instrumented::new(future, life)), tag)
    }

    #[track_caller]
    pub(crate) fn spawn_local<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let Some(site) = self.site() else { return JoinHandle::new(tokio::task::spawn_local(future), None) };
        let (life, tag) = self.begin(site, TaskKind::Local);
        let _wrapping = Wrapping::begin();
        JoinHandle::new(tokio::task::spawn_local(Instrumented::new(future, life)), tag)
    }

    #[track_caller]
    pub(crate) fn spawn_local_on<F>(self, future: F, set: &LocalSet) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let Some(site) = self.site() else { return JoinHandle::new(set.spawn_local(future), None) };
        let (life, tag) = self.begin(site, TaskKind::Local);
        let _wrapping = Wrapping::begin();
        JoinHandle::new(set.spawn_local(Instrumented::new(future, life)), tag)
    }

    #[track_caller]
    pub(crate) fn spawn_blocking<F, R>(self, job: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let Some(site) = self.site() else { return JoinHandle::new(tokio::task::spawn_blocking(job), None) };
        let _handing = Handing::begin();
        let (job, tag) = self.wrap_job(site, job);
        JoinHandle::new(tokio::task::spawn_blocking(job), tag)
    }

    #[track_caller]
    pub(crate) fn spawn_blocking_on<F, R>(self, job: F, handle: &Handle) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let Some(site) = self.site_on(handle) else {
            return JoinHandle::new(handle.spawn_blocking(job), None);
        };
        let _handing = Handing::begin();
        let (job, tag) = self.wrap_job(site, job);
        JoinHandle::new(handle.spawn_blocking(job), tag)
    }

    /// A spawn of so many bytes at a line that is known.
    #[cfg(any(feature = "check", test))]
    pub(crate) fn at(location: &'static Location<'static>, labels: Labels, bytes: usize) -> Self {
        Self { location, labels, bytes }
    }

    /// Spawns a task of that session.
    #[cfg(any(feature = "check", test))]
    pub(crate) fn spawn_in<F>(self, session: Session, future: F, handle: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let site = intern::site(self.location, session);
        let (life, tag) = self.begin(site, TaskKind::Async);
        let _wrapping = Wrapping::begin();
        JoinHandle::new(handle.spawn(Instrumented::new(future, life)), tag)
    }

    /// The site of a task that is spawned where the caller is; `None` if it is not to be recorded.
    #[inline]
    pub(crate) fn site(self) -> Option<u32> {
        session::site(self.location, runtime::current)
    }

    /// The site of a task that is spawned on that runtime.
    #[inline]
    pub(crate) fn site_on(self, handle: &Handle) -> Option<u32> {
        session::site_on(self.location, || runtime::number_of(handle))
    }

    /// The life of the task, and the share of its handle. The future is wrapped where it is handed on, and moved no
    /// more than it has to be.
    #[inline]
    pub(crate) fn begin(self, site: u32, kind: TaskKind) -> (Life, Option<Tag>) {
        Life::begin_joinable(site, kind, self.labels, self.bytes)
    }

    /// A job of the blocking pool to be handed on in place of the user's, and the share of its handle.
    pub(crate) fn wrap_job<R, F>(self, site: u32, job: F) -> (impl FnOnce() -> R + use<R, F>, Option<Tag>)
    where
        F: FnOnce() -> R,
    {
        let (life, tag) = self.begin(site, TaskKind::Blocking);
        let job = Instrumented::new(job, life);
        (move || job.run(), tag)
    }
}

/// Tells tokio's spawn hook on this thread, if it is ours, that the task is wrapped already.
pub(crate) struct Wrapping(&'static Thread);

impl Wrapping {
    /// Until it is dropped.
    #[inline]
    pub(crate) fn begin() -> Self {
        let thread = thread::here();
        thread.wrapping.store(true, Ordering::Relaxed);
        Self(thread)
    }
}

impl Drop for Wrapping {
    #[inline]
    fn drop(&mut self) {
        self.0.wrapping.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
