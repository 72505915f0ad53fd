//! Who wakes whom: one counter for each pair of a woken site and a waker.

use std::collections::HashMap;

use crate::entity::edge::{WakeEdge, Waker};
use crate::id::SiteId;

/// The counters; only the fold writes to them.
#[derive(Clone, Debug, Default)]
pub(super) struct EdgeTable {
    counts: HashMap<SiteId, HashMap<Waker, u64>>,
    len: usize,
}

impl EdgeTable {
    /// Adds to an edge; `false` if it is a new one and there are `most` already.
    pub(super) fn add(&mut self, edge: &WakeEdge, most: usize) -> bool {
        let known = self.counts.get_mut(&edge.to).and_then(|wakers| wakers.get_mut(&edge.from));
        if let Some(count) = known {
            *count = count.saturating_add(edge.count);
            return true;
        }
        if self.len >= most {
            return false;
        }
        self.counts.entry(edge.to).or_default().insert(edge.from, edge.count);
        self.len += 1;
        true
    }

    /// Bytes that it holds, at the most: each edge may be the only one of its site.
    pub(super) fn held_bytes(&self) -> usize {
        self.len * 256
    }

    /// Who wakes the site's tasks, and how often they did, in no order.
    pub(super) fn to(&self, site: SiteId) -> impl Iterator<Item = (Waker, u64)> + '_ {
        self.counts.get(&site).into_iter().flatten().map(|(waker, count)| (*waker, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_goes_on_counting_when_there_is_no_room_for_more() {
        let edge = |from, count| WakeEdge { from, to: SiteId(1), count };
        let mut table = EdgeTable::default();
        assert!(table.add(&edge(Waker::Runtime, 2), 1));
        assert!(!table.add(&edge(Waker::OtherThread, 5), 1));
        assert!(table.add(&edge(Waker::Runtime, 3), 1));
        assert_eq!(table.to(SiteId(1)).collect::<Vec<_>>(), vec![(Waker::Runtime, 5)]);
        assert_eq!(table.to(SiteId(2)).count(), 0);
    }
}
