//! blocking-poll: one poll of a task held its worker for too long.
//!
//! # What
//! A single call to a task's `poll` lasted longer than the limit, counted without the time in which
//! the thread could run but had no CPU. Its kind says where that time went: `busy` on the CPU, `blocked`
//! off the CPU after it went to sleep; what it waited for a CPU besides is told beside it. Where a limit counts that, too,
//! `preempted` is a poll which only that made too long. Dropping an unfinished task's
//! future is such a call, too; so is the drop of an output that no handle takes, if it is slow and tokio's hooks run
//! (`--cfg tokio_unstable`): on stock tokio that drop is not seen.
//!
//! # Why
//! A worker that is inside a poll runs nothing else: every task in its queue waits, timers fire late,
//! sockets are not read. Ten such polls on a two-worker runtime are an outage of the whole service.
//!
//! # Evidence
//! The site's exact counter of slow polls, and the slow polls themselves: task, which poll, which
//! worker, wall time and its split. The limit is `warn`, or `factor` times the site's own 99th
//! percentile but not below `floor`, whichever is smaller; what passes only the latter is reported above
//! `allow` only if other tasks waited. It is reported after `repeats` such polls within `within`, or at
//! once if a single one passed `deny` on a machine that has enough CPU.
//!
//! Where it is measured which tasks had to wait for that very poll, it rises to deny only if a poll
//! passed `deny` and made others wait: what harmed no task stays a warning, however long it took. Where
//! that is not measured, absent is not zero: it rises if tasks waited for a worker at that time, or if
//! that is not known, or if it happened more than once.
//!
//! A library spawns all that it serves at one line of its own: axum each connection, tonic each request. Of such a site
//! each line of your own code that blocks is a finding by itself, with the polls that were seen there: the first line of
//! yours that a poll's stack shows, or the function where debug information tells no line. A function that computes is
//! one finding, with the first of its lines that was seen. Polls without a stack belong to that line if the site has but
//! one, else to the site, which is a finding only if they are too slow by themselves.
//!
//! If the thread was looked at while it was inside the poll, the finding has its stack, the user's code
//! first, and the kernel's word for what it did: computing, without a CPU, or asleep in which call.
//!
//! # Fix
//! `busy`: move the computation to `spawn_blocking` or a pool of threads, or split it and yield between
//! the parts. `blocked`: the poll waits without `.await`: `std::thread::sleep`, a `std::sync` lock that
//! others hold for long, blocking file or network I/O, a DNS look-up. Use tokio's counterpart or
//! `spawn_blocking`. What waits in a `Drop` goes into `spawn_blocking`, or into a `close().await` before. In another
//! executor use its own counterparts: tokio's functions panic outside of a runtime.
//!
//! # False alarms
//! Preemption is taken off: what the kernel counts as waiting for a CPU, all time off the CPU of a thread that never
//! went to sleep, and what it took tokio to start a thread for `spawn_blocking`. What pollscope itself allocates for a
//! poll comes before its time begins. A verdict takes a sleep that was seen to be for the lock of glibc's allocator, or
//! for the kernel's lock of the process's memory, for doubt where the machine was short of CPU. A poll that was mostly
//! preempted never reaches deny. Where the split is
//! not measured, only polls above `uncertain` count and none is denied; the same limit holds for what
//! blocked while the machine was short of CPU, since it may have waited for a lock whose holder had none. Polls between
//! `warn` and `uncertain` are told as undecided then, with their numbers. What leaves no doubt on any machine: three polls
//! of a site within `within` that were seen asleep in a call of their own (a sleep, a read, a write), or in a lock (not
//! the allocator's, not the kernel's) for which more than one in a hundred of the site's polls wait.
//! `spawn_blocking` jobs have threads of their own and are not judged, nor are `block_on` bodies, unless theirs is
//! known to be a current-thread runtime, which runs everything on that thread. A first poll
//! within the first five seconds of a process (`initial`) is initialisation. A poll that `stuck-poll` reported while
//! it was open is not reported again, and one that was seen in `block_in_place` held up no task. Time inside of
//! `pollscope::allow_blocking` is taken off, and so is a panic: to write its message and its backtrace takes up to seconds
//! in which a large program's debug information is read. What counts of such a poll is what the thread was seen at
//! before. Debug builds are slow: judge release builds, or raise the limit.

mod asleep;
mod recent;
mod share;

use std::collections::BTreeMap;

use super::advice::Advice;
use super::poll_text::Tense;
use super::signal::{Count, DetectorOutput, FindingKey, PollFacts, Signal};
use super::view::{ObservedSite, View};
use super::{Detector, Retention, advice};
use crate::entity::slow_poll::{PollKind, SlowPoll};
use crate::id::LineId;
use crate::level::Level;
use crate::measured::Metric;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::{MILLISECOND, Nanos, SECOND};
use crate::value::Value;
use recent::Recent;

/// Longest poll that is of no interest.
pub(crate) const WARN: Limit = Limit::nanos("warn", 10 * MILLISECOND, "longest poll, without preemption");
/// Longest poll that is only a warning.
pub(crate) const DENY: Limit = Limit::nanos("deny", 100 * MILLISECOND, "longest poll that is only a warning");
const FACTOR: Limit = Limit::ratio("factor", 10.0, "or so many times the site's own p99");
const FLOOR: Limit = Limit::nanos("floor", MILLISECOND, "but never less than this");
pub(crate) const REPEATS: Limit = Limit::count("repeats", 3, "polls over `warn` before it is reported");
const WITHIN: Limit = Limit::nanos("within", 60 * SECOND, "within so much time");
pub(crate) const UNCERTAIN: Limit =
    Limit::nanos("uncertain", 100 * MILLISECOND, "longest poll that may be the machine's doing");
/// Until then a first poll is initialisation.
pub(crate) const INITIAL: Limit =
    Limit::nanos("initial", 5 * SECOND, "a first poll so soon after the process's start is initialisation");
/// Polls that a site's 99th percentile needs to mean anything.
const P99_NEEDS: u64 = 1_000;

pub(crate) static DETECTOR: Detector = Detector {
    id: "blocking-poll",
    letter: 'L',
    level: Level::Deny,
    for_ns: 0,
    clear_ns: 30 * SECOND,
    needs: &[Metric::Polls],
    or_else: None,
    limits: &[WARN, DENY, FACTOR, FLOOR, REPEATS, WITHIN, UNCERTAIN, INITIAL],
    whole: Some(judge),
    tasks: None,
    retention: Retention::NOTHING,
    source: include_str!("blocking_poll.rs"),
};

fn judge(view: &View<'_>, rule: &Rule, output: &mut DetectorOutput) {
    let mut fresh: BTreeMap<_, Vec<&SlowPoll>> = BTreeMap::new();
    for poll in view.new_slow_polls().filter(|poll| !poll.in_place && view.stuck_key(poll).is_none()) {
        let line = view.site(poll.site).and_then(|observed| observed.view.line_of(poll));
        fresh.entry((poll.site, line)).or_default().push(poll);
    }
    for ((site, line), fresh) in fresh {
        if let Some(observed) = view.site(site).filter(|observed| observed.holds_worker()) {
            judge_polls(view, rule, observed, line, &fresh, output);
        }
    }
}

/// The limit for the site's polls: the absolute one, or less if the site is used to much less.
fn site_limit(rule: &Rule, observed: &ObservedSite<'_>) -> u64 {
    let polls = &observed.view.totals().poll;
    let own = polls.quantile(0.99).filter(|_| polls.count() >= P99_NEEDS);
    let relative = own.map_or(u64::MAX, |p99| (p99 as f64 * rule.ratio(&FACTOR)) as u64);
    relative.max(rule.whole(&FLOOR)).min(rule.whole(&WARN))
}

/// Judges the polls of a site, or those at one line of the user's where a library spawned them.
fn judge_polls(
    view: &View<'_>,
    rule: &Rule,
    observed: &ObservedSite<'_>,
    line: Option<LineId>,
    fresh: &[&SlowPoll],
    output: &mut DetectorOutput,
) {
    let (warn, deny) = (rule.whole(&WARN), rule.whole(&DENY));
    let recent = Recent::of(view, rule, observed, line, fresh);
    let Some(worst) = recent.worst() else {
        return recent.set_aside(output);
    };
    let known = recent.over();
    let over = known.len() as u64;
    let harmed = |poll: &SlowPoll| view.has_harmed(poll, warn / 2);
    let denied = known.values().filter(|poll| poll.judged_ns() > deny && harmed(poll) != Some(false)).count();
    let judged = worst.judged_ns();
    if over < rule.whole(&REPEATS) && (recent.uncertain || judged <= deny) {
        return recent.set_aside(output);
    }
    let waited = harmed(worst).or_else(|| view.others_waited(warn / 2));
    let may_deny = match harmed(worst) {
        Some(harmed) => harmed,
        None => waited != Some(false) || denied > 1,
    };
    let certain = worst.kind().is_some_and(|kind| kind != PollKind::Preempted);
    let level = if judged > deny && certain && may_deny {
        Level::Deny
    } else if judged > warn || waited == Some(true) {
        Level::Warn
    } else {
        Level::Allow
    };
    let limit = if level == Level::Deny { deny } else { recent.limit_of(worst) };
    let slow = observed.view.slow_at(line).0.max(over);
    let share = share::text(view, observed, line, over);
    let seen = view.best_seen(worst, known.values().copied(), recent.limit_of(worst));
    let facts = PollFacts {
        waiting_in: seen.and_then(|poll| poll.waiting_in),
        stack: seen.and_then(|poll| poll.stack),
        ..PollFacts::of(worst, recent.limit_of(worst))
    };
    let kind = facts.kind;
    let other = seen.filter(|poll| !poll.is_same(worst)).map(|poll| {
        format!(" What its thread did was seen in poll {} of {}.", poll.nth, view.task_text(poll.task))
    });
    output.push(Signal {
        key: FindingKey::of_polls(observed.id(), line),
        task: Some(worst.task),
        level: Some(level),
        value: Value::Nanos(judged),
        limit: Value::Nanos(limit),
        count: if observed.view.has_lines() { Count::Again(slow) } else { Count::Total(slow) },
        poll: facts,
        headline: format!(
            "{} in one poll{} (limit {}){}",
            Nanos(judged),
            kind.map_or_else(String::new, |kind| format!(", {}", kind.as_str())),
            Nanos(limit),
            view.observation_text(&facts, Tense::Past)
        ),
        why: format!(
            "{share} The worst now: {}. Meanwhile its worker ran nothing else.{}{}{} {}",
            evidence(view, worst),
            View::preempted_text(worst),
            view.call_text(&facts, Tense::Past),
            other.unwrap_or_default(),
            view.poll_harm_text(&facts)
        ),
        fix: fix(kind, observed.is_elsewhere()),
    });
}

pub(crate) fn evidence(view: &View<'_>, poll: &SlowPoll) -> String {
    let task = view.task_text(poll.task);
    let worker = poll.worker.map_or_else(String::new, |worker| format!(" on worker {worker}"));
    let split = match (poll.busy_ns, poll.blocked_ns(), poll.preempted_ns) {
        (Some(busy), Some(blocked), Some(preempted)) => format!(
            ", of it {} on the CPU, {} blocked, {} without a CPU",
            Nanos(busy),
            Nanos(blocked),
            Nanos(preempted)
        ),
        _ => String::new(),
    };
    let end_ns = poll.start_ns.saturating_add(poll.wall_ns);
    let stopped = match view.moment.process.stopped_ns(poll.start_ns, end_ns) {
        0 => String::new(),
        ns => format!(", the whole process was stopped for {}", Nanos(ns)),
    };
    format!(
        "{task}, poll {}{worker}: {}{split}{stopped}{}",
        poll.nth,
        Nanos(poll.wall_ns),
        view.taken_off_text(poll)
    )
}

/// What to do about a poll of that kind; `elsewhere` is another executor than tokio's.
pub(crate) fn fix(kind: Option<PollKind>, elsewhere: bool) -> Advice {
    match kind {
        Some(PollKind::Busy) if elsewhere => advice::BUSY_ELSEWHERE,
        Some(PollKind::Busy) => advice::BUSY,
        Some(PollKind::Blocked) if elsewhere => advice::BLOCKED_ELSEWHERE,
        Some(PollKind::Blocked) => advice::BLOCKED,
        Some(PollKind::Preempted) => advice::PREEMPTED,
        None => advice::UNSPLIT,
    }
}
