//! The runtime of one session, of whichever flavor, and letting it be.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, LocalOptions, LocalRuntime, Runtime};

use super::session::{Flavor, Session};
use crate::check::book::Book;

/// The pauses between two looks whether everything has ended.
const PAUSES: std::ops::RangeInclusive<Duration> = Duration::from_micros(100)..=Duration::from_millis(5);
/// A worker that has nothing to do is looked at as often.
const NAP: Duration = Duration::from_micros(50);

/// See the module.
pub(super) enum Stage {
    Workers(Runtime),
    OneThread(Runtime),
    Local(LocalRuntime),
}

impl Stage {
    /// Builds what the session asks for.
    pub(super) fn build(session: &mut Session, book: &Book) -> std::io::Result<Self> {
        let mut builder = match session.flavor {
            Flavor::MultiThread => Builder::new_multi_thread(),
            Flavor::CurrentThread | Flavor::Local => Builder::new_current_thread(),
        };
        builder.enable_all();
        if let Some(workers) = session.worker_threads {
            builder.worker_threads(workers);
        }
        if session.start_paused {
            builder.start_paused(true);
        }
        for change in session.configure.drain(..) {
            change(&mut builder);
        }
        let callbacks = std::mem::take(&mut session.callbacks);
        match session.flavor {
            Flavor::MultiThread => book.build(&mut builder, callbacks, &session.name).map(Self::Workers),
            Flavor::CurrentThread => book.build(&mut builder, callbacks, &session.name).map(Self::OneThread),
            Flavor::Local => book
                .build_local(&mut builder, callbacks, LocalOptions::default(), &session.name)
                .map(Self::Local),
        }
    }

    pub(super) fn handle(&self) -> &Handle {
        match self {
            Self::Workers(runtime) | Self::OneThread(runtime) => runtime.handle(),
            Self::Local(runtime) => runtime.handle(),
        }
    }

    pub(super) fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Workers(runtime) | Self::OneThread(runtime) => runtime.block_on(future),
            Self::Local(runtime) => runtime.block_on(future),
        }
    }

    /// Lets the runtime go on until nothing is `left`, or the time is up.
    pub(super) fn settle(&self, patience: Duration, mut left: impl FnMut() -> u64) {
        let deadline = Instant::now() + patience;
        let mut pause = *PAUSES.start();
        while left() > 0 && Instant::now() < deadline {
            self.go_on(pause);
            pause = (pause * 2).min(*PAUSES.end());
        }
    }

    /// A runtime of one thread runs only while a thread blocks on it. It yields instead of sleeping by tokio's
    /// clock, since a clock that is paused would jump to the next timer: what sleeps for an hour is left behind.
    fn go_on(&self, pause: Duration) {
        if matches!(self, Self::Workers(_)) {
            return std::thread::sleep(pause);
        }
        let until = Instant::now() + pause;
        self.block_on(async {
            while Instant::now() < until {
                tokio::task::yield_now().await;
                std::thread::sleep(NAP);
            }
        });
    }

    /// Ends it: waits for jobs of the blocking pool, as dropping it does, or leaves them all behind.
    pub(super) fn end(self, wait: bool) {
        match self {
            Self::Workers(runtime) | Self::OneThread(runtime) if !wait => runtime.shutdown_background(),
            Self::Local(runtime) if !wait => runtime.shutdown_background(),
            Self::Workers(runtime) | Self::OneThread(runtime) => drop(runtime),
            Self::Local(runtime) => drop(runtime),
        }
    }
}
