//! What each thread keeps: what it polls now, its share of the sites, what it touched since the last
//! tick, and its supply of ids.
//!
//! States are owned by one thread at a time and read by the drain. When a thread ends, the next one that starts takes
//! its state over with all its totals; a state that no thread took over by the drain's next visit is folded into the
//! share of all [`Retired`] threads and freed. So what a tick costs and what is held grows with the threads that live,
//! not with those that ever lived. (A state whose flight ring may still be read stays, of which there are at most as
//! many as rings.)

mod label;
mod polling;
mod registry;
mod retired;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::Recorder;
use super::allowed::Allowance;
use super::flight::Recording;
use super::session::Session;
use super::shard::{Shards, SiteShard};
use super::slots::Magazine;
use crate::edges::{Edges, From};
use crate::evidence::Evidence;
use crate::hist::HistShard;
use crate::record::split::Split;
use crate::tally::{Note16, Note32, Tally};
use crate::version::Version;
pub use label::Label;
pub use polling::Outer;
pub(super) use registry::Registry;
#[cfg(any(feature = "check", test))]
pub use registry::here_for;
#[cfg(unix)]
pub use registry::keep_only_this_in_child;
#[cfg(any(test, feature = "testkit"))]
pub use registry::set_most_states;
pub use registry::{Changed, Reading, at, at_end, fold_ended, here, known, read, refused};
pub(crate) use retired::Retired;

const IDS_AT_ONCE: u64 = 1 << 10;
/// Tasks that may end on one thread between two ticks, unknown to the drain before, and still have a
/// row. It bounds what the drain says of a service that spawns tasks faster than the drain can look, and
/// keeps such a service in few slots.
const ENDS_AT_ONCE: u32 = 1 << 14;
/// Waits below it are a healthy service's own.
const LONG_WAIT_NS: u64 = 1_000_000;

/// See the module. It shares no cache line with another thread's, and a service that does something between its polls
/// finds few of its lines in the cache: what polls and wakes look at lies in three of its first four.
#[repr(C, align(64))]
pub struct Thread {
    /// From 1, distinct for all that exist.
    pub index: u32,
    /// Several threads may write it at once, which lose counts then.
    is_shared: bool,
    /// See [`Thread::is_pooled`].
    pooled: AtomicBool,
    /// A thread has it.
    is_taken: AtomicBool,
    /// Set while our own spawn calls tokio's, whose hook then knows that the task is wrapped.
    pub wrapping: AtomicBool,
    /// The innermost task whose poll is open here; 0 for none.
    task: AtomicU64,
    /// Start of the outermost open poll; 0 for none.
    since: AtomicU64,
    /// A [`Label`]: of that task, with the scope that spawns made here get.
    label: AtomicU64,
    /// With the outermost polls that ended here.
    version: Version,
    /// Their wall time.
    pub(crate) polled_ns: Tally,

    /// Wakes made here.
    pub edges: Edges,
    /// Its single events.
    pub flight: Recording,
    /// Of the polls, those of which it is unknown since when they were due.
    pub blind_polls: Tally,
    /// `(runtime + 1) << 32 | (worker + 1)`, each 0 when unknown.
    place: AtomicU64,

    /// What its polls are made of.
    pub split: Split,
    /// Its slow polls.
    pub evidence: Evidence,

    pub(crate) shards: Shards,
    /// Waits of the others, from [`LONG_WAIT_NS`] on.
    pub long_waits: HistShard,
    /// Free records.
    pub slots: Magazine,
    /// What its polls spend where blocking is allowed.
    pub allowance: Allowance,
    next_id: Tally,
    last_id: Tally,
    /// The tick since which [`Thread::ends`] counts.
    tick: Note32,
    ends: Note32,
    /// When the last wrapped task ended here.
    pub(crate) ended_ns: Tally,
    tid: AtomicU32,
    name: AtomicU32,
    /// When another thread became the worker that this one was.
    replaced_ns: AtomicU64,
    /// Whose the thread is: see [`session`](super::session).
    session: Note16,
    /// Whose it was last.
    last_session: Note16,
    /// Polls that had ended when it became that.
    foreign_polls: Tally,
}

/// Sets whether a reader has use for the rows of tasks: if not, a task that the drain never met leaves nothing to it.
pub fn want_rows(wanted: bool) {
    Recorder::global().rows_are_wanted.store(wanted, Ordering::Relaxed);
}

/// What becomes of the row of a task that ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastRow {
    Waits,
    /// There is no room: a loss.
    Lost,
    Unwanted,
}

/// The drain begins a tick.
pub fn tick() {
    Recorder::global().ticks.fetch_add(1, Ordering::Relaxed);
}

impl Thread {
    /// Whether a thread has the state. Of one that begins at this moment it may be either; if none has it, whatever is
    /// read after this is of a thread that has ended, or of one that began since.
    pub fn is_taken(&self) -> bool {
        self.is_taken.load(Ordering::Acquire)
    }

    /// Whether the thread is known to be one of a multi-thread runtime, which made it and has it for the
    /// thread's whole life: whatever it does between two polls, it does for the runtime.
    #[inline]
    pub(crate) fn is_pooled(&self) -> bool {
        self.pooled.load(Ordering::Relaxed)
    }

    /// It is one. Never said of the state that ending threads share.
    pub(crate) fn set_pooled(&self) {
        if !self.flight.is_closed() {
            self.pooled.store(true, Ordering::Relaxed);
        }
    }

    /// A task of that site is woken from here.
    #[inline]
    pub(crate) fn count_wake(&self, from: From, site: u32) {
        if !self.edges.add(from, site) {
            self.site(site).edgeless_wakes.add(1);
        }
        self.raise_version();
    }

    /// Something was counted here just now, at a site or of a wake: the drain reads this thread at its next tick, as it
    /// does in any case while a poll is open here. For the thread itself, after what it counts.
    #[inline]
    pub fn raise_version(&self) {
        if self.task() == 0 {
            self.version.raise();
        }
    }

    /// Whether anything was counted here since the last call. For the drain, before it reads what was.
    pub(crate) fn take_change(&self) -> bool {
        let is_new = self.version.take_change(|| self.task.load(Ordering::Relaxed) != 0);
        is_new || self.is_shared
    }

    /// Outermost polls that ended here.
    #[inline]
    pub fn polls(&self) -> u64 {
        self.version.polls()
    }

    /// The calling thread's share of a site.
    #[inline]
    pub fn site(&self, site: u32) -> &SiteShard {
        self.shards.site(site)
    }

    /// A task id that no other task gets.
    #[inline]
    pub fn next_task_id(&self) -> u64 {
        let mut id = self.next_id.get();
        if id == self.last_id.get() {
            id = Recorder::global().next_task_id.fetch_add(IDS_AT_ONCE, Ordering::Relaxed);
            self.last_id.set(id + IDS_AT_ONCE);
        }
        self.next_id.set(id + 1);
        id
    }

    /// Whether one more end may wait here for the drain.
    #[inline]
    pub(crate) fn room_for_an_end(&self) -> LastRow {
        if !Recorder::global().rows_are_wanted.load(Ordering::Relaxed) {
            return LastRow::Unwanted;
        }
        let tick = Recorder::global().ticks.load(Ordering::Relaxed);
        if self.tick.get() != tick {
            self.tick.set(tick);
            self.ends.set(0);
        }
        let ends = self.ends.get();
        self.ends.set(ends.saturating_add(1));
        if ends < ENDS_AT_ONCE { LastRow::Waits } else { LastRow::Lost }
    }

    /// The innermost task that is polled here; 0 for none.
    #[inline]
    pub fn task(&self) -> u64 {
        self.task.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn label(&self) -> Label {
        Label(self.label.load(Ordering::Relaxed))
    }

    /// The spawn site of the innermost task that is polled here; nothing sensible for none.
    #[inline]
    pub(crate) fn site_of_task(&self) -> u32 {
        self.label().site()
    }

    /// The name of the innermost scope.
    #[inline]
    pub fn scope(&self) -> u32 {
        self.label().scope()
    }

    /// Sets the scope and returns the one before.
    #[inline]
    pub fn set_scope(&self, scope: u32) -> u32 {
        let before = self.label();
        self.label.store(before.with_scope(scope).0, Ordering::Relaxed);
        before.scope()
    }

    /// Whose the thread is.
    #[inline]
    pub fn session(&self) -> Session {
        Session::of_number(self.session.get())
    }

    /// Sets whose the thread is and returns whose it was. For the thread itself.
    #[cfg(any(feature = "check", test))]
    pub fn set_session(&self, session: Session) -> Session {
        let before = self.session();
        // The state that ending threads share belongs to no session.
        if before != session && !self.flight.is_closed() {
            self.session.set(session.number());
            self.last_session.set(session.number());
            self.foreign_polls.set(self.polls());
            // It may be another runtime's now, which the next poll finds out.
            self.place.store(0, Ordering::Relaxed);
            self.split.forget();
        }
        before
    }

    /// Polls that had ended here when the thread became its session's.
    pub fn foreign_polls(&self) -> u64 {
        self.foreign_polls.get()
    }

    /// Operating system's thread id, if known.
    pub fn tid(&self) -> Option<u32> {
        let tid = self.tid.load(Ordering::Relaxed);
        (tid != 0).then_some(tid)
    }

    /// The thread's name.
    pub fn name(&self) -> u32 {
        self.name.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
