//! Which `allow_blocking` a session came by, and how long its polls spent there: so that one that nothing needs any
//! more can be told. Kept only while a session is open, one row for each line of code.
#![allow(dead_code, reason = "the door of what judges a test")]

use std::collections::HashMap;
use std::panic::Location;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::record::Recorder;
use crate::record::session::Session;

/// Lines of one session that are told apart; further ones are never reported as unused.
const MAX_LINES: usize = 1_024;

/// One line, in one session.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    /// The reason that the line gives.
    pub reason: &'static str,
    /// Where it stands.
    pub at: &'static Location<'static>,
    /// How often it ran.
    pub runs: u64,
    /// The longest that a poll had spent inside at the end of a run, inside of other lines included.
    pub longest_ns: u64,
}

/// What the recorder keeps of them.
pub(in crate::record) type Lines = LazyLock<Mutex<HashMap<Session, Vec<Ran>>>>;

/// None.
pub(in crate::record) const fn none() -> Lines {
    LazyLock::new(Mutex::default)
}

fn ran() -> MutexGuard<'static, HashMap<Session, Vec<Ran>>> {
    Recorder::global().allowed_lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A run of the session is over; the poll has spent so long inside up to now.
pub(super) fn note(session: Session, reason: &'static str, at: &'static Location<'static>, in_poll_ns: u64) {
    let mut ran = ran();
    let lines = ran.entry(session).or_default();
    let has_room = lines.len() < MAX_LINES;
    match lines.iter_mut().find(|line| line.at == at) {
        Some(line) => {
            line.runs += 1;
            line.longest_ns = line.longest_ns.max(in_poll_ns);
        }
        None if has_room => lines.push(Ran { reason, at, runs: 1, longest_ns: in_poll_ns }),
        None => {}
    }
}

/// What the session came by so far; nothing is kept of it. Also for a session that begins.
#[cfg(any(feature = "check", test))]
pub fn take(session: Session) -> Vec<Ran> {
    ran().remove(&session).unwrap_or_default()
}
