//! A recorded task's way from spawn to end, as its future carries it: begins, opens and closes polls,
//! and ends however the future ends.

use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::task::TaskKind;
use pollscope_model::id::{SiteId, TaskId};
use pollscope_model::measured::Mode;

use super::Recorder;
use super::hold::Hold;
use super::task::{Birth, Labels, Outcome, TaskState};
use super::thread::{self, Label, Outer, Thread};
use crate::clock;

/// See the module. Dropping it before the end is the task's cancellation.
pub(crate) struct Life {
    /// `None` when the cap is reached (the task is then counted per site only) and after the end.
    hold: Option<Hold>,
    id: u64,
    spawned_ns: u64,
    label: Label,
    over: bool,
}

impl Life {
    /// A task begins on this thread. Costs an allocation of 256 bytes and two clock reads.
    pub(crate) fn begin(site: u32, kind: TaskKind, labels: Labels, future_bytes: usize) -> Self {
        let thread = thread::here();
        let spawned_ns = clock::now_ns();
        let (id, scope) = (thread.next_task_id(), thread.scope());
        let shard = thread.site(site);
        shard.spawned.add(1);
        shard.max_future_bytes.raise(future_bytes as u64);
        let hold = thread.admit(Recorder::global().max_tasks()).then(|| {
            let state = TaskState::new(&Birth {
                id,
                parent: thread.task(),
                site,
                scope,
                spawned_ns,
                future_bytes: future_bytes as u64,
                labels,
                kind,
                mode: Mode::Wrap,
            });
            state.touch(thread);
            Hold::first(state)
        });
        let label = Label::new(site, scope, kind == TaskKind::Blocking);
        Self { hold, id, spawned_ns, label, over: false }
    }

    /// A share of the record for the join handle.
    pub(crate) fn tag(&self) -> Option<Tag> {
        self.hold.as_ref().map(|state| Tag(state.share()))
    }

    /// Whether the task has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Opens a poll. The guard closes it; dropped without [`OpenPoll::close`], by unwinding, it counts
    /// a panic.
    #[inline]
    pub(crate) fn open_poll(&mut self) -> OpenPoll<'_> {
        let thread = thread::here();
        let start = clock::now_ns();
        let outer = thread.enter(self.id, self.label, start);
        if let Some(state) = &self.hold {
            state.poll_begins(thread, start);
        }
        OpenPoll { life: self, thread, outer, start, outcome: Some(Outcome::Panicked) }
    }

    fn end(&mut self, thread: &Thread, outcome: Outcome, now: u64) {
        self.over = true;
        let shard = thread.site(self.label.site());
        match outcome {
            Outcome::Completed => shard.completed.add(1),
            Outcome::Cancelled => shard.cancelled.add(1),
            Outcome::Panicked => shard.panicked.add(1),
            Outcome::Unknown => shard.ended.add(1),
        }
        shard.life.record(now.saturating_sub(self.spawned_ns));
        if let Some(state) = self.hold.take() {
            state.end(thread, outcome, now);
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if !self.over {
            self.end(thread::here(), Outcome::Cancelled, clock::now_ns());
        }
    }
}

/// A poll that is running.
pub(crate) struct OpenPoll<'a> {
    life: &'a mut Life,
    thread: &'static Thread,
    outer: Outer,
    start: u64,
    outcome: Option<Outcome>,
}

impl OpenPoll<'_> {
    /// The task's record, if it has one.
    #[inline]
    pub(crate) fn state(&self) -> Option<&TaskState> {
        self.life.hold.as_deref()
    }

    /// The poll returned.
    #[inline]
    pub(crate) fn close(mut self, ready: bool) {
        self.outcome = ready.then_some(Outcome::Completed);
        if !ready && !tokio::task::coop::has_budget_remaining() {
            self.forced_yield();
        }
    }

    #[cold]
    fn forced_yield(&self) {
        self.thread.site(self.life.label.site()).forced_yields.add(1);
        if let Some(state) = self.state() {
            state.forced_yields.add(1);
        }
    }
}

impl Drop for OpenPoll<'_> {
    #[inline]
    fn drop(&mut self) {
        let now = clock::now_ns();
        let wall_ns = now.saturating_sub(self.start);
        let shard = self.thread.site(self.life.label.site());
        shard.poll.record(wall_ns);
        if wall_ns >= Recorder::global().slow_poll_ns() {
            shard.slow_polls.add(1);
            let nth = self.state().map_or(1, |state| state.polls.get() + 1);
            let mut poll = SlowPoll { nth, ..evidence(self.life.id, self.life.label.site(), wall_ns, now) };
            // Where tasks are only hooked, nobody knows that none of them waited.
            if !Recorder::global().hooked() {
                (poll.waiters, poll.waited_ns, poll.max_waited_ns) = (Some(0), Some(0), Some(0));
            }
            slow_poll(self.thread, self.outer, poll, now);
        }
        if let Some(state) = &self.life.hold {
            state.poll_ends(self.thread, wall_ns, now);
        }
        self.thread.leave(self.outer, wall_ns);
        if let Some(outcome) = self.outcome {
            self.life.end(self.thread, outcome, now);
        }
    }
}

/// What is known of a slow poll without asking the operating system.
pub(crate) fn evidence(task: u64, site: u32, wall_ns: u64, now: u64) -> SlowPoll {
    SlowPoll {
        task: TaskId(task),
        site: SiteId(site),
        start_ns: now.saturating_sub(wall_ns),
        wall_ns,
        ..SlowPoll::default()
    }
}

/// Keeps the evidence of a slow poll that ended just now on this thread.
#[cold]
pub(crate) fn slow_poll(thread: &Thread, outer: Outer, mut poll: SlowPoll, now: u64) {
    let split = thread.split.judge(now, poll.wall_ns, thread.polled_ns.get(), !outer.is_none());
    poll.worker = thread.place().1;
    poll.busy_ns = split.map(|(busy, _)| busy);
    poll.preempted_ns = split.map(|(_, preempted)| preempted);
    thread.evidence.keep(poll);
}

/// The join handle's view of the task. Dropping it without [`Tag::joined`] detaches the task.
pub(crate) struct Tag(std::sync::Arc<TaskState>);

impl Tag {
    /// The outcome was taken.
    pub(crate) fn joined(&self) {
        self.0.joined();
    }

    /// The task was asked to stop.
    pub(crate) fn aborted(&self) {
        self.0.aborted();
    }
}

impl Drop for Tag {
    fn drop(&mut self) {
        self.0.handle_dropped();
    }
}
