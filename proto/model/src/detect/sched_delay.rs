//! sched-delay: tasks that could run wait too long for a worker.
//!
//! # What
//! The time from a task's wake to the poll that answers it is over `p99` for at least one poll in a
//! hundred, over ten seconds and in the last three of them.
//!
//! # Why
//! This is latency that no handler can see in its own timings: the request is ready, the code would take
//! a millisecond, and no worker runs it. It is what users feel when workers are kept busy by something else.
//!
//! # Evidence
//! The exact histogram of schedule delays, of all sites together and of each site that has `samples`
//! polls in the window: of tasks that are spawned through pollscope, and of those that only tokio's hooks see where the
//! runtime tracks it (`POLLSCOPE_SCHEDULE_DELAY=on`). The finding is put at the site whose polls take most of the workers' time, if it
//! takes half of it or more, since that is where to look; else at the site that waits the longest. Where the polls
//! that are recorded make up less than a fifth of the time in which the workers are busy, it is put at the process: what
//! keeps the workers is not recorded, and those that wait for it are not to blame.
//!
//! # Fix
//! Look at the named site. If its polls are long, move what takes long to `spawn_blocking`, or split it and yield
//! between the parts; yields alone do not help where many such tasks compute at once, since each part then waits for
//! those of all others: limit them as well. If its polls are short, too many are ready at once: take a semaphore's
//! permit before each spawn. If every site is light and the workers are busy all the time, the runtime needs more
//! workers or the service less load.
//!
//! # False alarms
//! A machine that is short of CPU (other programs, a CPU quota) delays every task. The workers' own
//! counters tell: of the CPU time that they wanted, the share that they got. Delays are multiplied by it
//! before they are judged, and below nine tenths (of what is possible, if there are more workers than
//! CPUs) the limit is `contended` instead of `p99`. What is long only because of the machine is labelled
//! so and reported at `allow`, never higher. Where nothing tells the machine's share, the limit is
//! `unknown`. Time in which the whole process was stopped is taken off. Bursts that are worked off within three seconds are not reported.

use super::advice::Advice;
use super::cpu::SHORT_NS;
use super::signal::{Count, DetectorOutput, FindingKey, PollFacts, Signal, grade};
use super::view::{ObservedSite, View};
use super::{Detector, Retention, advice};
use crate::hist::Hist;
use crate::level::Level;
use crate::measured::{Coverage, Metric};
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::{MILLISECOND, Nanos, SECOND};
use crate::value::Value;
use crate::world::WorkerView;

const P99: Limit = Limit::nanos("p99", 5 * MILLISECOND, "longest p99 of the delay over 10s");
const CONTENDED: Limit =
    Limit::nanos("contended", 12 * MILLISECOND, "the same while the machine is short of CPU");
const UNKNOWN: Limit =
    Limit::nanos("unknown", 50 * MILLISECOND, "the same where nothing tells whether it is");
const SAMPLES: Limit = Limit::count("samples", 100, "polls in 10s that a judgement needs");

/// The site's share of all poll time from which it is named as the cause.
const CAUSE_SHARE: f64 = 0.5;
/// Recorded polls that are less than this share of the workers' busy time explain no delay.
const SEEN_SHARE: f64 = 0.2;
/// It must still be so in this much of the newest time.
const NEWEST_NS: u64 = 3 * SECOND;

pub(crate) static DETECTOR: Detector = Detector {
    id: "sched-delay",
    letter: 'D',
    level: Level::Warn,
    for_ns: 3 * SECOND,
    clear_ns: 10 * SECOND,
    needs: &[Metric::ScheduleDelay],
    or_else: None,
    limits: &[P99, CONTENDED, UNKNOWN, SAMPLES],
    whole: Some(judge),
    tasks: None,
    retention: Retention::NOTHING,
    source: include_str!("sched_delay.rs"),
};

fn judge(view: &View<'_>, rule: &Rule, output: &mut DetectorOutput) {
    let samples = rule.whole(&SAMPLES);
    let all = view.waits();
    if all.count() < samples {
        let has = Value::Count(all.count());
        return output.set_undecided(format!("needs {samples} polls in 10s, has {has}{}", only_some(view)));
    }
    let p99 = |hist: &Hist| hist.quantile(0.99).filter(|_| hist.count() >= samples).unwrap_or(0);
    let longest = view.sites().iter().max_by_key(|site| p99(&site.short().delta.sched));
    let Some(victim) = longest else { return };
    // What waited while the process was stopped waited for no worker.
    let stopped = SHORT_NS - view.moment.ran_ns(SHORT_NS);
    let wall = p99(all).max(p99(&victim.short().delta.sched)).saturating_sub(stopped);
    let cpu = view.moment.cpu;
    let limit = rule.whole(match cpu.share {
        None => &UNKNOWN,
        Some(_) if cpu.contended() => &CONTENDED,
        Some(_) => &P99,
    });
    let own = cpu.own(wall);
    let newest = newest_p99(view, victim, samples);
    let level = match grade(own as f64, limit as f64, f64::INFINITY) {
        Some(Some(_)) if cpu.own(newest.saturating_sub(stopped)) > limit => Some(Level::Warn),
        Some(_) => None,
        // Long, but through no fault of the code.
        None if cpu.contended() && wall > rule.whole(&P99) => Some(Level::Allow),
        None if own > rule.whole(&P99) => return set_aside(view, rule, wall, victim, output),
        None => return,
    };
    if level == Some(Level::Allow) && own > rule.whole(&P99) {
        set_aside(view, rule, wall, victim, output);
    }
    let by_machine = level == Some(Level::Allow);
    let is_unseen = !by_machine && is_unseen(view);
    let cause = cause(view).filter(|_| !by_machine && !is_unseen);
    let site = cause.as_ref().map_or(victim, |(site, _)| *site);
    output.push(Signal {
        key: if by_machine || is_unseen { FindingKey::Process } else { FindingKey::Site(site.id()) },
        task: None,
        level,
        value: Value::Nanos(if by_machine { wall } else { own }),
        limit: Value::Nanos(if by_machine { rule.whole(&P99) } else { limit }),
        count: Count::Total(view.sites().iter().map(|s| s.view.totals().sched.count_over(limit)).sum()),
        poll: PollFacts::default(),
        headline: headline(view, wall, limit, by_machine),
        why: why(view, wall, victim, cause.as_ref(), is_unseen),
        fix: if is_unseen {
            advice::DELAY_BY_UNSEEN
        } else {
            fix(by_machine, cause.as_ref().map(|(site, _)| *site), limit)
        },
    });
}

/// Why most polls may tell no delay, and what to change; empty if all do.
fn only_some(view: &View<'_>) -> String {
    let capabilities = &view.moment.process.hello().capabilities;
    let said = capabilities.iter().find(|capability| capability.metric == Metric::ScheduleDelay);
    match said.filter(|said| said.coverage == Coverage::Wrapped && !said.reason.is_empty()) {
        Some(said) => format!("; measured only for tasks spawned through pollscope ({})", said.reason),
        None => String::new(),
    }
}

/// Over the limit for a machine that has enough CPU, even without what it withheld.
fn set_aside(
    view: &View<'_>,
    rule: &Rule,
    wall: u64,
    victim: &ObservedSite<'_>,
    output: &mut DetectorOutput,
) {
    let limit = Nanos(rule.whole(&P99));
    let (waits, site) = (Value::Count(view.waits().count()), view.short_site(victim.id()));
    let why = match view.moment.cpu.share {
        None => "whether the machine was short of CPU is not measured".to_owned(),
        Some(share) => format!(
            "the machine was short of CPU ({} of what was wanted), which accounts for {} of it and may for more",
            Value::Ratio(share),
            Nanos(wall.saturating_sub(view.moment.cpu.own(wall)))
        ),
    };
    let reason = format!(
        "1 in 100 of {waits} polls waited {} for a worker in the last 10s (limit {limit}), worst at {site}; {why}",
        Nanos(wall)
    );
    output.set_aside(FindingKey::Process, reason);
}

fn newest_p99(view: &View<'_>, victim: &ObservedSite<'_>, samples: u64) -> u64 {
    let few = samples / 5;
    let of = |hist: &Hist| hist.quantile(0.99).filter(|_| hist.count() >= few).unwrap_or(0);
    let mut all = Hist::new();
    for site in view.sites().iter().filter(|site| !site.short().delta.sched.is_empty()) {
        let newest = site.view.window(NEWEST_NS).delta.sched;
        if site.id() == victim.id() && of(&newest) > 0 {
            return of(&newest).max(of(&all));
        }
        all.merge(&newest);
    }
    of(&all)
}

/// The site that takes most of the workers' time, and its share, if that is half or more.
fn cause<'v, 'a>(view: &'v View<'a>) -> Option<(&'v ObservedSite<'a>, f64)> {
    let busy = |site: &&ObservedSite<'_>| site.short().delta.poll.sum();
    let on_workers = || view.sites().iter().filter(|site| site.holds_worker());
    let total: u64 = on_workers().map(|site| busy(&site)).fold(0, u64::saturating_add);
    let most = on_workers().max_by_key(busy)?;
    let share = busy(&most) as f64 / total.max(1) as f64;
    (share >= CAUSE_SHARE).then_some((most, share))
}

/// Whether the workers are busy with what is not recorded: the body of `block_on`, tasks of a `LocalSet`, tasks past
/// pollscope.
fn is_unseen(view: &View<'_>) -> bool {
    let share = |worker: WorkerView<'_>| worker.rates((SHORT_NS / SECOND) as u32).busy.unwrap_or(0.0);
    let covered_ns = view.moment.process.covered_ns(SHORT_NS).min(SHORT_NS);
    let busy_ns = view.moment.process.workers().map(share).sum::<f64>() * covered_ns as f64;
    let on_workers = view.sites().iter().filter(|site| site.holds_worker());
    let seen_ns = on_workers.map(|site| site.short().delta.poll.sum()).fold(0, u64::saturating_add);
    (seen_ns as f64) < busy_ns * SEEN_SHARE
}

fn headline(view: &View<'_>, wall: u64, limit: u64, by_machine: bool) -> String {
    match view.moment.cpu.share {
        Some(share) if by_machine => format!(
            "1 in 100 polls waits {} for a worker because the machine is short of CPU ({} of what was wanted)",
            Nanos(wall),
            Value::Ratio(share)
        ),
        _ => format!("1 in 100 polls waits {} for a worker (limit {})", Nanos(wall), Nanos(limit)),
    }
}

fn why(
    view: &View<'_>,
    wall: u64,
    victim: &ObservedSite<'_>,
    cause: Option<&(&ObservedSite<'_>, f64)>,
    is_unseen: bool,
) -> String {
    let waits = view.waits();
    let cause = cause.map_or_else(String::new, |(site, share)| {
        let polls = &site.short().delta.poll;
        format!(
            " {} takes {} of all poll time: {} polls of up to {}.",
            view.short_site(site.id()),
            Value::Ratio(*share),
            Value::Count(polls.count()),
            Nanos(polls.max())
        )
    });
    let unseen = if is_unseen {
        " The polls that are recorded are less than a fifth of the time in which the workers were busy: what kept \
         them is not recorded."
    } else {
        ""
    };
    let machine = match view.moment.cpu.share {
        Some(share) if share < 0.99 => {
            format!(" The workers got {} of the CPU time that they wanted.", Value::Ratio(share))
        }
        Some(_) => String::new(),
        None => " Whether the machine was short of CPU is not measured here.".to_owned(),
    };
    format!(
        "In the last 10s {} polls waited, the longest {}; p99 {}, worst at {}.{cause}{unseen}{machine}",
        Value::Count(waits.count()),
        Nanos(waits.max()),
        Nanos(wall),
        view.short_site(victim.id())
    )
}

/// Long polls are to be made shorter; many short ones are to be fewer at a time.
fn fix(by_machine: bool, cause: Option<&ObservedSite<'_>>, limit: u64) -> Advice {
    match cause {
        _ if by_machine => advice::DELAY_BY_MACHINE,
        Some(site) if site.short().delta.poll.max() > limit => advice::DELAY_BY_LONG_POLLS,
        Some(_) => advice::DELAY_BY_MANY_POLLS,
        None => advice::DELAY_BY_LOAD,
    }
}
