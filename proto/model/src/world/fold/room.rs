//! The fold's care for room: bytes of sites are counted as they change, and a process that holds too much
//! gives something up. Counts, sums and maxima stay exact.

use std::collections::hash_map::Entry;

use super::super::events::EventStore;
use super::super::process::Process;
use super::super::ring::Ring;
use super::super::site::{Reduction, SiteState};
use crate::id::SiteId;

impl Process {
    /// Changes a site, which is made if it is new, and counts its bytes. A process that holds too much
    /// has its sites give up something as they are told of.
    pub(super) fn change_site<T>(
        &mut self,
        id: SiteId,
        reduction: Reduction,
        change: impl FnOnce(&mut SiteState) -> T,
    ) -> T {
        let mut before = 0;
        let site = match self.sites.entry(id) {
            Entry::Occupied(site) => {
                let site = site.into_mut();
                before = site.held_bytes();
                site
            }
            Entry::Vacant(place) => place.insert(SiteState::new(id)),
        };
        self.reduced_sites += usize::from(reduction > Reduction::None && site.reduction() == Reduction::None);
        site.reduce(reduction);
        let changed = change(site);
        self.site_bytes = self.site_bytes - before + site.held_bytes();
        changed
    }

    /// Counts the bytes of all sites anew.
    pub(super) fn weigh_sites(&mut self) {
        self.site_bytes = self.sites.values().map(SiteState::held_bytes).sum();
        self.reduced_sites = self.sites.values().filter(|site| site.reduction() > Reduction::None).count();
    }

    /// Gives up what can be done without: task rows, single events, the history of its sites. Counts stay.
    pub(in crate::world) fn shrink(&mut self) {
        self.refused.tasks = self.refused.tasks.saturating_add(self.tasks.clear() as u64);
        self.events = EventStore::default();
        self.times = Ring::default();
        for site in self.sites.values_mut() {
            SiteState::reduce(site, Reduction::NoHistory);
        }
        self.weigh_sites();
    }
}
