//! The timeline of one task: running, waiting to be polled, idle, and its wakes.

use super::{Tally, TimeCell, Timeline, Window, open_polls};
use crate::entity::event::Event;
use crate::entity::task::{TaskKind, TaskRecord};
use crate::id::{SiteId, TaskId};
use crate::measured::{Metric, Mode};
use crate::world::{EventTrack, Process};

/// Nanoseconds per state in one column.
#[derive(Clone, Copy, Default)]
struct ColumnSums {
    running: u64,
    sched: u64,
    polls: u32,
    wakes: u32,
}

pub(super) fn build(process: &Process, window: Window, id: TaskId, tally: &mut Tally) -> Timeline {
    let task = process.task(id);
    let task = task.as_ref();
    // A wake before the window may lead to a poll inside: look a little further back.
    let since = window.from_ns.saturating_sub(window.to_ns - window.from_ns);
    let mut events: Vec<(Event, bool)> = process
        .tracks()
        .flat_map(|track| track.ended_after(since))
        .filter(|event| event.task() == id)
        .map(|event| (*event, false))
        .collect();
    if let Some((_, start_ns, worker)) = open_polls(process).find(|(task, ..)| *task == id) {
        let wall_ns = process.now_ns().saturating_sub(start_ns);
        let site = task.map_or(SiteId(u32::MAX), |task| task.site);
        events.push((Event::Poll { task: id, site, start_ns, wall_ns, worker: Some(worker) }, true));
    }
    events.sort_by_key(|(event, _)| begin_ns(event));
    let mut sums = vec![ColumnSums::default(); window.columns];
    let mut woken: Option<u64> = task.and_then(|task| scheduled_by_spawn(process, task));
    let mut last_end = 0;
    for (event, open) in &events {
        match *event {
            Event::Wake { at_ns, .. } => {
                woken = woken.or(Some(at_ns));
                if let Some(column) = window.column_at(at_ns) {
                    sums[column].wakes = sums[column].wakes.saturating_add(1);
                }
            }
            Event::Poll { start_ns, .. } => {
                let end_ns = event.end_ns();
                if let Some(woken) = woken.take() {
                    // A wake during a poll waits from that poll's end.
                    let since = woken.max(last_end);
                    window.columns_of(since, start_ns.max(since)).for_each(|(at, ns)| sums[at].sched += ns);
                }
                if start_ns < window.to_ns && end_ns >= window.from_ns {
                    tally.see(process, event, *open);
                }
                window.columns_of(start_ns, end_ns).for_each(|(at, ns)| sums[at].running += ns.max(1));
                if let Some(column) = window.column_at(start_ns) {
                    sums[column].polls = sums[column].polls.saturating_add(1);
                }
                last_end = last_end.max(end_ns);
            }
        }
    }
    let now_ns = process.now_ns();
    if let Some(woken) = woken.filter(|_| task.is_some_and(|task| task.ended_ns == 0)) {
        let since = woken.max(last_end);
        window.columns_of(since, now_ns.max(since)).for_each(|(at, ns)| sums[at].sched += ns);
    }
    // Of a task that is no longer known it is unknown when it was idle.
    let mut alive = vec![0; window.columns];
    if let Some(task) = task {
        let end_ns = if task.ended_ns > 0 { task.ended_ns } else { now_ns };
        let life = window.columns_of(task.spawned_ns, end_ns.max(task.spawned_ns));
        life.for_each(|(at, ns)| alive[at] = ns);
    }
    let share = |ns: u64| match ns {
        0 => 0,
        ns => (u128::from(ns) * 1_000 / u128::from(window.column_ns)).clamp(1, 1_000) as u16,
    };
    let cells = sums.iter().zip(alive).zip(window.known(process)).map(|((sums, alive), known)| {
        let idle = alive.saturating_sub(sums.running).saturating_sub(sums.sched);
        TimeCell {
            known,
            running: share(sums.running),
            sched: share(sums.sched),
            idle: if known { share(idle) } else { 0 },
            polls: sums.polls,
            wakes: sums.wakes,
        }
    });
    Timeline {
        cells: cells.collect(),
        wakes_seen: task
            .map_or(process.measures_for_some(Metric::Wakes), |task| task.measures(Metric::Wakes)),
    }
}

fn begin_ns(event: &Event) -> u64 {
    match event {
        Event::Poll { start_ns, .. } => *start_ns,
        Event::Wake { at_ns, .. } => *at_ns,
    }
}

/// The spawn itself schedules the first poll, if all since then was recorded.
fn scheduled_by_spawn(process: &Process, task: &TaskRecord) -> Option<u64> {
    let covers = |track: &EventTrack| track.spans().next().is_some_and(|(from, _)| from <= task.spawned_ns);
    let spawned = !matches!(task.kind, TaskKind::Future | TaskKind::Request | TaskKind::BlockOn);
    let seen = spawned && task.mode == Mode::Wrap && process.tracks().all(covers);
    seen.then_some(task.spawned_ns)
}
