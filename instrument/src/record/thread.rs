//! What each thread keeps: what it polls now, its share of the sites, what it touched since the last
//! tick, and its supply of ids.
//!
//! A thread's state is never freed: when the thread ends, the next one that starts takes it over with
//! all its totals, so their number is that of the most threads that ever recorded at once. States are
//! owned by one thread at a time and read by the drain.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::allowed::Allowance;
use super::edges::Edges;
use super::evidence::Evidence;
use super::flight::{self, Recording};
use super::hist::HistShard;
use super::intern;
use super::session::Session;
use super::shard::{Shards, SiteShard};
use super::slots::Magazine;
use super::split::Split;
use super::tally::{Note16, Note32, Tally};
use super::task::TaskState;

const IDS_AT_ONCE: u64 = 1 << 10;
/// Tasks that may end on one thread between two ticks, unknown to the drain before, and still have a
/// row. It bounds what the drain says of a service that spawns tasks faster than anybody can look, and
/// keeps such a service in few slots.
const ENDS_AT_ONCE: u32 = 1 << 14;
/// Waits below it are a healthy service's own.
const LONG_WAIT_NS: u64 = 1_000_000;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);
static TICKS: AtomicU32 = AtomicU32::new(0);

/// See the module.
pub(crate) struct Thread {
    /// From 1, distinct for all that exist.
    pub(crate) index: u32,
    /// The innermost task whose poll is open here; 0 for none.
    task: AtomicU64,
    /// Start of the outermost open poll; 0 for none.
    since: AtomicU64,
    /// A [`Label`]: of that task, with the scope that spawns made here get.
    label: AtomicU64,
    /// Outermost polls that ended here.
    pub(crate) polls: Tally,
    /// Their wall time.
    pub(crate) polled_ns: Tally,
    /// Of the polls, those of which nobody knows since when they were due.
    pub(crate) blind_polls: Tally,
    /// Waits of the others, from [`LONG_WAIT_NS`] on.
    pub(crate) long_waits: HistShard,
    /// Free records.
    pub(crate) slots: Magazine,
    pub(crate) shards: Shards,
    /// Wakes made here.
    pub(crate) edges: Edges,
    pub(crate) split: Split,
    pub(crate) allowance: Allowance,
    /// Its slow polls.
    pub(crate) evidence: Evidence,
    pub(crate) flight: Recording,
    /// Tasks that got no record.
    pub(crate) uncounted: Tally,
    /// Tasks whose end had no room for a row.
    pub(crate) ends_unsaid: Tally,
    /// See [`Thread::is_pooled`].
    pooled: AtomicBool,
    /// Set while our own spawn calls tokio's, whose hook then knows that the task is wrapped.
    pub(crate) wrapping: AtomicBool,
    next_id: Tally,
    last_id: Tally,
    /// The tick since which [`Thread::ends`] counts.
    tick: Note32,
    ends: Note32,
    tid: AtomicU32,
    name: AtomicU32,
    /// `(runtime + 1) << 32 | (worker + 1)`, each 0 when unknown.
    place: AtomicU64,
    /// When another thread became the worker that this one was.
    replaced_ns: AtomicU64,
    /// Whose the thread is: see [`session`](super::session).
    session: Note16,
    /// Whose it was last.
    last_session: Note16,
    /// Polls that had ended when it became that.
    foreign_polls: Tally,
}

/// What a poll is of, beside its task, in one word: spawn site, scope, and whether it is a job of the
/// blocking pool, which may take as long as it likes.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Label(u64);

impl Label {
    /// Sites are far fewer.
    const JOB: u64 = 1 << 63;
    /// Names are numbered up to 65,535.
    const SCOPES: u64 = 0xffff;
    /// Between scope and site are bits that mean nothing here: a record keeps its own there.
    pub(crate) const FREE_SHIFT: u32 = 16;
    pub(crate) const FREE_BITS: u32 = 16;

    #[inline]
    pub(crate) const fn new(site: u32, scope: u32, job: bool) -> Self {
        Self((site as u64) << 32 | scope as u64 & Self::SCOPES | if job { Self::JOB } else { 0 })
    }

    /// Of a word that has its free bits for something else.
    #[inline]
    pub(crate) const fn of_word(word: u64) -> Self {
        Self(word)
    }

    /// With zeros in the free bits if it is [`new`](Self::new).
    #[inline]
    pub(crate) const fn word(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) const fn site(self) -> u32 {
        ((self.0 & !Self::JOB) >> 32) as u32
    }

    #[inline]
    pub(crate) const fn scope(self) -> u32 {
        (self.0 & Self::SCOPES) as u32
    }

    const fn is_job(self) -> bool {
        self.0 & Self::JOB != 0
    }

    const fn with_scope(self, scope: u32) -> Self {
        Self(self.0 >> 32 << 32 | scope as u64 & Self::SCOPES)
    }
}

#[derive(Default)]
struct Threads {
    all: Vec<&'static Thread>,
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

fn threads() -> MutexGuard<'static, Threads> {
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
    HERE.with(|here| here.get().unwrap_or_else(|| adopt(here)))
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
fn adopt(here: &Cell<Option<&'static Thread>>) -> &'static Thread {
    LEASE.try_with(|lease| here.set(Some(lease.0))).ok();
    here.get().unwrap_or_else(|| *LATE)
}

/// Every thread state that exists, in the order of their indexes.
pub(crate) fn all() -> Vec<&'static Thread> {
    threads().all.clone()
}

/// The thread state with an index, also if it came after the last [`all`].
pub(crate) fn at(index: u32) -> Option<&'static Thread> {
    threads().all.get((index as usize).checked_sub(1)?).copied()
}

/// The drain begins a tick.
pub(crate) fn tick() {
    TICKS.fetch_add(1, Ordering::Relaxed);
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
    fn register(threads: &mut Threads, slots: Magazine) -> &'static Self {
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

    /// The calling thread's share of a site.
    #[inline]
    pub(crate) fn site(&self, site: u32) -> &SiteShard {
        self.shards.site(site)
    }

    /// A task id that nobody else gets.
    #[inline]
    pub(crate) fn next_task_id(&self) -> u64 {
        let mut id = self.next_id.get();
        if id == self.last_id.get() {
            id = NEXT_ID.fetch_add(IDS_AT_ONCE, Ordering::Relaxed);
            self.last_id.set(id + IDS_AT_ONCE);
        }
        self.next_id.set(id + 1);
        id
    }

    /// A record for a task that begins; that there is none is counted.
    #[inline]
    pub(crate) fn new_record(&self, max_records: u64) -> Option<&'static TaskState> {
        let slot = self.slots.take(max_records);
        if slot.is_none() {
            self.uncounted.add(1);
        }
        slot
    }

    /// Whether one more end may wait here for the drain.
    #[inline]
    pub(crate) fn has_room_for_an_end(&self) -> bool {
        let tick = TICKS.load(Ordering::Relaxed);
        if self.tick.get() != tick {
            self.tick.set(tick);
            self.ends.set(0);
        }
        let ends = self.ends.get();
        self.ends.set(ends.saturating_add(1));
        ends < ENDS_AT_ONCE
    }

    /// The innermost task that is polled here; 0 for none.
    #[inline]
    pub(crate) fn task(&self) -> u64 {
        self.task.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn label(&self) -> Label {
        Label(self.label.load(Ordering::Relaxed))
    }

    /// Start of the outermost open poll; 0 for none. For the thread itself.
    pub(crate) fn since_ns(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }

    /// The spawn site of the innermost task that is polled here; nothing sensible for none.
    #[inline]
    pub(crate) fn site_of_task(&self) -> u32 {
        self.label().site()
    }

    /// The name of the innermost scope.
    #[inline]
    pub(crate) fn scope(&self) -> u32 {
        self.label().scope()
    }

    /// Sets the scope and returns the one before.
    #[inline]
    pub(crate) fn set_scope(&self, scope: u32) -> u32 {
        let before = self.label();
        self.label.store(before.with_scope(scope).0, Ordering::Relaxed);
        before.scope()
    }

    /// Whose the thread is.
    #[inline]
    pub(crate) fn session(&self) -> Session {
        Session::of_number(self.session.get())
    }

    /// Sets whose the thread is and returns whose it was. For the thread itself.
    #[cfg(any(feature = "check", test))]
    pub(crate) fn set_session(&self, session: Session) -> Session {
        let before = self.session();
        // The state that ending threads share is nobody's.
        if before != session && !self.flight.is_closed() {
            self.session.set(session.number());
            self.last_session.set(session.number());
            self.foreign_polls.set(self.polls.get());
            // It may be another runtime's now, which the next poll finds out.
            self.place.store(0, Ordering::Relaxed);
            self.split.forget();
        }
        before
    }

    /// Polls that had ended here when the thread became its session's.
    pub(crate) fn foreign_polls(&self) -> u64 {
        self.foreign_polls.get()
    }

    /// Opens a poll; give the result to [`Thread::leave`].
    #[inline]
    pub(crate) fn enter(&self, task: u64, label: Label, now: u64) -> Outer {
        let outer = Outer { task: self.task(), label: self.label() };
        // What is polled inside of a job is on the job's thread.
        self.label.store(label.0 | outer.label.0 & Label::JOB, Ordering::Release);
        // Together with `leave`, in an order that `polling` builds on; nothing but a store where stores
        // stay in order.
        self.task.store(task, Ordering::Release);
        if outer.task == 0 {
            self.since.store(now, Ordering::Release);
            if self.split.is_due(now) {
                self.sample_slowly(now);
            }
        }
        outer
    }

    /// A task that was due `since` begins to be polled here, `now`.
    #[inline]
    pub(crate) fn has_waited(&self, since: u64, now: u64) {
        if now.saturating_sub(since) >= LONG_WAIT_NS || self.evidence.was_waited_for(since) {
            self.has_waited_long(since, now);
        }
    }

    #[cold]
    fn has_waited_long(&self, since: u64, now: u64) {
        // Inside of another task's poll it waited for that task.
        if self.since.load(Ordering::Relaxed) != now {
            return;
        }
        self.evidence.waited(since);
        if now.saturating_sub(since) >= LONG_WAIT_NS {
            self.long_waits.record(now.saturating_sub(since));
        }
    }

    /// At most once a millisecond.
    #[cold]
    fn sample_slowly(&self, now: u64) {
        self.split.sample(now, self.polled_ns.get());
        if let Some(place) = crate::sample::place_of_this_thread()
            && place != self.place.load(Ordering::Relaxed)
        {
            self.set_place(place);
        }
    }

    /// The calling thread is that worker's from now on; whoever was before is no more.
    #[cold]
    pub(crate) fn set_place(&self, place: u64) {
        if place >> 32 != 0 && place as u32 != 0 {
            let now = crate::clock::now_ns();
            let others = threads();
            for thread in others.all.iter().filter(|thread| thread.place.load(Ordering::Relaxed) == place) {
                thread.place.store(0, Ordering::Relaxed);
                thread.replaced_ns.store(now, Ordering::Relaxed);
            }
        }
        self.place.store(place, Ordering::Relaxed);
    }

    /// Keeps the poll that is about to be closed as a single event, if those are recorded.
    #[inline]
    pub(crate) fn note_poll(&self, start: u64, wall_ns: u64) {
        if let Some(ring) = self.flight.active() {
            let place = self.place.load(Ordering::Relaxed);
            ring.push(flight::poll(self.task(), self.site_of_task(), place, start, wall_ns));
        }
    }

    /// Closes the poll that [`Thread::enter`] opened, `wall_ns` ago.
    #[inline]
    pub(crate) fn leave(&self, outer: Outer, wall_ns: u64) {
        if outer.task == 0 {
            self.since.store(0, Ordering::Relaxed);
            self.polls.add(1);
            self.polled_ns.add(wall_ns);
        }
        self.task.store(outer.task, Ordering::Release);
        self.label.store(outer.label.0, Ordering::Release);
    }

    /// What is polled here now. For other threads: it may have ended since, but its parts belong together.
    pub(crate) fn polling(&self) -> Option<OpenPoll> {
        let since_ns = self.since.load(Ordering::Acquire);
        let task = self.task.load(Ordering::Acquire);
        let label = self.label();
        // Whoever polls next writes 0 here before anything else.
        std::sync::atomic::fence(Ordering::Acquire);
        let same = self.since.load(Ordering::Relaxed) == since_ns;
        (task != 0 && since_ns != 0 && same).then(|| OpenPoll {
            task,
            site: label.site(),
            since_ns,
            is_job: label.is_job(),
        })
    }

    /// Runtime and worker that the thread last belonged to, if known.
    pub(crate) fn place(&self) -> (Option<u32>, Option<u32>) {
        let place = self.place.load(Ordering::Relaxed);
        (((place >> 32) as u32).checked_sub(1), (place as u32).checked_sub(1))
    }

    /// Whether another thread became the worker that this one was, after that time: it is in
    /// `block_in_place` since, or was.
    pub(crate) fn is_replaced_since(&self, ns: u64) -> bool {
        self.replaced_ns.load(Ordering::Relaxed) > ns
    }

    /// Operating system's thread id, if known.
    pub(crate) fn tid(&self) -> Option<u32> {
        let tid = self.tid.load(Ordering::Relaxed);
        (tid != 0).then_some(tid)
    }

    /// The thread's name.
    pub(crate) fn name(&self) -> u32 {
        self.name.load(Ordering::Relaxed)
    }
}

/// What was open round a poll that opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outer {
    task: u64,
    label: Label,
}

/// A poll that another thread is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OpenPoll {
    /// The innermost task.
    pub(crate) task: u64,
    /// Its spawn site.
    pub(crate) site: u32,
    /// Start of the outermost poll, which is the thread's.
    pub(crate) since_ns: u64,
    /// It is a job of the blocking pool.
    pub(crate) is_job: bool,
}

impl Outer {
    /// Whether the poll is the outermost of its thread.
    pub(crate) fn is_none(self) -> bool {
        self.task == 0
    }
}

#[cfg(test)]
mod tests;
