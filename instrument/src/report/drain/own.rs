//! The sites of sessions under the process's own numbers: a reader of the whole process sees one site
//! for one line, whichever sessions spawn at it.

use std::collections::HashMap;
use std::hash::Hash;

use pollscope_model::entity::edge::{WakeEdge, Waker};
use pollscope_model::entity::event::{Event, EventBlock};
use pollscope_model::report::Report;
use pollscope_recorder::intern::{self, own};

/// Renumbers a report.
pub(super) fn of_all(report: &mut Report) {
    if !intern::has_sessions() {
        return;
    }
    report.tasks.iter_mut().for_each(|task| task.site = own(task.site));
    report.slow_polls.iter_mut().for_each(|poll| poll.site = own(poll.site));
    report.stalls.iter_mut().for_each(|stall| stall.site = stall.site.map(own));
    report.sites.iter_mut().for_each(|site| site.site = own(site.site));
    merge(&mut report.sites, |site| site.site, |site, other| site.merge(&other));
    for edge in &mut report.edges {
        edge.to = own(edge.to);
        if let Waker::Site(from) = &mut edge.from {
            *from = own(*from);
        }
    }
    merge(&mut report.edges, WakeEdge::key, |edge, other| edge.count += other.count);
    report.edges.sort_unstable_by_key(WakeEdge::key);
}

/// Renumbers single events.
pub(super) fn of_events(blocks: &mut [EventBlock]) {
    if !intern::has_sessions() {
        return;
    }
    for event in blocks.iter_mut().flat_map(|block| &mut block.events) {
        if let Event::Poll { site, .. } = event {
            *site = own(*site);
        }
    }
}

/// Merges those of one key into the first of them.
fn merge<T, K: Hash + Eq>(all: &mut Vec<T>, key: impl Fn(&T) -> K, add: impl Fn(&mut T, T)) {
    let mut places: HashMap<K, usize> = HashMap::with_capacity(all.len());
    let mut merged: Vec<T> = Vec::with_capacity(all.len());
    for one in all.drain(..) {
        if let Some(at) = places.get(&key(&one)) {
            add(&mut merged[*at], one);
        } else {
            places.insert(key(&one), merged.len());
            merged.push(one);
        }
    }
    *all = merged;
}
