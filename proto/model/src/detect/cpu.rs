//! How much CPU time the machine gave a process, and the two windows of time that rules look back over.
//!
//! A number and its uses; the engine measures it, detectors and the judge apply it.

use crate::time::SECOND;

/// The short window that rules about "now" use.
pub(crate) const SHORT_NS: u64 = 10 * SECOND;
/// The long window.
pub(crate) const LONG_NS: u64 = 60 * SECOND;
/// Below this share of the CPU that the workers wanted, the machine is short of CPU.
const CONTENDED: f64 = 0.9;

/// How much of the CPU time that the workers wanted in the last 10 seconds they got.
///
/// This is how a starved machine is told from a slow program. Linux counts for every thread how long
/// it ran and how long it could run but had to wait for a CPU; the workers' share is `ran / (ran +
/// waited)`. If workers' counters are not measured, slow polls that were split tell the same of
/// themselves. A delay that was measured in wall time is multiplied by this share before it is judged,
/// since a queue behind workers that run a third of the time drains three times slower through no
/// fault of the code.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Cpu {
    /// From 0 to 1; `None` if nothing tells.
    pub share: Option<f64>,
    /// The largest share that the workers can have when all of them are busy: below 1 if there are
    /// more of them than CPUs, so that they wait for each other.
    pub best: f64,
}

impl Cpu {
    /// Nothing tells.
    pub(crate) const UNKNOWN: Self = Self { share: None, best: 1.0 };

    /// Whether other programs (or a CPU quota) kept the workers waiting, more than they can have kept
    /// each other.
    pub(crate) fn contended(self) -> bool {
        self.share.is_some_and(|share| share < CONTENDED * self.best)
    }

    /// The part of a wall-clock delay that the process itself is answerable for.
    pub(crate) fn own(self, wall_ns: u64) -> u64 {
        (wall_ns as f64 * self.share.unwrap_or(1.0)) as u64
    }

    /// A limit on wall time, made longer by as much as the machine was short.
    pub(crate) fn stretch(self, limit_ns: u64) -> u64 {
        (limit_ns as f64 / self.share.unwrap_or(1.0).max(0.05)) as u64
    }
}
