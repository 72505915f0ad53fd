//! The polls that are open on a thread: opened and closed by the thread itself, seen by others.

use std::sync::atomic::Ordering;

use super::{LONG_WAIT_NS, Label, Thread};
use crate::record::Recorder;
use crate::record::flight;
use crate::record::thread::registry;
use crate::ring::Ring;

/// What was open round a poll that opened.
#[derive(Clone, Copy, Debug)]
pub struct Outer {
    task: u64,
    label: Label,
}

/// A poll that another thread is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenPoll {
    /// The innermost task.
    pub task: u64,
    /// Its spawn site.
    pub site: u32,
    /// Start of the outermost poll, which is the thread's.
    pub since_ns: u64,
    /// It is a job of the blocking pool.
    pub is_job: bool,
}

/// Whether it is a known worker of a known runtime.
fn is_worker(place: u64) -> bool {
    place >> 32 != 0 && place as u32 != 0
}

impl Outer {
    /// Whether the poll is the outermost of its thread.
    #[inline]
    pub fn is_none(self) -> bool {
        self.task == 0
    }
}

impl Thread {
    /// Start of the outermost open poll; 0 for none. For the thread itself.
    pub(crate) fn since_ns(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }

    /// Opens a poll; give what it returns first to [`Thread::close`] and [`Thread::leave`]. The second is when the poll
    /// begins: `now`, or later where the thread's CPU time was read for it.
    #[inline]
    pub fn enter(&self, task: u64, label: Label, now: u64) -> (Outer, u64) {
        let outer = Outer { task: self.task(), label: self.label() };
        // What is polled inside of a job is on the job's thread.
        self.label.store(label.0 | outer.label.0 & Label::JOB, Ordering::Release);
        // Together with `leave`, in an order that `polling` builds on; nothing but a store where stores
        // stay in order.
        self.task.store(task, Ordering::Release);
        let mut start = now;
        if outer.task == 0 {
            if self.split.is_due(now) {
                start = self.sample_slowly(now);
            }
            self.since.store(start, Ordering::Release);
        }
        (outer, start)
    }

    /// The poll that was just opened begins later than [`Thread::enter`] said, `now`.
    pub(crate) fn postpone(&self, outer: Outer, now: u64) {
        if outer.task == 0 {
            self.since.store(now, Ordering::Release);
        }
    }

    /// A task that was due `since` begins to be polled here, `now`. Returns whether memory was allocated for that.
    #[inline]
    pub(crate) fn has_waited(&self, since: u64, now: u64) -> bool {
        let is_long = now.saturating_sub(since) >= LONG_WAIT_NS || self.evidence.was_waited_for(since);
        is_long && self.has_waited_long(since, now)
    }

    #[cold]
    fn has_waited_long(&self, since: u64, now: u64) -> bool {
        // Inside of another task's poll it waited for that task.
        if self.since.load(Ordering::Relaxed) != now {
            return false;
        }
        self.evidence.waited(since);
        let waited_ns = now.saturating_sub(since);
        waited_ns >= LONG_WAIT_NS && self.long_waits.record(waited_ns)
    }

    /// At most once a millisecond; returns when the poll begins, which is after it. A job of the blocking pool is not
    /// split, so that its thread needs no descriptor.
    #[cold]
    fn sample_slowly(&self, now: u64) -> u64 {
        self.find_place();
        if self.is_in_a_job() {
            self.split.skip(now);
            return crate::clock::now_ns();
        }
        // Else the first wake from inside of a poll would.
        self.edges.allocate();
        // Last: what else is done here is no part of what the poll spends.
        self.split.sample(now, self.polled_ns.get());
        let start = crate::clock::now_ns();
        self.split.poll_begins(start);
        start
    }

    /// Whether the open poll is a job of the blocking pool, or is inside of one. For the thread itself.
    pub(crate) fn is_in_a_job(&self) -> bool {
        self.label().is_job()
    }

    /// Notes where the thread belongs; whether it is a worker of an observed runtime, and that is news. For the
    /// thread itself.
    pub fn find_place(&self) -> bool {
        let place = (Recorder::global().runtime().place)();
        let is_news = place != self.place.load(Ordering::Relaxed);
        if is_news {
            self.set_place(place);
        }
        is_news && is_worker(place)
    }

    /// Binds the calling thread to this worker and unbinds the previous thread.
    #[cold]
    pub fn set_place(&self, place: u64) {
        if is_worker(place) {
            let now = crate::clock::now_ns();
            registry::for_each(|other| {
                if other.place.load(Ordering::Relaxed) == place {
                    other.place.store(0, Ordering::Relaxed);
                    other.replaced_ns.store(now, Ordering::Relaxed);
                }
            });
        }
        self.place.store(place, Ordering::Relaxed);
    }

    /// Keeps the poll that is about to be closed as a single event, if those are recorded.
    #[inline]
    pub fn note_poll(&self, start: u64, wall_ns: u64) {
        if let Some(ring) = self.flight.active() {
            self.keep_poll(ring, start, wall_ns);
        }
    }

    /// Not inlined: it would cost a poll that is not kept its registers.
    #[inline(never)]
    fn keep_poll(&self, ring: &Ring, start: u64, wall_ns: u64) {
        let place = self.place.load(Ordering::Relaxed);
        ring.push(flight::poll(self.task(), self.site_of_task(), place, start, wall_ns));
    }

    /// The poll that [`Thread::enter`] opened is over: other threads see none from now on, however long it takes to
    /// record it. Comes before [`Thread::leave`] or [`Thread::return_to`].
    #[inline]
    pub fn close(&self, outer: Outer) {
        if outer.task == 0 {
            self.since.store(0, Ordering::Relaxed);
        }
    }

    /// Counts the poll that was closed, which took `wall_ns`, and returns to what was open round it.
    #[inline]
    pub fn leave(&self, outer: Outer, wall_ns: u64) {
        if outer.task == 0 {
            self.polled_ns.add(wall_ns);
            self.version.end_poll();
        }
        self.return_to(outer);
    }

    /// Returns to what was open round the poll that was closed, which counts for nothing.
    #[inline]
    pub(crate) fn return_to(&self, outer: Outer) {
        self.task.store(outer.task, Ordering::Release);
        self.label.store(outer.label.0, Ordering::Release);
    }

    /// What is polled here now. For other threads: it may have ended since, but its parts belong together.
    pub fn polling(&self) -> Option<OpenPoll> {
        let since_ns = self.since.load(Ordering::Acquire);
        let task = self.task.load(Ordering::Acquire);
        let label = self.label();
        // The next poll writes 0 here before anything else.
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
    #[inline]
    pub fn place(&self) -> (Option<u32>, Option<u32>) {
        let place = self.place.load(Ordering::Relaxed);
        (((place >> 32) as u32).checked_sub(1), (place as u32).checked_sub(1))
    }

    /// Whether another thread became the worker that this one was, after that time: it is in
    /// `block_in_place` since, or was.
    pub fn is_replaced_since(&self, ns: u64) -> bool {
        self.replaced_ns.load(Ordering::Relaxed) > ns
    }
}
