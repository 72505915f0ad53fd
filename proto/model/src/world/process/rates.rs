//! How a process went over time, to read: rates, times and how much of the time reports cover.

use super::{Cover, Process, Times};
use crate::hist::Hist;
use crate::measured::Metric;
use crate::time::SECOND;
use crate::world::runtime::Busy;

impl Process {
    /// How much of the last `ns` nanoseconds (up to 15 min) reports cover; see
    /// [`WindowView::covered_ns`](crate::world::WindowView::covered_ns).
    pub(crate) fn covered_ns(&self, ns: u64) -> u64 {
        let sum = |covered: u64, cover: &Cover| covered.saturating_add(cover.ended_ns);
        if ns <= 10 * SECOND {
            let slots = ns.div_ceil(SECOND) as u32;
            return self.cover.latest(self.now_ns, slots).fold(0, |n, (_, cover)| sum(n, cover));
        }
        self.covered_tens(ns.div_ceil(10 * SECOND).min(90) as u32)
    }

    /// How much time the reports that end in the newest slots of ten seconds cover.
    pub(in crate::world) fn covered_tens(&self, slots: u32) -> u64 {
        let tens = self.cover_tens.latest(self.now_ns, slots);
        tens.fold(0, |covered, (_, cover)| covered.saturating_add(cover.ended_ns))
    }

    /// Whether any report covers that second of the process's clock.
    pub(in crate::world) fn covers_second(&self, slot: u32) -> bool {
        self.cover.get(slot).is_some_and(|cover| cover.touched)
    }

    /// Polls per second over the last 10 s. `None` if single polls are not measured or no time is
    /// covered.
    pub fn polls_per_s(&self) -> Option<f64> {
        if !self.measures_for_some(Metric::Polls) {
            return None;
        }
        let seconds = self.cover.latest(self.now_ns, 10).filter(|(_, cover)| cover.touched).count();
        let covered_ns = (seconds as u64 * SECOND).min(self.covered_ns(10 * SECOND));
        let polls = self.polls.latest(self.now_ns, 10).fold(0.0, |sum, (_, polls)| sum + f64::from(*polls));
        (covered_ns > 0).then(|| polls * SECOND as f64 / covered_ns as f64)
    }

    /// Busy share of all workers over the last 10 s. `None` if not measured.
    pub fn busy(&self) -> Option<f64> {
        let sum = self.busy.latest(self.now_ns, 10).fold(Busy::default(), |sum, (_, busy)| sum.plus(*busy));
        sum.ratio().map(f64::from)
    }

    /// Poll times of all sites over the last 60 s.
    pub(crate) fn poll_times(&self) -> Hist {
        self.merged(|times| &times.poll)
    }

    /// Schedule delays of all sites over the last 60 s; empty where not measured.
    pub(crate) fn sched_times(&self) -> Hist {
        self.merged(|times| &times.sched)
    }

    fn merged(&self, of: impl Fn(&Times) -> &Hist) -> Hist {
        let mut all = Hist::new();
        self.times.latest(self.now_ns, 6).for_each(|(_, times)| all.merge(of(times)));
        all
    }

    /// Polls per second in each of the last 60 seconds, oldest first; `None` where no report covers
    /// the second.
    pub(crate) fn polls_series(&self) -> Vec<Option<f32>> {
        self.cover.series(self.now_ns, 60, |slot, cover| {
            cover.filter(|cover| cover.touched).map(|_| self.polls.get(slot).copied().unwrap_or(0.0))
        })
    }

    /// Busy share of all workers in each of the last 60 seconds, oldest first.
    pub(crate) fn busy_series(&self) -> Vec<Option<f32>> {
        self.busy.series(self.now_ns, 60, |_, busy| busy.and_then(|busy| busy.ratio()))
    }

    /// The longest poll in each 10 s of the last 15 min, in nanoseconds, oldest first; `None` where no
    /// report covers the time.
    pub fn ribbon(&self) -> Vec<Option<f32>> {
        self.cover_tens.series(self.now_ns, 90, |slot, cover| {
            cover.filter(|cover| cover.touched).map(|_| self.ribbon.get(slot).map_or(0.0, |ns| *ns as f32))
        })
    }
}
