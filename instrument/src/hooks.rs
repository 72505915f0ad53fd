//! Tokio's task hooks (`--cfg tokio_unstable`): every task of a runtime is seen, libraries' included,
//! without wakes and without outcome. The one place that touches tokio's hook interface.
//!
//! A runtime keeps one callback per hook. [`attach`] takes them all; whoever has callbacks of their own
//! calls [`on_spawn`], [`before_poll`], [`after_poll`] and [`on_terminate`] from them instead.
//!
//! State is keyed by tokio's id. Ids that were never seen to be spawned (blocking jobs, the workers
//! themselves, tasks older than the recorder, tasks that our own spawn functions wrapped) are ignored.

mod known;

use std::cell::RefCell;
use std::panic::Location;
#[cfg(any(feature = "check", test))]
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::task::TaskKind;
use pollscope_model::measured::Mode;
use tokio::task::Id;

use crate::clock;
use crate::record::Recorder;
use crate::record::hold::Record;
use crate::record::life::{evidence, slow_poll};
#[cfg(any(feature = "check", test))]
use crate::record::session::numbers::Lease;
use crate::record::session::{self, Session};
use crate::record::shard::SiteShard;
use crate::record::task::{Birth, HookedPoll, Labels, Outcome, TaskState};
use crate::record::thread::{self, Outer};
use crate::record::tokio_id;

/// Registers pollscope's hooks on a runtime that is about to be built, and observes it (see
/// [`observe`](crate::observe)) as soon as it runs.
///
/// With `--cfg tokio_unstable` this takes the builder's `on_task_spawn`, `on_before_task_poll`,
/// `on_after_task_poll` and `on_task_terminate` callbacks, in every build `on_thread_start`,
/// `on_thread_stop` and `on_thread_park`.
/// A later registration replaces ours silently: with callbacks of your own, call the functions of
/// [`hooks`](crate::hooks) from them.
///
/// Costs a poll two clock reads and some thread-local stores while recording is on.
pub fn attach(builder: &mut tokio::runtime::Builder) {
    builder.on_thread_start(on_thread_start).on_thread_stop(on_thread_stop).on_thread_park(on_thread_park);
    #[cfg(tokio_unstable)]
    attach_to_tasks(builder, Session::NONE);
}

/// The same for a runtime whose tasks are a session's, wherever they are spawned. The runtime keeps the
/// lease.
#[cfg(any(feature = "check", test))]
pub(crate) fn attach_in(builder: &mut tokio::runtime::Builder, lease: &Arc<Lease>) {
    let kept = Arc::clone(lease);
    let starts = move || {
        kept.stay();
        crate::sample::thread_starts(kept.session());
    };
    builder.on_thread_start(starts).on_thread_stop(on_thread_stop).on_thread_park(on_thread_park);
    #[cfg(tokio_unstable)]
    attach_to_tasks(builder, lease.session());
}

#[cfg(tokio_unstable)]
fn attach_to_tasks(builder: &mut tokio::runtime::Builder, session: Session) {
    Recorder::global().set_hooked();
    builder
        .on_task_spawn(move |task| on_spawn_in(session, task.id(), task.spawned_at()))
        .on_before_task_poll(|task| before_poll(task.id()))
        .on_after_task_poll(|task| after_poll(task.id()))
        .on_task_terminate(|task| on_terminate(task.id()));
}

/// To be called from `on_thread_start`: observes the runtime that the thread belongs to, under its
/// own name (`Builder::name`) or `runtime`.
pub fn on_thread_start() {
    crate::sample::thread_starts(session::current());
}

/// To be called from `on_thread_stop`: with its last thread a multi-thread runtime is gone.
pub fn on_thread_stop() {
    crate::sample::thread_stops();
}

/// To be called from `on_thread_park`: tells which thread is which worker, so that a worker that is stuck
/// has a thread to look at even where none of its tasks is recorded. Costs some nanoseconds.
pub fn on_thread_park() {
    if Recorder::global().is_on() {
        thread::here().find_place();
    }
}

/// In front of [`known`]: a task is mostly polled where it was polled before.
const CACHED: usize = 1024;
/// A task with a claim on its record, or one that is known to be ignored.
type Cached = Option<(Id, Option<Record>)>;

struct Local {
    /// By number. Only the outermost poll of a thread changes it, so that what is open keeps its claim.
    cache: Option<Box<[Cached; CACHED]>>,
    /// The innermost.
    open: Option<Open>,
    /// Those round it: there are some only where a runtime is entered inside a poll.
    outer: Vec<Open>,
}

struct Open {
    id: Id,
    state: &'static TaskState,
    /// Of a poll inside another. The others have theirs in the cache.
    _claim: Option<Record>,
    outer: Outer,
    poll: HookedPoll,
    /// The thread's share of the task's site.
    shard: &'static SiteShard,
    /// The task is over with this poll, which has the claim of [`known`] to give up.
    terminated: bool,
}

thread_local! {
    static LOCAL: RefCell<Local> = const { RefCell::new(Local { cache: None, open: None, outer: Vec::new() }) };
}

fn slot(id: Id) -> usize {
    tokio_id::number(id) as usize % CACHED
}

impl Local {
    /// The record of a task whose poll begins as the outermost of this thread; `None` if it is ignored.
    #[inline]
    fn known(&mut self, id: Id) -> Option<&'static TaskState> {
        let cache = self.cache.get_or_insert_with(empty);
        let cached = &mut cache[slot(id)];
        match cached {
            Some((known, record)) if *known == id => record.as_ref().map(|record| **record),
            _ => {
                let found = known::find(id);
                let state = found.as_ref().map(|record| **record);
                *cached = Some((id, found));
                state
            }
        }
    }

    /// The same for a poll inside of another, which is the innermost from now on if it is not ignored.
    #[cold]
    fn enter_another(&mut self, id: Id) -> (Option<&'static TaskState>, Option<Record>) {
        let found = known::find(id);
        let state = found.as_ref().map(|record| **record);
        if state.is_some() {
            self.outer.extend(self.open.take());
        }
        (state, found)
    }

    /// The innermost poll is over.
    #[inline]
    fn leave(&mut self) {
        if self.outer.is_empty() {
            self.open = None;
        } else {
            self.open = self.outer.pop();
        }
    }

    /// Keeps a task that is spawned here, since most are polled where they were spawned. Whether there was room: then
    /// the claim is for the caller to count.
    #[inline]
    fn keep(&mut self, id: Id, state: &'static TaskState) -> bool {
        let Some(cache) = &mut self.cache else { return false };
        let room = &mut cache[slot(id)];
        let is_free = room.is_none();
        if is_free {
            *room = Some((id, Some(Record::counted(state))));
        }
        is_free
    }

    /// Forgets a task that is over, and returns its claim if it had one here.
    #[inline]
    fn forget(&mut self, id: Id) -> Option<Record> {
        let cached = &mut self.cache.as_mut()?[slot(id)];
        cached.take_if(|(known, _)| *known == id)?.1
    }
}

#[cold]
fn empty() -> Box<[Cached; CACHED]> {
    let cache: Box<[Cached]> = std::iter::repeat_with(|| None).take(CACHED).collect();
    cache.try_into().unwrap_or_else(|_| unreachable!("as many as cached"))
}

/// To be called from `on_task_spawn` with the task's id and `spawned_at`.
pub fn on_spawn(id: Id, spawned_at: &'static Location<'static>) {
    on_spawn_in(Session::NONE, id, spawned_at);
}

/// Of a runtime that is a session's.
fn on_spawn_in(session: Session, id: Id, spawned_at: &'static Location<'static>) {
    let recorder = Recorder::global();
    if !recorder.hooks() {
        return;
    }
    let thread = thread::here();
    if thread.wrapping.load(Ordering::Relaxed) {
        return;
    }
    let Some(site) = session::hooked_site(spawned_at, session, thread) else { return };
    let of_site = thread.site(site);
    let Some(state) = thread.new_record(recorder.max_tasks()) else {
        return of_site.uncounted.add(1);
    };
    recorder.set_hooked();
    of_site.spawned.add(1);
    let birth = Birth {
        id: thread.next_task_id(),
        parent: thread.task(),
        site,
        scope: thread.scope(),
        spawned_ns: clock::now_ns(),
        future_bytes: 0,
        labels: Labels::default(),
        kind: TaskKind::Async,
        mode: Mode::Hooks,
    };
    let cached = LOCAL.try_with(|local| local.borrow_mut().keep(id, state)).unwrap_or(false);
    // One claim is the drain's, one that of all known.
    state.begin(&birth, 2 + u16::from(cached));
    known::insert(id, state);
}

/// To be called from `on_before_task_poll` with the task's id.
pub fn before_poll(id: Id) {
    let _ = LOCAL.try_with(|local| {
        let mut local = local.borrow_mut();
        let (state, claim) =
            if local.open.is_none() { (local.known(id), None) } else { local.enter_another(id) };
        let Some(state) = state else { return };
        let thread = thread::here();
        let start = clock::now_ns();
        let label = state.label();
        let outer = thread.enter(state.id.get(), label, start);
        let shard = thread.site(label.site());
        let poll = state.hooked_poll_begins(thread, start);
        local.open = Some(Open { id, state, _claim: claim, outer, poll, shard, terminated: false });
    });
}

/// To be called from `on_after_task_poll` with the task's id.
pub fn after_poll(id: Id) {
    let _ = LOCAL.try_with(|local| {
        let mut local = local.borrow_mut();
        // In place: moving it costs more than all that is done with it.
        let Some(open) = local.open.as_ref().filter(|open| open.id == id) else { return };
        let now = clock::now_ns();
        // Not the task's own record of it: that may be of its next poll, on another thread.
        let wall_ns = now.saturating_sub(open.poll.start);
        let thread = thread::here();
        open.shard.poll.record(wall_ns);
        thread.note_poll(open.poll.start, wall_ns);
        if wall_ns >= Recorder::global().slow_poll_ns() {
            was_slow(open, thread, wall_ns, now);
        }
        open.state.hooked_poll_ends(thread, open.poll, now);
        if open.outer.is_none() {
            thread.blind_polls.add(1);
        }
        thread.leave(open.outer, wall_ns);
        if open.terminated {
            let state = open.state;
            // That of all known and, if there is one, the cache's: together they cost what one would.
            let cached = local.forget(id).map(Record::leave_to_caller);
            end(state, now, 1 + u16::from(cached.is_some()));
        }
        local.leave();
    });
}

#[cold]
fn was_slow(open: &Open, thread: &thread::Thread, wall_ns: u64, now: u64) {
    let site = open.state.site();
    if wall_ns < session::slow_poll_ns(site) {
        return;
    }
    open.shard.slow_polls.add(1);
    let poll = SlowPoll { nth: open.poll.nth, ..evidence(open.state.id.get(), site, wall_ns, now) };
    slow_poll(thread, open.outer, poll, now);
}

/// To be called from `on_task_terminate` with the task's id.
pub fn on_terminate(id: Id) {
    let Some(record) = known::remove(id) else { return };
    let open_here = LOCAL.try_with(|local| {
        let mut local = local.borrow_mut();
        let Local { open, outer, .. } = &mut *local;
        let open = open.iter_mut().chain(outer.iter_mut().rev()).find(|open| open.id == id);
        // The poll that ended the task is still open: it counts, and then the task is over.
        open.map(|open| open.terminated = true).is_some()
    });
    let state = *record;
    record.leave_to_caller();
    if open_here != Ok(true) {
        end(state, clock::now_ns(), 1);
    }
}

/// The task is over, and so many claims of it with it.
fn end(state: &'static TaskState, now: u64, claims: u16) {
    let thread = thread::here();
    let site = thread.site(state.site());
    site.ended.add(1);
    site.life.record(now.saturating_sub(state.spawned_ns.get()));
    let drains = state.end(thread, Outcome::Unknown, now);
    state.give_up(claims + u16::from(drains));
}

#[cfg(all(test, tokio_unstable))]
mod tests;
