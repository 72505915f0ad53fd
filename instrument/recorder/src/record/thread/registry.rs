//! Whose which state is: a thread takes one over with its first look, and gives it back when it ends.

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{LazyLock, OnceLock};

use pollscope_model::entity::edge::Waker;
use pollscope_model::id::SiteId;

use super::{Retired, Thread};
use crate::edges::Edges;
use crate::evidence::Evidence;
use crate::hist::HistShard;
use crate::record::Recorder;
use crate::record::allowed::Allowance;
use crate::record::flight::Recording;
use crate::record::intern;
use crate::record::session::Session;
use crate::record::shard::Shards;
use crate::record::slots::Magazine;
use crate::record::split::Split;
use crate::roster::{self, Roster, Taken};
use crate::tally::{Note16, Note32, Tally};
use crate::version::Version;

/// States that threads have, or left behind since the drain's last visit, at most. A thread beyond them is counted as
/// a loss ([`refused`]), and what it does is in no total.
const MAX_STATES: usize = 8_192;
/// States that are folded in one go, while no thread can read, and goes of one visit.
const FOLDED_AT_ONCE: usize = 32;
const GOES: usize = 32;

/// What the recorder keeps of threads.
pub(in crate::record) struct Registry {
    states: LazyLock<Roster<Thread, Retired>>,
    /// Threads that were refused a state since the start.
    refused: AtomicU64,
    /// Shared by threads whose own state is gone already, while the last of their thread-local values are
    /// dropped. Its counters have several writers then and may lose counts.
    late: OnceLock<&'static Thread>,
}

impl Registry {
    /// No thread has a state.
    pub(in crate::record) const fn new() -> Self {
        Self {
            states: LazyLock::new(|| Roster::new(MAX_STATES, Retired::new())),
            refused: AtomicU64::new(0),
            late: OnceLock::new(),
        }
    }

    fn late(&'static self) -> &'static Thread {
        self.late.get_or_init(|| {
            self.states.add_for_ever(|index| {
                let mut late = Thread::new(index, Magazine::shared());
                late.is_shared = true;
                late.flight.close();
                late.is_taken.store(true, Ordering::Relaxed);
                late
            })
        })
    }
}

fn registry() -> &'static Registry {
    &Recorder::global().threads
}

fn states() -> &'static Roster<Thread, Retired> {
    &registry().states
}

thread_local! {
    /// No destructor, so that reading it is one load and works until the thread's very end.
    static HERE: Cell<Option<&'static Thread>> = const { Cell::new(None) };
    /// Gives the state back when the thread ends.
    static LEASE: Lease = Lease::new();
    /// For whom a thread's state is taken over.
    static WANTED: Cell<Session> = const { Cell::new(Session::NONE) };
    /// See [`at_end`].
    static AT_END: Cell<Option<fn() -> bool>> = const { Cell::new(None) };
}

/// The calling thread's state. What it is or leads to may be used on this thread, and nowhere after the thread's end:
/// what lasts longer than a call has to be dropped by what [`at_end`] sets.
#[inline]
pub fn here() -> &'static Thread {
    match HERE.get() {
        Some(here) => here,
        None => adopt(),
    }
}

/// The same if it has one.
#[inline]
pub fn known() -> Option<&'static Thread> {
    HERE.get()
}

/// The same for a thread that is about to work for a session.
#[cfg(any(feature = "check", test))]
pub fn here_for(session: Session) -> &'static Thread {
    WANTED.set(session);
    here()
}

#[cold]
fn adopt() -> &'static Thread {
    LEASE.try_with(|lease| HERE.set(Some(lease.state()))).ok();
    HERE.get().unwrap_or_else(|| registry().late())
}

/// Sets what drops, when the calling thread's state goes, all that still refers to it; the call returns whether it
/// could. There is one for each thread.
pub fn at_end(drop_references: fn() -> bool) {
    AT_END.set(Some(drop_references));
}

/// All states, and the totals of threads that ended before. None of it is freed while it exists.
pub type Reading = roster::Reading<'static, Thread, Retired>;

/// Everything that threads counted.
pub fn read() -> Reading {
    states().read()
}

/// In a forked child, of whose threads only the calling one exists: it has another number, and the polls of the others
/// are nowhere. Called while the child begins: takes no lock that may never be given back.
#[cfg(unix)]
pub fn keep_only_this_in_child() {
    let here = known();
    states().try_for_each(|thread| {
        if here.is_none_or(|here| here.index != thread.index) {
            thread.since.store(0, Ordering::Relaxed);
            thread.task.store(0, Ordering::Relaxed);
            thread.tid.store(0, Ordering::Relaxed);
        }
    });
    if let Some(here) = here {
        here.tid.store(thread_id(), Ordering::Relaxed);
        here.split.begin_in_child();
    }
}

impl Reading {
    /// Of each thread its share of the sites, and that of all that ended.
    #[cfg(any(feature = "check", test))]
    pub fn shards(&self) -> impl Iterator<Item = &Shards> + Clone {
        self.states().map(|thread| &thread.shards).chain([&self.rest().shards])
    }

    /// Those that counted something since the last call, or all if it is the `first` of a drain. For the drain: of a
    /// thread that did not it reads four words.
    pub fn take_changed(&self, first: bool) -> Changed<'_> {
        let threads = self.states().filter(|thread| thread.take_change() || first).collect();
        let rest = Some(self.rest()).filter(|rest| rest.take_change() || first);
        Changed { threads, rest }
    }

    /// The sum of a count over all threads, those that ended included.
    pub fn sum(&self, of: impl Fn(&Thread) -> u64, ended: u64) -> u64 {
        self.states().map(of).fold(ended, u64::wrapping_add)
    }
}

/// What counted something since the drain's last tick.
pub struct Changed<'a> {
    threads: Vec<&'a Thread>,
    rest: Option<&'a Retired>,
}

impl Changed<'_> {
    /// No thread did.
    #[cfg(any(test, feature = "testkit"))]
    pub fn none() -> Self {
        Self { threads: Vec::new(), rest: None }
    }

    /// The share of the sites of each of them.
    pub fn shards(&self) -> impl Iterator<Item = &Shards> {
        self.threads.iter().map(|thread| &thread.shards).chain(self.rest.map(|rest| &rest.shards))
    }

    /// How often each wake edge was seen on one of them since the last call, or so far if it is the `first` of a drain.
    pub fn edges(&self, first: bool) -> impl Iterator<Item = (Waker, SiteId, u64)> {
        let of_threads = self.threads.iter().flat_map(move |thread| thread.edges.changes(first));
        of_threads.chain(self.rest.into_iter().flat_map(move |rest| rest.edges.changes(first)))
    }
}

/// What the call says of the thread with an index, if it has not ended: for what is done at once.
pub fn at<T>(index: u32, call: impl FnOnce(&Thread) -> T) -> Option<T> {
    states().at(index, call)
}

/// Calls it with each state, for what is done at once.
pub(super) fn for_each(call: impl FnMut(&Thread)) {
    states().for_each(call);
}

/// Threads whose polls, wakes and spawns are in no total, since too many others had a state when they began.
pub fn refused() -> u64 {
    registry().refused.load(Ordering::Relaxed)
}

/// Sets how many states there may be.
#[cfg(any(test, feature = "testkit"))]
pub fn set_most_states(most: usize) {
    states().set_most(most);
}

/// Folds threads that ended into the share of all [`Retired`] and frees their states, if they are `done` as far as the
/// caller knows. Returns their indexes. For the drain.
pub fn fold_ended(is_done: impl Fn(&Thread) -> bool) -> Vec<u32> {
    let mut folded = Vec::new();
    for _ in 0..GOES {
        let mut pairs = 0;
        let can = |rest: &Retired, thread: &Thread| {
            let more = thread.edges.pairs();
            let can = !thread.flight.has_ring() && rest.has_room(pairs + more) && is_done(thread);
            pairs += if can { more } else { 0 };
            can
        };
        let ended = states().reclaim(FOLDED_AT_ONCE, can, Retired::fold);
        let is_last = ended.len() < FOLDED_AT_ONCE;
        folded.extend(ended);
        if is_last {
            break;
        }
    }
    folded
}

/// The state that a thread has until it ends.
enum Lease {
    /// One on the list.
    Listed(Option<Taken<Thread>>),
    /// One of its own, which is in no total: there were too many.
    Refused(NonNull<Thread>),
}

impl Lease {
    fn new() -> Self {
        // Of two that wait, rather the one that knows the session's sites already.
        let wanted = WANTED.get();
        let knows = |free: &Thread| free.last_session.get() == wanted.number();
        let taken = states().take(knows, |index| Thread::new(index, Magazine::new()));
        let (lease, is_listed) = match taken {
            Ok(taken) => (Self::Listed(Some(taken)), true),
            Err(index) => (Self::refused(index), false),
        };
        let thread = lease.state();
        // Before: a switch that does not see it is seen by what follows.
        thread.is_taken.store(true, Ordering::Relaxed);
        if is_listed {
            thread.flight.follow();
        }
        let name = std::thread::current().name().map_or(0, intern::name);
        thread.name.store(name, Ordering::Relaxed);
        thread.tid.store(thread_id(), Ordering::Relaxed);
        lease
    }

    /// A state without sites, edges and evidence.
    #[cold]
    fn refused(index: u32) -> Self {
        registry().refused.fetch_add(1, Ordering::Relaxed);
        let thread = Thread::new(index, Magazine::new());
        thread.shards.close();
        thread.edges.close();
        thread.evidence.close();
        Self::Refused(NonNull::from(Box::leak(thread)))
    }

    #[expect(unsafe_code, reason = "states are freed")]
    fn state(&self) -> &'static Thread {
        match self {
            // SAFETY: what got it from `here` uses it on this thread and before the lease ends, but for what `at_end`
            // drops: no frame of the thread is left then, or none that goes on, in a process that exits.
            Self::Listed(Some(taken)) => unsafe { taken.state() },
            // SAFETY: from a box that the lease owns; the same.
            Self::Refused(thread) => unsafe { thread.as_ref() },
            Self::Listed(None) => registry().late(),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let thread = self.state();
        let is_dropped = AT_END.take().is_none_or(|drop_references| drop_references());
        // A poll that is still open, in a frame that something set aside: the state stays as it is, for ever.
        let is_free = is_dropped && thread.task() == 0;
        HERE.set(None);
        thread.retire();
        match self {
            Self::Listed(taken) => {
                if let Some(taken) = taken.take().filter(|_| is_free) {
                    states().give_back(taken);
                }
            }
            #[expect(unsafe_code, reason = "states are freed")]
            Self::Refused(state) if is_free => {
                // SAFETY: from a box, in `refused`; it is on no list, and the thread has dropped what refers to it.
                drop(unsafe { Box::from_raw(state.as_ptr()) });
            }
            Self::Refused(_) => {}
        }
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
    /// A state that no thread has had.
    pub(super) fn new(index: u32, slots: Magazine) -> Box<Self> {
        Box::new(Self {
            index,
            task: AtomicU64::new(0),
            since: AtomicU64::new(0),
            label: AtomicU64::new(0),
            version: Version::new(),
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
            is_shared: false,
            pooled: AtomicBool::new(false),
            is_taken: AtomicBool::new(false),
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
        })
    }

    fn retire(&self) {
        // What was counted in a poll that is still open is followed by no end of it.
        self.version.raise();
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
        // What a reader that sees it sees of the thread is the last.
        self.is_taken.store(false, Ordering::Release);
    }
}
