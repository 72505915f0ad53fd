//! The sites' totals, and their change since the last tick.

#[cfg(any(feature = "check", test))]
use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};

use pollscope_model::entity::edge::WakeEdge;
use pollscope_model::entity::site::SiteDelta;
use pollscope_model::id::SiteId;
#[cfg(any(feature = "check", test))]
use pollscope_recorder::shard::since;
use pollscope_recorder::shard::{Lost, Shards};
use pollscope_recorder::thread::Changed;

/// Totals of every site since the start, by number.
#[derive(Default)]
pub(super) struct Totals {
    said: BTreeMap<u32, SiteDelta>,
    lost: Lost,
    /// Wakes that are in edges, by site. Of a session: of all, they are in what was said.
    #[cfg(any(feature = "check", test))]
    woken: HashMap<u32, u64>,
}

impl Totals {
    /// The change of every site that changed since the last call on the threads that counted something, or all of it if
    /// it is the `first`. `edges` are those that changed.
    pub(super) fn changes(
        &mut self,
        threads: &Changed<'_>,
        edges: &[WakeEdge],
        first: bool,
    ) -> Vec<SiteDelta> {
        let mut changed: BTreeMap<u32, SiteDelta> = BTreeMap::new();
        for edge in edges {
            changed.entry(edge.to.0).or_default().wakes += edge.count;
        }
        for (site, shard) in threads.shards().flat_map(Shards::iter) {
            if let Some(count) = shard.take_change(first) {
                changed.entry(site).or_default().merge(&count.site);
                self.lost.add(count.lost);
            }
        }
        let is_new = |site: &SiteDelta| *site != SiteDelta { site: site.site, ..SiteDelta::default() };
        let numbered =
            changed.into_iter().map(|(number, change)| SiteDelta { site: SiteId(number), ..change });
        let changes: Vec<_> = numbered.filter(is_new).collect();
        for change in &changes {
            match self.said.entry(change.site.0) {
                Entry::Occupied(mut said) => said.get_mut().merge(change),
                Entry::Vacant(place) => _ = place.insert(change.clone()),
            }
        }
        changes
    }

    /// What was lost since the start.
    pub(super) fn lost(&self) -> Lost {
        self.lost
    }

    /// The change of those sites only, whatever other readers take.
    #[cfg(any(feature = "check", test))]
    pub(super) fn changes_of(
        &mut self,
        sites: &[u32],
        threads: &[&Shards],
        edges: &[WakeEdge],
    ) -> Vec<SiteDelta> {
        for edge in edges {
            *self.woken.entry(edge.to.0).or_default() += edge.count;
        }
        sites.iter().filter_map(|site| self.change(*site, threads)).collect()
    }

    #[cfg(any(feature = "check", test))]
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

#[cfg(test)]
mod tests {
    use pollscope_model::entity::edge::Waker;

    use super::*;

    #[test]
    fn a_site_is_woken_as_often_as_its_edges_say() {
        let mut totals = Totals::default();
        let edge = |from, count| WakeEdge { from, to: SiteId(7), count };
        let mut wakes = |edges: &[WakeEdge]| {
            let changes = totals.changes(&Changed::none(), edges, false);
            changes.iter().map(|site| (site.site.0, site.wakes)).collect::<Vec<_>>()
        };
        assert_eq!(wakes(&[edge(Waker::Runtime, 3), edge(Waker::Site(SiteId(7)), 2)]), [(7, 5)]);
        assert_eq!(wakes(&[]), []);
        assert_eq!(wakes(&[edge(Waker::OtherThread, 1)]), [(7, 1)]);
        assert_eq!(totals.all()[0].wakes, 6);
    }
}
