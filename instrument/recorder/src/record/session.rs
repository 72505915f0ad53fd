//! Whose books a task is in. Several sessions (tests) may run in one process at the same time; each has a
//! number, and a spawn site counts for each number by itself ([`intern`]). So nothing on the way of a poll or
//! a wake knows of sessions: whatever is told of a site is told of its session.
//!
//! A task is its runtime's, if that was built for a session; else its parent's, else its thread's. Session 0
//! is the process's own: everything that no session began.
//!
//! Numbers are used again, so that what is kept for them is bounded by how many sessions run at once. Who
//! hands them out, and when one is free again, is in `numbers`.

#[cfg(any(feature = "check", test))]
pub mod numbers;

use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Recorder;
use super::route::Route;
use super::thread::{self, Thread};
use super::{by_site, intern};

/// Numbers from 1 to below it; more sessions do not run at once.
pub const MAX: usize = 512;

/// A session's number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Session(u16);

impl Session {
    /// The process's own.
    pub const NONE: Self = Self(0);

    #[inline]
    pub(super) const fn number(self) -> u16 {
        self.0
    }

    /// Its place in a table of [`MAX`].
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// From [`Session::number`].
    #[inline]
    pub(super) const fn of_number(number: u16) -> Self {
        Self(number)
    }

    /// Whether it is the process's own.
    #[inline]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// What the recorder keeps of sessions.
pub(super) struct Sessions {
    /// How many are open.
    open: AtomicU32,
    /// Which they are.
    is_open: [AtomicBool; MAX],
    /// By session: polls from this length on are slow.
    slow_ns: [AtomicU64; MAX],
    /// Runtimes that were built for a session, by numbers that the caller gives them and never uses twice.
    runtimes: Mutex<Vec<(u64, Session)>>,
    #[cfg(any(feature = "check", test))]
    numbers: Mutex<numbers::Numbers>,
}

impl Sessions {
    /// None.
    pub(super) const fn new() -> Self {
        Self {
            open: AtomicU32::new(0),
            is_open: [const { AtomicBool::new(false) }; MAX],
            slow_ns: [const { AtomicU64::new(u64::MAX) }; MAX],
            runtimes: Mutex::new(Vec::new()),
            #[cfg(any(feature = "check", test))]
            numbers: Mutex::new(numbers::Numbers::new()),
        }
    }
}

#[inline]
fn sessions() -> &'static Sessions {
    &Recorder::global().sessions
}

fn runtimes() -> MutexGuard<'static, Vec<(u64, Session)>> {
    sessions().runtimes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a session is open.
pub fn is_open(session: Session) -> bool {
    sessions().is_open[session.index() % MAX].load(Ordering::Relaxed)
}

/// Whether any session is open.
#[inline]
pub fn any() -> bool {
    sessions().open.load(Ordering::Relaxed) != 0
}

/// The session of a site.
#[inline]
pub fn of_site(site: u32) -> Session {
    by_site::session(site)
}

/// Polls of the site are slow from this length on. For polls that are slow by the smallest limit of all.
#[inline]
pub fn slow_poll_ns(site: u32) -> u64 {
    sessions().slow_ns[of_site(site).index() % MAX].load(Ordering::Relaxed)
}

/// Sets from when on polls of a session are slow; returns the smallest limit of all.
pub(super) fn set_slow_poll_ns(session: Session, ns: u64) -> u64 {
    let slow_ns = &sessions().slow_ns;
    slow_ns[session.index() % MAX].store(ns, Ordering::Relaxed);
    slow_ns.iter().map(|limit| limit.load(Ordering::Relaxed)).min().unwrap_or(u64::MAX)
}

/// The session of what this thread does now: of the task that is polled here, else of the thread.
#[inline]
pub(crate) fn of_thread(thread: &Thread) -> Session {
    let of_task = if thread.task() == 0 { Session::NONE } else { of_site(thread.site_of_task()) };
    if of_task.is_none() { thread.session() } else { of_task }
}

/// The session of what the calling thread does now.
pub fn current() -> Session {
    if any() { of_thread(thread::here()) } else { Session::NONE }
}

/// The site of a task that is spawned here and now, at that line; `None` if it is not to be recorded. `runtime` is the
/// number of the calling thread's, if it has one.
#[inline]
pub fn site(location: &'static Location<'static>, runtime: impl FnOnce() -> Option<u64>) -> Option<u32> {
    Some(intern::site(location, here(runtime)?))
}

/// The site of a request for that route, which is handled here and now; the same for it.
#[inline]
pub fn route(route: Route, runtime: impl FnOnce() -> Option<u64>) -> Option<u32> {
    Some(intern::route(route, here(runtime)?))
}

/// The session of what begins here and now; `None` if it is not to be recorded.
#[inline]
fn here(runtime: impl FnOnce() -> Option<u64>) -> Option<Session> {
    if !Recorder::global().wraps() {
        return None;
    }
    if any() {
        return wanted(of_thread(thread::here()).or_else(|| of_runtime(runtime()?)));
    }
    Some(Session::NONE)
}

/// The same for a task that is spawned on the runtime of that number.
#[inline]
pub fn site_on(location: &'static Location<'static>, runtime: impl FnOnce() -> u64) -> Option<u32> {
    if !Recorder::global().wraps() {
        return None;
    }
    if any() {
        let session = of_runtime(runtime()).unwrap_or_else(|| of_thread(thread::here()));
        return Some(intern::site(location, wanted(session)?));
    }
    Some(intern::site(location, Session::NONE))
}

/// The site of a task that tokio's hook reports, from a runtime of that session; `None` if it is not to be
/// recorded.
#[inline]
pub fn hooked_site(location: &'static Location<'static>, session: Session, thread: &Thread) -> Option<u32> {
    let session = if session.is_none() && any() { of_thread(thread) } else { session };
    let wanted = !session.is_none() || Recorder::global().hooks_for_all();
    wanted.then(|| intern::site(location, session))
}

/// The process's own tasks are recorded only if it wants that itself.
#[cold]
fn wanted(session: Session) -> Option<Session> {
    (!session.is_none() || Recorder::global().is_on_for_all()).then_some(session)
}

impl Session {
    fn or_else(self, other: impl FnOnce() -> Option<Self>) -> Self {
        if self.is_none() { other().unwrap_or(self) } else { self }
    }
}

fn of_runtime(number: u64) -> Option<Session> {
    runtimes().iter().find(|(known, _)| *known == number).map(|(_, session)| *session)
}
