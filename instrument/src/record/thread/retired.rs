//! What threads counted that ended, once their states are freed: one share for all of them. Written by
//! [`fold_ended`](super::fold_ended) alone, while no thread reads.

use std::collections::HashMap;

use pollscope_model::entity::edge::Waker;
use pollscope_model::id::SiteId;

use super::Thread;
use crate::record::hist::HistShard;
use crate::record::shard::Shards;
use crate::record::tally::Tally;

/// Pairs of sites that are kept. A state whose pairs might find no room stays for the next thread.
const MAX_PAIRS: usize = 1 << 16;

/// See the module.
pub(crate) struct Retired {
    pub(crate) shards: Shards,
    pub(crate) edges: Edges,
    pub(crate) long_waits: HistShard,
    pub(crate) polls: u64,
    pub(crate) blind_polls: u64,
    pub(crate) uncounted: u64,
    pub(crate) ends_unsaid: u64,
    pub(crate) evidence_lost: u64,
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
            uncounted: 0,
            ends_unsaid: 0,
            evidence_lost: 0,
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
        self.polls = self.polls.wrapping_add(ended.polls.get());
        self.blind_polls = self.blind_polls.wrapping_add(ended.blind_polls.get());
        self.uncounted = self.uncounted.wrapping_add(ended.uncounted.get());
        self.ends_unsaid = self.ends_unsaid.wrapping_add(ended.ends_unsaid.get());
        self.evidence_lost = self.evidence_lost.wrapping_add(ended.evidence.lost.get());
    }
}

/// Wakes, by the site that woke and the site that was woken.
#[derive(Default)]
pub(crate) struct Edges {
    pairs: HashMap<(Waker, SiteId), Pair>,
    /// 1 if a thread was folded since the drain's last visit.
    is_new: Tally,
}

#[derive(Default)]
struct Pair {
    count: u64,
    /// The drain's own: the count at its last visit.
    seen: Tally,
}

impl Edges {
    fn fold(&mut self, ended: &crate::record::edges::Edges) {
        for (from, to, count, seen) in ended.counts() {
            let pair = self.pairs.entry((from, to)).or_default();
            pair.count = pair.count.wrapping_add(count);
            pair.seen.add(seen);
            self.is_new.set(1);
        }
    }

    /// As those of a thread: how often each pair was seen since the last call, or so far if it is the `first` of a
    /// drain. One load where no thread was folded since. For the drain.
    pub(crate) fn changes(&self, first: bool) -> impl Iterator<Item = (Waker, SiteId, u64)> {
        let is_new = first || self.is_new.get() != 0;
        self.is_new.set(0);
        let pairs = is_new.then_some(&self.pairs).into_iter().flatten();
        pairs.filter_map(move |((from, to), pair)| {
            let before = if first { 0 } else { pair.seen.get() };
            pair.seen.set(pair.count);
            (pair.count > before).then(|| (*from, *to, pair.count - before))
        })
    }

    /// How often each pair was seen so far. For the books of sessions.
    #[cfg(any(feature = "check", test))]
    pub(crate) fn totals(&self) -> impl Iterator<Item = (Waker, SiteId, u64)> {
        self.pairs.iter().map(|((from, to), pair)| (*from, *to, pair.count))
    }
}
