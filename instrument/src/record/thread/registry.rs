//! Whose which state is: a thread takes one over with its first look, and gives it back when it ends.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::Thread;
use crate::record::allowed::Allowance;
use crate::record::edges::Edges;
use crate::record::evidence::Evidence;
use crate::record::flight::Recording;
use crate::record::hist::HistShard;
use crate::record::intern;
use crate::record::session::Session;
use crate::record::shard::Shards;
use crate::record::slots::Magazine;
use crate::record::split::Split;
use crate::record::tally::{Note16, Note32, Tally};

/// All states that exist, and those that no thread has.
#[derive(Default)]
pub(super) struct Threads {
    pub(super) all: Vec<&'static Thread>,
    free: Vec<&'static Thread>,
}

static THREADS: LazyLock<Mutex<Threads>> = LazyLock::new(Mutex::default);

/// Shared by threads whose own state is gone already, while the last of their thread-local values are
/// dropped. Its counters have several writers then and may lose counts.
static LATE: LazyLock<&'static Thread> = LazyLock::new(|| {
    let late = Thread::register(&mut threads(), Magazine::shared());
    late.flight.close();
    late
});

pub(super) fn threads() -> MutexGuard<'static, Threads> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    // No destructor, so that reading it is one load and works until the thread's very end.
    static HERE: Cell<Option<&'static Thread>> = const { Cell::new(None) };
    static LEASE: Lease = Lease::new();
    /// For whom a thread's state is taken over.
    static WANTED: Cell<Session> = const { Cell::new(Session::NONE) };
}

/// The calling thread's state.
#[inline]
pub(crate) fn here() -> &'static Thread {
    match HERE.get() {
        Some(here) => here,
        None => adopt(),
    }
}

/// The same if it has one.
#[inline]
pub(crate) fn known() -> Option<&'static Thread> {
    HERE.get()
}

/// The same for a thread that is about to work for a session.
#[cfg(any(feature = "check", test))]
pub(crate) fn here_for(session: Session) -> &'static Thread {
    WANTED.set(session);
    here()
}

#[cold]
fn adopt() -> &'static Thread {
    LEASE.try_with(|lease| HERE.set(Some(lease.0))).ok();
    HERE.get().unwrap_or_else(|| *LATE)
}

/// Every thread state that exists, in the order of their indexes.
pub(crate) fn all() -> Vec<&'static Thread> {
    threads().all.clone()
}

/// The thread state with an index, also if it came after the last [`all`].
pub(crate) fn at(index: u32) -> Option<&'static Thread> {
    threads().all.get((index as usize).checked_sub(1)?).copied()
}

/// Gives the state back when the thread ends.
struct Lease(&'static Thread);

impl Lease {
    fn new() -> Self {
        let mut threads = threads();
        // Of two that wait, rather the one that knows the session's sites already.
        let wanted = WANTED.get();
        let known = threads.free.iter().rposition(|free| free.last_session.get() == wanted.number());
        let thread = match known {
            Some(at) => Some(threads.free.remove(at)),
            None => threads.free.pop(),
        };
        let thread = thread.unwrap_or_else(|| Thread::register(&mut threads, Magazine::new()));
        drop(threads);
        thread.flight.follow();
        let name = std::thread::current().name().map_or(0, intern::name);
        thread.name.store(name, Ordering::Relaxed);
        thread.tid.store(thread_id(), Ordering::Relaxed);
        Self(thread)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        HERE.set(None);
        self.0.retire();
        threads().free.push(self.0);
    }
}

#[cfg(target_os = "linux")]
fn thread_id() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

#[cfg(not(target_os = "linux"))]
fn thread_id() -> u32 {
    0
}

impl Thread {
    pub(super) fn register(threads: &mut Threads, slots: Magazine) -> &'static Self {
        let thread: &'static Self = Box::leak(Box::new(Self {
            index: threads.all.len() as u32 + 1,
            task: AtomicU64::new(0),
            since: AtomicU64::new(0),
            label: AtomicU64::new(0),
            polls: Tally::new(),
            polled_ns: Tally::new(),
            blind_polls: Tally::new(),
            long_waits: HistShard::default(),
            slots,
            shards: Shards::new(),
            edges: Edges::default(),
            split: Split::default(),
            allowance: Allowance::default(),
            evidence: Evidence::default(),
            flight: Recording::new(),
            uncounted: Tally::new(),
            ends_unsaid: Tally::new(),
            pooled: AtomicBool::new(false),
            wrapping: AtomicBool::new(false),
            next_id: Tally::new(),
            last_id: Tally::new(),
            tick: Note32::default(),
            ends: Note32::default(),
            ended_ns: Tally::new(),
            tid: AtomicU32::new(0),
            name: AtomicU32::new(0),
            place: AtomicU64::new(0),
            replaced_ns: AtomicU64::new(0),
            session: Note16::default(),
            last_session: Note16::default(),
            foreign_polls: Tally::new(),
        }));
        threads.all.push(thread);
        thread
    }

    fn retire(&self) {
        self.task.store(0, Ordering::Relaxed);
        self.since.store(0, Ordering::Relaxed);
        self.label.store(0, Ordering::Relaxed);
        self.place.store(0, Ordering::Relaxed);
        self.tid.store(0, Ordering::Relaxed);
        self.name.store(0, Ordering::Relaxed);
        self.wrapping.store(false, Ordering::Relaxed);
        self.session.set(0);
        self.pooled.store(false, Ordering::Relaxed);
        self.split.end();
        self.evidence.forget();
        self.slots.empty();
    }
}
