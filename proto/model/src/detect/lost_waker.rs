//! lost-waker: a task waits, and nothing that exists can wake it.
//!
//! # What
//! A task's last poll returned pending, it has not been woken since, and no waker of it is alive
//! anywhere.
//!
//! # Why
//! It will never run again. A task that waits for it waits for ever, and what it holds is never released.
//!
//! # Evidence
//! The exact number of living wakers of the task, 0, for longer than `grace` after its last poll.
//!
//! At the end of a test it is judged without `grace`, once the runtime has settled (`lost_wakers`).
//!
//! # Fix
//! A hand-written `poll` that returns `Poll::Pending` must have cloned `cx.waker()` into whatever will
//! make it ready, at every such return and not only at the first. Look for an early `return
//! Poll::Pending`, for a slot that holds one waker where two tasks wait, and for wakers that are dropped
//! with the thing that they waited for.
//!
//! # False alarms
//! `std::future::pending()` that is meant: declare the task long-lived (`pollscope::task("…").long_lived()`). Then this is told at `allow`, and not at all
//! if its waker was never cloned. Exempt are `block_on` bodies and
//! futures that are part of another task, which that task may poll again without a wake. A task that
//! waits for a child or for a channel is not lost, since they hold its waker. Tasks that only tokio's
//! hooks see cannot be judged, since their wakers are not counted.

use super::signal::{Count, Group, Hit, Signal};
use super::view::{Moment, View};
use super::{Detector, Retention, TaskRule, TaskTest, advice};
use crate::entity::task::{TaskKind, TaskState};
use crate::level::Level;
use crate::measured::Metric;
use crate::rule::Rule;
use crate::rule::limit::Limit;
use crate::time::{Nanos, SECOND};
use crate::value::Value;
use crate::world::TaskRow;

const GRACE: Limit = Limit::nanos("grace", SECOND, "longest time without a waker");

/// Its name.
pub(crate) const ID: &str = "lost-waker";

pub(super) static DETECTOR: Detector = Detector {
    id: ID,
    letter: 'W',
    level: Level::Deny,
    for_ns: SECOND,
    clear_ns: 5 * SECOND,
    needs: &[Metric::Wakes],
    or_else: None,
    limits: &[GRACE],
    whole: None,
    tasks: Some(TaskRule { test, due, signal }),
    retention: Retention::NOTHING,
    source: include_str!("lost_waker.rs"),
};

fn test<'a>(moment: Moment<'a>, rule: &Rule) -> TaskTest<'a> {
    let grace = rule.whole(&GRACE);
    Box::new(move |task| {
        let lost = task.wakers == 0
            && task.state == TaskState::Idle
            && task.polls > 0
            && matches!(task.kind, TaskKind::Async | TaskKind::Local)
            && task.measures(Metric::Wakes)
            && !(task.long_lived && task.waker_clones == 0);
        let ns = moment.quiet_ns(task);
        // One that was declared so may wait for ever on purpose, also after other waits.
        let level = if task.long_lived { Level::Allow } else { Level::Deny };
        (lost && ns > grace).then_some(Hit { ns, level: Some(level) })
    })
}

fn due(rule: &Rule, row: TaskRow<'_>) -> Option<u64> {
    let lost = row.wakers() == 0 && row.state() == TaskState::Idle && row.polls() > 0;
    lost.then(|| row.quiet_since_ns().saturating_add(rule.whole(&GRACE)))
}

fn signal(view: &View<'_>, rule: &Rule, group: &Group) -> Signal {
    let grace = rule.whole(&GRACE);
    let record = view.moment.process.task(group.worst);
    let clones = record.map_or(0, |task| task.waker_clones);
    let history = match clones {
        0 => "Its waker was never cloned".to_owned(),
        n => format!("Its waker was cloned {} times, and all of them are dropped", Value::Count(n)),
    };
    Signal {
        headline: format!("pending for {} with no waker left: it can never run again", Nanos(group.ns)),
        why: format!(
            "{} returned pending {} ago. {history}, and it was not woken: nothing that exists can wake it. {} so at \
             {}. What it holds stays held, and who awaits it waits for ever.",
            view.task_text(group.worst),
            Nanos(group.ns),
            if group.tasks == 1 { "1 task is".to_owned() } else { format!("{} tasks are", group.tasks) },
            view.named_site(group.site, group.name)
        ),
        fix: if group.level == Some(Level::Allow) { advice::LOST_WAKER_DECLARED } else { advice::LOST_WAKER },
        ..group.signal(grace, Count::Now(group.tasks))
    }
}
