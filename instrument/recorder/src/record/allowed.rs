//! What the polls of one thread spend inside of `allow_blocking`: readable by other
//! threads while they are open, and added to the evidence of a slow poll when it ends.
//!
//! Written by the thread itself. Costs a poll that never comes by nothing.

pub mod ran;

use std::cell::Cell;
use std::panic::Location;

use pollscope_model::entity::slow_poll::{PANIC, SlowPoll};
use pollscope_model::id::NameId;

use super::intern;
use super::session;
use super::thread::{self, Thread};
use crate::clock;
use crate::record::split::Reading;
use crate::tally::Tally;

/// Reasons that are told apart within one poll; of more, only the time is kept.
const REASONS: usize = 4;

/// For other threads. A read while it changes may be off by what is being added; the next read is not.
#[derive(Default)]
#[expect(clippy::struct_field_names, reason = "the unit, as everywhere")]
pub struct Allowance {
    /// Start of the outermost poll that the rest is of.
    of_ns: Tally,
    /// What was allowed in it, up to the last end.
    done_ns: Tally,
    /// Since when it is inside; 0: it is not.
    open_ns: Tally,
}

impl Allowance {
    /// Of the poll that began then: what was allowed, and whether it is inside at this moment.
    pub fn of(&self, since_ns: u64) -> (u64, bool) {
        if self.of_ns.get() == since_ns { (self.done_ns.get(), self.open_ns.get() != 0) } else { (0, false) }
    }
}

#[derive(Clone, Copy)]
struct Reason {
    /// `None` for all that found no room.
    why: Option<(&'static str, &'static Location<'static>)>,
    first_ns: u64,
    last_ns: u64,
    total_ns: u64,
}

impl Reason {
    /// What is certain to lie in that time: all, but for what the time between first and last begins outside.
    fn within(&self, start_ns: u64, end_ns: u64) -> u64 {
        let before = start_ns.min(self.last_ns).saturating_sub(self.first_ns);
        let after = self.last_ns.saturating_sub(end_ns.max(self.first_ns));
        self.total_ns.saturating_sub(before).saturating_sub(after)
    }
}

/// Of what is allowed in the thread's outermost poll: not on a CPU, and of that, accounted as waiting for one.
#[derive(Clone, Copy, Default)]
struct Off {
    off_ns: u64,
    waited_ns: u64,
}

impl Off {
    /// The preemption in it, by the measure that the poll's own is split by: of one that never slept, all.
    fn preempted_of(self, poll: &SlowPoll) -> u64 {
        let slept = poll.blocked_ns().is_some_and(|blocked_ns| blocked_ns > 0);
        let ns = if slept { self.waited_ns } else { self.off_ns };
        ns.min(poll.preempted_ns.unwrap_or(0)).min(poll.allowed_ns)
    }
}

/// Reasons of the thread's outermost poll; the last place is for all that find none.
type Log = [Option<Reason>; REASONS + 1];

thread_local! {
    /// Of the poll that is open here: lines of code that other threads have no use for.
    static LOG: Cell<Log> = const { Cell::new([None; REASONS + 1]) };
    /// The innermost that the thread is inside of.
    static OPEN: Cell<Option<Reason>> = const { Cell::new(None) };
    /// Of the poll that is open here.
    static OFF: Cell<Off> = const { Cell::new(Off { off_ns: 0, waited_ns: 0 }) };
}

/// The calling thread is inside, until it is dropped.
pub struct Inside {
    thread: &'static Thread,
    before: Option<Reading>,
}

impl Inside {
    /// Nothing where no recorded poll is open, or where it is inside already: the outer reason counts.
    pub fn enter(reason: &'static str, at: &'static Location<'static>) -> Option<Self> {
        let thread = thread::known()?;
        let since_ns = thread.since_ns();
        let told = &thread.allowance;
        if since_ns == 0 || told.open_ns.get() != 0 {
            return None;
        }
        if told.of_ns.get() != since_ns {
            told.done_ns.set(0);
            told.of_ns.set(since_ns);
            let _ = LOG.try_with(|log| log.set([None; REASONS + 1]));
            let _ = OFF.try_with(Cell::take);
        }
        let now = clock::now_ns();
        let opened = Reason { why: Some((reason, at)), first_ns: now, last_ns: now, total_ns: 0 };
        let _ = OPEN.try_with(|open| open.set(Some(opened)));
        told.open_ns.set(now);
        Some(Self { thread, before: Reading::now() })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let now = clock::now_ns();
        let told = &self.thread.allowance;
        let wall_ns = now.saturating_sub(told.open_ns.get());
        told.done_ns.add(wall_ns);
        told.open_ns.set(0);
        if let Some((before, after)) = self.before.zip(Reading::now()) {
            let (off_ns, waited_ns) = after.without_cpu_since(before, wall_ns, 0);
            let add = |sum: Off| Off { off_ns: sum.off_ns + off_ns, waited_ns: sum.waited_ns + waited_ns };
            let _ = OFF.try_with(|off| off.set(add(off.get())));
        }
        let opened = OPEN.try_with(Cell::take).ok().flatten();
        if let Some(opened) = opened {
            let _ = LOG.try_with(|log| log.set(add(log.get(), opened.until(now))));
            if let Some((reason, at)) = opened.why.filter(|_| session::any()) {
                let session = session::of_thread(self.thread);
                if session::is_open(session) {
                    ran::note(session, reason, at, told.done_ns.get());
                }
            }
        }
    }
}

impl Reason {
    fn until(self, now: u64) -> Self {
        Self { last_ns: now, total_ns: now.saturating_sub(self.first_ns), ..self }
    }

    /// The same line, for the same reason.
    fn is_same(&self, other: &Self) -> bool {
        match (self.why, other.why) {
            (Some((_, at)), Some((_, other))) => std::ptr::eq(at, other) || at == other,
            _ => false,
        }
    }
}

fn add(mut log: Log, new: Reason) -> Log {
    let place = (0..REASONS).find(|at| log[*at].is_none_or(|known| known.is_same(&new))).unwrap_or(REASONS);
    let why = if place == REASONS { None } else { new.why };
    let known = log[place].unwrap_or(Reason { why, total_ns: 0, ..new });
    log[place] =
        Some(Reason { last_ns: new.last_ns, total_ns: known.total_ns.saturating_add(new.total_ns), ..known });
    log
}

/// Notes the allowed time in a slow poll of the calling thread that has just ended.
pub(crate) fn note_allowed(poll: &mut SlowPoll) {
    let end_ns = poll.start_ns.saturating_add(poll.wall_ns);
    let open = OPEN.try_with(Cell::get).ok().flatten().map(|open| open.until(end_ns));
    let log = LOG.try_with(Cell::get).unwrap_or_default();
    let within =
        log.into_iter().flatten().chain(open).map(|one| (one.within(poll.start_ns, end_ns), one.why));
    let (mut longest_ns, mut why, mut reasons) = (0, None, 0);
    for (ns, reason) in within.filter(|(ns, _)| *ns > 0) {
        poll.allowed_ns = poll.allowed_ns.saturating_add(ns).min(poll.wall_ns);
        reasons += 1;
        if reason.is_some() && ns > longest_ns {
            (longest_ns, why) = (ns, reason);
        }
    }
    poll.allowed_others = reasons > 1;
    // Of a poll inside of another it is unknown which part of it was its own.
    if thread::known().is_some_and(|thread| thread.allowance.of_ns.get() == poll.start_ns) {
        poll.allowed_preempted_ns = OFF.try_with(Cell::get).unwrap_or_default().preempted_of(poll);
    }
    if let Some((reason, at)) = why {
        let name = |text: &str| Some(NameId(intern::name(text))).filter(|name| name.0 != 0);
        poll.allowed_for = name(reason);
        poll.allowed_at = name(&format!("{}:{}", at.file(), at.line()));
    }
}

/// A poll that ended by a panic: when that began is not known, so that all of it is set aside until a look says how much
/// was the task's own ([`set_panic_aside`]).
pub(crate) fn note_panic(poll: &mut SlowPoll) {
    set_panic_aside(poll, poll.wall_ns);
}

/// So much of the poll was a panic, at its end.
pub fn set_panic_aside(poll: &mut SlowPoll, panic_ns: u64) {
    let reason = panic_reason();
    poll.allowed_others |= poll.allowed_ns > 0 && poll.allowed_for != reason;
    poll.allowed_ns = panic_ns.min(poll.wall_ns);
    (poll.allowed_for, poll.allowed_at, poll.allowed_preempted_ns) = (reason, None, 0);
}

/// Whether a part of the poll is known to be a panic.
pub fn has_panicked(poll: &SlowPoll) -> bool {
    poll.allowed_for.is_some() && poll.allowed_for == panic_reason()
}

fn panic_reason() -> Option<NameId> {
    Some(NameId(intern::own_word(PANIC))).filter(|name| name.0 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(at: &'static Location<'static>, first_ns: u64, total_ns: u64) -> Reason {
        Reason { why: Some(("r", at)), first_ns, last_ns: first_ns + total_ns, total_ns }
    }

    #[test]
    fn what_lies_outside_is_not_counted() {
        let here = Location::caller();
        let one = reason(here, 100, 50);
        assert_eq!(one.within(0, 1_000), 50);
        assert_eq!(one.within(120, 1_000), 30);
        assert_eq!(one.within(0, 120), 20);
        assert_eq!((one.within(150, 1_000), one.within(0, 100)), (0, 0));
        // Twice 10 with a gap of 80: of a poll that began in the gap nothing is certain.
        let twice = Reason { last_ns: 200, total_ns: 20, ..one };
        assert_eq!((twice.within(100, 200), twice.within(150, 200)), (20, 0));
    }

    #[test]
    fn one_place_is_one_reason_and_the_rest_is_counted_together() {
        let mut log = Log::default();
        let lines = [
            Location::caller(),
            location(),
            std::panic::Location::caller(),
            intern_line(),
            another_line(),
            one_more_line(),
        ];
        for at in lines {
            log = add(log, reason(at, 100, 10));
            log = add(log, reason(at, 200, 10));
        }
        let kept: Vec<_> = log.iter().flatten().map(|one| (one.why.is_some(), one.total_ns)).collect();
        assert_eq!(kept, [(true, 20), (true, 20), (true, 20), (true, 20), (false, 40)]);
    }

    #[test]
    fn the_preemption_in_it_is_measured_as_that_of_the_poll() {
        let off = Off { off_ns: 40, waited_ns: 30 };
        let poll = |preempted, allowed_ns| SlowPoll {
            wall_ns: 100,
            busy_ns: Some(10),
            preempted_ns: Some(preempted),
            allowed_ns,
            ..SlowPoll::default()
        };
        assert_eq!(off.preempted_of(&poll(35, 50)), 30, "it slept");
        assert_eq!(off.preempted_of(&poll(90, 50)), 40, "it did not: the rest was stolen");
        assert_eq!(off.preempted_of(&poll(20, 50)), 20);
        assert_eq!(off.preempted_of(&SlowPoll { allowed_ns: 50, ..SlowPoll::default() }), 0);
    }

    fn location() -> &'static Location<'static> {
        Location::caller()
    }

    fn intern_line() -> &'static Location<'static> {
        Location::caller()
    }

    fn another_line() -> &'static Location<'static> {
        Location::caller()
    }

    fn one_more_line() -> &'static Location<'static> {
        Location::caller()
    }
}
