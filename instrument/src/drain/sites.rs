//! The sites' totals, and their change since the last tick.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pollscope_model::entity::edge::WakeEdge;
use pollscope_model::entity::site::SiteDelta;
use pollscope_model::hist::{Hist, upper_edge};
use pollscope_model::id::SiteId;

use crate::record::shard::Shards;

/// Totals of every site since the start, by number.
#[derive(Default)]
pub(super) struct Totals {
    said: BTreeMap<u32, SiteDelta>,
    /// Wakes that are in edges, by site.
    woken: HashMap<u32, u64>,
}

impl Totals {
    /// The change of every site that changed since the last call, or of all if it is the `first`. `edges` are
    /// those that changed.
    pub(super) fn changes(&mut self, threads: &[&Shards], edges: &[WakeEdge], first: bool) -> Vec<SiteDelta> {
        self.are_woken(edges);
        let mut changed: BTreeSet<u32> = edges.iter().map(|edge| edge.to.0).collect();
        for shards in threads {
            for (site, shard) in shards.iter() {
                // Always asked, since asking moves the shard's mark.
                if shard.changed() || first {
                    changed.insert(site);
                }
            }
        }
        changed.into_iter().filter_map(|site| self.change(site, threads)).collect()
    }

    /// The same of those sites only, whatever other readers take.
    #[cfg(any(feature = "check", test))]
    pub(super) fn changes_of(
        &mut self,
        sites: &[u32],
        threads: &[&Shards],
        edges: &[WakeEdge],
    ) -> Vec<SiteDelta> {
        self.are_woken(edges);
        sites.iter().filter_map(|site| self.change(*site, threads)).collect()
    }

    fn are_woken(&mut self, edges: &[WakeEdge]) {
        for edge in edges {
            *self.woken.entry(edge.to.0).or_default() += edge.count;
        }
    }

    fn change(&mut self, site: u32, threads: &[&Shards]) -> Option<SiteDelta> {
        let wakes = self.woken.get(&site).copied().unwrap_or(0);
        let mut total = SiteDelta { site: SiteId(site), wakes, ..SiteDelta::default() };
        for shards in threads {
            if let Some(shard) = shards.known(site) {
                shard.add_to(&mut total);
            }
        }
        let delta = match self.said.get(&site) {
            Some(said) => since(&total, said),
            None => total.clone(),
        };
        self.said.insert(site, total);
        (delta != SiteDelta { site: SiteId(site), ..SiteDelta::default() }).then_some(delta)
    }

    /// Every site's totals as of the last tick.
    pub(super) fn all(&self) -> Vec<SiteDelta> {
        self.said.values().cloned().collect()
    }
}

fn since(now: &SiteDelta, before: &SiteDelta) -> SiteDelta {
    SiteDelta {
        site: now.site,
        spawned: now.spawned.saturating_sub(before.spawned),
        completed: now.completed.saturating_sub(before.completed),
        cancelled: now.cancelled.saturating_sub(before.cancelled),
        panicked: now.panicked.saturating_sub(before.panicked),
        ended: now.ended.saturating_sub(before.ended),
        swallowed_panics: now.swallowed_panics.saturating_sub(before.swallowed_panics),
        detached_failures: now.detached_failures.saturating_sub(before.detached_failures),
        outcomes_left: now.outcomes_left.saturating_sub(before.outcomes_left),
        outcomes_taken: now.outcomes_taken.saturating_sub(before.outcomes_taken),
        wakes: now.wakes.saturating_sub(before.wakes),
        self_wakes: now.self_wakes.saturating_sub(before.self_wakes),
        forced_yields: now.forced_yields.saturating_sub(before.forced_yields),
        slow_polls: now.slow_polls.saturating_sub(before.slow_polls),
        max_future_bytes: now.max_future_bytes,
        poll: hist_since(&now.poll, &before.poll),
        sched: hist_since(&now.sched, &before.sched),
        life: hist_since(&now.life, &before.life),
    }
}

/// What was counted between two readings of one histogram.
///
/// The maximum of the interval is exact when it is a new record; else it is the upper edge of the
/// highest bucket that moved, at most 4.4 % above.
fn hist_since(now: &Hist, before: &Hist) -> Hist {
    let mut delta = Hist::new();
    let mut earlier = before.buckets().peekable();
    let mut highest = None;
    for (bucket, count) in now.buckets() {
        while earlier.next_if(|(b, _)| *b < bucket).is_some() {}
        let count = count.saturating_sub(earlier.next_if(|(b, _)| *b == bucket).map_or(0, |(_, n)| n));
        if count > 0 {
            highest = Some(bucket);
            delta.add_bucket(bucket, count);
        }
    }
    let max = match highest {
        Some(_) if now.max() > before.max() => now.max(),
        Some(bucket) => upper_edge(bucket).min(now.max()),
        None => 0,
    };
    delta.add_totals(now.sum().saturating_sub(before.sum()), max);
    delta
}

#[cfg(test)]
mod tests {
    use pollscope_model::entity::edge::Waker;

    use super::*;

    #[test]
    fn a_site_is_woken_as_often_as_its_edges_say() {
        let mut totals = Totals::default();
        let edge = |from, count| WakeEdge { from, to: SiteId(7), count };
        let mut wakes = |edges: &[WakeEdge]| {
            let changes = totals.changes(&[], edges, false);
            changes.iter().map(|site| (site.site.0, site.wakes)).collect::<Vec<_>>()
        };
        assert_eq!(wakes(&[edge(Waker::Runtime, 3), edge(Waker::Site(SiteId(7)), 2)]), [(7, 5)]);
        assert_eq!(wakes(&[]), []);
        assert_eq!(wakes(&[edge(Waker::OtherThread, 1)]), [(7, 1)]);
        assert_eq!(totals.all()[0].wakes, 6);
    }

    #[test]
    fn the_change_of_a_histogram_is_what_was_recorded_in_between() {
        let mut before = Hist::new();
        for value in [10, 20, 5_000_000] {
            before.record(value);
        }
        let mut now = before.clone();
        for value in [20, 300, 4] {
            now.record(value);
        }
        let delta = hist_since(&now, &before);
        assert_eq!((delta.count(), delta.sum()), (3, 324));
        assert!((300..=313).contains(&delta.max()), "{}", delta.max());
        assert!(hist_since(&now, &now).is_empty());
    }
}
