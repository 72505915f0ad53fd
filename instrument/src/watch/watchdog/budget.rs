//! How often threads may be looked at closely: a bucket for the process, and a smaller one for each site, so
//! that neither a storm of slow polls costs anything worth speaking of, nor one site takes the looks of all.

use std::collections::HashMap;

/// Looks per second in the long run, and at once after a quiet time.
const OF_PROCESS: Bucket = Bucket { every_ns: 50_000_000, burst: 50, full_ns: 0 };
const OF_SITE: Bucket = Bucket { every_ns: 500_000_000, burst: 5, full_ns: 0 };
/// Sites whose buckets are kept; of more, the full ones are forgotten.
const MAX_SITES: usize = 256;

/// See the module.
pub(super) struct Budget {
    process: Bucket,
    sites: HashMap<u32, Bucket>,
    /// Looks that were not made.
    pub(super) denied: u64,
}

impl Budget {
    /// All buckets are full.
    pub(super) fn new() -> Self {
        Self { process: OF_PROCESS, sites: HashMap::new(), denied: 0 }
    }

    /// Whether one more look is within the budget; it is counted in either case.
    pub(super) fn take(&mut self, site: u32, now_ns: u64) -> bool {
        if self.sites.len() >= MAX_SITES && !self.sites.contains_key(&site) {
            self.sites.retain(|_, bucket| bucket.full_ns > now_ns);
        }
        let room = self.sites.len() < MAX_SITES;
        let of_site = match self.sites.entry(site) {
            std::collections::hash_map::Entry::Vacant(_) if !room => None,
            entry => Some(entry.or_insert(OF_SITE)),
        };
        let may = of_site.is_none_or(|bucket| bucket.has(now_ns)) && self.process.has(now_ns);
        if may {
            self.process.take(now_ns);
            if let Some(bucket) = self.sites.get_mut(&site) {
                bucket.take(now_ns);
            }
        } else {
            self.denied += 1;
        }
        may
    }
}

/// A token bucket that remembers only when it will be full again.
#[derive(Clone, Copy)]
struct Bucket {
    every_ns: u64,
    burst: u64,
    full_ns: u64,
}

impl Bucket {
    fn has(&self, now_ns: u64) -> bool {
        self.full_ns.saturating_sub(now_ns) <= self.every_ns * (self.burst - 1)
    }

    fn take(&mut self, now_ns: u64) {
        self.full_ns = self.full_ns.max(now_ns) + self.every_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_storm_at_one_site_gets_little_and_leaves_the_rest_to_others() {
        let mut budget = Budget::new();
        let storm = (0..10_000).filter(|n| budget.take(1, n * SECOND / 1_000)).count();
        assert_eq!((storm, budget.denied), (5 + 19, 10_000 - 24));
        assert!(budget.take(2, 10 * SECOND));
    }

    #[test]
    fn many_sites_share_what_the_process_may() {
        let mut budget = Budget::new();
        assert_eq!((0..100_000).filter(|site| budget.take(*site, 0)).count(), 50);
        assert!(budget.sites.len() <= MAX_SITES);
        assert_eq!((0..1_000).filter(|site| budget.take(*site, 10 * SECOND)).count(), 50);
        // In the long run twenty a second.
        let later =
            (0..100_000).filter(|n| budget.take(*n as u32 % 5_000, 10 * SECOND + n * 100_000)).count();
        assert!((190..=210).contains(&later), "{later}");
    }
}
