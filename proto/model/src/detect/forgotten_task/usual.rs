//! What is usual where a task was spawned: how long its siblings live, how long it has waited before, and which
//! wakes it lacks in comparison with them.
//!
//! The wake before the present wait says nothing about the present wait: a task that slept and then waits for a reply
//! was woken last by the runtime's timer. So the whole site is compared, and no single wake. Used by `forgotten-task`,
//! by the rules about jobs and by the judge of a test's end; reads a process and keeps nothing.

use crate::entity::edge::Waker;
use crate::entity::task::TaskRecord;
use crate::hist::Hist;
use crate::id::SiteId;
use crate::world::Process;

/// So many ended tasks of a site that lived long make a long life usual there, however many were short.
const LONG_LIVES: u64 = 3;
/// Below this mean number of wakes by other tasks and by threads, the tasks of a site get none.
const NO_WAKES: f64 = 0.01;
/// How much the number of a task's wakes may differ from its siblings' mean and still be as many.
const TOLERANCE: f64 = 0.25;

/// A length of life that is usual at the site, see [`long`].
pub(in crate::detect) fn life(process: &Process, site: SiteId, samples: u64) -> Option<u64> {
    process.site(site).and_then(|site| long(&site.totals().life, samples))
}

/// What is long and still usual: the 99th percentile, or the third longest if that is longer. `None` of fewer than
/// `samples`.
pub(in crate::detect) fn long(times: &Hist, samples: u64) -> Option<u64> {
    if times.count() < samples {
        return None;
    }
    Some(times.quantile(0.99)?.max(third_longest(times)))
}

fn third_longest(life: &Hist) -> u64 {
    let count = life.count() as f64;
    let rank = (count - LONG_LIVES as f64 + 0.5) / count;
    if rank > 0.0 { life.quantile(rank).unwrap_or(0) } else { 0 }
}

/// How long an idle task has waited in its life before the present wait, all in all.
pub(crate) fn earlier_waits_ns(task: &TaskRecord) -> u64 {
    let until_ns = task.last_poll_end_ns.max(task.spawned_ns);
    until_ns.saturating_sub(task.spawned_ns).saturating_sub(task.busy_ns).saturating_sub(task.scheduled_ns)
}

/// Whether the wakes that the task lacks, in comparison with its siblings, are the runtime's: by timers, sockets and
/// joins. It has got as many wakes by other tasks and by threads as they get in a whole life, and fewer by the
/// runtime; or the tasks of its site get none but the runtime's, and so did this one.
///
/// A quiet connection looks like that. What wakes a task from a task that is not recorded counts as the runtime.
pub(crate) fn lacks_only_the_runtime(process: &Process, task: &TaskRecord) -> bool {
    let (Some(own), Some(site)) = (task.wakes_by(), process.site(task.site)) else { return false };
    let totals = site.totals();
    let by_runtime = |(by, count)| if by == Waker::Runtime { count } else { 0 };
    let runtime = process.wakers_of(task.site).map(by_runtime).fold(0, u64::saturating_add);
    // What found no room among the edges counts as woken by others.
    let others = totals.wakes.saturating_sub(totals.self_wakes).saturating_sub(runtime);
    let mean = |wakes: u64| wakes as f64 / totals.spawned.max(1) as f64;
    let own_others = own.tasks.saturating_add(own.threads);
    if mean(others) < NO_WAKES {
        // Of a single task there is nothing to compare with but its own wakes.
        return totals.spawned > 1 && own.runtime > 0 && own_others == 0;
    }
    let has_all = own_others > 0 && own_others as f64 + TOLERANCE >= mean(others);
    has_all && own.runtime as f64 + TOLERANCE < mean(runtime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_long_lives_among_thousands_are_usual_and_two_are_not() {
        let mut life = Hist::new();
        life.record_n(1_000, 5_000);
        life.record_n(60_000, 2);
        assert!(third_longest(&life) < 2_000);
        life.record(60_000);
        assert!(third_longest(&life) >= 60_000);
        let mut few = Hist::new();
        few.record_n(1_000, 2);
        assert_eq!(third_longest(&few), 0);
    }

    #[test]
    fn earlier_waits_are_without_polls_delays_and_the_present_wait() {
        let task = TaskRecord {
            spawned_ns: 100,
            last_poll_end_ns: 1_100,
            busy_ns: 200,
            scheduled_ns: 50,
            ..TaskRecord::default()
        };
        assert_eq!(earlier_waits_ns(&task), 750);
        assert_eq!(earlier_waits_ns(&TaskRecord { spawned_ns: 100, ..TaskRecord::default() }), 0);
    }
}
