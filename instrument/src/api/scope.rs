//! Scopes and traced futures: names for parts of the work that are not tasks.

use std::borrow::Cow;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pollscope_model::entity::task::TaskKind;
use pollscope_recorder::life::Life;
#[cfg(feature = "tower")]
use pollscope_recorder::route::Route;
use pollscope_recorder::session;
use pollscope_recorder::task::Labels;
use pollscope_recorder::thread::{self, Thread};
use pollscope_recorder::{Recorder, intern};

use crate::api::future::poll_recorded;
use crate::runtime;

/// Labels every task that is spawned while `future` is polled, and all that those spawn in turn, until
/// one opens a scope of its own.
///
/// Costs two thread-local stores per poll; nothing while recording is off.
pub fn scope<'a, F: Future>(name: impl Into<Cow<'a, str>>, future: F) -> Scoped<F> {
    let label = if Recorder::global().wraps() { intern::name(&name.into()) } else { 0 };
    Scoped { future, label }
}

/// A future in a [`scope`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Scoped<F> {
    future: F,
    label: u32,
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let label = self.label;
        #[expect(unsafe_code, reason = "pin projection")]
        // SAFETY: `future` is pinned structurally: never moved out, no `Drop`, `Unpin` only if `F` is.
        let future = unsafe { self.map_unchecked_mut(|this| &mut this.future) };
        if label == 0 {
            return future.poll(cx);
        }
        let _label = Label::set(label);
        future.poll(cx)
    }
}

/// Puts the label before back, also when the future panics.
struct Label {
    thread: &'static Thread,
    before: u32,
}

impl Label {
    fn set(label: u32) -> Self {
        let thread = thread::here();
        Self { thread, before: thread.set_scope(label) }
    }
}

impl Drop for Label {
    fn drop(&mut self) {
        self.thread.set_scope(self.before);
    }
}

mod sealed {
    pub trait Sealed {}
    impl<F: std::future::Future> Sealed for F {}
}

/// Names futures that are not tasks of their own. Implemented for every future.
pub trait Traced: Future + sealed::Sealed + Sized {
    /// Records this future like a task, on any executor, `Send` or not: its polls, wakes and end, from
    /// its first poll on. Shown with the kind `future`, below the task that polls it.
    ///
    /// Its schedule delay counts only polls that its own wakers asked for: a parent may poll it on the
    /// way at any time. It has no join handle.
    #[track_caller]
    fn traced<'a>(self, name: impl Into<Cow<'a, str>>) -> TracedFuture<Self> {
        let wraps = Recorder::global().wraps();
        let labels = if wraps { Labels::new(&name.into(), "") } else { Labels::default() };
        let stage = if wraps {
            let bytes = size_of::<Self>();
            Stage::Unpolled {
                at: Birthplace::Line(Location::caller()),
                labels,
                kind: TaskKind::Future,
                bytes,
            }
        } else {
            Stage::Plain
        };
        TracedFuture { future: self, stage }
    }
}

impl<F: Future> Traced for F {}

/// A future that is recorded; made by [`Traced::traced`], and of a request by the layer of feature `tower`.
#[must_use = "futures do nothing unless polled"]
pub struct TracedFuture<F> {
    // First, so that what the future does while it is dropped comes before the end.
    future: F,
    stage: Stage,
}

enum Stage {
    Plain,
    /// Not a task yet: a future that is never polled is no task that waits.
    Unpolled {
        at: Birthplace,
        labels: Labels,
        kind: TaskKind,
        /// The user's future's own size.
        bytes: usize,
    },
    Begun(Life),
}

/// What the task's site is.
#[derive(Clone, Copy)]
enum Birthplace {
    Line(&'static Location<'static>),
    #[cfg(feature = "tower")]
    Route(Route),
}

impl Birthplace {
    /// The life of a task that begins here and now, if it is to be recorded.
    fn begin(self, kind: TaskKind, labels: Labels, bytes: usize) -> Option<Life> {
        match self {
            Self::Line(line) => {
                Some(Life::begin(session::site(line, runtime::current)?, kind, labels, bytes))
            }
            #[cfg(feature = "tower")]
            Self::Route(route) => {
                let site = session::route(route, runtime::current)?;
                let _label = Label::set(route.name());
                Some(Life::begin(site, kind, labels, bytes))
            }
        }
    }
}

impl<F> std::fmt::Debug for TracedFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TracedFuture").finish_non_exhaustive()
    }
}

impl<F: Future> Future for TracedFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        #[expect(unsafe_code, reason = "pin projection")]
        // SAFETY: `future` is pinned structurally: never moved out, no `Drop`, `Unpin` only if `F` is.
        // `stage` is never pinned.
        let (future, stage) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.stage)
        };
        if let Stage::Unpolled { at, labels, kind, bytes } = *stage {
            *stage = at.begin(kind, labels, bytes).map_or(Stage::Plain, Stage::Begun);
        }
        match stage {
            Stage::Begun(life) => poll_recorded(life, cx, |cx| future.poll(cx)),
            _ => future.poll(cx),
        }
    }
}

/// A request's future, recorded from its first poll on; `None`: it is not.
#[cfg(feature = "tower")]
pub(crate) fn request<F: Future>(route: Option<Route>, future: F) -> TracedFuture<F> {
    let stage = route.map_or(Stage::Plain, |route| Stage::Unpolled {
        at: Birthplace::Route(route),
        labels: Labels::default(),
        kind: TaskKind::Request,
        bytes: size_of::<F>(),
    });
    TracedFuture { future, stage }
}

/// The body of a `block_on`, recorded under the name `main`: for `#[pollscope::main]`. Boxed whatever its size, which
/// a process pays once: what it returns would hold one more copy of a large one on the stack.
#[track_caller]
pub fn block_on_body<F: Future>(future: F) -> TracedFuture<Pin<Box<F>>> {
    let future = Box::pin(future);
    let stage = if Recorder::global().wraps() {
        let labels = Labels::new("main", "").long_lived(true);
        let bytes = size_of::<F>();
        Stage::Unpolled { at: Birthplace::Line(Location::caller()), labels, kind: TaskKind::BlockOn, bytes }
    } else {
        Stage::Plain
    };
    TracedFuture { future, stage }
}

#[cfg(test)]
mod tests;
