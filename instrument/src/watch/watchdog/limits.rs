//! From which age on an open poll is looked at: the guard's limit, and that of each session.

use std::sync::atomic::{AtomicU64, Ordering};

use pollscope_recorder::session::{self, MAX, Session};

use super::WATCHDOG;

/// No limit: polls are not looked at.
pub(super) const NEVER: u64 = u64::MAX;

/// By session; the guard's is at no session's place.
pub(super) struct Limits([AtomicU64; MAX]);

impl Limits {
    /// None.
    pub(super) const fn new() -> Self {
        Self([const { AtomicU64::new(NEVER) }; MAX])
    }
}

fn limits() -> &'static [AtomicU64; MAX] {
    &WATCHDOG.limits.0
}

fn limit(session: Session) -> &'static AtomicU64 {
    &limits()[session.index() % MAX]
}

/// Sets the limit of a session, or of all that is none's.
pub(super) fn set(session: Session, ns: u64) {
    limit(session).store(ns, Ordering::Relaxed);
}

/// The limit of a session.
pub(super) fn of(session: Session) -> u64 {
    limit(session).load(Ordering::Relaxed)
}

/// The limit for polls of a site.
pub(super) fn of_site(site: u32) -> u64 {
    of(session::of_site(site))
}

/// The smallest of all sessions'; [`NEVER`] without any.
pub(super) fn least_of_sessions() -> u64 {
    let guards = limit(Session::NONE);
    let of_sessions = limits().iter().filter(|of| !std::ptr::eq(*of, guards));
    of_sessions.map(|of| of.load(Ordering::Relaxed)).min().unwrap_or(NEVER)
}

/// The smallest of all.
pub(super) fn least() -> u64 {
    limits().iter().map(|limit| limit.load(Ordering::Relaxed)).min().unwrap_or(NEVER)
}
