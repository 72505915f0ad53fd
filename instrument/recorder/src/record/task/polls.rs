//! A task's polls, as the thread writes them that polls.

use std::sync::atomic::Ordering;

use pollscope_model::entity::task::TaskKind;

use super::TaskState;
use crate::record::shard::SiteShard;
use crate::record::thread::Thread;

impl TaskState {
    /// A poll begins on this thread, whose share of the task's site is `shard`. Returns whether memory was allocated
    /// for that: then it is to be [postponed](TaskState::postpone_poll), since that may have taken long.
    #[inline]
    #[must_use]
    pub(crate) fn poll_begins(&self, thread: &Thread, shard: &SiteShard, now: u64) -> bool {
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
        // Without a wake this poll was not scheduled: it belongs to a future that its parent polls on
        // the way, or to an observer that sees no wakes.
        let since = if first && self.is_scheduled_by_spawn() {
            self.spawned_ns.get()
        } else if woken != 0 {
            woken.max(self.last_poll_end_ns.get())
        } else {
            0
        };
        let mut has_allocated = false;
        if since != 0 && self.is_wrapped() {
            let delay = now.saturating_sub(since);
            self.scheduled_ns.add(delay);
            self.max_sched_ns.raise(delay);
            has_allocated = shard.sched.record(delay);
            has_allocated |= thread.has_waited(since, now);
        }
        self.touch();
        has_allocated
    }

    /// The poll that has just begun begins later.
    pub(crate) fn postpone_poll(&self, now: u64) {
        self.poll_start_ns.set(now);
    }

    /// The future begins to be dropped on this thread, before its end: a poll that no wake made due.
    pub(crate) fn drop_begins(&self, thread: &Thread, now: u64) {
        self.poller.set(thread.index);
        self.poll_start_ns.set(now);
        if self.polls.get() == 0 {
            self.first_polled(thread);
        }
        self.touch();
    }

    /// What began then ended on the same thread and is no poll.
    pub(crate) fn drop_was_short(&self) {
        self.poller.set(0);
        self.poll_start_ns.set(0);
    }

    pub(super) fn is_scheduled_by_spawn(&self) -> bool {
        !matches!(self.kind(), TaskKind::Future | TaskKind::Request | TaskKind::BlockOn)
    }

    /// Whether its wakes are seen.
    #[inline]
    pub(super) fn is_wrapped(&self) -> bool {
        self.what.is_wrapped()
    }

    /// One more forced yield.
    #[cold]
    pub(crate) fn yields_by_force(&self) {
        let forced_yields = &self.aside.forced_yields;
        forced_yields.set(forced_yields.get().saturating_add(1));
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

    /// A poll begins on this thread, told by tokio's hook. Give the result to [`TaskState::hooked_poll_ends`].
    ///
    /// It counts from now on: between this hook and the poll's end the task is this thread's alone.
    #[inline]
    pub fn hooked_poll_begins(&self, thread: &Thread, now: u64) -> HookedPoll {
        let nth = self.polls.get() + 1;
        self.poller.set(thread.index);
        self.poll_start_ns.set(now);
        self.polls.set(nth);
        if nth == 1 {
            self.first_polled(thread);
        }
        self.touch();
        HookedPoll { nth, start: now, has_turn: self.turn.take() }
    }

    /// The hooked poll that has just begun on this thread, `now`, was due for so long, as tokio measured it. Returns
    /// whether memory was allocated: then it is to be [postponed](super::super::life::postponed).
    #[inline]
    #[must_use]
    pub fn hooked_poll_waited(&self, thread: &Thread, shard: &SiteShard, now: u64, delay: u64) -> bool {
        // A sum of 0 says that no delay was told.
        let delay = delay.max(1);
        self.scheduled_ns.add(delay);
        self.max_sched_ns.raise(delay);
        let has_allocated = shard.sched.record(delay);
        // Tokio's clock stops a poll some nanoseconds before ours: a task does not wait for itself.
        let since = now.saturating_sub(delay).max(self.last_poll_end_ns.get());
        thread.has_waited(since, now) || has_allocated
    }

    #[cold]
    fn first_polled(&self, thread: &Thread) {
        let (mut runtime, _) = thread.place();
        // Mostly the first poll of its thread, which has not looked yet where it is.
        if runtime.is_none() && self.kind() == TaskKind::BlockOn {
            thread.find_place();
            (runtime, _) = thread.place();
        }
        self.aside.runtime.set(runtime.map_or(0, |runtime| runtime as u16 + 1));
    }

    /// The poll ended on this thread, told by tokio's hook.
    ///
    /// By the time of the hook the task is free: another thread may poll it already, even have ended
    /// that poll. So the sums have their [`Turn`](super::Turn), and what belongs to the other poll is left alone. Of
    /// two that end a poll of it at once, the time of the earlier may stay as that of the last. A report that is made
    /// before this hook, and after the task's end on another thread, does not have the time of this poll; the next
    /// one has.
    #[inline]
    pub fn hooked_poll_ends(&self, thread: &Thread, poll: HookedPoll, now: u64) {
        let wall_ns = now.saturating_sub(poll.start);
        if poll.has_turn {
            self.busy_ns.add(wall_ns);
            self.max_poll_ns.raise(wall_ns);
            self.turn.give_back();
        } else {
            self.adds_out_of_turn(wall_ns);
        }
        self.last_poll_end_ns.raise(now);
        if self.poller.get() == thread.index && self.poll_start_ns.get() == poll.start {
            self.poller.set(0);
            self.poll_start_ns.set(0);
        }
        self.touch();
    }

    #[cold]
    fn adds_out_of_turn(&self, wall_ns: u64) {
        self.self_wakes.add_shared(wall_ns);
        self.woken_ns.fetch_max(wall_ns, Ordering::Relaxed);
    }
}

/// A poll that tokio's hooks tell of, between the two.
#[derive(Clone, Copy)]
pub struct HookedPoll {
    /// Which of the task's it is, from 1.
    pub nth: u64,
    /// When it began.
    pub start: u64,
    /// Whether the task's own sums are its to write.
    has_turn: bool,
}
