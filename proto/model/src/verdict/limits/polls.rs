//! Limits on polls: the longest (`polls/longest.rs`), and the 99th percentile of a site. Only the
//! [limits](super) call it.

mod longest;

use super::{LimitFindings, P99_NEEDS, forbidden, scope_of, why_not};
use crate::detect::blocking_poll;
use crate::detect::poll_text::Tense;
use crate::detect::signal::{Count, PollFacts, Signal};
use crate::detect::view::{ObservedSite, View};
use crate::dict::Stack;
use crate::entity::activity::ThreadActivity;
use crate::entity::slow_poll::SlowPoll;
use crate::hist::Hist;
use crate::id::StackId;
use crate::measured::Metric;
use crate::policy::{CheckLimits, ScopeLimits};
use crate::time::Nanos;
use crate::value::Value;

/// A limit of a route, if it has that one.
pub(super) type LimitOf = fn(&ScopeLimits) -> Option<u64>;

/// Which sites a limit is for.
#[derive(Clone, Copy)]
pub(super) enum Covers<'a> {
    /// All but the routes that have such a limit of their own.
    AllBut(&'a [ScopeLimits], LimitOf),
    /// The routes whose limit is that one of these.
    Only(&'a [ScopeLimits], usize, LimitOf),
}

/// A limit on the length of polls.
pub(super) struct Polls<'a, 'v> {
    pub(super) view: &'a View<'v>,
    pub(super) limit: u64,
    pub(super) limits: &'a CheckLimits,
    pub(super) name: &'static str,
    pub(super) covers: Covers<'a>,
    /// See [`RunEvidence::machine_short_ns`](super::RunEvidence).
    pub(super) machine_short_ns: Option<u64>,
}

impl Polls<'_, '_> {
    /// Whether wall time is what is judged: asked for, or nothing else is measured.
    fn by_wall(&self) -> bool {
        self.limits.count_preempted || !self.splits()
    }

    fn splits(&self) -> bool {
        self.view.moment.process.measures_for_some(Metric::PollSplit)
    }

    pub(super) fn value(&self, poll: &SlowPoll) -> u64 {
        if self.limits.count_preempted { poll.held_ns() } else { poll.judged_ns() }
    }

    /// Whether the poll held its worker for longer.
    fn is_over(&self, poll: &SlowPoll) -> bool {
        !poll.in_place && self.value(poll) > self.limit
    }

    fn times(&self, site: &ObservedSite<'_>) -> Hist {
        if self.by_wall() { site.view.held_poll_times() } else { site.view.own_poll_times() }
    }

    /// The sites whose polls hold a worker.
    fn sites(&self) -> impl Iterator<Item = &ObservedSite<'_>> {
        let is_polled = |site: &&ObservedSite<'_>| site.holds_worker() && !site.view.totals().poll.is_empty();
        self.view.sites().iter().filter(is_polled).filter(|site| self.covers(site))
    }

    /// Whether the limit is for that site.
    pub(super) fn covers(&self, site: &ObservedSite<'_>) -> bool {
        match self.covers {
            Covers::AllBut(scopes, of) => scope_of(self.view, site, scopes, of).is_none(),
            Covers::Only(scopes, at, of) => scope_of(self.view, site, scopes, of) == Some(at),
        }
    }

    fn note_wall_time(&self, judged: &mut LimitFindings) {
        if !self.limits.count_preempted && !self.splits() {
            let process = self.view.moment.process;
            let note = format!(
                "{} is judged by wall time, time without a CPU included: {}.",
                self.name,
                why_not(process.hello(), Metric::PollSplit)
            );
            if !judged.notes.iter().any(|known| **known == *note) {
                judged.notes.push(note.into());
            }
        }
    }

    /// It may have slept for the lock of the process's memory, the kernel's or the allocator's, on a machine that was
    /// short of CPU: the thread that held that may have had none, and how much of the time that took is not known. That
    /// it slept is no proof against its code then, if it was seen asleep for that lock, or awake. What it computed is,
    /// and that it was seen asleep in a call of its own; and a poll that was not looked at is judged by what is counted,
    /// or a short machine hid all faults.
    fn may_be_machines(&self, poll: &SlowPoll) -> bool {
        let word = poll.waiting_in.map(|word| self.view.name(word));
        let for_memory = match word.as_deref().and_then(ThreadActivity::of) {
            Some(word @ ThreadActivity::Sleeping(_)) => {
                word.is_for_kernels_lock() || word.is_for_a_lock() && self.waits_for_allocator(poll.stack)
            }
            // Memory that is new is touched, sooner or later in the same poll.
            Some(ThreadActivity::Running | ThreadActivity::Runnable) => {
                poll.faults > 0 || self.waits_for_allocator(poll.stack)
            }
            None => self.waits_for_allocator(poll.stack),
        };
        for_memory
            && !self.limits.count_preempted
            && poll.surely_busy_ns().is_some_and(|busy_ns| busy_ns <= self.limit)
            && self.is_explained_by_machine(poll.judged_ns())
    }

    fn waits_for_allocator(&self, stack: Option<StackId>) -> bool {
        let facts = PollFacts { stack, ..PollFacts::default() };
        self.view.stack(&facts).is_some_and(Stack::waits_for_allocator)
    }

    /// Whether so long a wait may have been one for threads that had no CPU, down to the limit.
    fn is_explained_by_machine(&self, waited_ns: u64) -> bool {
        let cpu = self.view.moment.cpu_minute;
        match self.machine_short_ns {
            Some(short_ns) => waited_ns.saturating_sub(short_ns) <= self.limit,
            None => cpu.share.is_none() || cpu.contended(),
        }
    }

    fn add_doubtful_poll(&self, poll: &SlowPoll, judged: &mut LimitFindings) {
        let word = poll.waiting_in.map(|word| self.view.name(word));
        let seen = match word.as_deref().and_then(ThreadActivity::of) {
            _ if self.waits_for_allocator(poll.stack) => "slept for the allocator's lock".to_owned(),
            Some(ThreadActivity::Sleeping(call)) => format!("slept in {call}"),
            _ => "touched new memory, was awake when it was looked at".to_owned(),
        };
        let reason = format!(
            "a poll at {} {seen} and may have waited for a thread that had no CPU, since the machine was short of it: \
             {}",
            self.view.short_site(poll.site),
            blocking_poll::evidence(self.view, poll)
        );
        judged.set_aside(self.name, reason);
    }

    /// Long by the clock on the wall, but how much of it was the code's doing is not known.
    fn add_doubtful_site(&self, site: &ObservedSite<'_>, judged: &mut LimitFindings) {
        let unsplit =
            |poll: &&SlowPoll| !poll.in_place && poll.preempted_ns.is_none() && poll.held_ns() > self.limit;
        let unsplit = site.view.slow_polls().filter(unsplit).count() as u64;
        let untold = site.view.unlisted_over(self.limit).max(unsplit);
        if untold == 0 {
            return;
        }
        let polls = if untold == 1 { "1 poll".to_owned() } else { format!("{} polls", Value::Count(untold)) };
        let at = self.view.short_site(site.id());
        let limit = Nanos(self.limit);
        match self.view.moment.process.hello().slow_poll_ns {
            Some(from) if from <= self.limit => judged.set_aside(
                self.name,
                format!("{polls} over {limit} at {at} left no evidence of where the time went"),
            ),
            from => {
                let from = from
                    .map_or_else(|| "a length that it does not tell".to_owned(), |ns| Nanos(ns).to_string());
                let reason = format!(
                    "{polls} over {limit} at {at} may have been without a CPU: where the time went is recorded \
                     from {from} on; record with POLLSCOPE_SLOW_POLL={limit} or less, or judge by wall time with \
                     --count-preempted"
                );
                judged.open.push((self.name, reason.into()));
            }
        }
    }

    pub(super) fn judge_p99(&self, judged: &mut LimitFindings) {
        if !judged.check_measured(self.view, self.name, Metric::Polls) {
            return;
        }
        self.note_wall_time(judged);
        let mut most = 0;
        for site in self.sites() {
            let totals = &site.view.totals().poll;
            most = totals.count().max(most);
            if totals.count() < P99_NEEDS {
                continue;
            }
            let times = self.times(site);
            let over = times.count_over(self.limit);
            let is_over = |over: u64| over as f64 > times.count() as f64 / 100.0;
            if !is_over(over) {
                continue;
            }
            let untold = if self.by_wall() { 0 } else { site.view.unlisted_over(self.limit) };
            let may_be_machines = |poll: &&SlowPoll| self.is_over(poll) && self.may_be_machines(poll);
            let machines: Vec<_> = site.view.slow_polls().filter(may_be_machines).collect();
            if !is_over(over.saturating_sub(untold).saturating_sub(machines.len() as u64)) {
                if untold > 0 {
                    self.add_doubtful_site(site, judged);
                }
                if let Some(poll) = machines.into_iter().max_by_key(|poll| self.value(poll)) {
                    self.add_doubtful_poll(poll, judged);
                }
                continue;
            }
            let p99 = times.quantile(0.99).unwrap_or(0);
            let worst =
                site.view.slow_polls().filter(|poll| !poll.in_place).max_by_key(|poll| self.value(poll));
            let facts = worst.map(|worst| PollFacts::of(worst, self.limit)).unwrap_or_default();
            let seen = worst.and_then(|worst| self.view.best_seen(worst, site.view.slow_polls(), self.limit));
            let seen = seen.map_or(facts, |seen| PollFacts::of(seen, self.limit));
            let facts = PollFacts { waiting_in: seen.waiting_in, stack: seen.stack, ..facts };
            let signal = Signal {
                headline: format!(
                    "1 in 100 polls takes {} (limit {}){}",
                    Nanos(p99),
                    Nanos(self.limit),
                    self.view.observation_text(&facts, Tense::Past)
                ),
                why: format!(
                    "{} of {} polls at {} took longer than that{}.{}{}",
                    Value::Count(over),
                    Value::Count(times.count()),
                    self.view.short_site(site.id()),
                    if self.by_wall() { "" } else { ", time without a CPU taken off" },
                    worst.map_or_else(String::new, |worst| format!(
                        " The longest: {}.",
                        blocking_poll::evidence(self.view, worst)
                    )),
                    self.view.call_text(&facts, Tense::Past)
                ),
                task: worst.map(|poll| poll.task),
                count: Count::Total(over),
                poll: facts,
                fix: blocking_poll::fix(facts.kind, site.is_elsewhere()),
                ..self.over(site, p99)
            };
            judged.add_finding(self.view, blocking_poll::DETECTOR.id, signal);
            // Another fault than a single long poll of the same site.
            if let Some(finding) = judged.findings.last_mut() {
                finding.fingerprint = format!("{} p99", finding.fingerprint).into();
            }
        }
        if most < P99_NEEDS {
            judged.set_undecided(
                self.name,
                format!(
                    "no site has the {P99_NEEDS} polls that a p99 needs, the most is {}",
                    Value::Count(most)
                ),
            );
        }
    }

    fn over(&self, site: &ObservedSite<'_>, value: u64) -> Signal {
        forbidden(site, Value::Nanos(value), Value::Nanos(self.limit))
    }
}
