//! Tokio's task hooks (`--cfg tokio_unstable`): every task of a runtime is seen, libraries' included,
//! but for those of a `LocalSet`, without wakes and without outcome; with schedule delays where the runtime tracks them.
//! The one place that touches tokio's hook interface.
//!
//! A runtime keeps one callback per hook. [`attach`](crate::attach) takes them, [`attach_with`] calls the
//! service's own beside ours; a service that registers its own calls [`on_spawn`], [`before_poll`], [`after_poll`]
//! and [`on_terminate`] from them instead.
//!
//! State is keyed by tokio's id. Ids that were never seen to be spawned (blocking jobs, the workers
//! themselves, tasks older than the recorder, tasks that our own spawn functions wrapped) are ignored.

mod attach;
mod known;
#[cfg(tokio_unstable)]
mod latency;
mod output;

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::task::TaskKind;
use pollscope_model::measured::Mode;
use pollscope_recorder::Recorder;
use pollscope_recorder::clock;
use pollscope_recorder::hold::Record;
use pollscope_recorder::life::{OpenOutput, evidence, keep_outputs_by, postponed, slow_poll};
use pollscope_recorder::session::{self, Session};
use pollscope_recorder::shard::SiteShard;
use pollscope_recorder::task::{Birth, HookedPoll, Labels, Outcome, TaskState};
use pollscope_recorder::thread::{self, Outer};
use tokio::runtime::Handle;
use tokio::task::Id;

use crate::runtime::id;
#[cfg(any(feature = "check", test))]
pub(crate) use attach::attach_in;
pub use attach::{Callbacks, attach, attach_with};

/// To be called from `on_thread_start`: observes the runtime that the thread belongs to, under its
/// own name (`Builder::name`) or `runtime`. A name that [`observe`](crate::observe) gave it stays.
pub fn on_thread_start() {
    crate::report::sample::thread_starts(session::current());
}

/// To be called from `on_thread_stop`: with its last thread a multi-thread runtime is gone.
pub fn on_thread_stop() {
    crate::report::sample::thread_stops();
}

thread_local! {
    /// The runtime that this thread observed last, or tried to, and under which guard.
    static OBSERVED: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// To be called from `on_thread_park`: tells which thread is which worker, so that a worker that is stuck
/// has a thread to look at even where none of its tasks is recorded. Observes the runtime if it is not observed yet.
/// Costs some nanoseconds.
pub fn on_thread_park() {
    if Recorder::global().is_on() {
        let thread = thread::here();
        thread.find_place();
        observe_here(thread);
    }
}

/// Observes the runtime that the thread works for, if its place is not known. Tries that once for each runtime and guard:
/// there may be no room for one more.
fn observe_here(thread: &thread::Thread) {
    if thread.place().0.is_some() {
        return;
    }
    let Ok(handle) = Handle::try_current() else { return };
    let id = (id::number(handle.id()), crate::report::sample::guards_ended());
    if OBSERVED.try_with(|observed| observed.replace(id) != id) == Ok(true) {
        crate::report::sample::observe_unnamed(&handle, session::current());
        thread.find_place();
    }
}

/// The runtime of this thread, which parks, tells of the ends of its jobs.
#[cfg(tokio_unstable)]
fn count_jobs_by_termination() {
    if Recorder::global().is_on()
        && let (Some(at), _) = thread::here().place()
    {
        crate::report::sample::jobs::are_told(at);
    }
}

/// Hooks are called in this process from now on.
fn set_hooked() {
    keep_outputs_by(output::keep);
    Recorder::global().set_hooked();
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
    /// The latest task here whose poll a hook told of and which is not known: a wrapped one.
    unknown: Option<Id>,
    /// Its output, which is being dropped.
    output: Option<(Id, OpenOutput)>,
}

struct Open {
    id: Id,
    state: &'static TaskState,
    /// Of a poll inside another. The others have theirs in the cache.
    _claim: Option<Record>,
    outer: Outer,
    poll: HookedPoll,
    /// It is not known since when it was due.
    is_blind: bool,
    /// The thread's share of the task's site.
    shard: &'static SiteShard,
    /// The task is over with this poll, which has the claim of [`known`] to give up.
    terminated: bool,
}

thread_local! {
    /// What the hooks that run on this thread hand from one to the next.
    static LOCAL: RefCell<Local> = const { RefCell::new(Local::new()) };
}

fn slot(id: Id) -> usize {
    id::number(id) as usize % CACHED
}

impl Local {
    const fn new() -> Self {
        Self { cache: None, open: None, outer: Vec::new(), unknown: None, output: None }
    }

    /// The record of a task whose poll begins as the outermost of this thread, `None` if it is ignored; and whether it
    /// had to be looked up.
    #[inline]
    fn known(&mut self, id: Id) -> (Option<&'static TaskState>, bool) {
        let cache = self.cache.get_or_insert_with(empty);
        let cached = &mut cache[slot(id)];
        match cached {
            Some((known, record)) if *known == id => (record.as_ref().map(|record| **record), false),
            _ => {
                let found = known::find(id);
                let state = found.as_ref().map(|record| **record);
                *cached = Some((id, found));
                (state, true)
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

/// Before the thread's first poll: what is open refers to the thread's share of a site.
#[cold]
fn empty() -> Box<[Cached; CACHED]> {
    thread::at_end(forget_open);
    let cache: Box<[Cached]> = std::iter::repeat_with(|| None).take(CACHED).collect();
    cache.try_into().unwrap_or_else(|_| unreachable!("as many as cached"))
}

/// The thread's state goes, and whether no poll that is open refers to it any more.
fn forget_open() -> bool {
    let forget = |local: &RefCell<Local>| {
        let forgotten =
            local.try_borrow_mut().map(|mut local| (local.open.take(), std::mem::take(&mut local.outer)));
        // Their claims are given up here, where nothing is borrowed.
        forgotten.is_ok()
    };
    // What is gone refers to nothing.
    LOCAL.try_with(forget).unwrap_or(true)
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
    let record = thread.slots.take(recorder.max_tasks());
    let counter = if record.is_some() { &of_site.spawned } else { &of_site.uncounted };
    counter.add(1);
    thread.raise_version();
    let Some(state) = record else { return };
    set_hooked();
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
        joinable: false,
    };
    let cached = LOCAL.try_with(|local| local.borrow_mut().keep(id, state)).unwrap_or(false);
    // One claim is the drain's, one that of all known.
    state.begin(&birth, 2 + u16::from(cached));
    known::insert(id, state);
}

/// To be called from `on_before_task_poll` with the task's id. A worker that is too busy to park observes its runtime
/// here, as [`on_thread_park`] would.
pub fn before_poll(id: Id) {
    before_poll_in(id, None);
}

/// [`before_poll`] with the task's `schedule_latency()`, where the runtime is built with
/// `Builder::track_task_schedule_latency`: how long the poll was due. Tokio counts from the moment at which the task was put
/// into a queue; for a wake that came during a poll that is the end of that poll.
pub fn before_poll_after(id: Id, waited: Option<Duration>) {
    before_poll_in(id, waited.map(nanos));
}

#[inline]
fn nanos(waited: Duration) -> u64 {
    u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX)
}

#[inline]
fn before_poll_in(id: Id, waited: Option<u64>) {
    let begins = LOCAL.try_with(|local| begin(&mut local.borrow_mut(), id, waited, true));
    if begins == Ok(Begins::WhenObserved) {
        observe_here(thread::here());
        let _ = LOCAL.try_with(|local| begin(&mut local.borrow_mut(), id, waited, false));
    }
}

/// What came of a poll that is to begin.
#[derive(PartialEq, Eq)]
enum Begins {
    Now,
    /// Only after the runtime is observed, which may take long and spawn tasks.
    WhenObserved,
}

/// Opens the poll of a task that is known; with `observes` only where its thread's place is known, too. Its time begins
/// last: what the recorder allocates for it is not the task's doing.
#[inline]
fn begin(local: &mut Local, id: Id, waited: Option<u64>, observes: bool) -> Begins {
    let thread = thread::here();
    let (state, claim) = if local.open.is_none() {
        let (state, looked_up) = local.known(id);
        if looked_up && observes && state.is_some() && thread.place().0.is_none() {
            return Begins::WhenObserved;
        }
        (state, None)
    } else {
        if observes && thread.place().0.is_none() {
            return Begins::WhenObserved;
        }
        local.enter_another(id)
    };
    let Some(state) = state else {
        local.unknown = Some(id);
        return Begins::Now;
    };
    let label = state.label();
    let shard = thread.site(label.site());
    let (outer, start) = thread.enter(state.id(), label, clock::now_ns());
    let mut poll = state.hooked_poll_begins(thread, start);
    if let Some(waited) = waited {
        Recorder::global().set_delays_told();
        if state.hooked_poll_waited(thread, shard, start, waited) {
            poll.start = postponed(state, thread, outer);
        }
    } else {
        Recorder::global().set_delays_untold();
    }
    let is_blind = waited.is_none();
    local.open = Some(Open { id, state, _claim: claim, outer, poll, is_blind, shard, terminated: false });
    Begins::Now
}

/// To be called from `on_after_task_poll` with the task's id.
pub fn after_poll(id: Id) {
    let has_output = LOCAL.try_with(|local| {
        let mut local = local.borrow_mut();
        // In place: moving it costs more than all that is done with it.
        let Some(open) = local.open.as_ref().filter(|open| open.id == id) else {
            return local.output.is_some();
        };
        let now = clock::now_ns();
        // Not the task's own record of it: that may be of its next poll, on another thread.
        let wall_ns = now.saturating_sub(open.poll.start);
        let thread = thread::here();
        thread.close(open.outer);
        open.shard.poll.record(wall_ns);
        thread.note_poll(open.poll.start, wall_ns);
        if wall_ns >= Recorder::global().slow_poll_ns() {
            was_slow(open, thread, wall_ns, now);
        }
        open.state.hooked_poll_ends(thread, open.poll, now);
        if open.is_blind && open.outer.is_none() {
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
        false
    });
    if has_output == Ok(true) {
        // Where the hook of the task's end is not the service's.
        output::is_dropped(id);
    }
}

#[cold]
fn was_slow(open: &Open, thread: &thread::Thread, wall_ns: u64, now: u64) {
    let site = open.state.site();
    if wall_ns < session::slow_poll_ns(site) {
        return;
    }
    open.shard.was_slow();
    let poll = SlowPoll { nth: open.poll.nth, ..evidence(open.state.id(), site, wall_ns, now) };
    // Tokio catches a panic before its hook: only a look at the thread tells of one.
    slow_poll(thread, open.outer, poll, now, false);
}

/// To be called from `on_task_terminate` with the task's id.
pub fn on_terminate(id: Id) {
    let Some(record) = known::remove(id) else {
        if !output::is_dropped(id) {
            ended_unknown();
        }
        return;
    };
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

/// What ends on a thread that is no worker and was never seen to be spawned is a job of the blocking pool.
fn ended_unknown() {
    if tokio::runtime::worker_index().is_none() && Recorder::global().is_on() {
        crate::report::sample::jobs::one_ended();
    }
}

/// The task is over, and so many claims of it with it.
fn end(state: &'static TaskState, now: u64, claims: u16) {
    let thread = thread::here();
    let site = thread.site(state.site());
    site.ended.add(1);
    site.life.record(now.saturating_sub(state.spawned_ns.get()));
    let drains = state.end(thread, Outcome::Unknown, now);
    thread.raise_version();
    state.give_up(claims + u16::from(drains));
}

#[cfg(all(test, tokio_unstable))]
mod tests;
