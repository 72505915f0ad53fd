//! One task's record: 208 bytes that the polling thread, the wakers, the join handle and the
//! drain share. It outlives the task until the drain has told its end and the last of the others is gone;
//! then the slot is another task's.
//!
//! Here is what writes; the drain's side is in [`read`]. Every field is atomic, since the drain may hold a
//! reference while a slot changes hands; it reads nothing then (see [`claims`](super::claims)).

mod read;
mod what;

pub(crate) use read::who;

use std::sync::atomic::{AtomicU64, Ordering};

use pollscope_model::entity::task::TaskKind;
use pollscope_model::measured::Mode;
use tokio::runtime::RuntimeFlavor;

use super::claims::{ABORTED, CANCELLED, COMPLETED, Claims, HANDLE_DROPPED, JOINED, LONG_LIVED, PANICKED};
use super::edges::From;
use super::hold::Record;
use super::inner::{By, InnerWaker};
use super::marks::Word;
use super::shard::SiteShard;
use super::tally::{Note16, Note32, Tally};
use super::thread::{Label, Thread};
use what::What;

/// How a task ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Completed,
    Cancelled,
    Panicked,
    /// Over, in a way that the hooks do not tell.
    Unknown,
}

/// What a user says of a task when it is spawned.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Labels {
    pub(crate) name: u32,
    pub(crate) group: u32,
    pub(crate) long_lived: bool,
}

/// What is known of a task when it begins.
pub(crate) struct Birth {
    pub(crate) id: u64,
    pub(crate) parent: u64,
    pub(crate) site: u32,
    pub(crate) scope: u32,
    pub(crate) spawned_ns: u64,
    pub(crate) future_bytes: u64,
    pub(crate) labels: Labels,
    pub(crate) kind: TaskKind,
    pub(crate) mode: Mode,
}

/// See the module.
#[repr(C)]
pub(crate) struct TaskState {
    // Written by the thread that polls, at every poll.
    /// That ended; where hooks tell of them, that began.
    polls: Tally,
    pub(crate) busy_ns: Tally,
    pub(crate) max_poll_ns: Tally,
    pub(crate) scheduled_ns: Tally,
    pub(crate) max_sched_ns: Tally,
    pub(crate) last_poll_end_ns: Tally,
    /// 0 between polls; after the end, when that was.
    poll_start_ns: Tally,
    /// Time of the first wake since the last poll began; 0 for none. Written by whoever wakes.
    woken_ns: AtomicU64,

    // Read by every poll or wake.
    pub(crate) inner: InnerWaker,
    woken_by: AtomicU64,
    /// Where the record is marked for the drain.
    mark: &'static Word,

    // Read by every poll, written once.
    what: What,
    /// Index of the thread whose poll is open; 0 between polls.
    poller: Note32,
    /// Stops at its largest value, which is days of a task that does nothing else.
    pub(crate) forced_yields: Note32,
    pub(crate) id: Tally,

    // Seldom looked at.
    pub(crate) parent: Tally,
    pub(crate) spawned_ns: Tally,
    pub(crate) self_wakes: Tally,
    /// The drain's own: fingerprint of the row that was said last.
    pub(crate) said: Tally,
    pub(crate) future_bytes: Note32,
    pub(crate) name: Note16,
    pub(crate) group: Note16,
    /// Runtime of the first poll, plus one.
    runtime: Note16,
    /// The drain's own: see [`TaskState::clones`].
    clones_above: Note16,
    pub(crate) claims: Claims,
}

/// A million tasks have a million of these.
const _: () = assert!(size_of::<TaskState>() == 208, "a record has grown");

impl TaskState {
    /// A slot that no task has.
    pub(crate) fn unused(mark: &'static Word, at: u8) -> Self {
        Self {
            polls: Tally::new(),
            busy_ns: Tally::new(),
            max_poll_ns: Tally::new(),
            scheduled_ns: Tally::new(),
            max_sched_ns: Tally::new(),
            last_poll_end_ns: Tally::new(),
            poll_start_ns: Tally::new(),
            woken_ns: AtomicU64::new(0),
            inner: InnerWaker::new(),
            woken_by: AtomicU64::new(0),
            mark,
            what: What::unused(at),
            poller: Note32::default(),
            id: Tally::new(),
            parent: Tally::new(),
            spawned_ns: Tally::new(),
            self_wakes: Tally::new(),
            said: Tally::new(),
            forced_yields: Note32::default(),
            future_bytes: Note32::default(),
            name: Note16::default(),
            group: Note16::default(),
            runtime: Note16::default(),
            clones_above: Note16::default(),
            claims: Claims::none(),
        }
    }

    /// The slot is a new task's, with so many claims. The caller has it from
    /// [`Magazine::take`](super::slots::Magazine::take).
    #[inline]
    pub(crate) fn begin(&self, birth: &Birth, claims: u16) {
        for zero in [
            &self.polls,
            &self.busy_ns,
            &self.max_poll_ns,
            &self.scheduled_ns,
            &self.max_sched_ns,
            &self.last_poll_end_ns,
            &self.poll_start_ns,
            &self.self_wakes,
        ] {
            zero.set(0);
        }
        self.woken_ns.store(0, Ordering::Relaxed);
        self.woken_by.store(NOBODY, Ordering::Relaxed);
        self.inner.reset();
        self.what.set(birth);
        self.poller.set(0);
        self.id.set(birth.id);
        self.parent.set(birth.parent);
        self.spawned_ns.set(birth.spawned_ns);
        self.forced_yields.set(0);
        self.future_bytes.set(u32::try_from(birth.future_bytes).unwrap_or(u32::MAX));
        // Names are numbered up to 65,535.
        self.name.set(birth.labels.name as u16);
        self.group.set(birth.labels.group as u16);
        self.runtime.set(0);
        self.claims.born(claims, if birth.labels.long_lived { LONG_LIVED } else { 0 });
        self.touch();
    }

    /// What a poll of it is of.
    #[inline]
    pub(crate) fn label(&self) -> Label {
        self.what.label()
    }

    /// Its spawn site.
    #[inline]
    pub(crate) fn site(&self) -> u32 {
        self.label().site()
    }

    /// The name of its scope.
    pub(crate) fn scope(&self) -> u32 {
        self.label().scope()
    }

    /// Has the drain look at the task at the next tick, or at the one after.
    #[inline]
    pub(crate) fn touch(&self) {
        self.mark.note(self.what.at());
    }

    /// Has the drain look at the task at the next tick, for what comes last.
    #[inline]
    pub(crate) fn mark(&self) {
        self.mark.set(self.what.at());
    }

    /// A poll begins on this thread, whose share of the task's site is `shard`.
    #[inline]
    pub(crate) fn poll_begins(&self, thread: &Thread, shard: &SiteShard, now: u64) {
        let first = self.polls.get() == 0;
        let woken = self.woken_ns.load(Ordering::Relaxed);
        if woken != 0 {
            self.woken_ns.store(0, Ordering::Relaxed);
        }
        self.poller.set(thread.index);
        self.poll_start_ns.set(now);
        if first {
            self.first_polled(thread);
        }
        // Without a wake nobody scheduled this poll: it belongs to a future that its parent polls on
        // the way, or to an observer that sees no wakes.
        let since = if first && self.is_scheduled_by_spawn() {
            self.spawned_ns.get()
        } else if woken != 0 {
            woken.max(self.last_poll_end_ns.get())
        } else {
            0
        };
        if since != 0 && self.is_wrapped() {
            let delay = now.saturating_sub(since);
            self.scheduled_ns.add(delay);
            self.max_sched_ns.raise(delay);
            shard.sched.record(delay);
            thread.has_waited(since, now);
        }
        self.touch();
    }

    fn is_scheduled_by_spawn(&self) -> bool {
        !matches!(self.kind(), TaskKind::Future | TaskKind::BlockOn)
    }

    /// Whether its wakes are seen.
    #[inline]
    fn is_wrapped(&self) -> bool {
        self.what.is_wrapped()
    }

    /// One more forced yield.
    #[cold]
    pub(crate) fn yields_by_force(&self) {
        self.forced_yields.set(self.forced_yields.get().saturating_add(1));
    }

    /// The poll that began `wall_ns` ago ends on the same thread.
    #[inline]
    pub(crate) fn poll_ends(&self, wall_ns: u64, now: u64) {
        self.busy_ns.add(wall_ns);
        self.max_poll_ns.raise(wall_ns);
        self.last_poll_end_ns.set(now);
        self.polls.add(1);
        self.poller.set(0);
        self.poll_start_ns.set(0);
        self.touch();
    }

    /// A poll begins on this thread, told by tokio's hook; returns which of the task's it is.
    ///
    /// It counts from now on: between this hook and the poll's end the task is this thread's alone.
    #[inline]
    pub(crate) fn hooked_poll_begins(&self, thread: &Thread, now: u64) -> u64 {
        let nth = self.polls.get() + 1;
        self.poller.set(thread.index);
        self.poll_start_ns.set(now);
        self.polls.set(nth);
        if nth == 1 {
            self.first_polled(thread);
        }
        self.touch();
        nth
    }

    #[cold]
    fn first_polled(&self, thread: &Thread) {
        let (runtime, _) = thread.place();
        self.runtime.set(runtime.map_or(0, |runtime| runtime as u16 + 1));
    }

    /// The poll that began at `start` ended on this thread, told by tokio's hook.
    ///
    /// By the time of the hook the task is free: another thread may poll it already, even have ended
    /// that poll. So the sum is shared, and what belongs to the other poll is left alone. Of two that end
    /// a poll of it at once, the time of the earlier may stay as that of the last.
    #[inline]
    pub(crate) fn hooked_poll_ends(&self, thread: &Thread, start: u64, now: u64) {
        let wall_ns = now.saturating_sub(start);
        self.busy_ns.add_shared(wall_ns);
        self.max_poll_ns.raise_shared(wall_ns);
        self.last_poll_end_ns.raise(now);
        if self.poller.get() == thread.index && self.poll_start_ns.get() == start {
            self.poller.set(0);
            self.poll_start_ns.set(0);
        }
        self.touch();
    }

    /// A wrapped waker is woken, on any thread. Forwards to the executor.
    #[inline]
    pub(crate) fn wake(&self) {
        let thread = super::thread::here();
        let site = thread.site(self.site());
        site.wakes.add(1);
        let (who, noted) = if self.poller.get() == thread.index {
            // Inside our own poll on this thread, so this is the one writer of the tally. The delay
            // will count from the poll's end, so that any earlier time says enough.
            self.self_wakes.add(1);
            site.self_wakes.add(1);
            thread.edges.add(From::site(self.site()), self.site());
            if self.woken_ns.load(Ordering::Relaxed) == 0 {
                self.woken_by.store(ITSELF, Ordering::Relaxed);
                self.woken_ns.store(self.poll_start_ns.get(), Ordering::Relaxed);
            }
            (ITSELF, None)
        } else {
            let mut noted = None;
            let (by, from, who) = who_wakes(thread);
            thread.edges.add(from, self.site());
            self.inner.count_wake(by);
            if self.woken_ns.load(Ordering::Relaxed) == 0 {
                let now = crate::clock::now_ns();
                self.woken_by.store(who, Ordering::Relaxed);
                self.woken_ns.store(now, Ordering::Relaxed);
                noted = Some(now);
            }
            self.touch();
            (who, noted)
        };
        if let Some(ring) = thread.flight.active() {
            ring.push(super::flight::wake(self.id.get(), noted.unwrap_or_else(crate::clock::now_ns), who));
        }
        self.inner.forward();
    }

    /// The task is over, and so are its polls. For whoever has a claim.
    pub(crate) fn end(&'static self, thread: &Thread, outcome: Outcome, now: u64) {
        let flag = match outcome {
            Outcome::Completed | Outcome::Unknown => COMPLETED,
            Outcome::Cancelled => CANCELLED,
            Outcome::Panicked => PANICKED,
        };
        self.poll_start_ns.set(now);
        let waive = !self.claims.is_known() && !thread.has_room_for_an_end();
        let ended = self.claims.end(flag, waive);
        if flag == PANICKED && ended.before & HANDLE_DROPPED != 0 {
            let site = thread.site(self.site());
            site.swallowed_panics.add(1);
            site.detached_failures.add(1);
        }
        if ended.waived {
            thread.ends_unsaid.add(1);
            thread.site(self.site()).ends_unsaid.add(1);
            drop(Record::counted(self));
        } else {
            self.mark();
        }
    }

    /// The handle gave the outcome to somebody, and goes.
    pub(crate) fn joined(&self) {
        self.claims.set(JOINED);
        self.mark();
    }

    /// The handle asked the task to stop.
    pub(crate) fn aborted(&self) {
        self.claims.set(ABORTED);
        self.mark();
    }

    /// The handle is gone.
    pub(crate) fn handle_dropped(&self) {
        if self.claims.flags() & JOINED != 0 {
            return;
        }
        let before = self.claims.set(HANDLE_DROPPED);
        if before & PANICKED != 0 {
            super::thread::here().site(self.site()).swallowed_panics.add(1);
        }
        self.mark();
    }
}

const TAG_BITS: u32 = 2;
const NOBODY: u64 = 0;
const ITSELF: u64 = 1;
const RUNTIME: u64 = 2;
const OTHER_THREAD: u64 = 3;

/// What the thread that wakes is doing: for the task's count, for the edge, and as the last waker.
#[inline]
fn who_wakes(thread: &Thread) -> (By, From, u64) {
    match thread.task() {
        0 if thread.is_pooled() => (By::Runtime, From::RUNTIME, RUNTIME),
        0 => between_polls(thread),
        task => (By::Task, From::site(thread.site_of_task()), task << TAG_BITS),
    }
}

/// A worker between two polls (timers, I/O, deferred yields, joins), or a thread of the blocking pool
/// that hands its result over; else a thread that the runtime does not know.
#[inline(never)]
fn between_polls(thread: &Thread) -> (By, From, u64) {
    let here = tokio::runtime::Handle::try_current().ok();
    let is_worker = tokio::runtime::worker_index().is_some();
    if is_worker && here.as_ref().is_some_and(|here| here.runtime_flavor() == RuntimeFlavor::MultiThread) {
        thread.set_pooled();
    }
    if is_worker || here.is_some() {
        (By::Runtime, From::RUNTIME, RUNTIME)
    } else {
        (By::OtherThread, From::OTHER_THREAD, OTHER_THREAD)
    }
}
