//! The lanes: for each worker and column the poll that took most of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{DIGITS, Lane, LaneCell, Lanes, Tally, Window, open_polls};
use crate::entity::event::Event;
use crate::id::{SiteId, WorkerId};
use crate::world::Process;

/// Whose lane: a worker's, or that of a thread that is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LaneOwner {
    Worker(WorkerId),
    Thread(usize),
}

/// What took most of a column so far.
#[derive(Clone, Copy, Default)]
struct LaneMost {
    ns: u64,
    site: SiteId,
    /// When the poll began, which tells it from its neighbours.
    start_ns: u64,
    any: bool,
}

pub(super) fn build(process: &Process, window: Window, first: usize, most: u32, tally: &mut Tally) -> Lanes {
    let mut rows: BTreeMap<LaneOwner, Vec<LaneMost>> = BTreeMap::new();
    let mut busy: BTreeMap<SiteId, u64> = BTreeMap::new();
    for worker in process.workers() {
        rows.insert(LaneOwner::Worker(worker.id()), vec![LaneMost::default(); window.columns]);
    }
    let mut add = |owner: LaneOwner, event: &Event, open: bool| {
        let Event::Poll { site, start_ns, .. } = *event else { return };
        let end_ns = event.end_ns();
        if start_ns >= window.to_ns || end_ns < window.from_ns {
            return;
        }
        tally.see(process, event, open);
        let row = rows.entry(owner).or_insert_with(|| vec![LaneMost::default(); window.columns]);
        for (column, ns) in window.columns_of(start_ns, end_ns) {
            let cell = &mut row[column];
            // Of two that take as much the later one: the poll round the other ends last.
            if !cell.any || ns >= cell.ns {
                *cell = LaneMost { ns, site, start_ns, any: true };
            }
            *busy.entry(site).or_default() += ns;
        }
    };
    for (thread, track) in process.tracks().enumerate() {
        for event in track.ended_after(window.from_ns) {
            if let Event::Poll { worker, .. } = event {
                add(worker.map_or(LaneOwner::Thread(thread), LaneOwner::Worker), event, false);
            }
        }
    }
    for (task, since, worker) in open_polls(process) {
        let site = process.task(task).map_or(SiteId(u32::MAX), |task| task.site);
        let wall_ns = process.now_ns().saturating_sub(since);
        let event = Event::Poll { task, site, start_ns: since, wall_ns, worker: Some(worker) };
        add(LaneOwner::Worker(worker), &event, true);
    }
    let digits = digits(&busy);
    let known = window.known(process);
    let several = process.runtimes().count() > 1;
    let total = rows.len();
    let lanes: Vec<Lane> = rows
        .into_iter()
        .skip(first)
        .take(most as usize)
        .map(|(owner, row)| Lane {
            label: label(process, owner, several),
            cells: cells(&row, &known, &digits),
        })
        .collect();
    let sites = digits.iter().map(|site| process.dictionary().site_text(*site)).collect();
    Lanes { more: total.saturating_sub(first + lanes.len()) as u64, lanes, sites }
}

/// The sites that took most, in an order that does not change while they stay the same.
fn digits(busy: &BTreeMap<SiteId, u64>) -> Vec<SiteId> {
    let mut sites: Vec<(u64, SiteId)> = busy.iter().map(|(site, ns)| (*ns, *site)).collect();
    sites.sort_by(|a, b| b.cmp(a));
    let kept: BTreeSet<SiteId> = sites.into_iter().take(DIGITS).map(|(_, site)| site).collect();
    kept.into_iter().collect()
}

fn label(process: &Process, owner: LaneOwner, several: bool) -> Arc<str> {
    match owner {
        LaneOwner::Worker(id) => {
            let runtime = process.runtime(id.runtime).filter(|_| several);
            let name = runtime.map(|runtime| process.dictionary().name(runtime.record().name));
            match name.filter(|name| !name.is_empty()) {
                Some(name) => format!("{name} w{}", id.index).into(),
                None => format!("w{}", id.index).into(),
            }
        }
        LaneOwner::Thread(number) => format!("thread {number}").into(),
    }
}

fn cells(row: &[LaneMost], known: &[bool], digits: &[SiteId]) -> Vec<LaneCell> {
    let mut before: Option<LaneMost> = None;
    row.iter()
        .zip(known)
        .map(|(most, known)| {
            let cell = if most.any {
                let same = before.is_some_and(|before| before.any && before.start_ns == most.start_ns);
                let digit = digits.iter().position(|site| *site == most.site).unwrap_or(DIGITS);
                LaneCell::Poll { site: digit as u8, same }
            } else if *known {
                LaneCell::Blank
            } else {
                LaneCell::Unknown
            };
            before = Some(*most);
            cell
        })
        .collect()
}
