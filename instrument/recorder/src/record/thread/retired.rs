//! What threads counted that ended, once their states are freed: one share for all of them. Written by
//! [`fold_ended`](super::fold_ended) alone, while no thread reads.

use std::collections::HashMap;

use pollscope_model::entity::edge::Waker;
use pollscope_model::id::SiteId;

use super::Thread;
use crate::hist::HistShard;
use crate::record::shard::Shards;
use crate::tally::Tally;
use crate::version::Version;

/// Pairs of sites that are kept. A state whose pairs might find no room stays for the next thread.
const MAX_PAIRS: usize = 1 << 16;

/// See the module.
pub struct Retired {
    pub(crate) shards: Shards,
    pub edges: Edges,
    pub long_waits: HistShard,
    pub polls: u64,
    pub blind_polls: u64,
    version: Version,
}

impl Retired {
    /// No thread has ended.
    pub(super) fn new() -> Self {
        Self {
            shards: Shards::new(),
            edges: Edges::default(),
            long_waits: HistShard::default(),
            polls: 0,
            blind_polls: 0,
            version: Version::new(),
        }
    }

    /// Whether there is room for so many more pairs.
    pub(super) fn has_room(&self, pairs: usize) -> bool {
        self.edges.pairs.len() + pairs <= MAX_PAIRS
    }

    /// Adds all that the thread counted, which has ended.
    pub(super) fn fold(&mut self, ended: &Thread) {
        for (site, shard) in ended.shards.iter() {
            self.shards.site(site).fold(shard);
        }
        self.edges.fold(&ended.edges);
        self.long_waits.fold(&ended.long_waits);
        self.polls = self.polls.wrapping_add(ended.polls());
        self.blind_polls = self.blind_polls.wrapping_add(ended.blind_polls.get());
        self.version.raise();
    }

    /// Whether a thread was folded since the last call. For the drain.
    pub(super) fn take_change(&self) -> bool {
        self.version.take_change(|| false)
    }
}

/// Wakes, by the site that woke and the site that was woken.
#[derive(Default)]
pub struct Edges {
    pairs: HashMap<(Waker, SiteId), Pair>,
}

#[derive(Default)]
struct Pair {
    count: u64,
    /// The drain's own: the count at its last visit.
    seen: Tally,
}

impl Edges {
    fn fold(&mut self, ended: &crate::edges::Edges) {
        for (from, to, count, seen) in ended.counts() {
            let pair = self.pairs.entry((from, to)).or_default();
            pair.count = pair.count.wrapping_add(count);
            pair.seen.add(seen);
        }
    }

    /// As those of a thread: how often each pair was seen since the last call, or so far if it is the `first` of a
    /// drain. For the drain.
    pub(crate) fn changes(&self, first: bool) -> impl Iterator<Item = (Waker, SiteId, u64)> {
        self.pairs.iter().filter_map(move |((from, to), pair)| {
            let before = if first { 0 } else { pair.seen.get() };
            pair.seen.set(pair.count);
            (pair.count > before).then(|| (*from, *to, pair.count - before))
        })
    }

    /// How often each pair was seen so far. For the books of sessions.
    #[cfg(any(feature = "check", test))]
    pub fn totals(&self) -> impl Iterator<Item = (Waker, SiteId, u64)> {
        self.pairs.iter().map(|((from, to), pair)| (*from, *to, pair.count))
    }
}
