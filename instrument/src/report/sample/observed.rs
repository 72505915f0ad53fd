//! The table of observed runtimes: which there are, whose they are, and what is kept of them.
//!
//! A handle is kept for each runtime, and holds the descriptors of its driver; so it is given back as soon as the
//! runtime is known to be gone, and none is kept while pollscope is switched off. A place is used again only after
//! its runtime is gone, the longest gone first. What finds no place is counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pollscope_model::id::RuntimeId;
use pollscope_recorder::clock;
use pollscope_recorder::session::{self, Session};
use pollscope_recorder::{Recorder, intern};
use tokio::runtime::{Handle, Id, RuntimeFlavor};

use super::SAMPLED;
use super::presence::Presence;
use crate::api::spawn::Wrapping;
use crate::runtime::place::{self, MAX_RUNTIMES};
use crate::setup::switches::SWITCHES;

/// The same while nothing is recorded, since a process may never start to.
const MAX_UNRECORDED: usize = 32;
/// So many runtimes are kept before those that stand still are asked whether they are there.
const FEW: usize = 8;

pub(super) struct Observed {
    /// `None` once the runtime is gone.
    pub(super) handle: Option<Handle>,
    pub(super) id: Id,
    pub(super) name: u32,
    /// `observe` gave the name: it stays when a thread of the runtime registers it.
    is_name_given: bool,
    pub(super) session: Session,
    pub(super) since_ns: u64,
    pub(super) presence: Presence,
    /// Of its threads, those that told us that they started and not yet that they stop.
    threads: u32,
    /// Which departure it was.
    gone_nth: u64,
}

pub(super) struct Table {
    pub(super) all: Vec<Observed>,
    departures: u64,
    /// With so many kept, those that stand still are asked.
    ask_at: usize,
    /// The latest runtime that found no place.
    refused: Option<Id>,
}

/// The runtimes that are observed, and what came of others.
pub(super) struct Runtimes {
    table: Mutex<Table>,
    /// Grows with every runtime that comes or goes.
    changes: AtomicU64,
    /// Runtimes that found no place.
    unseen: AtomicU64,
    guards_ended: AtomicU64,
}

impl Runtimes {
    /// None.
    pub(super) const fn new() -> Self {
        Self {
            table: Mutex::new(Table { all: Vec::new(), departures: 0, ask_at: FEW, refused: None }),
            changes: AtomicU64::new(1),
            unseen: AtomicU64::new(0),
            guards_ended: AtomicU64::new(0),
        }
    }
}

pub(super) fn table() -> MutexGuard<'static, Table> {
    SAMPLED.runtimes.table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches a runtime from outside: its workers, queues and alive tasks appear under `name` at the next
/// tick, in every mode, at no cost to its tasks.
///
/// Which threads its workers are is told by the threads themselves on runtimes that were built with
/// [`attach`](crate::attach). On others a few tasks of ours, over after 0.2 ms and some turns, ask for it while a worker
/// that is not known moves: soon after this call, and less and less often.
///
/// A runtime that is observed already is renamed; no callback of ours changes a name that was given here. A handle is
/// kept for each, which does not keep the runtime from shutting down and holds the two or three descriptors of its
/// driver: until the runtime is gone, which pollscope finds out within seconds to a minute (a runtime without tasks
/// that stands still is asked by one short task of ours). At most 256 are observed at once, and 32 before `init`; more
/// are counted as a loss. With `POLLSCOPE=off` nothing is kept, and the end of the guard gives back what was: call this
/// again after another `init` (runtimes that were built with [`attach`](crate::attach) do it themselves).
pub fn observe(handle: &Handle, name: &str) {
    observe_in(handle, name, session::current());
}

/// The same for a runtime of a session.
pub(crate) fn observe_in(handle: &Handle, name: &str, session: Session) {
    register(handle, Some(name), session);
}

/// Observes a runtime that one of its own threads found, under the name that its builder has, else `runtime`. A name
/// that [`observe`] gave it stays, also one given under an earlier guard: which of both comes first is chance.
pub(crate) fn observe_unnamed(handle: &Handle, session: Session) {
    register(handle, None, session);
}

fn register(handle: &Handle, given: Option<&str>, session: Session) {
    if session.is_none() && SWITCHES.observes_nothing.load(Ordering::Relaxed) {
        return;
    }
    let id = handle.id();
    let given = given.map(intern::name);
    if table().is_known(id, given) {
        return;
    }
    // A handle that is kept for a session that is over would keep the session's number.
    if !session.is_none() && !session::is_open(session) {
        return;
    }
    let now_ns = clock::now_ns();
    if session.is_none() && table().is_time_to_ask() {
        release_gone(now_ns, true);
    }
    let mut table = table();
    // Another thread of the runtime may have come first.
    if table.is_known(id, given) {
        return;
    }
    let Some(at) = table.room(session, Some(id)) else { return table.refuse(id) };
    // Of one that an earlier guard observed.
    let earlier = table.all.get(at).filter(|known| known.id == id);
    let threads = earlier.map_or(0, |known| known.threads);
    let given = given.or_else(|| earlier.filter(|known| known.is_name_given).map(|known| known.name));
    let name = given.unwrap_or_else(|| intern::name(handle.name().unwrap_or("runtime")));
    super::jobs::forget(at);
    place::set_runtime(at, id);
    let observed = Observed {
        handle: Some(handle.clone()),
        id,
        name,
        is_name_given: given.is_some(),
        session,
        since_ns: now_ns,
        presence: Presence::default(),
        threads,
        gone_nth: 0,
    };
    match table.all.get_mut(at) {
        Some(place) => *place = observed,
        None => table.all.push(observed),
    }
    SAMPLED.runtimes.changes.fetch_add(1, Ordering::Release);
}

impl Table {
    /// Whether the runtime is observed; then it takes the name that is given, if one is.
    fn is_known(&mut self, id: Id, given: Option<u32>) -> bool {
        let known = self.all.iter_mut().find(|known| known.id == id && known.handle.is_some());
        let Some(known) = known else { return false };
        if let Some(name) = given {
            (known.name, known.is_name_given) = (name, true);
        }
        true
    }

    /// Runtimes outside of all sessions of which a handle is kept.
    fn kept(&self) -> usize {
        self.all.iter().filter(|known| known.session.is_none() && known.handle.is_some()).count()
    }

    /// Each time that twice as many are kept as were left the last time, and when there is no room.
    fn is_time_to_ask(&self) -> bool {
        self.kept() >= self.ask_at || self.room(Session::NONE, None).is_none()
    }

    /// The place of one more runtime: that which it had under an earlier guard; a new one while there are few, then that
    /// of the runtime that is gone for longest.
    fn room(&self, session: Session, id: Option<Id>) -> Option<usize> {
        let is_bounded = session.is_none() && !Recorder::global().is_on();
        if is_bounded && self.kept() >= MAX_UNRECORDED {
            return None;
        }
        if let Some(at) = self.all.iter().position(|known| Some(known.id) == id) {
            return Some(at);
        }
        let unused = Some(self.all.len()).filter(|at| *at < MAX_RUNTIMES);
        if self.all.len() < MAX_RUNTIMES / 2 {
            return unused;
        }
        let gone = self.all.iter().enumerate().filter(|(_, known)| known.handle.is_none());
        gone.min_by_key(|(_, known)| known.gone_nth).map(|(at, _)| at).or(unused)
    }

    /// Each thread of a runtime that found no place may ask again.
    fn refuse(&mut self, id: Id) {
        if self.refused.replace(id) != Some(id) {
            SAMPLED.runtimes.unseen.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes the handles of those runtimes out. The caller drops them outside of the lock: each may be the last
    /// thing that keeps the memory of its runtime.
    fn release(&mut self, is_gone: impl Fn(&Observed) -> bool) -> Vec<Handle> {
        let mut handles = Vec::new();
        for (at, known) in self.all.iter_mut().enumerate() {
            if known.handle.is_some() && is_gone(known) {
                place::clear_runtime(at);
                self.departures += 1;
                known.gone_nth = self.departures;
                known.presence = Presence::default();
                handles.extend(known.handle.take());
            }
        }
        if !handles.is_empty() {
            SAMPLED.runtimes.changes.fetch_add(1, Ordering::Release);
        }
        handles
    }
}

/// Gives back what is kept of runtimes that are gone. Asks those that have no tasks and stand still, without waiting
/// if there are many. Runtimes of sessions end with their sessions.
pub(crate) fn release_gone(now_ns: u64, pressed: bool) {
    let questions: Vec<_> = {
        let mut table = table();
        let ask = |known: &mut Observed| {
            let handle = known.handle.as_ref().filter(|_| known.session.is_none())?;
            Some((known.presence.ask(&handle.metrics(), now_ns, pressed)?, handle.clone()))
        };
        table.all.iter_mut().filter_map(ask).collect()
    };
    // Outside of the lock: the runtime may have callbacks of its own.
    if !questions.is_empty() {
        let _wrapping = Recorder::global().hooks().then(Wrapping::begin);
        for (question, handle) in questions {
            handle.spawn(question);
        }
    }
    let gone = {
        let mut table = table();
        let gone = table.release(|known| known.presence.is_gone());
        table.ask_at = (2 * table.kept()).max(FEW);
        gone
    };
    drop(gone);
}

/// Pollscope is switched off: keeps nothing from now on and gives back what was kept.
pub(crate) fn switch_off() {
    SWITCHES.observes_nothing.store(true, Ordering::Relaxed);
    let gone = table().release(|known| known.session.is_none());
    drop(gone);
}

/// The guard is over, and with it the thread that finds out which runtimes are gone: what is kept is given back, and
/// observed anew under the next guard.
pub(crate) fn guard_ends() {
    SAMPLED.runtimes.guards_ended.fetch_add(1, Ordering::Relaxed);
    let handles = table().release(|known| known.session.is_none());
    drop(handles);
}

/// How many guards are over.
pub(crate) fn guards_ended() -> u64 {
    SAMPLED.runtimes.guards_ended.load(Ordering::Relaxed)
}

/// Pollscope starts.
pub(crate) fn switch_on() {
    SWITCHES.observes_nothing.store(false, Ordering::Relaxed);
}

/// Runtimes that were to be observed and found no place.
pub(crate) fn unseen() -> u64 {
    SAMPLED.runtimes.unseen.load(Ordering::Relaxed)
}

/// A session is over, and so is what it observed.
#[cfg(any(feature = "check", test))]
pub(crate) fn session_ends(session: Session) {
    let gone = {
        let mut table = table();
        let gone = table.release(|known| known.session == session);
        let of_it = table.all.iter_mut().filter(|known| known.session == session);
        of_it.for_each(|known| known.session = Session::NONE);
        gone
    };
    drop(gone);
}

/// The session of an observed runtime.
#[cfg(any(feature = "check", test))]
pub(crate) fn session_of(runtime: RuntimeId) -> Session {
    table().all.get(runtime.0 as usize).map_or(Session::NONE, |known| known.session)
}

/// A thread of a runtime starts: observes the runtime, unless it is observed already.
pub(crate) fn thread_starts(session: Session) {
    let Ok(handle) = Handle::try_current() else { return };
    let id = handle.id();
    if !table().all.iter().any(|known| known.id == id) {
        observe_unnamed(&handle, session);
    }
    if let Some(known) = table().all.iter_mut().find(|known| known.id == id) {
        known.threads += 1;
    }
}

/// A thread of a runtime stops. A multi-thread runtime has its workers from start to shutdown, so it is
/// gone with the last one.
pub(crate) fn thread_stops() {
    let Ok(handle) = Handle::try_current() else { return };
    let id = handle.id();
    let gone = {
        let mut table = table();
        let Some(known) = table.all.iter_mut().find(|known| known.id == id) else { return };
        known.threads = known.threads.saturating_sub(1);
        let is_last = known.threads == 0 && handle.runtime_flavor() == RuntimeFlavor::MultiThread;
        if is_last { table.release(|known| known.id == id) } else { Vec::new() }
    };
    drop(gone);
}

/// The runtimes that are there, if some came or went since `known`, which moves on.
pub(crate) fn handles(known: &mut u64) -> Option<Vec<(RuntimeId, Session, Handle)>> {
    let changes = SAMPLED.runtimes.changes.load(Ordering::Acquire);
    if std::mem::replace(known, changes) == changes {
        return None;
    }
    let table = table();
    let handle = |(at, known): (usize, &Observed)| {
        Some((RuntimeId(at as u32), known.session, known.handle.as_ref()?.clone()))
    };
    Some(table.all.iter().enumerate().filter_map(handle).collect())
}

/// Whether any runtime is observed.
pub(crate) fn observes_a_runtime() -> bool {
    !table().all.is_empty()
}
