//! The watchdog: one plain thread, `pollscope-watchdog`, that sees polls which take too long while they do,
//! and asks what their threads are doing: the kernel's word, and the stack.
//!
//! It starts with the first who wants it, the guard or a session, and ends with the last. It only reads: what the recording threads write anyway
//! ([`thread`](crate::record::thread)), and the counters of observed runtimes ([`workers`]). Of a service's
//! thread it asks something only when that has been in one poll for longer than the limit, rarely (see
//! [`budget`]), and never under a debugger. What it finds waits on a shelf ([`shelf`]) for the drain.
//!
//! To wake up is what it costs: some 30 µs each time on a virtual machine, a hundred times what a look takes.
//! So it looks at every second limit while anything is polled, at every fourth while nothing is, and in between
//! only when a poll that was seen not to be short reaches the limit. A poll of twice the limit is always seen,
//! one of the limit more often than not.

mod budget;
mod kernel;
mod limits;
mod naming;
mod polls;
pub(crate) mod shelf;
pub(crate) mod stacks;
mod workers;

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pollscope_model::entity::stall::Stall;
use pollscope_model::id::{NameId, RuntimeId, SiteId, TaskId, WorkerId};

use crate::backtrace::{self, Refused};
use crate::record::session::Session;
use crate::record::thread::{self, Thread};
use crate::record::{Recorder, intern};
use crate::{clock, notice};
use budget::Budget;
use kernel::Word;
use naming::Naming;
use polls::{Next, Seen};
use shelf::{Is, Look, Open};
use workers::Workers;

/// Bounds of the time between two looks.
const PAUSES: std::ops::RangeInclusive<u64> = 10_000_000..=100_000_000;
/// A poll that is younger than this part of the limit is most likely a short one: nobody wakes up for it.
const YOUNG: u64 = 4;
/// Two looks are never nearer to each other.
const STEP_NS: u64 = 500_000;
/// Later than this, nobody was there to look: the process was stopped, or the machine slept.
const GAP_NS: u64 = 100_000_000;
/// A thread that is blocked answers at once; one without a CPU as soon as it has one.
const PATIENCE: Duration = Duration::from_millis(10);
/// How long to wait for names when all is to be told.
const NAMING: Duration = Duration::from_secs(2);
/// Between two questions whether a debugger is there, and between two looks at a thread that may have left
/// its runtime.
const SECOND_NS: u64 = 1_000_000_000;
/// Words of the kernel that are kept with their arguments.
const MAX_WORDS: usize = 1_024;

static RUNS: AtomicBool = AtomicBool::new(false);

/// Whether stacks can be taken here, and why not.
static STACKS: LazyLock<Result<(), &'static str>> = LazyLock::new(backtrace::install);

/// Why no stacks are taken; `None` if they are.
pub(crate) fn no_stacks() -> Option<&'static str> {
    STACKS.err()
}

/// Waits, for two seconds at most, until the stacks that were taken so far have their names.
pub(crate) fn settle() {
    shelf::settle(Instant::now() + NAMING);
}

/// Whether the guard's stalls are being seen, up to the last report of a guard that ends.
pub(crate) fn runs() -> bool {
    RUNS.load(Ordering::Relaxed)
}

/// The guard's last report is out.
pub(crate) fn ends() {
    RUNS.store(false, Ordering::Relaxed);
}

/// The thread, while anybody wants it.
#[derive(Default)]
struct Shared {
    wanted: usize,
    running: Option<(Sender<Infallible>, JoinHandle<()>)>,
}

static SHARED: Mutex<Shared> = Mutex::new(Shared { wanted: 0, running: None });

fn shared() -> MutexGuard<'static, Shared> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn start(&mut self) -> io::Result<()> {
        if self.running.as_ref().is_some_and(|(_, thread)| !thread.is_finished()) {
            return Ok(());
        }
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("pollscope-watchdog".to_owned()).spawn(move || {
            let mut desk = Desk::new();
            if catch_unwind(AssertUnwindSafe(|| desk.work(&stopped))).is_err() {
                notice::warn(
                    "internal error in pollscope-watchdog: no more stalls are seen, all else goes on",
                );
                RUNS.store(false, Ordering::Relaxed);
            }
            shelf::set_open(Vec::new());
        })?;
        self.running = Some((stop, thread));
        Ok(())
    }
}

/// Somebody's wish that the thread runs.
#[derive(Debug)]
pub(crate) struct Watchdog(Session);

impl Watchdog {
    /// Polls of the session, or of all that is none's, are looked at from this age on. Starts the thread
    /// if it does not run.
    pub(crate) fn start(of: Session, limit: Duration) -> io::Result<Self> {
        let mut shared = shared();
        shared.start()?;
        shared.wanted += 1;
        limits::set(of, u64::try_from(limit.as_nanos()).unwrap_or(limits::NEVER - 1).max(1));
        if of.is_none() {
            // At once, and not when the thread has come to run.
            RUNS.store(true, Ordering::Relaxed);
        }
        Ok(Self(of))
    }

    /// Nobody looks for this one any more; ends the thread if nobody else wants it.
    pub(crate) fn stop(self) {
        let last = {
            let mut shared = shared();
            limits::set(self.0, limits::NEVER);
            shared.wanted -= 1;
            if shared.wanted == 0 { shared.running.take() } else { None }
        };
        if let Some((stop, thread)) = last {
            drop(stop);
            let _ = thread.join();
            settle();
            shelf::give_up();
        } else {
            settle();
        }
    }
}

/// What the thread works with.
struct Desk {
    /// The smallest of all limits.
    limit_ns: u64,
    /// By the index of the thread's state.
    polls: Vec<Seen>,
    workers: Workers,
    still: HashMap<WorkerId, Seen>,
    budget: Budget,
    naming: Naming,
    words: HashMap<String, u32>,
    /// When it was last asked whether a debugger is there, and the answer.
    traced: (u64, bool),
    /// The last look, the pause that was to follow it, and the polls that had ended by then.
    last_ns: u64,
    pause_ns: u64,
    ended: u64,
    told: bool,
}

impl Desk {
    fn new() -> Self {
        Self {
            limit_ns: limits::least(),
            polls: Vec::new(),
            workers: Workers::default(),
            still: HashMap::new(),
            budget: Budget::new(),
            naming: Naming::default(),
            words: HashMap::new(),
            traced: (0, false),
            last_ns: clock::now_ns(),
            pause_ns: *PAUSES.end(),
            ended: 0,
            told: false,
        }
    }

    fn work(&mut self, stop: &Receiver<Infallible>) {
        LazyLock::force(&STACKS);
        loop {
            let pause = if Recorder::global().is_on() { self.look() } else { *PAUSES.end() };
            match stop.recv_timeout(Duration::from_nanos(pause)) {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Ok(never) => match never {},
            }
        }
    }

    /// Looks once at everything, and says how long to wait for the next look.
    fn look(&mut self) -> u64 {
        self.limit_ns = limits::least();
        let now = clock::now_ns();
        let gap = now.saturating_sub(self.last_ns) > self.pause_ns.saturating_mul(4).saturating_add(GAP_NS);
        self.last_ns = now;
        let threads = thread::all();
        let mut next = u64::MAX;
        let mut open = Vec::new();
        let mut polls = std::mem::take(&mut self.polls);
        polls.resize_with(threads.len(), Seen::default);
        let polling: Vec<_> =
            threads.iter().map(|thread| thread.polling().filter(|poll| !poll.is_job)).collect();
        // After the open polls: what moves later than this moves while they are open.
        self.workers.look(now, gap);
        for ((thread, poll), seen) in threads.iter().zip(&polling).zip(&mut polls) {
            let Some(poll) = poll else {
                seen.none();
                continue;
            };
            let limit_ns = limits::of_site(poll.site);
            if limit_ns == limits::NEVER {
                seen.none();
                continue;
            }
            let (allowed_ns, is_allowed) = thread.allowance.of(poll.since_ns);
            let own_ns = now.saturating_sub(poll.since_ns).saturating_sub(allowed_ns);
            if is_allowed || allowed_ns > 0 && own_ns < limit_ns {
                continue; // or seen too early
            }
            let limit_ns = limit_ns.saturating_add(allowed_ns);
            let worker = worker_of(thread);
            let due = seen.poll(poll.since_ns, now, limit_ns, gap);
            if thread.is_replaced_since(poll.since_ns)
                || worker.is_some_and(|worker| self.workers.went_on(worker, seen.first_ns))
            {
                continue; // the poll gave its worker away
            }
            if due == Next::Look {
                let since_ns = poll.since_ns;
                let still = || thread.polling().is_some_and(|poll| poll.since_ns == since_ns);
                self.look_closely(seen, thread, poll.site, now, still);
            }
            if now.saturating_sub(poll.since_ns) >= limit_ns / YOUNG {
                next = next.min(wait(seen, thread, due, now, limit_ns));
            }
            if seen.is_long {
                open.push(Open {
                    thread: Some(thread.index),
                    stall: Stall {
                        task: Some(TaskId(poll.task)),
                        site: Some(SiteId(poll.site)),
                        since_ns: poll.since_ns,
                        allowed_ns,
                        ..stall_of(thread, worker)
                    },
                    look: seen.look.clone(),
                });
            }
        }
        self.polls = polls;
        let busy = polling.iter().any(Option::is_some);
        next = next.min(self.look_at_workers(&threads, now, gap, &mut open));
        self.tell(open, now);
        self.pause(&threads, busy, next, now)
    }

    /// Workers that stand still, though no poll is recorded on them.
    fn look_at_workers(
        &mut self,
        threads: &[&'static Thread],
        now: u64,
        gap: bool,
        open: &mut Vec<Open>,
    ) -> u64 {
        let thread_of = |worker| threads.iter().find(|thread| worker_of(thread) == Some(worker));
        let tid = |worker| thread_of(worker).and_then(|thread| thread.tid());
        let still = self.workers.still(now, tid);
        let mut next = u64::MAX;
        let mut before = std::mem::take(&mut self.still);
        for one in still {
            let thread = thread_of(one.worker).copied();
            if thread.is_some_and(|thread| thread.polling().is_some()) {
                continue; // which says more
            }
            let mut seen = before.remove(&one.worker).unwrap_or_default();
            let due = seen.poll(one.since_ns, now, one.limit_ns, gap);
            if due == Next::Look
                && let Some(thread) = thread
            {
                // Of what no record tells the end: it may be over by now, and then the counters move.
                let key = u32::MAX - one.worker.runtime.0.wrapping_mul(1_024) - one.worker.index;
                self.look_closely(&mut seen, thread, key, now, || true);
                if !one.is_multi_thread {
                    seen.look_again_by(now + SECOND_NS);
                }
            }
            if let Some(thread) = thread {
                next = next.min(wait(&mut seen, thread, due, now, one.limit_ns));
            }
            if let Some(told) = told_of_worker(one, &mut seen, thread) {
                open.push(told);
            }
            self.still.insert(one.worker, seen);
        }
        next
    }

    /// Takes the kernel's word and the stack, unless that would be too often.
    fn look_closely(
        &mut self,
        seen: &mut Seen,
        thread: &'static Thread,
        key: u32,
        now: u64,
        still: impl Fn() -> bool,
    ) {
        let Some(tid) = thread.tid() else { return };
        if self.is_traced(now) || !self.budget.take(key, now) {
            return;
        }
        // First, since the signal for the stack interrupts the call that the thread sleeps in.
        let word = kernel::ask(tid);
        let usage = if word == Some(Word::Active) { kernel::usage(tid) } else { None };
        let stack = if no_stacks().is_none() { backtrace::take(tid, PATIENCE) } else { Err(Refused::Busy) };
        if !still() {
            return;
        }
        // It had no CPU to answer on; it may have one soon, and the poll is no shorter for it.
        if matches!(stack, Err(Refused::Silent)) {
            seen.look_again_by(clock::now_ns().saturating_add(self.limit_ns));
        }
        let look = Look::new(thread.index, now, word.map_or(0, |word| self.name(word.text(false))));
        match stack {
            Ok(stack) => self.naming.send(stack, &look),
            Err(_) => look.name(shelf::Named::default()),
        }
        shelf::put(Arc::clone(&look));
        seen.look = Some(look);
        seen.active = usage.map(|usage| (usage, clock::now_ns()));
    }

    fn is_traced(&mut self, now: u64) -> bool {
        if now.saturating_sub(self.traced.0) >= SECOND_NS || self.traced.0 == 0 {
            self.traced = (now, kernel::is_traced());
        }
        self.traced.1
    }

    /// The number of a word. So many are kept with what they wait for; of more, only the call.
    fn name(&mut self, text: &str) -> u32 {
        if let Some(name) = self.words.get(text) {
            return *name;
        }
        if self.words.len() >= MAX_WORDS {
            return intern::name(text.split('(').next().unwrap_or(text).trim_end());
        }
        let name = intern::name(text);
        self.words.insert(text.to_owned(), name);
        name
    }

    fn tell(&mut self, mut open: Vec<Open>, now: u64) {
        if !open.is_empty() && self.is_traced(now) {
            open.clear();
        }
        if self.told || !open.is_empty() {
            self.told = !open.is_empty();
            shelf::set_open(open);
        }
    }

    fn pause(&mut self, threads: &[&'static Thread], busy: bool, next: u64, now: u64) -> u64 {
        let ended = threads.iter().fold(0, |sum: u64, thread| sum.wrapping_add(thread.polls.get()));
        let idle =
            std::mem::replace(&mut self.ended, ended) == ended && !busy && !self.workers.is_any_active();
        let pause = self.limit_ns.saturating_mul(2).clamp(*PAUSES.start(), *PAUSES.end());
        self.pause_ns = if idle { (pause * 2).min(*PAUSES.end()) } else { pause };
        self.pause_ns.min(next.saturating_sub(now).max(STEP_NS))
    }
}

/// When to look at this poll again. Tells a thread that runs from one that has no CPU: over a limit's
/// time, the kernel says which.
fn wait(seen: &mut Seen, thread: &Thread, due: Next, now: u64, limit_ns: u64) -> u64 {
    let due_ns = match due {
        Next::Wait(until) => until,
        Next::Look => u64::MAX,
    };
    let (Some((before, at)), Some(look)) = (seen.active, &seen.look) else { return due_ns };
    let long = limit_ns.max(*PAUSES.start());
    if now < at.saturating_add(long) {
        return due_ns.min(at.saturating_add(long));
    }
    seen.active = None;
    if let Some(usage) = thread.tid().and_then(kernel::usage)
        && usage.ran.saturating_sub(before.ran).saturating_mul(2) < now.saturating_sub(at)
        && thread.tid().and_then(kernel::ask) == Some(Word::Active)
    {
        look.set_word(intern::name(Word::Active.text(true)));
    }
    due_ns
}

fn worker_of(thread: &Thread) -> Option<WorkerId> {
    let (runtime, index) = thread.place();
    Some(WorkerId { runtime: RuntimeId(runtime?), index: index? })
}

fn stall_of(thread: &Thread, worker: Option<WorkerId>) -> Stall {
    Stall { worker, tid: thread.tid(), thread: NameId(thread.name()), ..Stall::default() }
}

/// A worker that stands still, as it is told. A current-thread runtime has counters that stand still whenever
/// nobody runs it, so that it takes the stack to know.
fn told_of_worker(one: workers::Still, seen: &mut Seen, thread: Option<&'static Thread>) -> Option<Open> {
    let named = seen.look.as_ref().and_then(|look| look.named());
    if let Some(named) = named {
        seen.is_verified = match named.is {
            Is::InTask => true,
            Is::InRuntime => !one.is_multi_thread,
            Is::Unknown => one.is_multi_thread,
            Is::Elsewhere | Is::Released => false,
        };
    }
    // A thread that is gone, or another worker's by now, is none to speak of.
    seen.is_verified &= thread.is_some();
    if !seen.is_long || !(one.is_multi_thread || seen.is_verified) {
        return None;
    }
    let thread = thread.filter(|_| seen.is_verified);
    let anybody = Stall { worker: Some(one.worker), ..Stall::default() };
    Some(Open {
        thread: None,
        stall: Stall {
            since_ns: one.since_ns,
            ..thread.map_or(anybody, |thread| stall_of(thread, Some(one.worker)))
        },
        look: seen.look.clone().filter(|_| seen.is_verified),
    })
}
