//! What a process has of its system, and how much of the CPUs it used lately.

use std::collections::VecDeque;

use super::Process;
use crate::entity::usage::ProcessUsage;
use crate::time::SECOND;

/// Time over which the use of CPUs is told.
const LATELY_NS: u64 = 10 * SECOND;
/// Readings that are kept: one for each second, and the one before.
const MAX_READINGS: usize = 12;

/// The newest word on it, and the CPU times of the last ten seconds.
#[derive(Clone, Debug, Default)]
pub(in crate::world) struct UsageTrack {
    latest: ProcessUsage,
    /// Of each report: its end and the CPU time until then.
    cpu: VecDeque<(u64, u64)>,
}

impl UsageTrack {
    /// What a report said at its end.
    pub(in crate::world) fn put(&mut self, usage: ProcessUsage, end_ns: u64) {
        self.latest = usage;
        let Some(cpu_ns) = usage.cpu_ns else { return self.cpu.clear() };
        if self.cpu.back().is_some_and(|(before_ns, _)| *before_ns >= end_ns) {
            return;
        }
        self.cpu.push_back((end_ns, cpu_ns));
        // The newest reading that is as old as that stays: the time is measured from it.
        let is_surplus =
            |track: &Self| track.cpu.get(1).is_some_and(|(next_ns, _)| end_ns - next_ns >= LATELY_NS);
        while is_surplus(self) || self.cpu.len() > MAX_READINGS {
            self.cpu.pop_front();
        }
    }

    /// CPUs in use, on the average of the last ten seconds: 1.5 is one and a half.
    fn cpus(&self) -> Option<f64> {
        let ((from_ns, before_ns), (to_ns, now_ns)) = (self.cpu.front()?, self.cpu.back()?);
        let wall_ns = to_ns.saturating_sub(*from_ns);
        (wall_ns > 0).then(|| now_ns.saturating_sub(*before_ns) as f64 / wall_ns as f64)
    }
}

impl Process {
    /// What it has of its system by its newest report.
    pub fn usage(&self) -> ProcessUsage {
        self.usage.latest
    }

    /// CPUs that all of its threads used, on the average of the last ten seconds; `None` where that is not measured
    /// or nothing is known of a second moment.
    pub fn cpus(&self) -> Option<f64> {
        self.usage.cpus()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(track: &mut UsageTrack, second: u64, cpu_seconds: u64) {
        let cpu_ns = Some(cpu_seconds * SECOND);
        track.put(ProcessUsage { cpu_ns, ..ProcessUsage::default() }, second * SECOND);
    }

    #[test]
    fn cpus_are_those_of_the_last_ten_seconds() {
        let mut track = UsageTrack::default();
        at(&mut track, 1, 100);
        assert_eq!(track.cpus(), None, "one moment is no time");
        for second in 2..=20 {
            at(&mut track, second, 100);
        }
        assert_eq!(track.cpus(), Some(0.0));
        for second in 21..=30 {
            at(&mut track, second, 100 + 2 * (second - 20));
        }
        assert_eq!(track.cpus(), Some(2.0));
        at(&mut track, 25, 0);
        assert_eq!(track.cpus(), Some(2.0), "a report that comes twice changes nothing");
        assert!(track.cpu.len() <= MAX_READINGS);
    }

    #[test]
    fn after_a_gap_the_time_is_longer_and_the_share_still_right() {
        let mut track = UsageTrack::default();
        at(&mut track, 1, 0);
        at(&mut track, 61, 30);
        assert_eq!(track.cpus(), Some(0.5));
        track.put(ProcessUsage::default(), 62 * SECOND);
        assert_eq!(track.cpus(), None, "not measured any more");
    }
}
