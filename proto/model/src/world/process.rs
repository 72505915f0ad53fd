//! One process, to read: identity and presence. Its tasks, its other parts, its history and what is
//! missing of it are in the rooms below.

mod losses;
mod parts;
mod rates;
mod tasks;
mod usage;
mod weight;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::edges::EdgeTable;
use super::events::EventStore;
use super::fold::Staging;
use super::ring::Ring;
use super::runtime::{Busy, RuntimeState, WorkerState};
use super::site::SiteState;
use super::tasks::TaskTable;
use crate::dict::Dictionary;
use crate::entity::presence::Presence;
use crate::entity::runtime::WorkerDelta;
use crate::entity::slow_poll::SlowPoll;
use crate::entity::stall::Stall;
use crate::entity::stop::Stop;
use crate::hello::Hello;
use crate::hist::Hist;
use crate::id::{BootId, RuntimeId, SiteId, WorkerId};
use crate::measured::{Coverage, Metric};
use crate::report::{Detail, Losses};
pub(super) use losses::Gaps;
pub use losses::Refused;
pub(super) use usage::UsageTrack;

/// How much of a slot the reports cover.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cover {
    /// Lengths of the reports that end in the slot.
    pub(super) ended_ns: u64,
    /// Whether any report touches it.
    pub(super) touched: bool,
}

/// Poll times and schedule delays of all sites together.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    pub(super) poll: Hist,
    pub(super) sched: Hist,
}

/// Sums over all sites since the process started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sums {
    pub(super) spawned: u64,
    pub(super) ended: u64,
}

/// One incarnation of one process. All of its fields change in `fold.rs` only.
#[derive(Clone, Debug)]
pub struct Process {
    pub(super) hello: Hello,
    pub(super) label: Arc<str>,
    pub(super) presence: Presence,
    pub(super) received_unix_ns: u64,
    pub(super) gone: Option<(u64, Arc<str>)>,
    pub(super) now_ns: u64,
    pub(super) last_seq: Option<u64>,
    pub(super) exact: bool,
    pub(super) based: bool,
    pub(super) missed_ns: u64,
    pub(super) staging: Option<Box<Staging>>,
    /// Parts of the first snapshot: how many are in, and of how many.
    pub(super) first_parts: (u32, u32),
    pub(super) detail: Detail,
    pub(super) dictionary: Dictionary,
    pub(super) losses: Losses,
    pub(super) usage: UsageTrack,
    pub(super) gaps: Gaps,
    pub(super) refused: Refused,
    pub(super) retired_early: u64,
    pub(super) swept_ns: u64,
    pub(super) sums: Sums,
    pub(super) tasks: TaskTable,
    pub(super) sites: HashMap<SiteId, SiteState>,
    /// Bytes that the sites hold.
    pub(super) site_bytes: usize,
    /// Sites whose times are kept coarser, or without history.
    pub(super) reduced_sites: usize,
    pub(super) workers: BTreeMap<WorkerId, WorkerState>,
    /// How many workers left with their runtimes, and what they did.
    pub(super) retired: Option<(u32, WorkerDelta)>,
    pub(super) runtimes: BTreeMap<RuntimeId, RuntimeState>,
    pub(super) slow_polls: VecDeque<SlowPoll>,
    pub(super) slow_polls_ever: u64,
    pub(super) stalls: Vec<Stall>,
    pub(super) stops: VecDeque<Stop>,
    pub(super) edges: EdgeTable,
    pub(super) events: EventStore,
    pub(super) cover: Ring<Cover, 1, 60>,
    pub(super) cover_tens: Ring<Cover, 10, 90>,
    pub(super) polls: Ring<f32, 1, 60>,
    pub(super) busy: Ring<Busy, 1, 60>,
    pub(super) times: Ring<Times, 10, 6>,
    pub(super) ribbon: Ring<u64, 10, 90>,
}

impl Process {
    /// The incarnation.
    pub fn boot(&self) -> BootId {
        self.hello.boot
    }

    /// Its newest greeting.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// `checkout#2`: name and number in order of appearance; never changes for a boot.
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// Whether it is there.
    pub fn presence(&self) -> Presence {
        self.presence
    }

    /// When it went away, nanoseconds since the Unix epoch on the viewer's clock.
    pub(crate) fn gone_since(&self) -> Option<u64> {
        self.gone.as_ref().map(|(since, _)| *since)
    }

    /// Why it went away.
    pub fn gone_reason(&self) -> Option<&Arc<str>> {
        self.gone.as_ref().map(|(_, reason)| reason)
    }

    /// How long it has been gone.
    pub(crate) fn gone_for_ns(&self, now_unix_ns: u64) -> Option<u64> {
        self.gone_since().map(|since| now_unix_ns.saturating_sub(since))
    }

    /// When its last report or greeting arrived, nanoseconds since the Unix epoch on the viewer's
    /// clock.
    pub(crate) fn received_unix_ns(&self) -> u64 {
        self.received_unix_ns
    }

    /// "Now" on the process's clock: the end of its newest report. Everything about it is as of then.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// The same moment on the wall clock of the process's host.
    pub fn now_unix_ns(&self) -> u64 {
        self.hello.anchor.to_unix_ns(self.now_ns)
    }

    /// The last sequence number up to which nothing is missing from the totals; `None` if a
    /// snapshot is needed.
    pub fn last_seq(&self) -> Option<u64> {
        self.last_seq.filter(|_| self.exact)
    }

    /// The highest sequence number that was told, whether something before it is missing or not.
    pub fn reported_seq(&self) -> Option<u64> {
        self.last_seq
    }

    /// Whether site and worker totals are short of something that only a snapshot can bring.
    pub fn needs_snapshot(&self) -> bool {
        !self.exact
    }

    /// While its first snapshot is not whole: how many of its parts are in, and of how many, which is not
    /// known (0) before the first. Totals of sites, workers and runtimes are in the first part; rows of
    /// tasks are those that came so far. It stays so if the process goes away meanwhile.
    pub fn loading(&self) -> Option<(u32, u32)> {
        let begins = self.staging.is_some() || self.last_seq.is_none();
        (!self.based && begins).then_some(self.first_parts)
    }

    /// How much of its tasks it tells.
    pub fn detail(&self) -> Detail {
        self.detail
    }

    /// Its sites and names.
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// What its recorder says is missing.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Reports that never arrived.
    pub(crate) fn gaps(&self) -> Gaps {
        self.gaps
    }

    /// What it sent and this side had no room for.
    pub fn refused(&self) -> Refused {
        self.refused
    }

    /// Ended tasks that left before their time, because too many ended at once; counted in their
    /// sites still.
    pub(crate) fn retired_early(&self) -> u64 {
        self.retired_early
    }

    /// Everything that is missing: lost in the recorder, reports in gaps, refused here.
    pub fn lost(&self) -> u64 {
        self.losses
            .total()
            .saturating_add(self.gaps.reports)
            .saturating_add(self.refused.total())
            .saturating_add(self.dictionary.refused())
    }

    /// Whether the metric is measured for at least some tasks.
    pub(crate) fn measures_for_some(&self, metric: Metric) -> bool {
        self.hello.coverage(metric) != Coverage::NoTask
    }
}
