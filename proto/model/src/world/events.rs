//! Single events of one process: the newest of each recording thread, and the times for which
//! nothing is missing. Bounded by number and by age; what gives way leaves its time uncovered.

use std::collections::{BTreeMap, VecDeque};

use super::limits::WorldLimits;
use crate::entity::event::{Event, EventBlock};

/// Stretches of covered time remembered per thread; older ones are forgotten with their events.
const SPANS: usize = 1_024;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct EventStore {
    threads: BTreeMap<u32, EventTrack>,
    held: usize,
    missed: u64,
}

/// What one thread recorded.
#[derive(Clone, Debug, Default)]
pub struct EventTrack {
    /// Number of the event that comes next.
    next: u64,
    events: VecDeque<Event>,
    /// From and to, in order; nothing that ended in between is missing.
    spans: VecDeque<(u64, u64)>,
}

impl EventTrack {
    /// The events that ended after the moment, in the order in which they ended.
    pub fn ended_after(&self, ns: u64) -> impl Iterator<Item = &Event> + '_ {
        let first = self.events.partition_point(|event| event.end_ns() <= ns);
        self.events.range(first..)
    }

    /// The times for which nothing is missing, in order.
    pub fn spans(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.spans.iter().copied()
    }

    /// The moment up to which it is known what the thread did.
    pub fn until_ns(&self) -> u64 {
        self.spans.back().map_or(0, |(_, to)| *to)
    }

    fn put(&mut self, block: EventBlock) -> u64 {
        let begun = !self.spans.is_empty();
        let end = block.first.saturating_add(block.events.len() as u64);
        let missed = if begun { block.first.saturating_sub(self.next) } else { 0 };
        let known = if begun { self.next.saturating_sub(block.first) } else { 0 };
        self.events.extend(block.events.into_iter().skip(usize::try_from(known).unwrap_or(usize::MAX)));
        self.next = if begun { self.next.max(end) } else { end };
        let until = self.until_ns();
        match self.spans.back_mut() {
            Some((_, to)) if missed == 0 && block.from_ns <= *to => *to = block.to_ns.max(*to),
            _ if block.to_ns > until => {
                self.spans.push_back((block.from_ns.max(until).min(block.to_ns), block.to_ns));
            }
            _ => {}
        }
        if self.spans.len() > SPANS {
            self.spans.pop_front();
        }
        missed
    }

    /// Lets the oldest events go, and the time that they covered.
    fn drop_oldest(&mut self, count: usize) {
        let mut gone_ns = 0;
        for event in self.events.drain(..count.min(self.events.len())) {
            gone_ns = event.end_ns().max(gone_ns);
        }
        self.uncover(gone_ns);
    }

    fn uncover(&mut self, until_ns: u64) {
        while self.spans.front().is_some_and(|(_, to)| *to <= until_ns) && self.spans.len() > 1 {
            self.spans.pop_front();
        }
        if let Some((from, to)) = self.spans.front_mut() {
            *from = (*from).max(until_ns).min(*to);
        }
    }
}

impl EventStore {
    /// Takes a block; `false` if there is no room for another thread.
    pub(super) fn put(&mut self, block: EventBlock, limits: &WorldLimits) -> bool {
        if self.threads.len() >= limits.event_threads && !self.threads.contains_key(&block.thread) {
            return false;
        }
        let track = self.threads.entry(block.thread).or_default();
        let before = track.events.len();
        self.missed = self.missed.saturating_add(track.put(block));
        self.held += track.events.len() - before;
        while self.held > limits.events {
            let surplus = self.held - limits.events;
            let Some(largest) = self.threads.values_mut().max_by_key(|track| track.events.len()) else {
                break;
            };
            let before = largest.events.len();
            largest.drop_oldest(surplus.min(before.div_ceil(4)).max(1));
            self.held -= before - largest.events.len();
        }
        true
    }

    /// Lets go what ended before the moment.
    pub(super) fn forget_before(&mut self, ns: u64) {
        for track in self.threads.values_mut() {
            let old = track.events.iter().take_while(|event| event.end_ns() < ns).count();
            track.events.drain(..old);
            self.held -= old;
            track.uncover(ns);
        }
        // A thread that is silent for so long sends no more, or has nothing to send.
        self.threads.retain(|_, track| !track.events.is_empty() || track.until_ns() > ns);
    }

    /// Bytes that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        let track = |track: &EventTrack| {
            size_of::<EventTrack>()
                + track.events.capacity() * size_of::<Event>()
                + track.spans.capacity() * size_of::<(u64, u64)>()
        };
        self.threads.values().map(track).sum()
    }

    /// Lets everything go.
    pub(super) fn clear(&mut self) {
        *self = Self { missed: self.missed, ..Self::default() };
    }

    /// What the threads recorded.
    pub(super) fn tracks(&self) -> impl Iterator<Item = &EventTrack> + '_ {
        self.threads.values()
    }

    /// Events that were recorded after the first one that came, and never came here.
    pub(super) fn missed(&self) -> u64 {
        self.missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::task::WokenBy;
    use crate::id::TaskId;

    fn wake(at_ns: u64) -> Event {
        Event::Wake { task: TaskId(1), at_ns, by: WokenBy::Runtime }
    }

    fn block(thread: u32, first: u64, (from_ns, to_ns): (u64, u64), at: &[u64]) -> EventBlock {
        EventBlock { thread, first, from_ns, to_ns, events: at.iter().map(|at| wake(*at)).collect() }
    }

    fn times(store: &EventStore) -> Vec<u64> {
        store.tracks().flat_map(|track| track.ended_after(0)).map(Event::end_ns).collect()
    }

    fn spans(store: &EventStore) -> Vec<(u64, u64)> {
        store.tracks().flat_map(EventTrack::spans).collect()
    }

    #[test]
    fn what_is_told_twice_is_known_once_and_a_hole_stays_a_hole() {
        let (mut store, limits) = (EventStore::default(), WorldLimits::default());
        assert!(store.put(block(1, 10, (100, 200), &[110, 120]), &limits));
        assert!(store.put(block(1, 12, (200, 300), &[210]), &limits));
        // The history once more, for another reader.
        assert!(store.put(block(1, 9, (90, 310), &[95, 110, 120, 210, 305]), &limits));
        assert_eq!(times(&store), [110, 120, 210, 305]);
        assert_eq!(spans(&store), [(100, 310)]);
        assert_eq!(store.missed(), 0);
        // Three were overwritten before they were read.
        assert!(store.put(block(1, 17, (350, 400), &[360]), &limits));
        assert_eq!((spans(&store), store.missed()), (vec![(100, 310), (350, 400)], 3));
        // It was off for a while: nothing is missing in the numbers, but the time is.
        assert!(store.put(block(1, 18, (900, 950), &[]), &limits));
        assert_eq!((spans(&store).len(), store.missed()), (3, 3));
    }

    #[test]
    fn the_bounds_hold_and_take_the_covered_time_with_them() {
        let limits = WorldLimits { events: 8, event_threads: 2, ..WorldLimits::default() };
        let mut store = EventStore::default();
        assert!(store.put(block(1, 0, (0, 100), &(1..=20).map(|n| n * 5).collect::<Vec<_>>()), &limits));
        assert!(store.put(block(2, 0, (0, 100), &[50]), &limits));
        assert!(!store.put(block(3, 0, (0, 100), &[50]), &limits), "no room for a third thread");
        assert!(store.held <= 8 && times(&store).len() == store.held);
        assert!(times(&store).contains(&100), "the newest stay");
        assert!(spans(&store)[0].0 >= 60, "{:?}", spans(&store));
        store.forget_before(98);
        assert_eq!((times(&store), spans(&store)), (vec![100], vec![(98, 100), (98, 100)]));
        store.forget_before(1_000);
        assert_eq!((store.held, store.tracks().count()), (0, 0));
    }
}
