//! The watchdog's round: it looks at every open poll and every observed worker, tells what is open for too
//! long, and says when to look again. Belongs to the watchdog's thread alone.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use pollscope_model::entity::stall::Stall;
use pollscope_model::id::{NameId, RuntimeId, SiteId, TaskId, WorkerId};
use pollscope_recorder::Recorder;
use pollscope_recorder::clock;
use pollscope_recorder::session;
use pollscope_recorder::thread::{self, Reading, Thread};

use super::closely::{self, Certainty, Closely, wait};
use super::looks::{self, Open};
use super::polls::{Next, Seen};
use super::stopped::{self, StopDetector};
use super::workers::Workers;
use super::{engine, limits};

/// Bounds of the time between two looks.
pub(super) const PAUSES: RangeInclusive<u64> = 10_000_000..=100_000_000;
/// The same with sessions, whose polls shall be seen soon after they reach the limit: a test asks which line it was.
const PAUSES_OF_SESSIONS: RangeInclusive<u64> = 2_000_000..=100_000_000;
/// A poll that is younger than this part of the limit is most likely a short one: the thread does not wake up for it.
const YOUNG: u64 = 4;
/// Two looks are never nearer to each other.
const STEP_NS: u64 = 500_000;
/// While an answer is outstanding.
const LATE_STEP_NS: u64 = 2_000_000;
/// Later than this, the watchdog did not look in time: it had no CPU, or the machine slept.
const GAP_NS: u64 = 100_000_000;

/// What the thread works with.
pub(super) struct Scanner {
    /// The smallest of all limits.
    limit_ns: u64,
    /// Of the polls that are open, by the index of the thread's state.
    polls: HashMap<u32, Seen>,
    pub(super) workers: Workers,
    pub(super) still: HashMap<WorkerId, Seen>,
    pub(super) closely: Closely,
    /// The last look, the pause that was to follow it, and the polls that had ended by then.
    last_ns: u64,
    pause_ns: u64,
    ended: u64,
    published: bool,
    /// The process was stopped since the last look.
    was_stopped: bool,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self {
            limit_ns: limits::least(),
            polls: HashMap::new(),
            workers: Workers::default(),
            still: HashMap::new(),
            closely: Closely::new(),
            last_ns: clock::now_ns(),
            pause_ns: *PAUSES.end(),
            ended: 0,
            published: false,
            was_stopped: false,
        }
    }

    /// Looks until every sender of questions is gone. A question causes a look at once, and is answered after that.
    pub(super) fn work(&mut self, asked: &Receiver<Sender<()>>) {
        let _handler = engine().map(|engine| (engine.keep)());
        let mut answer = None::<Sender<()>>;
        let mut detector = StopDetector::begin();
        loop {
            let pause = if Recorder::global().is_on() { self.look() } else { *PAUSES.end() };
            detector.begin_pause();
            if let Some(answer) = answer.take() {
                // The sender may not wait for it.
                let _ = answer.send(());
            }
            let heard = asked.recv_timeout(Duration::from_nanos(pause));
            self.was_stopped |= detector.end_pause(pause);
            match heard {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.closely.give_up(),
                Ok(asker) => answer = Some(asker),
            }
        }
    }

    /// Looks once at everything, and says how long to wait for the next look.
    fn look(&mut self) -> u64 {
        self.limit_ns = limits::least();
        let now = clock::now_ns();
        let late_ns = self.pause_ns.saturating_mul(4).saturating_add(GAP_NS);
        let gap = std::mem::take(&mut self.was_stopped) || now.saturating_sub(self.last_ns) > late_ns;
        self.last_ns = now;
        self.closely.collect(now);
        let threads = thread::read();
        let mut next = u64::MAX;
        let mut open = Vec::new();
        let mut before = std::mem::take(&mut self.polls);
        let open_poll = |thread: &Thread| thread.polling().filter(|poll| !poll.is_job);
        let polling: Vec<_> =
            threads.states().filter_map(|thread| Some((thread, open_poll(thread)?))).collect();
        // After the open polls: what moves later than this moves while they are open.
        self.workers.look(now, gap);
        self.workers.call_the_roll(now, || threads.states().filter_map(worker_of).collect());
        for (thread, poll) in &polling {
            let limit_ns = limits::of_site(poll.site);
            if limit_ns == limits::NEVER {
                continue;
            }
            let seen = before.remove(&thread.index).unwrap_or_default();
            let seen = self.polls.entry(thread.index).or_insert(seen);
            let (allowed_ns, is_allowed) = thread.allowance.of(poll.since_ns);
            let stopped_ns = stopped::within(poll.since_ns, now);
            let own_ns = now.saturating_sub(poll.since_ns).saturating_sub(allowed_ns);
            if is_allowed || allowed_ns > 0 && own_ns < limit_ns {
                continue; // or seen too early
            }
            let limit_ns = limit_ns.saturating_add(allowed_ns).saturating_add(stopped_ns);
            let worker = worker_of(thread);
            let due = seen.poll(poll.since_ns, now, limit_ns, gap);
            if thread.is_replaced_since(poll.since_ns)
                || worker.is_some_and(|worker| self.workers.went_on(worker, seen.first_ns))
            {
                continue; // the poll gave its worker away
            }
            // A test asks which line it was, and what was awake at the limit may be the machine's doing.
            let is_sessions = !session::of_site(poll.site).is_none();
            if due == Next::Look || is_sessions && seen.falls_asleep(|| closely::sleeps(thread)) {
                let since_ns = poll.since_ns;
                let still = || thread.polling().is_some_and(|poll| poll.since_ns == since_ns);
                self.closely.look(seen, thread, poll.site, now, &Certainty::InPoll(still));
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
        let busy = !polling.is_empty();
        next = next.min(self.look_at_workers(&threads, now, gap, &mut open));
        if self.closely.is_late() {
            next = next.min(now.saturating_add(LATE_STEP_NS));
        }
        self.publish(open, now);
        self.pause(&threads, busy, next, now)
    }

    fn publish(&mut self, mut open: Vec<Open>, now: u64) {
        if !open.is_empty() && self.closely.is_traced(now) {
            open.clear();
        }
        if self.published || !open.is_empty() {
            self.published = !open.is_empty();
            looks::set_open(open);
        }
    }

    fn pause(&mut self, threads: &Reading, busy: bool, next: u64, now: u64) -> u64 {
        let ended = threads.sum(Thread::polls, threads.rest().polls);
        let idle =
            std::mem::replace(&mut self.ended, ended) == ended && !busy && !self.workers.is_any_active();
        let pause = self.limit_ns.saturating_mul(2).clamp(*PAUSES.start(), *PAUSES.end());
        let pause = if idle { (pause * 2).min(*PAUSES.end()) } else { pause };
        let of_sessions = limits::least_of_sessions() / 2;
        self.pause_ns = pause.min(of_sessions.clamp(*PAUSES_OF_SESSIONS.start(), *PAUSES_OF_SESSIONS.end()));
        self.pause_ns.min(next.saturating_sub(now).max(STEP_NS))
    }
}

pub(super) fn worker_of(thread: &Thread) -> Option<WorkerId> {
    let (runtime, index) = thread.place();
    Some(WorkerId { runtime: RuntimeId(runtime?), index: index? })
}

pub(super) fn stall_of(thread: &Thread, worker: Option<WorkerId>) -> Stall {
    Stall { worker, tid: thread.tid(), thread: NameId(thread.name()), ..Stall::default() }
}
