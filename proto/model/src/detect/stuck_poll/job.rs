//! Jobs of the blocking pool that have run for far longer than is usual at their site. A job holds no worker and many
//! are meant to live as long as the service, so that only siblings which end tell that this one does not.
//!
//! Part of `stuck-poll`, whose manual speaks of them; keeps nothing.

use super::super::advice;
use super::super::forgotten_task::usual;
use super::super::signal::{Count, Group, Hit, Signal, grade, near};
use super::super::view::{Moment, View};
use super::identity;
use crate::entity::task::TaskRecord;
use crate::id::SiteId;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::{Nanos, SECOND};
use crate::world::{Process, TaskRow};

pub(super) const JOB: Limit = Limit::nanos("job", 60 * SECOND, "longest job of spawn_blocking");
pub(super) const JOB_FACTOR: Limit =
    Limit::ratio("job-factor", 10.0, "and so many times what jobs of its site usually take");
/// So many jobs of a site have ended before one is compared with them.
const SAMPLES: u64 = 20;

/// What jobs of the site usually take at most, if enough of them have ended.
fn usual_ns(process: &Process, site: SiteId) -> Option<u64> {
    usual::long(&process.site(site)?.totals().poll, SAMPLES)
}

fn limit_ns(usual_ns: u64, rule: &Rule) -> u64 {
    rule.whole(&JOB).max((usual_ns as f64 * rule.ratio(&JOB_FACTOR)) as u64)
}

pub(super) fn test(moment: Moment<'_>, rule: &Rule, task: &TaskRecord) -> Option<Hit> {
    let ns = moment.ran_ns(task.current_poll_ns(moment.now_ns)?);
    if task.long_lived || ns < near(rule.whole(&JOB)) {
        return None;
    }
    let limit_ns = moment.cpu.stretch(limit_ns(usual_ns(moment.process, task.site)?, rule));
    Some(Hit { ns, level: grade(ns as f64, limit_ns as f64, f64::INFINITY)? })
}

pub(super) fn due(rule: &Rule, row: TaskRow<'_>) -> Option<u64> {
    let start_ns = row.poll_start_ns();
    (start_ns > 0 && !row.long_lived()).then(|| start_ns.saturating_add(near(rule.whole(&JOB))))
}

pub(super) fn signal(view: &View<'_>, rule: &Rule, group: &Group) -> Signal {
    let usual_ns = usual_ns(view.moment.process, group.site).unwrap_or(0);
    let limit_ns = limit_ns(usual_ns, rule);
    let so = match group.tasks {
        1 => "it is the only one".to_owned(),
        jobs => format!("{jobs} are so"),
    };
    Signal {
        headline: format!("a job has been running for {} (limit {})", Nanos(group.ns), Nanos(limit_ns)),
        why: format!(
            "{} of {} has a thread of the blocking pool since {}; {so} there, where jobs rarely take longer than {}. \
             What awaits it waits as long.",
            view.task_text(group.worst),
            view.named_site(group.site, group.name),
            Nanos(group.ns),
            Nanos(usual_ns)
        ),
        fix: advice::STUCK_JOB,
        ..group.signal(limit_ns, Count::Event(identity(group.worst, 1)))
    }
}
