//! Judging a run that has an end, such as a test: what is still there when nothing is to come any more.
//!
//! A service is judged while it runs, by rules that wait: an idle task may yet be woken, a growing number of
//! tasks may yet shrink. At the end of a test the rules need not wait, since the code that could have ended the task is
//! gone. So the same detectors say the same here by state alone, and say so in their manuals.
//!
//! Pure: reads one [`Process`] as it is after the run settled, and nothing else. Called by the owner of the
//! run's session; the judge of a recording has no end to judge by and never calls it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::detect::forgotten_task::{self, usual};
use crate::detect::{advice, lost_waker, self_wake_storm, swallowed_panic, task_leak};
use crate::entity::site::SiteDelta;
use crate::entity::task::{HandleState, TaskKind, TaskRecord, TaskState, WokenBy};
use crate::finding::Finding;
use crate::fingerprint::fingerprint;
use crate::id::{NameId, SiteId};
use crate::level::Level;
use crate::measured::Metric;
use crate::policy::Policy;
use crate::time::{Nanos, SECOND};
use crate::value::Value;
use crate::world::Process;

/// How bad it is what a run leaves behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndingLevels {
    /// A task that is alive, whatever it waits for.
    pub leaks: Level,
    /// A task that nothing can wake.
    pub lost_wakers: Level,
    /// A task that waits for longer than is usual where it was spawned.
    pub forgotten: Level,
    /// A site whose tasks woke themselves instead of waiting.
    pub self_wake: Level,
    /// A panic whose outcome was never taken.
    pub swallowed_panics: Level,
}

/// What is certainly a fault fails; what may be meant to be there is told.
impl Default for EndingLevels {
    fn default() -> Self {
        Self {
            leaks: Level::Warn,
            lost_wakers: Level::Deny,
            forgotten: Level::Warn,
            self_wake: Level::Deny,
            swallowed_panics: Level::Deny,
        }
    }
}

/// Tasks that would be found if the run ended now or after a wait: a run settles until there is none.
pub fn left_behind(process: &Process, levels: &EndingLevels) -> u64 {
    // A wait that is short yet may turn out to be longer than any other.
    let may_become = |task: &TaskRecord| {
        levels.forgotten > Level::Allow && is_waiting(task) && !is_explained(process, task)
    };
    let told = |task: &TaskRecord| {
        is_left(task) && (reason(process, task, *levels).1 > Level::Allow || may_become(task))
    };
    process.tasks().filter(|row| told(&row.record())).count() as u64
}

/// What a run that took `span_ns` and ended now leaves behind, the worst first. Findings at [`Level::Allow`] are
/// left out, and all have the number 0.
pub fn judge(process: &Process, policy: &Policy, levels: &EndingLevels, span_ns: u64) -> Vec<Finding> {
    let sites = sites(process, policy, levels, span_ns);
    let mut findings: Vec<_> = tasks_left(process, levels).chain(sites).collect();
    findings.sort_by(|a, b| (b.level, &a.detector, &a.site).cmp(&(a.level, &b.detector, &b.site)));
    findings
}

/// Tasks that the runtime counts as alive at the end and that were not recorded, since they were spawned past
/// pollscope on a tokio that tells of no task.
pub fn unseen(process: &Process, level: Level, tasks: u64) -> Finding {
    let alive = if tasks == 1 { "1 task".to_owned() } else { format!("{} tasks", Value::Count(tasks)) };
    Finding {
        site: "".into(),
        fingerprint: format!("{} (not seen)", task_leak::ID).into(),
        value: Value::Count(tasks),
        limit: Value::Count(0),
        count: tasks,
        headline: format!("{alive} still alive at the end of the test, spawned past pollscope").into(),
        why: "The runtime counts them; where they were spawned and what they wait for is not measured in this build."
            .into(),
        fix: advice::LEFT_UNSEEN.into(),
        ..finding(process, task_leak::ID, level, SiteId(u32::MAX), "")
    }
}

fn is_left(task: &TaskRecord) -> bool {
    !task.state.is_ended()
        && !task.long_lived
        && matches!(task.kind, TaskKind::Async | TaskKind::Local | TaskKind::Blocking)
}

/// The tasks of one name at one site that are left for the same reason.
struct LeftTasks {
    tasks: u64,
    /// The one that has been quiet for longest.
    example: TaskRecord,
}

fn tasks_left(process: &Process, levels: &EndingLevels) -> impl Iterator<Item = Finding> {
    let now_ns = process.now_ns();
    let mut groups: BTreeMap<(&'static str, SiteId, NameId), LeftTasks> = BTreeMap::new();
    for task in process.tasks().map(|row| row.record()).filter(is_left) {
        let (detector, level) = reason(process, &task, *levels);
        if level == Level::Allow {
            continue;
        }
        match groups.entry((detector, task.site, task.name)) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(LeftTasks { tasks: 1, example: task });
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                let left = place.get_mut();
                left.tasks += 1;
                if task.quiet_ns(now_ns) > left.example.quiet_ns(now_ns) {
                    left.example = task;
                }
            }
        }
    }
    groups.into_iter().map(move |((detector, ..), left)| {
        let (_, level) = reason(process, &left.example, *levels);
        left_finding(process, detector, level, &left)
    })
}

/// Under which detector a task that is left is told: the most special one that is as strict as any. A task that
/// waits for longer than others of its site lived is forgotten rather than leaked.
fn reason(process: &Process, task: &TaskRecord, levels: EndingLevels) -> (&'static str, Level) {
    let waits = is_waiting(task);
    let leak = (task_leak::ID, levels.leaks);
    if waits && task.wakers == 0 {
        return stricter((lost_waker::ID, levels.lost_wakers), leak);
    }
    let forgotten = (forgotten_task::ID, levels.forgotten);
    match waits.then(|| evidence(process, task)) {
        Some(Evidence::Longer) => stricter(forgotten, leak),
        Some(Evidence::None) => stricter(leak, forgotten),
        Some(Evidence::Usual) | None => leak,
    }
}

/// What the other tasks of its site, and its own life, tell of a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Evidence {
    /// Nothing explains it, and no other task of its site ended.
    None,
    /// It is longer than any other task of its site lived.
    Longer,
    /// Such a wait is usual, or what it is for will wake it.
    Usual,
}

/// Whether it is pending, and would be known to have been woken.
fn is_waiting(task: &TaskRecord) -> bool {
    task.state == TaskState::Idle
        && task.polls > 0
        && task.measures(Metric::Wakes)
        && matches!(task.kind, TaskKind::Async | TaskKind::Local)
}

/// Whether something is known that will wake it, however long that takes.
fn is_explained(process: &Process, task: &TaskRecord) -> bool {
    process.awaits_children(task.id) || usual::lacks_only_the_runtime(process, task)
}

/// The wake before a wait does not tell what the wait is for; the whole site does, if anything.
fn evidence(process: &Process, task: &TaskRecord) -> Evidence {
    let totals = process.site(task.site).map(|site| site.totals());
    let usual_ns = totals.map_or(0, |totals| totals.life.max()).max(usual::earlier_waits_ns(task));
    if is_explained(process, task) || task.quiet_ns(process.now_ns()) <= usual_ns {
        Evidence::Usual
    } else if totals.is_some_and(|totals| totals.all_ended() > 0) {
        Evidence::Longer
    } else {
        Evidence::None
    }
}

/// The first, unless the second is stricter.
fn stricter(one: (&'static str, Level), other: (&'static str, Level)) -> (&'static str, Level) {
    if other.1 > one.1 { other } else { one }
}

fn left_finding(process: &Process, detector: &'static str, level: Level, left: &LeftTasks) -> Finding {
    let task = &left.example;
    let now_ns = process.now_ns();
    let quiet = Nanos(task.quiet_ns(now_ns));
    let place = named_site(process, task);
    let alive = match left.tasks {
        1 => "1 task".to_owned(),
        n => format!("{} tasks", Value::Count(n)),
    };
    let (headline, why, fix) = if detector == lost_waker::ID {
        (
            format!("{alive} pending with no waker left: nothing can ever wake it"),
            format!(
                "{} returned pending {quiet} ago, and no waker of it exists: whatever it waits for cannot wake it. \
                 Spawned at {place}.",
                task_text(process, task)
            ),
            advice::LOST_WAKER,
        )
    } else if detector == forgotten_task::ID {
        (
            format!("{alive} still waiting at the end of the test, not woken for {quiet}"),
            format!(
                "{} waits, and a waker of it is held; it was {}. {} Spawned at {place}.",
                task_text(process, task),
                last_woken(task),
                siblings(process, task)
            ),
            advice::FORGOTTEN,
        )
    } else {
        (
            format!("{alive} still alive at the end of the test"),
            format!(
                "{} is {} since {quiet}, {}; its handle {}. {} Spawned at {place}.",
                task_text(process, task),
                task.state.as_str(),
                last_woken(task),
                handle(task),
                siblings(process, task)
            ),
            if task.kind == TaskKind::Blocking { advice::JOB_LEFT_IN_TEST } else { advice::LEFT_IN_TEST },
        )
    };
    Finding {
        task: Some(task.id),
        scope: process.dictionary().name(task.scope),
        task_name: process.dictionary().name(task.name),
        value: Value::Count(left.tasks),
        limit: Value::Count(0),
        count: left.tasks,
        headline: headline.into(),
        why: why.into(),
        fix: fix.into(),
        ..finding(process, detector, level, task.site, &process.dictionary().name(task.name))
    }
}

fn sites<'a>(
    process: &'a Process,
    policy: &'a Policy,
    levels: &'a EndingLevels,
    span_ns: u64,
) -> impl Iterator<Item = Finding> + 'a {
    process.sites().flat_map(move |site| {
        let totals = site.totals();
        let name = process.dictionary().name(process.site_rows(site.id()).name);
        let storm = storm(policy, totals, span_ns).filter(|_| levels.self_wake > Level::Allow).map(|rate| {
            let share = totals.self_wakes as f64 / totals.poll.count().max(1) as f64;
            Finding {
                value: Value::Rate(rate),
                limit: Value::Rate(policy.rule_of(self_wake_storm::ID).map_or(0.0, |rule| {
                    rule.whole(&self_wake_storm::RATE) as f64
                })),
                count: totals.self_wakes,
                headline: format!(
                    "{} self-wakes in {} polls, {} a second: it asks again instead of waiting",
                    Value::Count(totals.self_wakes),
                    Value::Count(totals.poll.count()),
                    Value::Rate(rate)
                )
                .into(),
                why: format!(
                    "{} of all polls of the tasks spawned at {} ended with the task having woken itself. They took \
                     {} of the test's time.",
                    Value::Ratio(share.min(1.0)),
                    process.dictionary().site(site.id()).short(),
                    Nanos(totals.poll.sum())
                )
                .into(),
                fix: advice::SELF_WAKE.into(),
                ..finding(process, self_wake_storm::ID, levels.self_wake, site.id(), &name)
            }
        });
        let panics = totals.swallowed_panics;
        let swallowed = (panics > 0 && levels.swallowed_panics > Level::Allow).then(|| Finding {
            value: Value::Count(panics),
            limit: Value::Count(0),
            count: panics,
            headline: match panics {
                1 => "a task panicked and was never awaited".into(),
                n => format!("{} tasks panicked and were never awaited", Value::Count(n)).into(),
            },
            why: format!(
                "Of {} tasks spawned at {} {} panicked, and no join handle was awaited. The test would have passed.",
                Value::Count(totals.spawned),
                process.dictionary().site(site.id()).short(),
                Value::Count(totals.panicked)
            )
            .into(),
            fix: advice::SWALLOWED_PANIC.into(),
            ..finding(process, swallowed_panic::ID, levels.swallowed_panics, site.id(), &name)
        });
        [storm, swallowed].into_iter().flatten()
    })
}

/// Self-wakes a second over the whole run, if that is a storm.
fn storm(policy: &Policy, totals: &SiteDelta, span_ns: u64) -> Option<f64> {
    let rule = policy.rule_of(self_wake_storm::ID)?;
    let polls = totals.poll.count();
    // A run shorter than a second is a run of a second: a few wakes are no rate.
    let rate = totals.self_wakes as f64 * SECOND as f64 / span_ns.max(SECOND) as f64;
    let share = totals.self_wakes as f64 / polls.max(1) as f64;
    let over = polls >= rule.whole(&self_wake_storm::POLLS)
        && share > rule.ratio(&self_wake_storm::SHARE)
        && rate > rule.whole(&self_wake_storm::RATE) as f64;
    over.then_some(rate)
}

/// A finding at a site, up to its words.
fn finding(process: &Process, detector: &'static str, level: Level, site: SiteId, name: &str) -> Finding {
    let place = process.dictionary().site(site);
    let now = process.now_unix_ns();
    Finding {
        fingerprint: fingerprint(detector, &place.file, name).into(),
        scope: if process.dictionary().is_route(site) { place.file.clone() } else { Arc::from("") },
        site: place.to_string().into(),
        task_name: Arc::from(name),
        process: process.label().clone(),
        first_ns: now,
        last_ns: now,
        open: true,
        ..Finding::new(detector, level)
    }
}

fn task_text(process: &Process, task: &TaskRecord) -> String {
    let name = process.dictionary().name(task.name);
    if name.is_empty() { format!("task {}", task.id) } else { format!("task {} `{name}`", task.id) }
}

fn named_site(process: &Process, task: &TaskRecord) -> String {
    process.dictionary().site_text(task.site).to_string()
}

/// What is known of what it waits for.
fn last_woken(task: &TaskRecord) -> String {
    if !task.measures(Metric::Wakes) {
        return "what it waits for is not measured (tokio's hooks do not see wakes)".to_owned();
    }
    match task.woken_by {
        WokenBy::Unknown => "never woken since it was spawned".to_owned(),
        WokenBy::Task(by) => format!("last woken by task {by}"),
        WokenBy::Itself => "last woken by itself".to_owned(),
        WokenBy::Runtime => {
            "last woken by the runtime (a timer, I/O, a join, or a task that is not recorded)".to_owned()
        }
        WokenBy::OtherThread => "last woken by a thread outside of the runtime".to_owned(),
    }
}

fn handle(task: &TaskRecord) -> &'static str {
    if !task.measures(Metric::Handles) {
        return "is not measured";
    }
    match task.handle {
        HandleState::Held => "is held",
        HandleState::Dropped => "was dropped: it is detached",
        HandleState::Joined => "was given away",
        HandleState::Aborted => "asked it to stop",
    }
}

fn siblings(process: &Process, task: &TaskRecord) -> String {
    let totals = process.site(task.site).map(|site| site.totals());
    match totals.map(|totals| (totals.spawned, totals.all_ended())) {
        Some((spawned, ended)) if spawned > 1 => {
            format!("Of {} tasks of this site {} ended.", Value::Count(spawned), Value::Count(ended))
        }
        _ => "It is the only task of this site.".to_owned(),
    }
}

#[cfg(test)]
mod tests;
