//! blocking-pool-exhausted: jobs wait for a thread of the blocking pool, and none begins.
//!
//! # What
//! Jobs of `spawn_blocking` wait for a thread while all threads of their runtime's pool are taken, and for longer than
//! `still` no job has ended and none has begun.
//!
//! # Why
//! A pool has 512 threads unless `max_blocking_threads` says otherwise. While they are all taken, every further job
//! waits, and with it what needs one inside: files, look-ups of host names, standard input. If the jobs that have the
//! threads wait for jobs in the queue, the service stands still for ever, at no CPU and with idle workers.
//!
//! # Evidence
//! Jobs that are spawned through pollscope: the one that has waited for longest, the newest that has a thread, and the
//! ends of others. Tokio gives a job a new thread while it has fewer than it may have, so that a long wait proves a full
//! pool. A build with `--cfg tokio_unstable` tells of all jobs how many wait and that no thread is idle; of a runtime
//! that was built with `attach` or `#[pollscope::main]` also that none ended. It is a fault if every job that has a
//! thread has itself spawned one that waits for one; else a warning, and the time must be `factor` times what jobs of
//! those sites usually take, too.
//!
//! # Fix
//! Await such jobs in a task, one after the other, or call the inner function where the outer job runs: a job that waits
//! for another one keeps its thread meanwhile. What runs for as long as the service belongs into `std::thread::spawn`.
//! For many jobs that end, take the permit of a `Semaphore` before `spawn_blocking`; more threads only move the limit.
//!
//! # False alarms
//! A pool that is full for a burst, or always, and works off its queue is not reported, whatever its length; nor is one
//! whose jobs usually take that long. Jobs that take long for the first time, in a pool of few threads, look the same as
//! jobs that never end. The limit grows with the CPU that the machine withheld. Where only the length of the queue is
//! known (a runtime that was given to `observe`, on an unstable build), a queue that does not become shorter is told at
//! `allow`. On stock tokio a job that is spawned past pollscope is not seen.

use super::pool::{Pool, pools};
use super::signal::{Count, DetectorOutput, FindingKey, PollFacts, Signal, grade, near};
use super::view::View;
use super::{Detector, Retention, advice};
use crate::level::Level;
use crate::measured::Metric;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::{Nanos, SECOND};
use crate::value::Value;
use crate::world::TaskRow;

const STILL: Limit = Limit::nanos("still", 5 * SECOND, "longest time in which jobs wait and none begins");
const FACTOR: Limit =
    Limit::ratio("factor", 3.0, "and so many times what the jobs that have the threads usually take");

pub(super) static DETECTOR: Detector = Detector {
    id: "blocking-pool-exhausted",
    letter: 'Q',
    level: Level::Deny,
    for_ns: SECOND,
    clear_ns: 5 * SECOND,
    needs: &[Metric::BlockingPool],
    or_else: Some(Metric::BlockingJobs),
    limits: &[STILL, FACTOR],
    whole: Some(judge),
    tasks: None,
    retention: Retention::NOTHING,
    source: include_str!("blocking_pool_exhausted.rs"),
};

fn judge(view: &View<'_>, rule: &Rule, output: &mut DetectorOutput) {
    let still = view.moment.cpu.stretch(rule.whole(&STILL));
    let pools = pools(view.moment, near(still));
    let mut signals: Vec<(u64, Signal)> =
        pools.iter().filter_map(|pool| judge_pool(view, rule, pool, still)).collect();
    // Of pools that are held by jobs of one site, or by jobs that are not seen, the worst.
    signals.sort_by_key(|(ns, signal)| std::cmp::Reverse((signal.level, *ns)));
    let mut keys = Vec::new();
    for (_, signal) in signals {
        if !keys.contains(&signal.key) {
            keys.push(signal.key);
            output.push(signal);
        }
    }
}

fn judge_pool(view: &View<'_>, rule: &Rule, pool: &Pool<'_>, still: u64) -> Option<(u64, Signal)> {
    let process = view.moment.process;
    let stands = pool.stall(view.moment, still)?;
    let for_ever = pool.waits_for_itself(process);
    let usual_ns = if for_ever { 0 } else { pool.usual_ns(process) };
    let limit_ns = still.max((usual_ns as f64 * rule.ratio(&FACTOR)) as u64);
    let level = grade(stands.ns as f64, limit_ns as f64, f64::INFINITY)?.map(|level| {
        match (for_ever, stands.is_sure) {
            (true, _) => Level::Deny,
            (false, true) => level,
            (false, false) => Level::Allow,
        }
    });
    let waiting = pool.waiting(process);
    let jobs =
        if waiting == 1 { "1 job waits".to_owned() } else { format!("{} jobs wait", Value::Count(waiting)) };
    let holder = pool.holder();
    let signal = Signal {
        key: holder.map_or(FindingKey::Process, |(site, ..)| FindingKey::Site(site)),
        task: holder.map(|(.., row)| row.id()),
        level,
        value: Value::Nanos(stands.ns),
        limit: Value::Nanos(limit_ns),
        count: Count::Now(waiting),
        poll: PollFacts::default(),
        headline: format!(
            "{jobs} for a thread, and none is seen to begin for {} (limit {})",
            Nanos(stands.ns),
            Nanos(limit_ns)
        ),
        why: format!(
            "{}{}{} {OTHERS}",
            holds(view, pool),
            waits(view, pool),
            proof(for_ever, stands.is_sure)
        ),
        fix: advice::POOL_EXHAUSTED,
    };
    Some((stands.ns, signal))
}

const OTHERS: &str =
    "Whatever else needs a thread of that pool waits as well: files, look-ups of host names.";

/// Which jobs have the threads.
fn holds(view: &View<'_>, pool: &Pool<'_>) -> String {
    let process = view.moment.process;
    let whose = pool.runtime.map_or_else(|| "a runtime".to_owned(), |id| view.runtime_text(id));
    let threads = pool.threads(process);
    let running = pool.running.len() as u64;
    let Some((site, jobs, row)) = pool.holder() else {
        return match threads {
            Some(n) => {
                format!("All {n} threads of the blocking pool of {whose} are taken, by jobs past pollscope.")
            }
            None => {
                format!("The jobs that have the threads of the blocking pool of {whose} are not seen here.")
            }
        };
    };
    let of = threads
        .map_or_else(|| " threads".to_owned(), |n| format!(" of {} threads", Value::Count(n.max(running))));
    let others = match running - jobs {
        0 => String::new(),
        n => format!(", jobs of other sites {}", Value::Count(n)),
    };
    let newest_ns = pool.running.last().map_or(0, TaskRow::poll_start_ns);
    let since_ns = view.moment.ran_ns(view.moment.now_ns.saturating_sub(newest_ns));
    format!(
        "Jobs of {} hold {}{of} of the blocking pool of {whose}{others}; the newest began {} ago.",
        view.named_site(site, row.name()),
        Value::Count(jobs),
        Nanos(since_ns)
    )
}

/// Which jobs have none.
fn waits(view: &View<'_>, pool: &Pool<'_>) -> String {
    pool.oldest.map_or_else(String::new, |row| {
        let ns = view.moment.ran_ns(row.age_ns(view.moment.now_ns));
        let place = view.short_site(row.site());
        format!(
            " Of those that wait, {} ({place}) has waited for longest, {}.",
            view.task_text(row.id()),
            Nanos(ns)
        )
    })
}

/// What tells that they wait in vain, or that nothing does.
fn proof(for_ever: bool, is_sure: bool) -> &'static str {
    match (for_ever, is_sure) {
        (true, _) => {
            " Each job that has a thread has spawned one that waits for a thread: if it waits for that one, it does so \
             for ever."
        }
        (false, true) => "",
        (false, false) => {
            " Whether jobs end meanwhile is not measured: build the runtime with pollscope::attach or \
             #[pollscope::main]."
        }
    }
}
