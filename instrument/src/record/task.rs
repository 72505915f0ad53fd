//! One task's record: a single allocation that the polling thread, the wakers, the join handle and
//! the drain share. It outlives the task until the drain has told its end and the last waker is gone.

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use pollscope_model::entity::task::{HandleState, TaskKind, TaskState as State, WokenBy};
use pollscope_model::id::TaskId;
use pollscope_model::measured::Mode;

use super::inner::InnerWaker;
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
const NO_HANDLE: u32 = 1 << 7;

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
        let no_handle =
            matches!(birth.kind, TaskKind::BlockOn | TaskKind::Future) || birth.mode != Mode::Wrap;
        let flags =
            if birth.labels.long_lived { LONG_LIVED } else { 0 } | if no_handle { NO_HANDLE } else { 0 };
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
            if self.woken_ns.load(Ordering::Relaxed) == 0 {
                self.woken_by.store(ITSELF, Ordering::Relaxed);
                self.woken_ns.store(self.poll_start_ns.get(), Ordering::Relaxed);
            }
        } else {
            self.inner.count_wake();
            if self.woken_ns.load(Ordering::Relaxed) == 0 {
                self.woken_by.store(who_wakes(thread), Ordering::Relaxed);
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

    /// Where the task is, and since when it waits if it is scheduled. For the drain: racy by nature.
    pub(crate) fn state(&self) -> (State, u64) {
        let flags = self.flags.load(Ordering::Acquire);
        if flags & PANICKED != 0 {
            return (State::Panicked, 0);
        }
        if flags & ENDED != 0 {
            return (if flags & CANCELLED != 0 { State::Cancelled } else { State::Completed }, 0);
        }
        if self.poll_start_ns.get() != 0 {
            return (State::Running, 0);
        }
        let woken = self.woken_ns.load(Ordering::Relaxed);
        if woken != 0 {
            return (State::Scheduled, woken.max(self.last_poll_end_ns.get()));
        }
        if self.polls.get() == 0 && self.is_scheduled_by_spawn() {
            return (State::Scheduled, self.spawned_ns);
        }
        (State::Idle, 0)
    }

    /// What became of the handle.
    pub(crate) fn handle(&self) -> HandleState {
        let flags = self.flags.load(Ordering::Relaxed);
        if flags & ABORTED != 0 {
            HandleState::Aborted
        } else if flags & JOINED != 0 {
            HandleState::Joined
        } else if flags & HANDLE_DROPPED != 0 {
            HandleState::Dropped
        } else {
            HandleState::Held
        }
    }

    /// Declared long-lived.
    pub(crate) fn is_long_lived(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & LONG_LIVED != 0
    }

    /// Who woke it last.
    pub(crate) fn woken_by(&self) -> WokenBy {
        match self.woken_by.load(Ordering::Relaxed) {
            NOBODY => WokenBy::Nobody,
            ITSELF => WokenBy::Itself,
            RUNTIME => WokenBy::Runtime,
            OTHER_THREAD => WokenBy::OtherThread,
            task => WokenBy::Task(TaskId(task >> TAG_BITS)),
        }
    }

    /// Runtime of its first poll, if known.
    pub(crate) fn runtime(&self) -> Option<u32> {
        self.runtime.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Index of the thread that polls it now, if one does.
    pub(crate) fn poller(&self) -> Option<u32> {
        let poller = self.poller.load(Ordering::Relaxed);
        (poller != 0).then_some(poller)
    }

    /// Wakers outside of the task.
    pub(crate) fn wakers(&self) -> u32 {
        let own = u32::from(self.flags.load(Ordering::Relaxed) & ENDED == 0);
        self.inner.counts().0.saturating_sub(own)
    }

    /// Outcome and handle as one number: all that may still change after the end.
    pub(crate) fn fate(&self) -> u64 {
        self.flags.load(Ordering::Relaxed).into()
    }

    /// A number that differs whenever the row would.
    pub(crate) fn fingerprint(&self) -> u64 {
        let (holders, clones) = self.inner.counts();
        let words = [
            self.polls.get(),
            self.poll_start_ns.get(),
            self.self_wakes.get(),
            self.inner.wakes(),
            self.woken_ns.load(Ordering::Relaxed),
            u64::from(holders) << 32 | u64::from(clones),
            u64::from(self.flags.load(Ordering::Relaxed)),
        ];
        // FNV over words; the constant start keeps a fresh record apart from "never said".
        words.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, word| {
            (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
        })
    }
}

const TAG_BITS: u32 = 2;
const NOBODY: u64 = 0;
const ITSELF: u64 = 1;
const RUNTIME: u64 = 2;
const OTHER_THREAD: u64 = 3;

/// What the thread that wakes is doing.
fn who_wakes(thread: &Thread) -> u64 {
    let task = thread.task();
    if task != 0 {
        return task << TAG_BITS;
    }
    // A worker between two polls (timers, I/O, deferred yields, joins), or a thread of the blocking
    // pool that hands its result over.
    if tokio::runtime::worker_index().is_some() || tokio::runtime::Handle::try_current().is_ok() {
        return RUNTIME;
    }
    OTHER_THREAD
}

/// The future's own hold on its record: one holder of the executor's waker, and of the memory.
pub(crate) struct Hold(ManuallyDrop<Arc<TaskState>>);

impl Hold {
    /// The first hold, which [`InnerWaker::new`] already counted.
    pub(crate) fn first(state: Arc<TaskState>) -> Self {
        Self(ManuallyDrop::new(state))
    }
}

impl std::ops::Deref for Hold {
    type Target = TaskState;

    fn deref(&self) -> &TaskState {
        &self.0
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "the holders own the memory together")]
        // SAFETY: this hold was counted once, by `InnerWaker::new`, and is given back once, here.
        unsafe {
            TaskState::leave(Arc::as_ptr(&self.0));
        }
    }
}

impl TaskState {
    /// Gives one hold back; the last one also lets go of the memory.
    ///
    /// # Safety
    /// The caller owns one counted hold on this record and does not use it afterwards.
    #[expect(unsafe_code, reason = "the wrapped wakers carry plain pointers")]
    pub(crate) unsafe fn leave(state: *const Self) {
        // SAFETY: the caller's hold keeps the record alive up to the release.
        if unsafe { &*state }.inner.release() {
            // SAFETY: the holders together own the one `Arc` that `Hold::first` took, and the last is gone.
            drop(unsafe { Arc::from_raw(state) });
        }
    }
}
