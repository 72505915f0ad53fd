//! What the engine remembers of one process between two looks: all the history that a rule needs and
//! a world does not keep. Bounded per process; only the engine writes to it.

use std::collections::{HashMap, HashSet, VecDeque};

use super::cpu::{Cpu, LONG_NS, SHORT_NS};
use super::signal::FindingKey;
use crate::id::{SiteId, TaskId};
use crate::time::SECOND;
use crate::world::Process;

/// Points of a [`SiteTrack`].
const TRACK_POINTS: usize = 16;
/// The most sites that are tracked at once.
const MAX_TRACKS: usize = 1_024;
/// How many of the newest looks are remembered.
const LOOKS: usize = 90;
/// The most open polls that are remembered to have been reported; the oldest leave first.
const MAX_STUCK: usize = 4_096;

/// One point of a [`SiteTrack`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct TrackPoint {
    /// When, on the process's clock.
    pub at_ns: u64,
    /// Tasks alive then.
    pub alive: u64,
    /// Tasks spawned until then.
    pub spawned: u64,
    /// Tasks ended until then.
    pub ended: u64,
}

/// A site's count of living tasks over the window of `task-leak` and over the last minute, at most sixteen points each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct SiteTrack {
    points: VecDeque<TrackPoint>,
    recent: VecDeque<TrackPoint>,
}

impl SiteTrack {
    /// The points, oldest first.
    pub(crate) fn points(&self) -> &VecDeque<TrackPoint> {
        &self.points
    }

    /// The same over the last minute, whatever the window.
    pub(crate) fn recent(&self) -> &VecDeque<TrackPoint> {
        &self.recent
    }

    /// How much time the points span.
    pub(crate) fn span_ns(&self) -> u64 {
        match (self.points.front(), self.points.back()) {
            (Some(first), Some(last)) => last.at_ns.saturating_sub(first.at_ns),
            _ => 0,
        }
    }

    fn put(&mut self, point: TrackPoint, grain_ns: u64) {
        put(&mut self.points, point, grain_ns);
        put(&mut self.recent, point, LONG_NS / (TRACK_POINTS as u64 - 1));
    }
}

fn put(points: &mut VecDeque<TrackPoint>, point: TrackPoint, grain_ns: u64) {
    if points.back().is_some_and(|last| point.at_ns < last.at_ns.saturating_add(grain_ns)) {
        return;
    }
    if points.len() >= TRACK_POINTS {
        points.pop_front();
    }
    points.push_back(point);
}

/// CPU counters of all workers at one look, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
struct CpuPoint {
    at: u64,
    ran: u64,
    waited: u64,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(crate) struct DetectorHistory {
    tracks: HashMap<SiteId, SiteTrack>,
    cpu: VecDeque<CpuPoint>,
    shares: VecDeque<(u64, f64)>,
    waits: VecDeque<(u64, u64)>,
    slow_polls_evaluated: u64,
    since_ns: u64,
    stuck: HashMap<(TaskId, u64), FindingKey>,
    stuck_order: VecDeque<(TaskId, u64)>,
    /// What the findings that are states and open are about, by detector.
    open: HashSet<(&'static str, FindingKey)>,
}

impl DetectorHistory {
    pub(crate) fn new(now_ns: u64) -> Self {
        Self { since_ns: now_ns, ..Self::default() }
    }

    pub(crate) fn since_ns(&self) -> u64 {
        self.since_ns
    }

    pub(crate) fn track(&self, site: SiteId) -> Option<&SiteTrack> {
        self.tracks.get(&site)
    }

    pub(crate) fn waits(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.waits.iter().copied()
    }

    pub(crate) fn slow_polls_evaluated(&self) -> u64 {
        self.slow_polls_evaluated
    }

    /// An open poll (by its task and number) is part of a finding of `stuck-poll`.
    pub(crate) fn record_stuck(&mut self, task: TaskId, nth: u64, key: FindingKey) {
        if self.stuck.insert((task, nth), key).is_none() {
            self.stuck_order.push_back((task, nth));
        }
        while self.stuck_order.len() > MAX_STUCK {
            let oldest = self.stuck_order.pop_front();
            oldest.and_then(|oldest| self.stuck.remove(&oldest));
        }
    }

    pub(crate) fn stuck_key(&self, task: TaskId, nth: u64) -> Option<FindingKey> {
        self.stuck.get(&(task, nth)).copied()
    }

    /// These states were open at the end of a look, above `allow`.
    pub(crate) fn record_open(&mut self, open: impl Iterator<Item = (&'static str, FindingKey)>) {
        self.open.clear();
        self.open.extend(open);
    }

    pub(crate) fn was_open(&self, detector: &'static str, key: FindingKey) -> bool {
        self.open.contains(&(detector, key))
    }

    /// Follows the sites that have at least `min_alive` tasks, over a window of `window_ns`.
    pub(crate) fn record_counts(&mut self, process: &Process, min_alive: u64, window_ns: u64) {
        let now_ns = process.now_ns();
        let grain_ns = (window_ns / (TRACK_POINTS as u64 - 1)).max(1);
        let tracks = &mut self.tracks;
        tracks.retain(|site, _| process.site(*site).is_some_and(|site| site.alive() >= min_alive));
        for site in process.sites().filter(|site| site.alive() >= min_alive) {
            if tracks.len() >= MAX_TRACKS && !tracks.contains_key(&site.id()) {
                continue;
            }
            let totals = site.totals();
            let point = TrackPoint {
                at_ns: now_ns,
                alive: site.alive(),
                spawned: totals.spawned,
                ended: totals.all_ended(),
            };
            tracks.entry(site.id()).or_default().put(point, grain_ns);
        }
    }

    /// After all detectors have looked.
    pub(crate) fn finish_evaluation(&mut self, process: &Process, wait_p99: Option<u64>) {
        if let Some(p99) = wait_p99 {
            if self.waits.len() >= LOOKS {
                self.waits.pop_front();
            }
            self.waits.push_back((process.now_ns(), p99));
        }
        self.slow_polls_evaluated = process.slow_polls_ever();
    }

    /// Takes a share and gives the least of the last minute.
    pub(crate) fn cpu_minute(&mut self, now: Cpu, now_ns: u64) -> Cpu {
        if let Some(share) = now.share {
            if self.shares.len() >= LOOKS {
                self.shares.pop_front();
            }
            self.shares.push_back((now_ns, share));
        }
        while self.shares.front().is_some_and(|(at_ns, _)| at_ns.saturating_add(LONG_NS) < now_ns) {
            self.shares.pop_front();
        }
        Cpu { share: self.shares.iter().map(|(_, share)| *share).min_by(f64::total_cmp), ..now }
    }

    /// Takes the workers' counters and gives their share of the last 10 seconds.
    pub(crate) fn cpu(&mut self, process: &Process) -> Cpu {
        let now_ns = process.now_ns();
        let mut point = CpuPoint { at: now_ns, ..CpuPoint::default() };
        let mut measured = false;
        let workers = process.workers().count().max(1);
        let best = match process.hello().process.cpus {
            0 => 1.0,
            cpus => (f64::from(cpus) / workers as f64).min(1.0),
        };
        for worker in process.workers() {
            let record = worker.record();
            if let (Some(ran_ns), Some(waited_ns)) = (record.cpu_ns, record.preempted_ns) {
                measured = true;
                point.ran = point.ran.saturating_add(ran_ns);
                point.waited = point.waited.saturating_add(waited_ns);
            }
        }
        if !measured {
            return Cpu { share: share_of_slow_polls(process), best };
        }
        if self.cpu.back().is_some_and(|last| point.ran < last.ran || now_ns < last.at) {
            self.cpu.clear(); // a runtime went away and took its counters along
        }
        while self.cpu.len() >= LOOKS
            || self.cpu.get(1).is_some_and(|next| next.at.saturating_add(SHORT_NS) <= now_ns)
        {
            self.cpu.pop_front();
        }
        self.cpu.push_back(point);
        let first = self.cpu.front().copied().unwrap_or(point);
        if first.at == point.at {
            return Cpu { share: None, best }; // one reading is no interval
        }
        let ran = point.ran - first.ran;
        let wanted = ran.saturating_add(point.waited.saturating_sub(first.waited));
        // A few milliseconds of either tell nothing about ten seconds.
        let enough = wanted > SECOND / 50;
        Cpu { share: Some(if enough { ran as f64 / wanted as f64 } else { 1.0 }), best }
    }
}

/// The share as the slow polls of the last 10 seconds tell it.
fn share_of_slow_polls(process: &Process) -> Option<f64> {
    let recent = process.now_ns().saturating_sub(SHORT_NS);
    let mark = process.slow_polls_ever().saturating_sub(256);
    let (mut wall_ns, mut waited_ns) = (0u64, 0u64);
    for poll in process.slow_polls_since(mark).filter(|poll| poll.start_ns >= recent) {
        if let Some(preempted_ns) = poll.preempted_ns {
            wall_ns = wall_ns.saturating_add(poll.wall_ns);
            waited_ns = waited_ns.saturating_add(preempted_ns);
        }
    }
    (wall_ns > 0).then(|| wall_ns.saturating_sub(waited_ns) as f64 / wall_ns as f64)
}
