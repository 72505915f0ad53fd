//! The books of one session: what the tasks of one test do, apart from everything else in the process.
//!
//! Any number of sessions (up to 511) may be open at once, beside the guard's exporters, which see them all.
//! A task is in the session if its runtime was built for it ([`Book::build`]), or if it was spawned by a task
//! or thread of the session ([`Book::enter`]); which of both kinds of tokio it is, and whether it is wrapped
//! or hooked, makes no difference. No thread of ours runs for it, except the watchdog if stacks are wanted.
//!
//! For the rooms that judge a test: here is only counted.
#![allow(dead_code, reason = "the door of what judges a test")]

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pollscope_model::hello::{Hello, ProtocolVersion};
use pollscope_model::measured::Mode;
use pollscope_model::report::Report;
use pollscope_recorder::allowed::ran;
use pollscope_recorder::clock;
use pollscope_recorder::session::Session;
use pollscope_recorder::session::numbers::{self, Entered, Lease};
use tokio::runtime::{Builder, Handle, LocalOptions, LocalRuntime, Runtime};

use crate::api::handle::JoinHandle;
use crate::api::hooks;
use crate::api::hooks::Callbacks;
use crate::api::spawn::Spawn;
use crate::report::drain::session::OneSession;
use crate::report::drain::{Drain, intake};
use crate::report::sample;
use crate::runtime::{self, TOKIO};
use crate::setup::config::Config;
use crate::setup::identity::Identity;
use crate::setup::{boot, mode};
use crate::watch::watchdog::{self, Watchdog};

/// How long the last report waits for polls that are about to end.
const ENDING: Duration = Duration::from_millis(20);

/// How long it waits for names. A failure without the line is half a failure, and to read the debug information of a
/// large test binary takes seconds on a machine that is short of CPU.
const NAMING: Duration = Duration::from_secs(30);

/// What a session wants.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What the greeting calls the process: the test's name.
    pub(crate) name: String,
    /// Polls from this length on are slow and leave evidence.
    pub(crate) slow_poll: Duration,
    /// Polls that are open for longer are looked at: their stack, and the kernel's word. `None`: never, and
    /// no thread runs for it.
    pub(crate) stall: Option<Duration>,
    /// For the greeting: `pollscope.toml` text.
    pub(crate) policy: String,
}

/// Why there are no books.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BookError {
    /// No number is free.
    #[error("{} sessions are open at once, or left tasks behind that go on", pollscope_recorder::session::MAX - 1)]
    TooMany,
    /// The operating system gave no thread.
    #[error("no thread could be started")]
    Thread(#[source] std::io::Error),
}

/// See the module. Dropping it closes it.
pub(crate) struct Book {
    lease: Arc<Lease>,
    identity: Identity,
    drain: Mutex<Drain<OneSession>>,
    watchdog: Option<Watchdog>,
    stalls: bool,
    /// A runtime has our hooks.
    hooked: AtomicBool,
}

impl Book {
    /// Opens the books. The first ever in a process sleeps for 10 ms (the clock is measured).
    pub(crate) fn open(settings: Settings) -> Result<Self, BookError> {
        clock::calibrate();
        // So that nothing is held any more of what only the drain still knows.
        for _ in 0..2 {
            intake::take_in(clock::now_ns(), false);
        }
        let lease = Lease::take().ok_or(BookError::TooMany)?;
        let session = lease.session();
        let slow_poll_ns = u64::try_from(settings.slow_poll.as_nanos()).unwrap_or(u64::MAX);
        let config = Config {
            name: Some(settings.name),
            policy: settings.policy,
            recorder: pollscope_recorder::Settings {
                slow_poll_ns,
                ..pollscope_recorder::Settings::default()
            },
            ..Config::default()
        };
        let identity = Identity::of_this_process(&config, boot::new_id());
        let drain = Mutex::new(Drain::begin(session, identity.boot));
        ran::take(session);
        numbers::open(session, slow_poll_ns, TOKIO);
        // Not before: while nothing is recorded it sleeps for long.
        let limit = settings.stall.map(|limit| limit.max(settings.slow_poll));
        let watchdog = limit.map(|limit| Watchdog::start(session, limit)).transpose();
        let stalls = limit.is_some();
        let mut book =
            Self { lease, identity, drain, watchdog: None, stalls, hooked: AtomicBool::new(false) };
        book.watchdog = watchdog.map_err(BookError::Thread)?;
        Ok(book)
    }

    /// Builds a runtime for the session: all its threads, and all that is spawned on it, are of the session.
    /// Takes the builder's callbacks as [`attach_with`](crate::attach_with) does.
    pub(crate) fn build(
        &self,
        builder: &mut Builder,
        callbacks: Callbacks,
        name: &str,
    ) -> std::io::Result<Runtime> {
        self.hooked.store(mode::TOKIO_UNSTABLE, Ordering::Relaxed);
        hooks::attach_in(builder, &self.lease, callbacks);
        let runtime = builder.build()?;
        self.observe(runtime.handle(), name);
        Ok(runtime)
    }

    /// The same with a runtime of one thread and `spawn_local` everywhere.
    pub(crate) fn build_local(
        &self,
        builder: &mut Builder,
        callbacks: Callbacks,
        options: LocalOptions,
        name: &str,
    ) -> std::io::Result<LocalRuntime> {
        self.hooked.store(mode::TOKIO_UNSTABLE, Ordering::Relaxed);
        hooks::attach_in(builder, &self.lease, callbacks);
        let runtime = builder.build_local(options)?;
        self.observe(runtime.handle(), name);
        Ok(runtime)
    }

    /// Takes a runtime that was built otherwise into the session: what is spawned on it through pollscope,
    /// and its workers.
    pub(crate) fn observe(&self, runtime: &Handle, name: &str) {
        self.lease.add_runtime(runtime::number_of(runtime));
        sample::observe_in(runtime, name, self.lease.session());
    }

    /// What the calling thread spawns is of the session until the result is dropped, and so are the polls of a
    /// `block_on` in between.
    pub(crate) fn enter(&self) -> Entered {
        self.lease.enter()
    }

    /// The session whose books these are.
    pub(crate) fn session(&self) -> Session {
        self.lease.session()
    }

    /// Spawns a task of the session: its body.
    pub(crate) fn spawn_on<F>(&self, spawn: Spawn, future: F, runtime: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        spawn.spawn_in(self.lease.session(), future, runtime)
    }

    /// The greeting of a process that consists of the session alone. Mode and capabilities grow when a
    /// runtime is built.
    pub(crate) fn hello(&self, protocol: ProtocolVersion) -> Hello {
        let mode = if self.hooked.load(Ordering::Relaxed) { Mode::Hooks } else { Mode::Wrap };
        let capabilities = mode::capabilities_in(mode::Scope { mode, observed: true, stalls: self.stalls });
        self.identity.hello_with(protocol, mode, capabilities)
    }

    /// The name of a file about the session, as of that time, without its ending.
    #[cfg(feature = "recording")]
    pub(crate) fn file_stem(&self, unix_s: u64) -> String {
        self.identity.file_stem(unix_s)
    }

    /// What changed since the last report: the next delta, the first of which is number 1. On the caller's
    /// thread: some microseconds for each task that changed and each thread and site that there is.
    pub(crate) fn report(&self) -> Report {
        self.drain().tick(false)
    }

    /// The same, complete: waits for polls that are about to end (for 20 ms at most), and for the names of
    /// the stacks that were taken (for two seconds at most).
    pub(crate) fn last_report(&self) -> Report {
        let begin = clock::now_ns();
        let deadline = Instant::now() + ENDING;
        while self.drain().polls_since(begin) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_micros(200));
        }
        if self.stalls {
            watchdog::settle(Instant::now() + NAMING);
        }
        self.drain().tick(true)
    }

    /// Tasks of the session that began and did not end: its body and jobs of the blocking pool included, also
    /// those that never got a record.
    pub(crate) fn live_tasks(&self) -> u64 {
        self.drain().living()
    }

    /// What the session came by of `allow_blocking`; told once.
    pub(crate) fn allowances(&self) -> Vec<ran::Ran> {
        ran::take(self.lease.session())
    }

    fn drain(&self) -> MutexGuard<'_, Drain<OneSession>> {
        self.drain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        let session = self.lease.session();
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.stop(Instant::now() + watchdog::NAMING);
        }
        numbers::close(session);
        ran::take(session);
        sample::session_ends(session);
    }
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Book").field("session", &self.lease.session()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
