//! A recorded task's way from spawn to end, as its future carries it: begins, opens and closes polls,
//! and ends however the future ends.

mod output;

use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::task::TaskKind;
use pollscope_model::id::{SiteId, TaskId};
use pollscope_model::measured::Mode;

use super::Recorder;
use super::hold::{Hold, Record};
use super::intern::NO_SITE;
use super::session;
use super::shard::SiteShard;
use super::tag::Tag;
use super::task::{Birth, Labels, Outcome, TaskState};
use super::thread::{self, Label, Outer, Thread};
use super::{allowed, handing, nested};
use crate::clock;
pub(crate) use output::Keep;
pub use output::{OpenOutput, keep_outputs_by};

/// See the module. Dropping it before the end is the task's cancellation.
pub struct Life(Stage);

enum Stage {
    Recorded(Hold),
    /// The cap was reached: counted per site only.
    Counted(Box<Counted>),
    Over,
}

/// What a task without a record knows of itself.
struct Counted {
    id: u64,
    spawned_ns: u64,
    label: Label,
}

impl Life {
    /// A part of a task, or of another executor's, begins on this thread.
    pub fn begin(site: u32, kind: TaskKind, labels: Labels, future_bytes: usize) -> Self {
        Self(match begin(site, kind, labels, future_bytes, false) {
            Ok(state) => Stage::Recorded(Hold::first(Record::counted(state))),
            Err(counted) => Stage::Counted(counted),
        })
    }

    /// A task with a join handle begins on this thread. Costs no allocation while there are free records,
    /// and one clock read. Inlined, so that its two results are put together where they are used: reading back what
    /// was just written in parts is the slowest there is.
    #[inline]
    pub fn begin_joinable(
        site: u32,
        kind: TaskKind,
        labels: Labels,
        future_bytes: usize,
    ) -> (Self, Option<Tag>) {
        match begin(site, kind, labels, future_bytes, true) {
            Ok(state) => {
                let hold = Hold::first(Record::counted(state));
                (Self(Stage::Recorded(hold)), Some(Tag::of(state)))
            }
            Err(counted) => (Self(Stage::Counted(counted)), None),
        }
    }

    /// Whether the task has ended.
    #[inline]
    pub fn is_over(&self) -> bool {
        matches!(self.0, Stage::Over)
    }

    /// Opens a poll. The guard closes it when it is dropped; without [`OpenPoll::returned`], by
    /// unwinding, it counts a panic.
    #[inline]
    pub fn open_poll(&mut self) -> OpenPoll<'_> {
        self.open(|state, thread, shard, outer, start| {
            if state.poll_begins(thread, shard, start) { postponed(state, thread, outer) } else { start }
        })
    }

    /// Opens the turn in which the future is dropped before its end: a poll, but for what was due when. Until
    /// [`OpenPoll::dropped`] it counts as a panic.
    #[cold]
    pub fn open_drop(&mut self) -> OpenPoll<'_> {
        self.open(|state, thread, _, _, start| {
            state.drop_begins(thread, start);
            start
        })
    }

    /// Opens what the thread runs of the task next. `begins` writes it to the task's record, if there is one, and says
    /// when it begins.
    ///
    /// The time begins when all memory is there that recording it takes: an allocator may wait for a thread that has no
    /// CPU, which is not the task's doing.
    #[inline]
    fn open(
        &mut self,
        begins: impl FnOnce(&TaskState, &'static Thread, &'static SiteShard, Outer, u64) -> u64,
    ) -> OpenPoll<'_> {
        let thread = thread::here();
        let (id, label) = match &self.0 {
            Stage::Recorded(state) => (state.id(), state.label()),
            Stage::Counted(task) => (task.id, task.label),
            // A poll after the end goes to the future itself, by `is_over`.
            Stage::Over => (thread.task(), Label::new(NO_SITE, thread.scope(), false)),
        };
        let site = label.site();
        let shard = thread.site(site);
        let (outer, mut start) = thread.enter(id, label, clock::now_ns());
        if let Stage::Recorded(state) = &self.0 {
            start = begins(state, thread, shard, outer, start);
        }
        OpenPoll {
            life: self,
            thread,
            outer,
            start,
            site,
            shard,
            outcome: Some(Outcome::Panicked),
            has_output: false,
        }
    }

    fn end(&mut self, thread: &Thread, outcome: Outcome, now: u64) {
        let (site, spawned_ns) = match &self.0 {
            Stage::Recorded(state) => (state.site(), state.spawned_ns.get()),
            Stage::Counted(task) => (task.label.site(), task.spawned_ns),
            Stage::Over => return,
        };
        thread.ended_ns.set(now);
        let shard = thread.site(site);
        match outcome {
            Outcome::Completed => shard.completed.add(1),
            Outcome::Cancelled => shard.cancelled.add(1),
            Outcome::Panicked => shard.panicked.add(1),
            Outcome::Unknown => shard.ended.add(1),
        }
        shard.life.record(now.saturating_sub(spawned_ns));
        if let Stage::Recorded(hold) = std::mem::replace(&mut self.0, Stage::Over) {
            hold.end(thread, outcome, now);
        }
        thread.raise_version();
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if !self.is_over() {
            self.end(thread::here(), Outcome::Cancelled, clock::now_ns());
        }
    }
}

/// A record of a task that begins now, with the claims of its holders and of the drain; or what is left to know of it
/// when there is none.
fn begin(
    site: u32,
    kind: TaskKind,
    labels: Labels,
    future_bytes: usize,
    joinable: bool,
) -> Result<&'static TaskState, Box<Counted>> {
    let thread = thread::here();
    let (id, scope) = (thread.next_task_id(), thread.scope());
    let shard = thread.site(site);
    shard.spawned.add(1);
    shard.max_future_bytes.raise(future_bytes as u64);
    let record = thread.slots.take(Recorder::global().max_tasks());
    // After both, which may allocate: that is nothing that the task waits for.
    let spawned_ns = clock::now_ns();
    if record.is_none() {
        shard.uncounted.add(1);
    }
    thread.raise_version();
    let Some(state) = record else {
        let label = Label::new(site, scope, kind == TaskKind::Blocking);
        return Err(Box::new(Counted { id, spawned_ns, label }));
    };
    let birth = Birth {
        id,
        parent: thread.task(),
        site,
        scope,
        spawned_ns,
        future_bytes: future_bytes as u64,
        labels,
        kind,
        mode: Mode::Wrap,
        joinable,
    };
    state.begin(&birth, 2);
    Ok(state)
}

/// The poll that was just opened begins now, since something was allocated for it after its time was taken.
#[cold]
pub fn postponed(state: &TaskState, thread: &Thread, outer: Outer) -> u64 {
    let now = clock::now_ns();
    state.postpone_poll(now);
    thread.postpone(outer, now);
    now
}

/// A poll that is running.
pub struct OpenPoll<'a> {
    life: &'a mut Life,
    thread: &'static Thread,
    outer: Outer,
    start: u64,
    site: u32,
    /// The thread's share of that site.
    shard: &'static SiteShard,
    outcome: Option<Outcome>,
    /// It returned an output whose drop runs code.
    has_output: bool,
}

impl OpenPoll<'_> {
    /// The task's record, if it has one.
    #[inline]
    pub fn state(&self) -> Option<&'static TaskState> {
        match &self.life.0 {
            Stage::Recorded(hold) => Some(hold.state()),
            _ => None,
        }
    }

    /// The poll returned, maybe with an output, which `needs_drop` or not.
    #[inline]
    pub fn returned(&mut self, ready: bool, needs_drop: bool) {
        self.outcome = ready.then_some(Outcome::Completed);
        self.has_output = ready && needs_drop;
    }

    /// The future was dropped.
    pub fn dropped(&mut self) {
        self.outcome = Some(Outcome::Cancelled);
    }

    /// The task has no budget left and yields for that reason.
    #[cold]
    pub fn forced_yield(&self) {
        self.shard.forced_yields.add(1);
        if let Some(state) = self.state() {
            state.yields_by_force();
        }
    }
}

impl Drop for OpenPoll<'_> {
    #[inline]
    fn drop(&mut self) {
        let now = clock::now_ns();
        let wall_ns = now.saturating_sub(self.start);
        self.thread.close(self.outer);
        self.shard.poll.record(wall_ns);
        self.thread.note_poll(self.start, wall_ns);
        if wall_ns >= Recorder::global().slow_poll_ns() {
            self.was_slow(wall_ns, now);
        }
        if let Some(state) = self.state() {
            state.poll_ends(wall_ns, now);
        }
        let leave = Leave { thread: self.thread, outer: self.outer, wall_ns };
        let Some(outcome) = self.outcome else { return };
        if self.has_output && Recorder::global().hooked() {
            drop(leave);
            if !self.life.leaves_output(now) {
                self.life.end(self.thread, outcome, now);
            }
            return;
        }
        self.life.end(self.thread, outcome, now);
    }
}

/// The poll is left when this is dropped: after the end of its task, which is told to the drain with it, also where an
/// executor's waker panics meanwhile.
struct Leave {
    thread: &'static Thread,
    outer: Outer,
    wall_ns: u64,
}

impl Drop for Leave {
    #[inline]
    fn drop(&mut self) {
        self.thread.leave(self.outer, self.wall_ns);
    }
}

impl OpenPoll<'_> {
    #[cold]
    fn was_slow(&self, wall_ns: u64, now: u64) {
        if wall_ns < session::slow_poll_ns(self.site) {
            return;
        }
        self.shard.was_slow();
        let (id, nth) = match &self.life.0 {
            Stage::Recorded(state) => (state.id(), state.polls() + 1),
            Stage::Counted(task) => (task.id, 1),
            Stage::Over => return,
        };
        let poll = SlowPoll { nth, ..evidence(id, self.site, wall_ns, now) };
        let panicked = matches!(self.outcome, Some(Outcome::Panicked));
        slow_poll(self.thread, self.outer, poll, now, panicked);
    }
}

/// What is known of a slow poll without asking the operating system.
pub fn evidence(task: u64, site: u32, wall_ns: u64, now: u64) -> SlowPoll {
    // Where no delay of hooked tasks is told, it is unknown whether one of them waited.
    let none_yet = Recorder::global().knows_waits().then_some(0);
    SlowPoll {
        waiters: none_yet,
        waited_ns: none_yet.map(u64::from),
        max_waited_ns: none_yet.map(u64::from),
        task: TaskId(task),
        site: SiteId(site),
        start_ns: now.saturating_sub(wall_ns),
        wall_ns,
        ..SlowPoll::default()
    }
}

/// Keeps the evidence of a slow poll that ended just now on this thread, by a panic as far as that is known.
#[cold]
pub fn slow_poll(thread: &Thread, outer: Outer, mut poll: SlowPoll, now: u64, panicked: bool) {
    let judge = || thread.split.judge(now, poll.wall_ns, thread.polled_ns.get(), !outer.is_none());
    let split = if thread.is_in_a_job() { None } else { judge() };
    poll.worker = thread.place().1;
    poll.in_place = thread.is_replaced_since(poll.start_ns);
    poll.busy_ns = split.map(|parts| parts.busy_ns);
    poll.preempted_ns = split.map(|parts| parts.preempted_ns);
    poll.faults = split.map_or(0, |parts| parts.faults);
    handing::subtract_handing(&mut poll);
    if let (true, Some(parts), Some(preempted_ns)) = (outer.is_none(), split, poll.preempted_ns) {
        thread.split.was_held_up(preempted_ns.saturating_sub(parts.waited_ns));
    }
    allowed::note_allowed(&mut poll);
    if panicked {
        allowed::note_panic(&mut poll);
    }
    nested::subtract_nested(&mut poll);
    if !outer.is_none() {
        nested::note(thread, &poll);
    }
    let site = poll.site.0;
    if !thread.evidence.keep(poll) {
        thread.site(site).evidence_lost.add(1);
    }
}
