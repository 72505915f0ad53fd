//! From a question to its answer: the one place that knows which table and which builder serve it.

use std::sync::Arc;

use super::ask::{Answer, Ask};
use super::column::Kind;
use super::findings::FindingItem;
use super::flag::FindingSource;
use super::page::{Meta, Page, Query, Scope};
use super::processes::ProcessItem;
use super::run::QueryError;
use super::shortlist::Shortlists;
use super::tasks::TaskItem;
use super::workers::WorkerItem;
use super::{findings, flight, overview, processes, run, site_detail, sites, task_detail, tasks, workers};
use crate::entity::presence::Presence;
use crate::id::BootId;
use crate::level::Level;
use crate::world::{Process, World};

/// Answers a question about a world whose findings the source holds.
///
/// Never fails: what cannot be answered is [`Answer::No`] with the reason.
pub fn answer(world: &World, source: &dyn FindingSource, ask: &Ask, now_unix_ns: u64) -> Answer {
    answer_by(world, source, None, ask, now_unix_ns)
}

/// The same answer for a question that is asked repeatedly: for pages of very many tasks it costs mostly what changed
/// since. The lists are of this world alone.
pub(crate) fn answer_again(
    world: &World,
    source: &dyn FindingSource,
    lists: &Shortlists,
    ask: &Ask,
    now_unix_ns: u64,
) -> Answer {
    answer_by(world, source, Some(lists), ask, now_unix_ns)
}

fn answer_by(
    world: &World,
    source: &dyn FindingSource,
    lists: Option<&Shortlists>,
    ask: &Ask,
    now_unix_ns: u64,
) -> Answer {
    let told = match ask {
        Ask::Page(query) => page(world, source, lists, query, now_unix_ns).map(Answer::Page),
        Ask::Task(boot, task) => process(world, *boot).map(|process| {
            let detail = task_detail::build(process, source, *task);
            detail.map_or_else(
                || no(format!("task {task} of {} is over and no longer remembered", process.label())),
                |detail| Answer::Task(Box::new(detail)),
            )
        }),
        Ask::Site(scope, text) => in_scope(world, *scope).map(|processes| {
            let detail = site_detail::build(&processes, source, text);
            detail.map_or_else(
                || no(format!("no process in scope has a spawn site `{text}`")),
                |detail| Answer::Site(Box::new(detail)),
            )
        }),
        Ask::Finding(number) => {
            let mut all = world.processes().flat_map(|process| source.findings(process.boot()));
            Ok(all.find(|finding| finding.number == *number).map_or_else(
                || no(format!("finding {number} is not known (any more)")),
                |finding| Answer::Finding(Box::new(finding.clone())),
            ))
        }
        Ask::Overview(scope) => in_scope(world, *scope)
            .map(|processes| Answer::Overview(Box::new(overview::build(&processes, source, now_unix_ns)))),
        Ask::Flight(query) => process(world, query.boot).map(|process| flight::build(process, query)),
    };
    told.unwrap_or_else(|error| no(error.to_string()))
}

fn no(why: String) -> Answer {
    Answer::No(why.into())
}

fn page(
    world: &World,
    source: &dyn FindingSource,
    lists: Option<&Shortlists>,
    query: &Query,
    now_unix_ns: u64,
) -> Result<Page, QueryError> {
    let scope = in_scope(world, query.scope)?;
    let meta = meta(&scope);
    match query.kind {
        Kind::Processes => {
            let item = |process| {
                let (level, findings) = trouble(source, Process::boot(process));
                ProcessItem { process, level, findings, now_unix_ns }
            };
            run::page(query, meta, processes::FIELDS, || scope.iter().copied().map(item))
        }
        Kind::Tasks => {
            let listed = lists.map(|lists| lists.page(query, &meta, &scope, source)).transpose()?;
            if let Some(page) = listed.flatten() {
                return Ok(page);
            }
            let items = || {
                scope.iter().copied().flat_map(|process| {
                    let flagged = source.flagged(process.boot());
                    process.tasks().map(move |task| {
                        let flag = flagged.and_then(|flagged| flagged.get(&task.id()));
                        TaskItem { process, task, flag }
                    })
                })
            };
            run::page(query, meta, tasks::FIELDS, items)
        }
        Kind::Sites => {
            let items = || sites::collect(scope.iter().copied(), source).into_iter();
            run::page(query, meta, sites::FIELDS, items)
        }
        Kind::Workers => {
            let items = || {
                scope
                    .iter()
                    .copied()
                    .flat_map(|process| process.workers().map(move |worker| WorkerItem { process, worker }))
            };
            run::page(query, meta, workers::FIELDS, items)
        }
        Kind::Findings => {
            let items = || {
                let of = |process: &&Process| source.findings(process.boot());
                scope.iter().flat_map(of).map(|finding| FindingItem { finding })
            };
            run::page(query, meta, findings::FIELDS, items)
        }
    }
}

/// The worst open finding of a process, and how many are at warn or deny.
pub(super) fn trouble(source: &dyn FindingSource, boot: BootId) -> (Option<Level>, u64) {
    let open = source.findings(boot).into_iter().filter(|finding| finding.open);
    open.fold((None, 0), |(worst, count), finding| {
        (worst.max(Some(finding.level)), count + u64::from(finding.level > Level::Allow))
    })
}

fn process(world: &World, boot: BootId) -> Result<&Process, QueryError> {
    world.process(boot).ok_or(QueryError::UnknownProcess(boot))
}

fn in_scope(world: &World, scope: Scope) -> Result<Vec<&Process>, QueryError> {
    match scope {
        Scope::All => Ok(world.processes().collect()),
        Scope::Process(boot) => process(world, boot).map(|process| vec![process]),
    }
}

/// The most that one process adds to a sum of losses: one that claims more would hide what the others lost.
const MOST_LOST: u64 = u32::MAX as u64;

/// What every answer says of its source.
pub(super) fn meta(scope: &[&Process]) -> Meta {
    let source: Arc<str> = match scope {
        [one] => one.label().clone(),
        many => format!("{} processes", many.len()).into(),
    };
    let presence = |wanted| scope.iter().any(|process| process.presence() == wanted);
    Meta {
        now_unix_ns: scope.iter().map(|process| process.now_unix_ns()).max().unwrap_or(0),
        source,
        presence: match () {
            () if presence(Presence::Live) => Presence::Live,
            () if presence(Presence::Stale) => Presence::Stale,
            () if presence(Presence::Gone) => Presence::Gone,
            () => Presence::default(),
        },
        mode: scope.iter().map(|process| process.hello().mode).max().unwrap_or_default(),
        lost: scope.iter().fold(0, |lost, process| lost.saturating_add(process.lost().min(MOST_LOST))),
        processes: scope.len() as u64,
        loading: loading(scope),
    }
}

/// How much is in of the processes that still tell their state for the first time. For one that fell silent
/// over it no viewer should wait; the notes say what it told.
fn loading(scope: &[&Process]) -> Option<u8> {
    let live = scope.iter().filter(|process| process.presence() == Presence::Live);
    let parts = live.filter_map(|process| process.loading());
    let (known, all, unheard) = parts.fold((0, 0, false), |(known, all, unheard), (part, parts)| {
        (known + u64::from(part), all + u64::from(parts.max(1)), unheard || part == 0)
    });
    let percent = if unheard { 0 } else { (known * 100).checked_div(all)?.clamp(1, 99) };
    (all > 0).then_some(percent as u8)
}
