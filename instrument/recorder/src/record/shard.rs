//! One thread's share of the sites' counters and histograms. The thread writes with plain stores;
//! the drain adds the threads' shares up. Rooms are made when a site is first used on the thread, and hang together
//! from then on, so that the drain looks at the shares that exist and at no room that is empty.

mod reported;

use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering, fence};

use pollscope_model::entity::site::SiteDelta;

use super::Recorder;
use super::intern::NO_SITE;
use crate::hist::HistShard;
use crate::room::Room;
use crate::tally::{Note32, Tally};
use reported::Reported;
pub use reported::since;
pub use reported::{Count, Lost};

const PAGE: usize = 256;
const PAGES: usize = NO_SITE as usize / PAGE + 1;

type Page = [Room<SiteShard>; PAGE];

/// All sites of one thread.
pub struct Shards {
    /// What most services have, one load away.
    first: Page,
    pages: Box<[Room<Page>; PAGES]>,
    is_closed: AtomicBool,
    /// The share that was made last; null for none.
    latest: AtomicPtr<SiteShard>,
}

impl Shards {
    /// No site yet; 4 KiB.
    pub(crate) fn new() -> Self {
        Self {
            first: [const { Room::empty() }; PAGE],
            pages: Box::new([const { Room::empty() }; PAGES]),
            is_closed: AtomicBool::new(false),
            latest: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// No site has a share from now on. For a thread that is in no total, before its first.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// The site's share; made on the thread's first use of the site.
    #[inline]
    pub(crate) fn site(&self, site: u32) -> &SiteShard {
        match self.first.get(site as usize).and_then(Room::get) {
            Some(shard) => shard,
            None => self.first_or_later(site),
        }
    }

    /// Of a site that the thread uses for the first time, or that has a high number.
    fn first_or_later(&self, site: u32) -> &SiteShard {
        if self.is_closed.load(Ordering::Relaxed) {
            return &Recorder::global().untold;
        }
        let at = site.min(NO_SITE);
        let hang = |shard: &SiteShard| self.hang(at, shard);
        if let Some(room) = self.first.get(site as usize) {
            return room.get_or_make_then(Box::default, hang);
        }
        let site = at as usize;
        let page = self.pages[site / PAGE].get_or_make(|| Box::new([const { Room::empty() }; PAGE]));
        page[site % PAGE].get_or_make_then(Box::default, hang)
    }

    /// Hangs a share that was just made in front of the others.
    #[cold]
    fn hang(&self, site: u32, shard: &SiteShard) {
        shard.site.set(site);
        let this = std::ptr::from_ref(shard).cast_mut();
        let mut before = self.latest.load(Ordering::Relaxed);
        loop {
            shard.before.store(before, Ordering::Relaxed);
            // Fails only where threads that are ending share it. Acquire, so that a reader of this one sees all before.
            match self.latest.compare_exchange(before, this, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(other) => before = other,
            }
        }
    }

    /// The site's share if the thread ever used it.
    #[cfg(any(feature = "check", test))]
    pub fn known(&self, site: u32) -> Option<&SiteShard> {
        let site = site.min(NO_SITE) as usize;
        match self.first.get(site) {
            Some(room) => room.get(),
            None => self.pages[site / PAGE].get()?[site % PAGE].get(),
        }
    }

    /// Every share that exists, those that were made last first.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &SiteShard)> {
        let mut next = self.latest.load(Ordering::Acquire);
        std::iter::from_fn(move || {
            #[expect(unsafe_code, reason = "shares hang together")]
            // SAFETY: null, or a share of this, which its room owns until the end of this; what is reached from one
            // that was seen was hung up before it.
            let shard: &SiteShard = unsafe { next.as_ref() }?;
            next = shard.before.load(Ordering::Relaxed);
            Some((shard.site.get(), shard))
        })
    }
}

/// One site on one thread. It shares no cache line with another thread's.
#[derive(Default)]
#[repr(C, align(64))]
pub struct SiteShard {
    /// How long polls took.
    pub poll: HistShard,
    pub(crate) sched: HistShard,
    /// How long tasks lived.
    pub life: HistShard,
    /// Tasks that were spawned.
    pub spawned: Tally,
    /// Tasks that returned.
    pub completed: Tally,
    /// Tasks whose future was dropped before it returned.
    pub cancelled: Tally,
    /// Tasks that panicked.
    pub panicked: Tally,
    /// Tasks that are over in a way that the hooks do not tell.
    pub ended: Tally,
    pub(crate) swallowed_panics: Tally,
    pub(crate) detached_failures: Tally,
    /// Tasks that ended while their join handle existed, and those whose handle is gone since then.
    pub(crate) outcomes_left: Tally,
    pub(crate) outcomes_taken: Tally,
    /// Wakes that are in no edge.
    pub(crate) edgeless_wakes: Tally,
    pub(crate) self_wakes: Tally,
    pub(crate) forced_yields: Tally,
    pub(crate) slow_polls: Tally,
    /// Tasks that got no record.
    pub uncounted: Tally,
    /// Ends that had no room for a row.
    pub ends_unsaid: Tally,
    /// Slow polls without evidence.
    pub evidence_lost: Tally,
    pub(crate) max_future_bytes: Tally,
    /// The drain's own: the sum at its last visit.
    seen: Tally,
    site: Note32,
    /// The one that was made before on the thread; null for none.
    before: AtomicPtr<SiteShard>,
    /// The drain's own: what it read at its last visit.
    told: Reported,
}

impl SiteShard {
    /// What was counted since the last call, but for the wakes that the edges count; all of it if it is the `first` of
    /// a drain. `None` if nothing was: some loads. For the drain.
    pub fn take_change(&self, first: bool) -> Option<Count> {
        // Always asked, since asking moves the mark.
        if !self.changed() && !first {
            return None;
        }
        let mut now = Count::default();
        now.lost.tasks = self.uncounted.get();
        now.lost.ends = self.ends_unsaid.get();
        now.lost.slow_polls = self.evidence_lost.get();
        self.add_to(&mut now.site);
        Some(self.told.replace(now, first))
    }

    /// Whether anything was recorded since the last call.
    fn changed(&self) -> bool {
        // Every counter only grows, so that the sum stands still exactly when all do.
        let sum = [
            &self.spawned,
            &self.completed,
            &self.cancelled,
            &self.panicked,
            &self.ended,
            &self.swallowed_panics,
            &self.detached_failures,
            &self.outcomes_left,
            &self.outcomes_taken,
            &self.edgeless_wakes,
            &self.self_wakes,
            &self.forced_yields,
            &self.slow_polls,
            &self.uncounted,
            &self.ends_unsaid,
            &self.evidence_lost,
            &self.max_future_bytes,
        ]
        .map(Tally::get)
        .into_iter()
        .chain([self.poll.count(), self.sched.count(), self.life.count()])
        .fold(0u64, u64::wrapping_add);
        if self.seen.get() == sum {
            return false;
        }
        self.seen.set(sum);
        true
    }

    /// The poll that was recorded last was slow. Only for the one writer.
    pub fn was_slow(&self) {
        // A reader that sees it sees the poll.
        fence(Ordering::Release);
        self.slow_polls.add(1);
    }

    /// Adds all of a share that no thread writes any more. Only for the one writer, while no thread reads.
    pub(crate) fn fold(&self, ended: &Self) {
        // By name, so that a counter which is added to the share is not forgotten here.
        let Self {
            poll,
            sched,
            life,
            spawned,
            completed,
            cancelled,
            panicked,
            ended: ended_unknown,
            swallowed_panics,
            detached_failures,
            edgeless_wakes,
            self_wakes,
            forced_yields,
            slow_polls,
            uncounted,
            ends_unsaid,
            evidence_lost,
            max_future_bytes,
            outcomes_left,
            outcomes_taken,
            told,
            seen: _,
            site: _,
            before: _,
        } = ended;
        self.poll.fold(poll);
        self.sched.fold(sched);
        self.life.fold(life);
        self.spawned.add(spawned.get());
        self.completed.add(completed.get());
        self.cancelled.add(cancelled.get());
        self.panicked.add(panicked.get());
        self.ended.add(ended_unknown.get());
        self.swallowed_panics.add(swallowed_panics.get());
        self.detached_failures.add(detached_failures.get());
        self.edgeless_wakes.add(edgeless_wakes.get());
        self.self_wakes.add(self_wakes.get());
        self.forced_yields.add(forced_yields.get());
        self.slow_polls.add(slow_polls.get());
        self.uncounted.add(uncounted.get());
        self.ends_unsaid.add(ends_unsaid.get());
        self.evidence_lost.add(evidence_lost.get());
        self.max_future_bytes.raise(max_future_bytes.get());
        self.outcomes_left.add(outcomes_left.get());
        self.outcomes_taken.add(outcomes_taken.get());
        self.told.fold(told);
    }

    /// Adds this share to a site's totals, but for the wakes that the edges count. For the drain.
    pub fn add_to(&self, total: &mut SiteDelta) {
        total.spawned += self.spawned.get();
        total.completed += self.completed.get();
        total.cancelled += self.cancelled.get();
        total.panicked += self.panicked.get();
        total.ended += self.ended.get();
        total.swallowed_panics += self.swallowed_panics.get();
        total.detached_failures += self.detached_failures.get();
        total.outcomes_left += self.outcomes_left.get();
        total.outcomes_taken += self.outcomes_taken.get();
        total.wakes += self.edgeless_wakes.get();
        total.self_wakes += self.self_wakes.get();
        total.forced_yields += self.forced_yields.get();
        total.slow_polls += self.slow_polls.get();
        // What was slow is among the polls, which are read after it.
        fence(Ordering::Acquire);
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
        assert_eq!(seen, [(0, 1), (NO_SITE, 2)]);
        assert!(shards.known(1).is_none());
        let change = |first| shards.site(0).take_change(first).map(|count| count.site.spawned);
        assert_eq!([change(false), change(false), change(true)], [Some(1), None, Some(1)]);
    }
}
