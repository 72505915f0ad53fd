//! One task's record: 224 bytes that the polling thread, the wakers, the join handle and the
//! drain share. It outlives the task until the drain has told its end and the last waker is gone; then the slot is
//! another task's, though the join handle may still exist.
//!
//! What writes is in [`polls`], [`wakes`], [`ending`] and [`tag`](super::tag); the drain's side is in [`read`]. Every
//! field is atomic, since the drain may hold a reference while a slot changes hands; it reads nothing then
//! (see [`claims`](crate::claims)).

mod ending;
mod polls;
mod read;
mod wakes;
mod what;

pub use polls::HookedPoll;
pub(crate) use read::who;

use std::panic::RefUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};

use pollscope_model::entity::task::TaskKind;
use pollscope_model::measured::Mode;

use super::intern;
use super::thread::Label;
use crate::claims::{Claims, JOINABLE, LONG_LIVED};
use crate::inner::InnerWaker;
use crate::marks::Word;
use crate::tally::{Note16, Note32, Tally};
use crate::turn::Turn;
use wakes::UNKNOWN;
use what::What;

/// How a task ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It returned.
    Completed,
    /// Its future was dropped before.
    Cancelled,
    /// It panicked.
    Panicked,
    /// Over, in a way that the hooks do not tell.
    Unknown,
}

/// What a user says of a task when it is spawned. Small enough for one register on its way from there to here.
#[derive(Clone, Copy, Default, Debug)]
pub struct Labels {
    name: u16,
    group: u16,
    long_lived: bool,
}

impl Labels {
    /// A name, and a group or none, both as they are read; numbered up to 65,535.
    pub fn new(name: &str, group: &str) -> Self {
        Self { name: intern::name(name) as u16, group: intern::name(group) as u16, long_lived: false }
    }

    /// The same, and whether the task is meant to live as long as the process.
    #[must_use]
    pub fn long_lived(self, long_lived: bool) -> Self {
        Self { long_lived, ..self }
    }
}

/// What is known of a task when it begins.
pub struct Birth {
    /// Its own number.
    pub id: u64,
    /// The task that spawned it; 0 for none.
    pub parent: u64,
    /// Where it was spawned.
    pub site: u32,
    /// The name of the scope; 0 for none.
    pub scope: u32,
    /// When it was spawned.
    pub spawned_ns: u64,
    /// The size of the user's future; 0 where it is unknown.
    pub future_bytes: u64,
    /// What the user says of it.
    pub labels: Labels,
    /// What it is.
    pub kind: TaskKind,
    /// How it is seen.
    pub mode: Mode,
    /// It has a join handle of ours.
    pub joinable: bool,
}

/// See the module. Three cache lines and no part of another: two workers that poll neighbours do not take a line
/// from each other at every poll.
#[repr(C, align(64))]
pub struct TaskState {
    // Written by the thread that polls, at every poll.
    /// That ended; where hooks tell of them, that began.
    polls: Tally,
    busy_ns: Tally,
    max_poll_ns: Tally,
    /// Of a hooked task: 0 where tokio tells none.
    scheduled_ns: Tally,
    max_sched_ns: Tally,
    /// When its last poll ended.
    pub last_poll_end_ns: Tally,
    /// 0 between polls; after the end, when that was.
    poll_start_ns: Tally,
    /// Time of the first wake since the last poll began; 0 for none. Written by the waking thread. Of a hooked task, whose
    /// wakes are not seen: the longest of the polls that had not their [`Turn`].
    woken_ns: AtomicU64,

    // Read by every poll or wake.
    /// The executor's waker.
    pub inner: InnerWaker,
    woken_by: AtomicU64,
    /// Where the record is marked for the drain.
    mark: &'static Word,

    // Read by every poll, written once.
    what: What,
    /// Index of the thread whose poll is open; 0 between polls.
    poller: Note32,
    turn: Turn,
    /// With the task's id, which every poll reads.
    pub claims: Claims,

    // Read or written at birth and end, by few polls, and by wakes of its own.
    /// When it was spawned.
    pub spawned_ns: Tally,
    /// Wakes from inside of its own polls. Of a hooked task: the time of the polls that had not their [`Turn`].
    self_wakes: Tally,
    /// What neither polls nor wakes look at.
    pub aside: &'static Aside,
}

/// All that a record has is valid after each single store, and the one thing in it that is not atomic, the executor's
/// waker, is changed by code that no panic leaves half-way. So a panic of the user's leaves nothing broken, and what
/// holds a record (a join handle) may go through `catch_unwind` as tokio's own may.
impl RefUnwindSafe for TaskState {}

/// What neither polls nor wakes look at, but for a task's first poll and those that yield by force.
#[derive(Default)]
pub struct Aside {
    /// The task that spawned it; 0 for none.
    pub parent: Tally,
    /// The drain's own: fingerprint of the row that was said last.
    pub said: Tally,
    /// The size of the user's future; 0 where it is unknown.
    pub future_bytes: Note32,
    /// Stops at its largest value, which is days of a task that does nothing else.
    pub forced_yields: Note32,
    /// The name that the user gives it; 0 for none.
    pub name: Note16,
    /// The group that the user gives it; 0 for none.
    pub group: Note16,
    /// Runtime of the first poll, plus one.
    runtime: Note16,
    /// The drain's own: see [`TaskState::clones`].
    clones_above: Note16,
}

/// A million tasks have a million of these.
const _: () = assert!(size_of::<TaskState>() == 192 && size_of::<Aside>() == 32, "a record has grown");

impl TaskState {
    /// A slot that no task has.
    pub(crate) fn unused(mark: &'static Word, aside: &'static Aside, at: u8) -> Self {
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
            turn: Turn::free(),
            claims: Claims::none(),
            spawned_ns: Tally::new(),
            self_wakes: Tally::new(),
            aside,
        }
    }

    /// The slot is a new task's, with so many claims. The caller has it from
    /// [`Magazine::take`](super::slots::Magazine::take).
    #[inline]
    pub fn begin(&self, birth: &Birth, claims: u16) {
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
        self.woken_by.store(UNKNOWN, Ordering::Relaxed);
        self.inner.reset();
        self.what.set(birth);
        self.poller.set(0);
        self.spawned_ns.set(birth.spawned_ns);
        let aside = self.aside;
        aside.forced_yields.set(0);
        aside.parent.set(birth.parent);
        aside.future_bytes.set(u32::try_from(birth.future_bytes).unwrap_or(u32::MAX));
        aside.name.set(birth.labels.name);
        aside.group.set(birth.labels.group);
        aside.runtime.set(0);
        self.turn.reset();
        let flags =
            if birth.labels.long_lived { LONG_LIVED } else { 0 } | if birth.joinable { JOINABLE } else { 0 };
        self.claims.born(birth.id, claims, flags);
        self.touch();
    }

    /// The task's id.
    #[inline]
    pub fn id(&self) -> u64 {
        self.claims.id()
    }

    /// What a poll of it is of.
    #[inline]
    pub fn label(&self) -> Label {
        self.what.label()
    }

    /// Its spawn site.
    #[inline]
    pub fn site(&self) -> u32 {
        self.label().site()
    }

    /// The name of its scope.
    pub fn scope(&self) -> u32 {
        self.label().scope()
    }

    /// Has the drain look at the task at the next tick, or at the one after.
    #[inline]
    pub fn touch(&self) {
        self.mark.note(self.what.at());
    }

    /// Has the drain look at the task at the next tick, for what comes last.
    #[inline]
    pub(crate) fn mark(&self) {
        self.mark.set(self.what.at());
    }
}
