//! A task's wakers and wakes, as any thread writes them, and who is behind a wake.

use std::sync::atomic::Ordering;

use super::TaskState;
use crate::clock;
use crate::edges::From;
use crate::inner::By;
use crate::record::Recorder;
use crate::record::flight;
use crate::record::thread::{self, Thread};
use crate::ring::Ring;
use crate::runtime::Role;

pub(super) const TAG_BITS: u32 = 2;
pub(super) const UNKNOWN: u64 = 0;
pub(super) const ITSELF: u64 = 1;
pub(super) const RUNTIME: u64 = 2;
pub(super) const OTHER_THREAD: u64 = 3;

impl TaskState {
    /// A wrapped waker is woken, on any thread. Forwards to the executor.
    ///
    /// `AT_AN_END` is for one that waits for a wrapped task's end, which wakes it right afterwards and on its own thread:
    /// the task is due since that end, which saves reading the clock. Between the two are some ten nanoseconds of the
    /// runtime's and nothing of the user's.
    #[inline]
    pub fn wake<const AT_AN_END: bool>(&self) {
        let thread = thread::here();
        let site = self.site();
        if self.poller.get() == thread.index {
            self.wakes_itself(thread);
        } else {
            let (by, from, who) = who_wakes(thread);
            thread.count_wake(from, site);
            self.inner.count_wake(by);
            let mut noted = None;
            if self.woken_ns.load(Ordering::Relaxed) == 0 {
                let since = if AT_AN_END {
                    // A join that ran out of its budget has the runtime wake it when nothing ended: then it is due
                    // since its last poll, for which anything earlier stands.
                    thread.ended_ns.get().max(1)
                } else {
                    *noted.insert(clock::now_ns())
                };
                self.woken_by.store(who, Ordering::Relaxed);
                self.woken_ns.store(since, Ordering::Relaxed);
            }
            self.touch();
            self.note_wake(thread, noted, who);
        }
        self.inner.forward();
    }

    /// Inside its own poll on this thread, which is the one writer of the tally.
    #[inline(never)]
    fn wakes_itself(&self, thread: &Thread) {
        let site = self.site();
        self.self_wakes.add(1);
        thread.site(site).self_wakes.add(1);
        thread.count_wake(From::site(site), site);
        // The delay will count from the poll's end, so that any earlier time says enough.
        if self.woken_ns.load(Ordering::Relaxed) == 0 {
            self.woken_by.store(ITSELF, Ordering::Relaxed);
            self.woken_ns.store(self.poll_start_ns.get(), Ordering::Relaxed);
        }
        self.note_wake(thread, None, ITSELF);
    }

    /// Keeps the wake as a single event, if those are recorded.
    #[inline]
    fn note_wake(&self, thread: &Thread, noted: Option<u64>, who: u64) {
        if let Some(ring) = thread.flight.active() {
            self.keep_wake(ring, noted, who);
        }
    }

    /// Not inlined: it would cost a wake that is not kept its registers.
    #[inline(never)]
    fn keep_wake(&self, ring: &Ring, noted: Option<u64>, who: u64) {
        ring.push(flight::wake(self.id(), noted.unwrap_or_else(clock::now_ns), who));
    }
}

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
    let role = (Recorder::global().runtime().role)();
    if role == Role::Pooled {
        thread.set_pooled();
    }
    if role == Role::Outside {
        (By::OtherThread, From::OTHER_THREAD, OTHER_THREAD)
    } else {
        (By::Runtime, From::RUNTIME, RUNTIME)
    }
}
