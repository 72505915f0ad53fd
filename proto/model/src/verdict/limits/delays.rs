//! `--max-sched-delay`: how long a task that is ready waits for a worker.

use super::{LimitFindings, allowed, forbidden};
use crate::detect::poll_text::Tense;
use crate::detect::signal::{Count, PollFacts, Signal};
use crate::detect::view::{ObservedSite, View};
use crate::detect::{advice, blocking_poll, sched_delay};
use crate::entity::slow_poll::SlowPoll;
use crate::measured::Metric;
use crate::time::Nanos;
use crate::value::Value;

const NAME: &str = "max-sched-delay";

/// No woken task may wait for a worker for longer.
pub(super) fn judge(
    view: &View<'_>,
    limit: u64,
    count_preempted: bool,
    without_cpu_ns: Option<u64>,
    judged: &mut LimitFindings,
) {
    if !judged.check_measured(view, NAME, Metric::ScheduleDelay) {
        return;
    }
    let cpu = view.moment.cpu_minute;
    // Which of the delays it was in is not known.
    let stopped_ns = view.moment.process.stopped_ns(0, u64::MAX);
    let running = |wall: u64| if count_preempted { wall } else { wall.saturating_sub(stopped_ns) };
    let of_runtime = without_cpu_ns.map(|without_cpu_ns| (without_cpu_ns, held_ns(view)));
    let own = |wall: u64| match of_runtime {
        _ if count_preempted => wall,
        Some((without_cpu_ns, held_ns)) => wall.saturating_sub(without_cpu_ns).min(held_ns),
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
        if running(waits.max()) <= limit {
            let waited = Nanos(waits.max());
            let site = view.short_site(site.id());
            let stopped = Nanos(stopped_ns);
            judged.set_aside(
                NAME,
                format!("a task of {site} waited {waited}, but the whole process was stopped for {stopped}"),
            );
            continue;
        }
        if own(running(waits.max())) <= limit {
            let machine = match of_runtime {
                Some((ns, held_ns)) if running(waits.max()).saturating_sub(ns) > limit => format!(
                    "all that ran held its workers for {}, threads of its runtime were without a CPU for {}",
                    Nanos(held_ns),
                    Nanos(ns)
                ),
                Some((ns, _)) => format!("threads of its runtime were without a CPU for {}", Nanos(ns)),
                None => format!("{} of what was wanted", Value::Ratio(cpu.share.unwrap_or(1.0))),
            };
            judged.set_aside(
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
        // Beyond what a poll may take it is the poll's own time that is to be made shorter.
        let poll_limit = limit.min(allowed::LIMIT_NS);
        let facts = blocker.map(|poll| PollFacts::of(poll, poll_limit)).unwrap_or_default();
        let because = blocker.map_or_else(String::new, |poll| {
            format!(
                " The longest wait behind one poll was {}, behind {} of {}{}.",
                Nanos(poll.max_waited_ns.unwrap_or(0)),
                view.task_text(poll.task),
                view.short_site(poll.site),
                view.observation_text(&facts, Tense::Past)
            )
        });
        let signal = Signal {
            count: Count::Total(waits.count_over(limit).max(1)),
            poll: facts,
            headline: format!(
                "{} between a wake and its poll (limit {})",
                Nanos(own(running(waits.max()))),
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
                Some(poll) => blocking_poll::fix(
                    facts.kind,
                    view.site(poll.site).is_some_and(ObservedSite::is_elsewhere),
                ),
                None => advice::DELAY_UNEXPLAINED,
            },
            ..forbidden(site, Value::Nanos(own(running(waits.max()))), Value::Nanos(limit))
        };
        judged.add_finding(view, sched_delay::DETECTOR.id, signal);
    }
}

/// How long what ran on the workers held them, all in all: by the polls that were recorded, time without a CPU taken
/// off, or by what the runtime says, if that is more. No task waited longer for other tasks. What a task waits beyond it
/// goes by the machine's account: a thread that loses its CPU while it holds one of the runtime's own locks delays
/// threads that wait for the lock and not for a CPU.
fn held_ns(view: &View<'_>) -> u64 {
    let Some((_, work)) = view.moment.process.work() else { return u64::MAX };
    let polls = view.sites().iter().filter(|site| site.holds_worker());
    let polled_ns = polls.map(|site| site.view.own_poll_times().sum()).fold(0, u64::saturating_add);
    polled_ns.max(work.busy_ns.saturating_sub(work.preempted_ns.unwrap_or(0)))
}

/// The poll behind which a task waited the longest, if that is long enough to explain a delay.
fn blocker<'a>(view: &View<'a>, least_ns: u64) -> Option<&'a SlowPoll> {
    let polls = view.moment.process.sites().flat_map(|site| site.slow_polls());
    polls
        .filter(|poll| poll.max_waited_ns.is_some_and(|ns| ns >= least_ns))
        .max_by_key(|poll| poll.max_waited_ns)
}
