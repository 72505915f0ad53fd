//! One thread's share of the sites' counters and histograms. The thread writes with plain stores;
//! the drain adds the threads' shares up. Rooms are made when a site is first used on the thread.

use std::sync::atomic::{AtomicU64, Ordering};

use pollscope_model::entity::site::SiteDelta;

use super::hist::HistShard;
use super::intern::NO_SITE;
use super::room::Room;
use super::tally::Tally;

const PAGE: usize = 256;
const PAGES: usize = NO_SITE as usize / PAGE + 1;

type Page = [Room<SiteShard>; PAGE];

/// All sites of one thread.
pub(crate) struct Shards {
    /// What most services have, one load away.
    first: Page,
    pages: Box<[Room<Page>; PAGES]>,
}

impl Shards {
    /// No site yet; 4 KiB.
    pub(crate) fn new() -> Self {
        Self { first: [const { Room::empty() }; PAGE], pages: Box::new([const { Room::empty() }; PAGES]) }
    }

    /// The site's share; made on the thread's first use of the site.
    #[inline]
    pub(crate) fn site(&self, site: u32) -> &SiteShard {
        match self.first.get(site as usize) {
            Some(room) => room.get_or_make(Box::default),
            None => self.later(site),
        }
    }

    fn later(&self, site: u32) -> &SiteShard {
        let site = site.min(NO_SITE) as usize;
        let page = self.pages[site / PAGE].get_or_make(|| Box::new([const { Room::empty() }; PAGE]));
        page[site % PAGE].get_or_make(Box::default)
    }

    /// The site's share if the thread ever used it.
    pub(crate) fn known(&self, site: u32) -> Option<&SiteShard> {
        let site = site.min(NO_SITE) as usize;
        match self.first.get(site) {
            Some(room) => room.get(),
            None => self.pages[site / PAGE].get()?[site % PAGE].get(),
        }
    }

    /// Every share that exists.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &SiteShard)> {
        let later = self.pages.iter().enumerate().filter_map(|(at, page)| Some((at, page.get()?)));
        [(0, &self.first)].into_iter().chain(later).flat_map(|(at, page)| {
            page.iter()
                .enumerate()
                .filter_map(move |(inner, shard)| Some(((at * PAGE + inner) as u32, shard.get()?)))
        })
    }
}

/// One site on one thread. It shares no cache line with another thread's.
#[derive(Default)]
#[repr(C, align(64))]
pub(crate) struct SiteShard {
    pub(crate) poll: HistShard,
    pub(crate) sched: HistShard,
    pub(crate) life: HistShard,
    pub(crate) spawned: Tally,
    pub(crate) completed: Tally,
    pub(crate) cancelled: Tally,
    pub(crate) panicked: Tally,
    pub(crate) ended: Tally,
    pub(crate) swallowed_panics: Tally,
    pub(crate) detached_failures: Tally,
    /// Wakes that are in no edge.
    pub(crate) edgeless_wakes: Tally,
    pub(crate) self_wakes: Tally,
    pub(crate) forced_yields: Tally,
    pub(crate) slow_polls: Tally,
    /// Tasks that got no record, whose end had no room for a row, and slow polls without evidence.
    pub(crate) uncounted: Tally,
    pub(crate) ends_unsaid: Tally,
    pub(crate) evidence_lost: Tally,
    pub(crate) max_future_bytes: Tally,
    /// The drain's own: the sum at its last visit.
    seen: AtomicU64,
}

impl SiteShard {
    /// Whether anything was recorded since the last call. For the drain.
    pub(crate) fn changed(&self) -> bool {
        // Every counter only grows, so that the sum stands still exactly when all do.
        let sum = [
            &self.spawned,
            &self.completed,
            &self.cancelled,
            &self.panicked,
            &self.ended,
            &self.swallowed_panics,
            &self.edgeless_wakes,
            &self.forced_yields,
        ]
        .map(Tally::get)
        .into_iter()
        .chain([self.poll.count(), self.sched.count(), self.life.count()])
        .fold(0u64, u64::wrapping_add);
        self.seen.swap(sum, Ordering::Relaxed) != sum
    }

    /// Adds this share to a site's totals, but for the wakes that the edges count. For the drain.
    pub(crate) fn add_to(&self, total: &mut SiteDelta) {
        total.spawned += self.spawned.get();
        total.completed += self.completed.get();
        total.cancelled += self.cancelled.get();
        total.panicked += self.panicked.get();
        total.ended += self.ended.get();
        total.swallowed_panics += self.swallowed_panics.get();
        total.detached_failures += self.detached_failures.get();
        total.wakes += self.edgeless_wakes.get();
        total.self_wakes += self.self_wakes.get();
        total.forced_yields += self.forced_yields.get();
        total.slow_polls += self.slow_polls.get();
        total.max_future_bytes = total.max_future_bytes.max(self.max_future_bytes.get());
        self.poll.add_to(&mut total.poll);
        self.sched.add_to(&mut total.sched);
        self.life.add_to(&mut total.life);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_site_and_those_over_the_limit_share_the_last_room() {
        let shards = Shards::new();
        shards.site(NO_SITE).spawned.add(1);
        shards.site(u32::MAX).spawned.add(1);
        shards.site(0).spawned.add(1);
        let seen: Vec<_> = shards.iter().map(|(id, shard)| (id, shard.spawned.get())).collect();
        assert_eq!(seen, vec![(0, 1), (NO_SITE, 2)]);
        assert!(shards.known(1).is_none());
        assert!(shards.site(0).changed());
        assert!(!shards.site(0).changed());
    }
}
