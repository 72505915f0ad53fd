//! The wake edges' totals, and their change since the last tick.

use std::collections::HashMap;

use pollscope_model::entity::edge::{WakeEdge, Waker};
use pollscope_model::id::SiteId;
#[cfg(any(feature = "check", test))]
use pollscope_recorder::session::{self, Session};
use pollscope_recorder::thread::Changed;
#[cfg(any(feature = "check", test))]
use pollscope_recorder::thread::Reading;

/// Totals of every edge since the start.
#[derive(Default)]
pub(super) struct Totals {
    said: HashMap<(SiteId, Waker), u64>,
}

impl Totals {
    /// How often each edge was seen since the last call on the threads that counted something, or so far if it is the
    /// `first`; those that were not are left out.
    pub(super) fn changes(&mut self, threads: &Changed<'_>, first: bool) -> Vec<WakeEdge> {
        let mut changed: HashMap<(SiteId, Waker), u64> = HashMap::new();
        for (from, to, count) in threads.edges(first) {
            *changed.entry((to, from)).or_default() += count;
        }
        for (edge, count) in &changed {
            *self.said.entry(*edge).or_default() += count;
        }
        sorted(&changed)
    }

    /// The same of the wakes of a session's tasks, whatever other readers take. A waker outside of the session counts
    /// as another thread.
    #[cfg(any(feature = "check", test))]
    pub(super) fn changes_of(&mut self, of: Session, threads: &Reading) -> Vec<WakeEdge> {
        let is_mine = |site: SiteId| session::of_site(site.0) == of;
        let mut totals: HashMap<(SiteId, Waker), u64> = HashMap::new();
        let of_threads = threads.states().flat_map(|thread| thread.edges.totals());
        for (from, to, count) in of_threads.chain(threads.rest().edges.totals()) {
            let from = match from {
                Waker::Site(site) if !is_mine(site) => Waker::OtherThread,
                from => from,
            };
            if is_mine(to) {
                *totals.entry((to, from)).or_default() += count;
            }
        }
        let since = |(edge, count): (&(SiteId, Waker), &u64)| {
            let before = self.said.get(edge).copied().unwrap_or(0);
            (*count > before).then(|| (*edge, count - before))
        };
        let changed = totals.iter().filter_map(since).collect();
        self.said = totals;
        sorted(&changed)
    }

    /// Every edge's total as of the last tick.
    pub(super) fn all(&self) -> Vec<WakeEdge> {
        sorted(&self.said)
    }
}

/// By the woken site, which is what travels best.
fn sorted(counts: &HashMap<(SiteId, Waker), u64>) -> Vec<WakeEdge> {
    let mut edges: Vec<_> = counts.iter().map(|(&(to, from), &count)| WakeEdge { from, to, count }).collect();
    edges.sort_unstable_by_key(WakeEdge::key);
    edges
}

#[cfg(test)]
mod tests;
