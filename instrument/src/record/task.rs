//! One task's record: a single allocation that the polling thread, the wakers, the join handle and
//! the drain share. It outlives the task until the drain has told its end and the last waker is gone.
//!
//! Here is what writes; the drain's side is in [`read`].

mod read;

use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use pollscope_model::entity::task::TaskKind;
use pollscope_model::measured::Mode;

use super::edges::From;
use super::inner::{By, InnerWaker};
use super::stack::Linked;
use super::tally::Tally;
use super::thread::Thread;

const COMPLETED: u32 = 1;
const CANCELLED: u32 = 1 << 1;
const PANICKED: u32 = 1 << 2;
const ENDED: u32 = COMPLETED | CANCELLED | PANICKED;
const HANDLE_DROPPED: u32 = 1 << 3;
const JOINED: u32 = 1 << 4;
const ABORTED: u32 = 1 << 5;
const LONG_LIVED: u32 = 1 << 6;

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

/// See the module. Exists only inside an `Arc`.
pub(crate) struct TaskState {
    pub(crate) id: u64,
    pub(crate) parent: u64,
    pub(crate) spawned_ns: u64,
    pub(crate) site: u32,
    pub(crate) name: u32,
    pub(crate) group: u32,
    pub(crate) scope: u32,
    pub(crate) future_bytes: u32,
    pub(crate) kind: TaskKind,
    pub(crate) mode: Mode,

    // Written by the thread that polls.
    pub(crate) polls: Tally,
    pub(crate) busy_ns: Tally,
    pub(crate) max_poll_ns: Tally,
    pub(crate) scheduled_ns: Tally,
    pub(crate) max_sched_ns: Tally,
    pub(crate) self_wakes: Tally,
    pub(crate) forced_yields: Tally,
    pub(crate) last_poll_end_ns: Tally,
    /// 0 between polls.
    pub(crate) poll_start_ns: Tally,
    pub(crate) ended_ns: Tally,
    /// Index of the thread whose poll is open; 0 between polls.
    poller: AtomicU32,
    /// Runtime of the first poll, plus one.
    runtime: AtomicU32,

    // Written by whoever wakes.
    /// Time of the first wake since the last poll began; 0 for none.
    woken_ns: AtomicU64,
    woken_by: AtomicU64,
    pub(crate) inner: InnerWaker,

    flags: AtomicU32,

    // The way to the drain.
    touched: AtomicU32,
    next: AtomicPtr<TaskState>,

    // The drain's own.
    pub(crate) drained: Drained,
}

/// What the drain remembers of a task.
#[derive(Default)]
pub(crate) struct Drained {
    /// Fingerprint of the row that was said last.
    pub(crate) said: Tally,
    /// Clones of wakers, continued past 32 bits.
    pub(crate) clones: Tally,
    /// Index in the drain's list plus one; 0 when not in it.
    pub(crate) place: AtomicU32,
}

impl Linked for TaskState {
    fn next(&self) -> &AtomicPtr<Self> {
        &self.next
    }
}

impl Drop for TaskState {
    fn drop(&mut self) {
        Thread::release_record();
    }
}

impl TaskState {
    /// A record of a task that begins. The caller was admitted by [`Thread::admit`].
    pub(crate) fn new(birth: &Birth) -> Arc<Self> {
        let flags = if birth.labels.long_lived { LONG_LIVED } else { 0 };
        Arc::new(Self {
            id: birth.id,
            parent: birth.parent,
            spawned_ns: birth.spawned_ns,
            site: birth.site,
            name: birth.labels.name,
            group: birth.labels.group,
            scope: birth.scope,
            future_bytes: u32::try_from(birth.future_bytes).unwrap_or(u32::MAX),
            kind: birth.kind,
            mode: birth.mode,
            polls: Tally::new(),
            busy_ns: Tally::new(),
            max_poll_ns: Tally::new(),
            scheduled_ns: Tally::new(),
            max_sched_ns: Tally::new(),
            self_wakes: Tally::new(),
            forced_yields: Tally::new(),
            last_poll_end_ns: Tally::new(),
            poll_start_ns: Tally::new(),
            ended_ns: Tally::new(),
            poller: AtomicU32::new(0),
            runtime: AtomicU32::new(0),
            woken_ns: AtomicU64::new(0),
            woken_by: AtomicU64::new(0),
            inner: InnerWaker::new(),
            flags: AtomicU32::new(flags),
            touched: AtomicU32::new(0),
            next: AtomicPtr::new(std::ptr::null_mut()),
            drained: Drained::default(),
        })
    }

    /// Puts the task on the thread's list for the next tick, unless it is on one.
    ///
    /// A task that was taken from the list at this very moment may miss it: the drain looks at each
    /// task that it took once more one tick later.
    #[inline]
    pub(crate) fn touch(&self, thread: &Thread) {
        if self.touched.load(Ordering::Relaxed) == 0 {
            self.touch_surely(thread);
        }
    }

    /// The same without the gap, for what comes last and is not looked at once more: either the drain
    /// takes the task after this, or it has seen all that was written before.
    #[inline(never)]
    fn touch_surely(&self, thread: &Thread) {
        if self.touched.swap(1, Ordering::AcqRel) == 0 {
            thread.touched.push(self.share());
        }
    }

    /// For the drain, before it reads: from now on a touch puts the task on a list again.
    pub(crate) fn untouch(&self) {
        self.touched.swap(0, Ordering::AcqRel);
    }

    /// One more owner.
    pub(crate) fn share(&self) -> Arc<Self> {
        #[expect(unsafe_code, reason = "the wrapped wakers carry plain pointers")]
        // SAFETY: `new` is the only constructor and returns an `Arc`; the caller's reference keeps it alive.
        unsafe {
            Arc::increment_strong_count(self);
            Arc::from_raw(self)
        }
    }

    /// A poll begins on this thread.
    #[inline]
    pub(crate) fn poll_begins(&self, thread: &Thread, now: u64) {
        let first = self.polls.get() == 0;
        let woken = self.woken_ns.load(Ordering::Relaxed);
        if woken != 0 {
            self.woken_ns.store(0, Ordering::Relaxed);
        }
        self.poller.store(thread.index, Ordering::Relaxed);
        self.poll_start_ns.set(now);
        if first {
            let (runtime, _) = thread.place();
            self.runtime.store(runtime.map_or(0, |runtime| runtime + 1), Ordering::Relaxed);
        }
        // Without a wake nobody scheduled this poll: it belongs to a future that its parent polls on
        // the way, or to an observer that sees no wakes.
        let since = if first && self.is_scheduled_by_spawn() {
            self.spawned_ns
        } else if woken != 0 {
            woken.max(self.last_poll_end_ns.get())
        } else {
            0
        };
        if since != 0 && self.mode == Mode::Wrap {
            let delay = now.saturating_sub(since);
            self.scheduled_ns.add(delay);
            self.max_sched_ns.raise(delay);
            thread.site(self.site).sched.record(delay);
            thread.has_waited(since, now);
        }
        self.touch(thread);
    }

    fn is_scheduled_by_spawn(&self) -> bool {
        !matches!(self.kind, TaskKind::Future | TaskKind::BlockOn)
    }

    /// The poll that began `wall_ns` ago ends on the same thread.
    #[inline]
    pub(crate) fn poll_ends(&self, thread: &Thread, wall_ns: u64, now: u64) {
        self.busy_ns.add(wall_ns);
        self.max_poll_ns.raise(wall_ns);
        self.last_poll_end_ns.set(now);
        self.polls.add(1);
        self.poller.store(0, Ordering::Relaxed);
        self.poll_start_ns.set(0);
        self.touch(thread);
    }

    /// The poll that began at `start` ended on this thread, told by tokio's hook.
    ///
    /// By the time of the hook the task is free: another thread may poll it already, even have ended
    /// that poll. So counts are shared, and what belongs to the other poll is left alone.
    #[inline]
    pub(crate) fn hooked_poll_ends(&self, thread: &Thread, start: u64, now: u64) {
        let wall_ns = now.saturating_sub(start);
        self.busy_ns.add_shared(wall_ns);
        self.max_poll_ns.raise_shared(wall_ns);
        self.last_poll_end_ns.raise_shared(now);
        self.polls.add_shared(1);
        if self.poller.load(Ordering::Relaxed) == thread.index && self.poll_start_ns.get() == start {
            self.poller.store(0, Ordering::Relaxed);
            self.poll_start_ns.set(0);
        }
        self.touch(thread);
    }

    /// A wrapped waker is woken, on any thread. Forwards to the executor.
    #[inline]
    pub(crate) fn wake(&self) {
        let thread = super::thread::here();
        let site = thread.site(self.site);
        site.wakes.add(1);
        if self.poller.load(Ordering::Relaxed) == thread.index {
            // Inside our own poll on this thread, so this is the one writer of the tally. The delay
            // will count from the poll's end, so that any earlier time says enough.
            self.self_wakes.add(1);
            site.self_wakes.add(1);
            thread.edges.add(From::site(self.site), self.site);
            if self.woken_ns.load(Ordering::Relaxed) == 0 {
                self.woken_by.store(ITSELF, Ordering::Relaxed);
                self.woken_ns.store(self.poll_start_ns.get(), Ordering::Relaxed);
            }
        } else {
            let (by, from, who) = who_wakes(thread);
            thread.edges.add(from, self.site);
            self.inner.count_wake(by);
            if self.woken_ns.load(Ordering::Relaxed) == 0 {
                self.woken_by.store(who, Ordering::Relaxed);
                self.woken_ns.store(crate::clock::now_ns(), Ordering::Relaxed);
            }
            self.touch(thread);
        }
        self.inner.forward();
    }

    /// The task is over. Only the first call counts.
    pub(crate) fn end(&self, thread: &Thread, outcome: Outcome, now: u64) {
        let flag = match outcome {
            Outcome::Completed | Outcome::Unknown => COMPLETED,
            Outcome::Cancelled => CANCELLED,
            Outcome::Panicked => PANICKED,
        };
        self.ended_ns.set(now);
        let before = self.flags.fetch_or(flag, Ordering::AcqRel);
        if flag == PANICKED && before & HANDLE_DROPPED != 0 {
            let site = thread.site(self.site);
            site.swallowed_panics.add(1);
            site.detached_failures.add(1);
        }
        self.touch_surely(thread);
    }

    /// The handle gave the outcome to somebody.
    pub(crate) fn joined(&self) {
        self.flag(JOINED);
    }

    /// The handle asked the task to stop.
    pub(crate) fn aborted(&self) {
        self.flag(ABORTED);
    }

    fn flag(&self, flag: u32) {
        self.flags.fetch_or(flag, Ordering::AcqRel);
        self.touch_surely(super::thread::here());
    }

    /// The handle is gone.
    pub(crate) fn handle_dropped(&self) {
        if self.flags.load(Ordering::Relaxed) & JOINED != 0 {
            return;
        }
        let before = self.flags.fetch_or(HANDLE_DROPPED, Ordering::AcqRel);
        let thread = super::thread::here();
        if before & PANICKED != 0 {
            thread.site(self.site).swallowed_panics.add(1);
        }
        self.touch_surely(thread);
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
        0 => between_polls(),
        task => (By::Task, From::site(thread.site_of_task()), task << TAG_BITS),
    }
}

/// A worker between two polls (timers, I/O, deferred yields, joins), or a thread of the blocking pool
/// that hands its result over; else a thread that the runtime does not know.
#[inline(never)]
fn between_polls() -> (By, From, u64) {
    if tokio::runtime::worker_index().is_some() || tokio::runtime::Handle::try_current().is_ok() {
        (By::Runtime, From::RUNTIME, RUNTIME)
    } else {
        (By::OtherThread, From::OTHER_THREAD, OTHER_THREAD)
    }
}
