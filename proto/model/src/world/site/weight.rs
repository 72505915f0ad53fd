//! What one site holds in bytes, and what it gives up when its process holds too much. Counts, sums and
//! maxima stay exact at every step; times become coarser, then history goes. Only the fold uses it.

use super::SiteState;
use crate::entity::site::SiteDelta;
use crate::entity::slow_poll::SlowPoll;
use crate::hist::BUCKETS;

/// How much room a site may take. It never goes back: what was given up cannot be known again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(in crate::world) enum Reduction {
    /// All of it.
    #[default]
    None,
    /// One bucket of each histogram for each power of two.
    Coarse,
    /// No history either, only totals.
    NoHistory,
    /// Of each histogram count, sum and maximum.
    Bare,
}

impl Reduction {
    /// What sites that hold `bytes` together have to give up, where they may hold `most`.
    pub(in crate::world) fn at(bytes: usize, most: usize) -> Self {
        match bytes {
            bytes if bytes < most / 2 => Self::None,
            bytes if bytes < most => Self::Coarse,
            bytes if bytes < most / 2 * 3 => Self::NoHistory,
            _ => Self::Bare,
        }
    }

    /// Buckets that become one.
    pub(in crate::world) fn width(self) -> usize {
        match self {
            Self::None => 1,
            Self::Coarse | Self::NoHistory => 16,
            Self::Bare => BUCKETS,
        }
    }
}

impl SiteState {
    /// Gives up as much as is asked for.
    pub(in crate::world) fn reduce(&mut self, reduction: Reduction) {
        if reduction <= self.reduction {
            return;
        }
        self.reduction = reduction;
        if reduction >= Reduction::NoHistory {
            self.forget_history();
        }
        self.reduce_new();
    }

    /// What it has given up.
    pub(in crate::world) fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// Folds what came since it was last spared.
    pub(super) fn reduce_new(&mut self) {
        if self.reduction == Reduction::None {
            return;
        }
        let width = self.reduction.width();
        self.totals.coarsen(width);
        self.seconds.for_each(|delta| delta.coarsen(width));
        self.tens.for_each(|delta| delta.coarsen(width));
        for hist in [&mut self.told, &mut self.own, &mut self.held] {
            hist.coarsen(width);
        }
        self.lines.coarsen(width);
        if self.reduction == Reduction::Bare {
            (self.allowed, self.seen) = (Vec::new(), Vec::new());
            self.kept.reduce();
            self.lines.reduce();
        }
    }

    /// Bytes that it holds, its own included.
    ///
    /// Cost: one load for each histogram of its history, at most 66.
    pub(in crate::world) fn held_bytes(&self) -> usize {
        let polls = self.kept.capacity() + self.seen.capacity() + self.allowed.capacity();
        size_of::<Self>()
            + self.totals.heap_bytes()
            + self.seconds.heap_bytes(SiteDelta::heap_bytes)
            + self.tens.heap_bytes(SiteDelta::heap_bytes)
            + self.polls.heap_bytes(|_| 0)
            + self.decades.heap_bytes(|_| 0)
            + polls * size_of::<SlowPoll>()
            + self.told.heap_bytes()
            + self.own.heap_bytes()
            + self.held.heap_bytes()
            + self.lines.heap_bytes()
    }
}
