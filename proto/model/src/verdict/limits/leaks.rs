//! `--no-leaks`: what is still alive when nothing will follow.

use super::{LimitFindings, forbidden};
use crate::detect::advice;
use crate::detect::signal::{Count, Signal};
use crate::detect::task_leak;
use crate::detect::view::{ObservedSite, View};
use crate::entity::task::TaskKind;
use crate::measured::Metric;
use crate::time::Nanos;
use crate::value::Value;
use crate::world::TaskRow;

const NAME: &str = "no-leaks";
/// Tasks that are named one by one.
const NAMED: usize = 3;

pub(super) fn judge(view: &View<'_>, ended: bool, judged: &mut LimitFindings) {
    if !judged.check_measured(view, NAME, Metric::Polls) {
        return;
    }
    if !ended {
        return judged.set_undecided(
            NAME,
            "its end was not recorded, so it is unknown what was left: keep the guard of pollscope::init() until \
             the end of main"
                .to_owned(),
        );
    }
    for site in view.sites().iter().filter(|site| site.holds_worker()) {
        let alive = site.short_lived_alive();
        if alive > 0 {
            let signal = left(view, site, alive);
            judged.add_finding(view, task_leak::ID, signal);
        }
    }
}

fn left(view: &View<'_>, site: &ObservedSite<'_>, alive: u64) -> Signal {
    let process = view.moment.process;
    let mut rows: Vec<TaskRow<'_>> = process
        .tasks()
        .filter(|row| row.site() == site.id() && !row.state().is_ended() && !row.long_lived())
        .filter(|row| !matches!(row.kind(), TaskKind::Blocking | TaskKind::BlockOn))
        .collect();
    rows.sort_unstable_by_key(TaskRow::id);
    let one = |row: &TaskRow<'_>| {
        let quiet = process.now_ns().saturating_sub(row.quiet_since_ns());
        format!("{} ({}, for {})", view.task_text(row.id()), row.state().as_str(), Nanos(quiet))
    };
    let named: Vec<String> = rows.iter().take(NAMED).map(one).collect();
    let more = alive.saturating_sub(named.len() as u64);
    let who = match (named.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(" Left: {}.", named.join(", ")),
        (false, more) => format!(" Left: {} and {} more.", named.join(", "), Value::Count(more)),
    };
    let totals = site.view.totals();
    Signal {
        task: rows.first().map(TaskRow::id),
        count: Count::Now(alive),
        headline: match alive {
            1 => "1 task is left at the end".to_owned(),
            n => format!("{} tasks are left at the end", Value::Count(n)),
        },
        why: format!(
            "Of {} tasks spawned at {} {} ended.{who}",
            Value::Count(totals.spawned),
            view.short_site(site.id()),
            Value::Count(totals.all_ended())
        ),
        fix: advice::LEFT,
        ..forbidden(site, Value::Count(alive), Value::Count(0))
    }
}
