//! Points over time at a fixed grain: the bounded building block of all history.
//!
//! A ring never looks at a clock: every point is put at a time of the process's own clock. Points are
//! kept sparsely, so that what is quiet costs nothing. Time never goes back in a ring: what comes for
//! an older slot than the newest lands in the newest. Only the fold writes to it.

use std::collections::VecDeque;

use crate::time::SECOND;

/// Points of `T`, one per `GRAIN` seconds, the newest `KEEP` slots of them.
#[derive(Clone, Debug)]
pub(super) struct Ring<T, const GRAIN: u32, const KEEP: u32> {
    points: VecDeque<(u32, T)>,
}

impl<T, const GRAIN: u32, const KEEP: u32> Default for Ring<T, GRAIN, KEEP> {
    fn default() -> Self {
        Self { points: VecDeque::new() }
    }
}

impl<T: Default, const GRAIN: u32, const KEEP: u32> Ring<T, GRAIN, KEEP> {
    const GRAIN_NS: u64 = GRAIN as u64 * SECOND;

    /// The slot that an interval's end belongs to; the upper edge is inclusive.
    pub(super) fn slot(end_ns: u64) -> u32 {
        u32::try_from(end_ns.saturating_sub(1) / Self::GRAIN_NS).unwrap_or(u32::MAX)
    }

    /// The point at that time, made if it is new.
    pub(super) fn at(&mut self, end_ns: u64) -> &mut T {
        self.at_slot(Self::slot(end_ns))
    }

    fn at_slot(&mut self, slot: u32) -> &mut T {
        if self.points.back().is_none_or(|(newest, _)| *newest < slot) {
            while self.points.front().is_some_and(|(oldest, _)| slot - oldest >= KEEP) {
                self.points.pop_front();
            }
            self.points.push_back((slot, T::default()));
        }
        let last = self.points.len() - 1;
        &mut self.points[last].1
    }

    /// Visits every kept slot that the interval touches, with the interval's share in it; the shares
    /// add up to 1 unless the interval is longer than the ring.
    pub(super) fn spread(&mut self, start_ns: u64, end_ns: u64, mut put: impl FnMut(&mut T, f64)) {
        let last = Self::slot(end_ns);
        if end_ns <= start_ns {
            return put(self.at_slot(last), 1.0);
        }
        let first = Self::slot(start_ns.saturating_add(1)).max(last.saturating_sub(KEEP - 1));
        let length = (end_ns - start_ns) as f64;
        for slot in first..=last {
            let from = (u64::from(slot) * Self::GRAIN_NS).max(start_ns);
            let to = if slot == last { end_ns } else { ((u64::from(slot) + 1) * Self::GRAIN_NS).min(end_ns) };
            put(self.at_slot(slot), to.saturating_sub(from) as f64 / length);
        }
    }

    /// The points of the newest `slots` slots as seen at `now_ns`, oldest first.
    pub(super) fn latest(&self, now_ns: u64, slots: u32) -> impl DoubleEndedIterator<Item = (u32, &T)> + '_ {
        let oldest = u64::from(Self::slot(now_ns)) + 1;
        let oldest = oldest.saturating_sub(u64::from(slots.min(KEEP)));
        let from = self.points.partition_point(|(slot, _)| u64::from(*slot) < oldest);
        self.points.range(from..).map(|(slot, point)| (*slot, point))
    }

    /// The point of a slot.
    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        let index = self.points.partition_point(|(at, _)| *at < slot);
        self.points.get(index).filter(|(at, _)| *at == slot).map(|(_, point)| point)
    }

    /// One value for each slot up to now, oldest first, at most `slots`; it begins at the first slot
    /// that has a point.
    pub(super) fn series<V>(
        &self,
        now_ns: u64,
        slots: u32,
        mut value: impl FnMut(u32, Option<&T>) -> V,
    ) -> Vec<V> {
        let Some((first, _)) = self.points.front() else { return Vec::new() };
        let last = Self::slot(now_ns);
        let first = (*first).max(last.saturating_sub(slots.min(KEEP).saturating_sub(1)));
        let mut points = self.latest(now_ns, slots).peekable();
        (first..=last)
            .map(|slot| value(slot, points.next_if(|(at, _)| *at == slot).map(|(_, point)| point)))
            .collect()
    }

    /// Bytes on the heap; `heap` says what a point holds there itself.
    pub(super) fn heap_bytes(&self, heap: impl Fn(&T) -> usize) -> usize {
        let points: usize = self.points.iter().map(|(_, point)| heap(point)).sum();
        self.points.capacity() * size_of::<(u32, T)>() + points
    }

    /// Changes every point.
    pub(super) fn for_each(&mut self, change: impl FnMut(&mut T)) {
        self.points.iter_mut().map(|(_, point)| point).for_each(change);
    }

    /// Forgets everything: the clock was set back.
    pub(super) fn clear(&mut self) {
        self.points = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seconds = Ring<f64, 1, 5>;

    #[test]
    fn an_interval_is_spread_over_the_slots_that_it_touches() {
        let mut ring = Seconds::default();
        ring.spread(500_000_000, 2_500_000_000, |point, share| *point += share * 8.0);
        assert_eq!(ring.series(2_500_000_000, 5, |_, p| p.copied()), [Some(2.0), Some(4.0), Some(2.0)]);
    }

    #[test]
    fn an_interval_longer_than_the_ring_fills_it_once() {
        let mut ring = Seconds::default();
        ring.spread(0, 100 * SECOND, |point, share| *point += share * 100.0);
        let series = ring.series(100 * SECOND, 60, |_, p| p.copied().unwrap_or(-1.0));
        assert_eq!(series, [1.0; 5]);
    }

    #[test]
    fn old_slots_leave_and_quiet_slots_are_seen_as_quiet() {
        let mut ring = Seconds::default();
        *ring.at(SECOND) = 1.0;
        *ring.at(4 * SECOND) = 2.0;
        assert_eq!(ring.series(5 * SECOND, 4, |_, p| p.copied()), [None, None, Some(2.0), None]);
        *ring.at(20 * SECOND) = 3.0;
        assert_eq!(ring.latest(20 * SECOND, 5).count(), 1);
        assert!(ring.latest(60 * SECOND, 5).next().is_none());
    }

    #[test]
    fn time_that_goes_back_or_to_the_end_of_the_world_is_taken() {
        let mut ring = Seconds::default();
        *ring.at(u64::MAX) += 1.0;
        *ring.at(3) += 1.0;
        ring.spread(u64::MAX, 0, |point, share| *point += share);
        ring.spread(0, u64::MAX, |point, share| *point += share);
        assert!(ring.series(u64::MAX, 5, |_, p| p.copied()).len() <= 5);
        assert!(ring.series(0, 5, |_, p| p.copied()).is_empty());
    }
}
