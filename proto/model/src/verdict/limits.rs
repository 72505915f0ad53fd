//! The limits that somebody asked for, judged over a whole run: `--max-poll` and its siblings.
//!
//! A detector waits for repetition and harm, since it speaks while a service runs. A limit is a promise
//! of the code's author, so once is enough. What it judges is the time that the code is answerable for:
//! on the CPU and blocked, never without a CPU (unless asked to). Where that was not measured it goes by
//! the clock on the wall and says so; where it should have been measured and was not, it cannot tell.

use std::sync::Arc;

use super::Allowed;
use crate::detect::ledger::tell;
use crate::detect::seen::Tense;
use crate::detect::signal::{Count, Key, PollFacts, Signal};
use crate::detect::view::{SiteScene, View};
use crate::detect::{blocking_poll, index_of, sched_delay, task_leak};
use crate::entity::slow_poll::SlowPoll;
use crate::hist::Hist;
use crate::measured::Metric;
use crate::query::detail::Finding;
use crate::query::page::Level;
use crate::query::value::Value;
use crate::time::Nanos;

mod allowed;
mod leaks;

/// The limits of a run. All are off by default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// No poll on a worker may take longer, nanoseconds.
    pub max_poll_ns: Option<u64>,
    /// At no site may more than one poll in a hundred take longer, nanoseconds.
    pub p99_poll_ns: Option<u64>,
    /// No woken task may wait longer for a worker, nanoseconds.
    pub max_sched_delay_ns: Option<u64>,
    /// At the end no task may be left, unless it was declared long-lived.
    pub no_leaks: bool,
    /// Time without a CPU counts too.
    pub count_preempted: bool,
}

/// Polls that a site's 99th percentile needs to mean anything.
pub(super) const P99_NEEDS: u64 = 100;

/// What the limits say of one process.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) findings: Vec<Finding>,
    /// Polls that are over a limit only with what `allow_blocking` takes off, and its reason.
    pub(super) allowed: Vec<Allowed>,
    /// Limit and reason.
    pub(super) undecided: Vec<(Arc<str>, Arc<str>)>,
    /// Limits for which nothing is measured in this process, and why.
    pub(super) unarmed: Vec<(&'static str, Arc<str>)>,
    /// Limits that something may have passed and nobody can tell, and why and what to do.
    pub(super) open: Vec<(&'static str, Arc<str>)>,
    pub(super) notes: Vec<Arc<str>>,
}

/// Judges one process as it is now. `ended` says that nothing will follow.
pub(super) fn judge(view: &View<'_>, limits: &Limits, ended: bool, without_cpu_ns: Option<u64>) -> Judged {
    let mut judged = Judged::default();
    if let Some(limit) = limits.max_poll_ns {
        Polls { view, limit, limits, name: "max-poll" }.longest(&mut judged);
    }
    allowed::tell(view, limits, &mut judged);
    if let Some(limit) = limits.p99_poll_ns {
        Polls { view, limit, limits, name: "p99-poll" }.p99(&mut judged);
    }
    if let Some(limit) = limits.max_sched_delay_ns {
        delays(view, limit, limits.count_preempted, without_cpu_ns, &mut judged);
    }
    if limits.no_leaks {
        leaks::judge(view, ended, &mut judged);
    }
    judged
}

impl Judged {
    fn find(&mut self, view: &View<'_>, detector: &str, signal: Signal) {
        if let Some(index) = index_of(detector) {
            self.findings.push(tell(view, index, signal));
        }
    }

    fn cannot_tell(&mut self, limit: &'static str, reason: String) {
        self.undecided.push((limit.into(), reason.into()));
    }

    fn unarmed(&mut self, limit: &'static str, reason: String) {
        self.unarmed.push((limit, reason.into()));
    }
}

/// A limit on the length of polls.
struct Polls<'a, 'v> {
    view: &'a View<'v>,
    limit: u64,
    limits: &'a Limits,
    name: &'static str,
}

impl Polls<'_, '_> {
    /// Whether wall time is what is judged: asked for, or nothing else is measured.
    fn by_wall(&self) -> bool {
        self.limits.count_preempted || !self.splits()
    }

    fn splits(&self) -> bool {
        self.view.moment.process.measures_for_some(Metric::PollSplit)
    }

    fn value(&self, poll: &SlowPoll) -> u64 {
        if self.limits.count_preempted { poll.held_ns() } else { poll.judged_ns() }
    }

    fn times(&self, site: &SiteScene<'_>) -> Hist {
        if self.by_wall() { site.view.held_poll_times() } else { site.view.own_poll_times() }
    }

    /// The sites whose polls hold a worker.
    fn sites(&self) -> impl Iterator<Item = &SiteScene<'_>> {
        self.view.sites().iter().filter(|site| site.holds_worker() && !site.view.totals().poll.is_empty())
    }

    fn say_by_wall(&self, judged: &mut Judged) {
        if !self.limits.count_preempted && !self.splits() {
            let process = self.view.moment.process;
            let note = format!(
                "{} is judged by wall time, time without a CPU included: {}.",
                self.name,
                why_not(process.hello(), Metric::PollSplit)
            );
            judged.notes.push(note.into());
        }
    }

    fn longest(&self, judged: &mut Judged) {
        if !self.is_measured(judged) {
            return;
        }
        self.say_by_wall(judged);
        for site in self.sites() {
            let split = |poll: &&SlowPoll| !poll.in_place && (self.by_wall() || poll.preempted_ns.is_some());
            let worst = site.view.slow_polls().filter(split).max_by_key(|poll| self.value(poll));
            let over = worst.filter(|poll| self.value(poll) > self.limit);
            if let Some(poll) = over {
                let signal = self.told(site, poll);
                judged.find(self.view, blocking_poll::DETECTOR.id, signal);
            } else if site.view.totals().poll.max() > self.limit {
                let untold = site.view.slow_polls().next().is_none() || site.view.untold_over(self.limit) > 0;
                if !self.by_wall() {
                    self.doubt(site, judged);
                } else if untold {
                    let signal = self.untold(site);
                    judged.find(self.view, blocking_poll::DETECTOR.id, signal);
                }
            }
        }
        self.open(judged);
    }

    /// Polls that are open still: they never become slow polls if the process ends in them.
    fn open(&self, judged: &mut Judged) {
        let process = self.view.moment.process;
        for stall in process.stalls() {
            let open_ns = process.now_ns().saturating_sub(stall.since_ns).saturating_sub(stall.allowed_ns);
            let word = stall.waiting_in.map(|word| self.view.name(word));
            let starved = word.as_deref() == Some("runnable") && !self.limits.count_preempted;
            let Some(site) = stall.site.and_then(|site| self.view.site(site)) else { continue };
            let known = judged.findings.iter().any(|finding| finding.site == site.view.text());
            if open_ns <= self.limit || starved || known || !site.holds_worker() {
                continue;
            }
            let facts = PollFacts::from(stall);
            let signal = Signal {
                headline: format!(
                    "a poll is open for {} (limit {}){}",
                    Nanos(open_ns),
                    Nanos(self.limit),
                    self.view.seen(&facts, Tense::Present)
                ),
                why: format!(
                    "It had not ended when the last report was made. Its worker runs nothing else.{}",
                    self.view.called(&facts, Tense::Present)
                ),
                task: stall.task,
                value: Value::Nanos(open_ns),
                count: Count::Event(1),
                poll: facts,
                ..self.signal(site, blocking_poll::fix(None))
            };
            judged.find(self.view, blocking_poll::DETECTOR.id, signal);
        }
    }

    /// Whether single polls are measured; says so if not.
    fn is_measured(&self, judged: &mut Judged) -> bool {
        let process = self.view.moment.process;
        let measured = process.measures_for_some(Metric::Polls);
        if !measured {
            judged.unarmed(self.name, why_not(process.hello(), Metric::Polls));
        }
        measured
    }

    /// Long by the clock on the wall, but how much of it was the code's doing is not known.
    fn doubt(&self, site: &SiteScene<'_>, judged: &mut Judged) {
        let unsplit =
            |poll: &&SlowPoll| !poll.in_place && poll.preempted_ns.is_none() && poll.held_ns() > self.limit;
        let unsplit = site.view.slow_polls().filter(unsplit).count() as u64;
        let untold = site.view.untold_over(self.limit).max(unsplit);
        if untold == 0 {
            return;
        }
        let polls = if untold == 1 { "1 poll".to_owned() } else { format!("{} polls", Value::Count(untold)) };
        let at = self.view.short_site(site.id());
        let limit = Nanos(self.limit);
        match self.view.moment.process.hello().slow_poll_ns {
            Some(from) if from <= self.limit => judged.cannot_tell(
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

    fn p99(&self, judged: &mut Judged) {
        if !self.is_measured(judged) {
            return;
        }
        self.say_by_wall(judged);
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
            if !self.by_wall() && !is_over(over.saturating_sub(site.view.untold_over(self.limit))) {
                self.doubt(site, judged);
                continue;
            }
            let p99 = times.quantile(0.99).unwrap_or(0);
            let worst =
                site.view.slow_polls().filter(|poll| !poll.in_place).max_by_key(|poll| self.value(poll));
            let facts = worst.map(PollFacts::from).unwrap_or_default();
            let signal = Signal {
                headline: format!(
                    "1 in 100 polls takes {} (limit {}){}",
                    Nanos(p99),
                    Nanos(self.limit),
                    self.view.seen(&facts, Tense::Past)
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
                    self.view.called(&facts, Tense::Past)
                ),
                task: worst.map(|poll| poll.task),
                value: Value::Nanos(p99),
                count: Count::Total(over),
                poll: facts,
                ..self.signal(site, blocking_poll::fix(facts.kind))
            };
            judged.find(self.view, blocking_poll::DETECTOR.id, signal);
            // Another fault than a single long poll of the same site.
            if let Some(finding) = judged.findings.last_mut() {
                finding.fingerprint = format!("{} p99", finding.fingerprint).into();
            }
        }
        if most < P99_NEEDS {
            judged.cannot_tell(
                self.name,
                format!(
                    "no site has the {P99_NEEDS} polls that a p99 needs, the most is {}",
                    Value::Count(most)
                ),
            );
        }
    }

    fn told(&self, site: &SiteScene<'_>, worst: &SlowPoll) -> Signal {
        let facts = PollFacts::from(worst);
        // Not every poll is looked at; another long one of the site tells where to search.
        let seen = Some(worst)
            .filter(|_| facts.was_seen())
            .or_else(|| {
                let seen = |poll: &&SlowPoll| PollFacts::from(*poll).was_seen();
                site.view.slow_polls().filter(seen).max_by_key(|poll| self.value(poll))
            })
            .map_or(facts, PollFacts::from);
        let facts = PollFacts { waiting_in: seen.waiting_in, stack: seen.stack, ..facts };
        let over = self.times(site).count_over(self.limit);
        Signal {
            headline: format!(
                "{} in one poll{} (limit {}){}",
                Nanos(self.value(worst)),
                facts.kind.map_or_else(String::new, |kind| format!(", {}", kind.as_str())),
                Nanos(self.limit),
                self.view.seen(&facts, Tense::Past)
            ),
            why: format!(
                "{} of {} polls at {} took longer than that. The worst: {}. Meanwhile its worker ran nothing \
                 else.{} {}",
                Value::Count(over.max(1)),
                Value::Count(site.view.totals().poll.count()),
                self.view.short_site(site.id()),
                blocking_poll::evidence(self.view, worst),
                self.view.called(&facts, Tense::Past),
                self.view.harm_of(&facts)
            ),
            task: Some(worst.task),
            value: Value::Nanos(self.value(worst)),
            count: Count::Total(over.max(1)),
            poll: facts,
            ..self.signal(site, blocking_poll::fix(facts.kind))
        }
    }

    fn untold(&self, site: &SiteScene<'_>) -> Signal {
        let totals = &site.view.totals().poll;
        Signal {
            headline: format!("{} in one poll (limit {})", Nanos(totals.max()), Nanos(self.limit)),
            why: format!(
                "{} of {} polls at {} took longer than that by the clock on the wall. Nothing else is known of \
                 them.",
                Value::Count(totals.count_over(self.limit).max(1)),
                Value::Count(totals.count()),
                self.view.short_site(site.id())
            ),
            value: Value::Nanos(totals.max()),
            count: Count::Total(totals.count_over(self.limit).max(1)),
            ..self.signal(site, blocking_poll::fix(None))
        }
    }

    fn signal(&self, site: &SiteScene<'_>, fix: &'static str) -> Signal {
        Signal {
            key: Key::Site(site.id()),
            task: None,
            level: Some(Level::Deny),
            value: Value::Null,
            limit: Value::Nanos(self.limit),
            count: Count::Now(1),
            poll: PollFacts::default(),
            headline: String::new(),
            why: String::new(),
            fix: fix.into(),
        }
    }
}

/// Why a process does not measure something, in words.
fn why_not(hello: &crate::hello::Hello, metric: Metric) -> String {
    let reason = hello.capabilities.iter().find(|c| c.metric == metric).map(|c| c.reason.as_str());
    match reason.filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("{metric} not measured: {reason}"),
        None => format!("{metric} not measured in {} mode", hello.mode),
    }
}

/// No woken task may wait for a worker for longer.
fn delays(
    view: &View<'_>,
    limit: u64,
    count_preempted: bool,
    without_cpu_ns: Option<u64>,
    judged: &mut Judged,
) {
    const NAME: &str = "max-sched-delay";
    let process = view.moment.process;
    if !process.measures_for_some(Metric::ScheduleDelay) {
        return judged.unarmed(NAME, why_not(process.hello(), Metric::ScheduleDelay));
    }
    let cpu = view.moment.cpu_minute;
    let own = |wall: u64| match without_cpu_ns {
        _ if count_preempted => wall,
        Some(without_cpu_ns) => wall.saturating_sub(without_cpu_ns),
        None => cpu.own(wall),
    };
    if !count_preempted && cpu.share.is_none() && without_cpu_ns.is_none() {
        judged.notes.push(
            format!("{NAME} is judged by wall time: nothing tells whether the machine was short of CPU.")
                .into(),
        );
    }
    // Jobs of the blocking pool wait for a thread, which is none of the workers.
    for site in view.sites().iter().filter(|site| site.holds_worker()) {
        let waits = &site.view.totals().sched;
        if waits.max() <= limit {
            continue;
        }
        if own(waits.max()) <= limit {
            let machine = match without_cpu_ns {
                Some(ns) => format!("a worker was without a CPU for {}", Nanos(ns)),
                None => format!("{} of what was wanted", Value::Ratio(cpu.share.unwrap_or(1.0))),
            };
            judged.cannot_tell(
                NAME,
                format!(
                    "a task of {} waited {}, but the machine was short of CPU ({machine})",
                    view.short_site(site.id()),
                    Nanos(waits.max()),
                ),
            );
            continue;
        }
        let blocker = blocker(view, waits.max() / 2);
        let facts = blocker.map(PollFacts::from).unwrap_or_default();
        let because = blocker.map_or_else(String::new, |poll| {
            format!(
                " The longest wait behind one poll was {}, behind {} of {}{}.",
                Nanos(poll.max_waited_ns.unwrap_or(0)),
                view.task_text(poll.task),
                view.short_site(poll.site),
                view.seen(&facts, Tense::Past)
            )
        });
        let signal = Signal {
            key: Key::Site(site.id()),
            task: None,
            level: Some(Level::Deny),
            value: Value::Nanos(own(waits.max())),
            limit: Value::Nanos(limit),
            count: Count::Total(waits.count_over(limit).max(1)),
            poll: facts,
            headline: format!(
                "{} between a wake and its poll (limit {})",
                Nanos(own(waits.max())),
                Nanos(limit)
            ),
            why: format!(
                "{} of {} polls of {} waited longer than that for a worker; p99 {}.{because}",
                Value::Count(waits.count_over(limit).max(1)),
                Value::Count(waits.count()),
                view.short_site(site.id()),
                Nanos(waits.quantile(0.99).unwrap_or(0))
            ),
            fix: match blocker {
                Some(poll) => blocking_poll::fix(poll.kind()).into(),
                None => "No single poll is known to have held the worker for so long. Look at the sites that take \
                         most of the workers' time; if all are light, the runtime needs more workers or less load."
                    .into(),
            },
        };
        judged.find(view, sched_delay::DETECTOR.id, signal);
    }
}

/// The poll behind which a task waited the longest, if that is long enough to explain a delay.
fn blocker<'a>(view: &View<'a>, least_ns: u64) -> Option<&'a SlowPoll> {
    let polls = view.moment.process.sites().flat_map(|site| site.slow_polls());
    polls
        .filter(|poll| poll.max_waited_ns.is_some_and(|ns| ns >= least_ns))
        .max_by_key(|poll| poll.max_waited_ns)
}
