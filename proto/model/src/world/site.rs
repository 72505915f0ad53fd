//! What a [`World`](super::World) keeps of one spawn site, and the read-only view of it that
//! detectors and queries use.

mod kept;
mod lines;
mod places;
mod weight;

use std::sync::Arc;

use super::process::Process;
use super::ring::Ring;
use crate::dict::{Dictionary, StackLine};
use crate::entity::heat::HeatColumn;
use crate::entity::site::SiteDelta;
use crate::entity::slow_poll::SlowPoll;
use crate::hist::{Hist, upper_edge};
use crate::id::SiteId;
use crate::time::{MICROSECOND, SECOND};
use kept::{Kept, SLOW_POLLS};
use lines::SiteLines;

pub(super) use weight::Reduction;

/// For how long a poll that was looked at is kept before longer ones.
const SEEN_NS: u64 = 60 * SECOND;

/// The state of one site; only the fold writes to it.
#[derive(Clone, Debug, Default)]
pub(super) struct SiteState {
    pub(super) totals: SiteDelta,
    seconds: Ring<SiteDelta, 1, 10>,
    tens: Ring<SiteDelta, 10, 12>,
    polls: Ring<f32, 1, 60>,
    /// Polls of each decade of poll times.
    decades: Ring<[u32; 8], 10, 90>,
    kept: Kept,
    /// Those that were looked at: of the newest minute in which some were, the longest. As many as are kept of the newest.
    seen: Vec<SlowPoll>,
    /// Of a library's site.
    lines: SiteLines,
    /// Wall times of all slow polls that were told.
    told: Hist,
    /// The same polls, each with the time that the code is answerable for.
    own: Hist,
    /// The same polls, each with the time that it held its worker and was not allowed to.
    held: Hist,
    /// Of each reason and place, the poll with the longest time that is allowed.
    allowed: Vec<SlowPoll>,
    /// How much room it may take.
    reduction: Reduction,
}

impl SiteState {
    pub(super) fn new(site: SiteId) -> Self {
        Self { totals: SiteDelta { site, ..SiteDelta::default() }, ..Self::default() }
    }

    /// Adds an interval to totals and history.
    pub(super) fn add(&mut self, delta: &SiteDelta, start_ns: u64, end_ns: u64) {
        self.totals.merge(delta);
        self.remember(delta, start_ns, end_ns);
        self.reduce_new();
    }

    /// Replaces the totals by a snapshot's. What they grew by belongs to the interval, if one is
    /// given; without one there is nothing to compare with.
    pub(super) fn replace(&mut self, mut totals: SiteDelta, interval: Option<(u64, u64)>, end_ns: u64) {
        totals.coarsen(self.reduction.width());
        let before = std::mem::replace(&mut self.totals, totals);
        match interval {
            Some((start_ns, end_ns)) => {
                let grown = self.totals.since(&before);
                if grown != (SiteDelta { site: self.totals.site, ..SiteDelta::default() }) {
                    self.remember(&grown, start_ns, end_ns);
                }
            }
            // Heat begins here.
            None => {
                self.decades.at(end_ns);
            }
        }
        self.reduce_new();
    }

    fn remember(&mut self, delta: &SiteDelta, start_ns: u64, end_ns: u64) {
        if self.reduction >= Reduction::NoHistory {
            return;
        }
        let polls = delta.poll.count() as f32;
        if polls > 0.0 {
            self.polls.spread(start_ns, end_ns, |point, share| *point += polls * share as f32);
        }
        let decades = self.decades.at(end_ns);
        for (bucket, n) in delta.poll.buckets() {
            let decade = &mut decades[decade_of(upper_edge(bucket).min(delta.poll.max()))];
            *decade = decade.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
        }
        self.tens.at(end_ns).merge(delta);
        self.seconds.at(end_ns).merge(delta);
    }

    /// Takes a slow poll; one that was told before (by a snapshot, or with less than now) is not counted twice, but
    /// replaced if it is still kept. Returns whether it is new. `is_known`: the process knows that it was told.
    pub(super) fn slow_poll(&mut self, poll: &SlowPoll, is_known: bool) -> bool {
        let mut known = is_known;
        self.seen_poll(poll);
        known |= self.kept.update(poll);
        for same in self.allowed.iter_mut().filter(|known| known.is_same(poll)) {
            same.clone_from(poll);
            known = true;
        }
        if known {
            return false;
        }
        self.told.record(poll.wall_ns);
        self.own.record(if poll.in_place { 0 } else { poll.judged_ns() });
        self.held.record(if poll.in_place { 0 } else { poll.held_ns() });
        if poll.allowed_ns > 0 && !poll.in_place {
            self.allowed_poll(poll);
        }
        self.kept.add(poll);
        self.reduce_new();
        true
    }

    /// The line of the user's that a slow poll was at.
    pub(super) fn line_at(&self, dictionary: &Dictionary, poll: &SlowPoll) -> StackLine {
        self.lines.at(dictionary, poll)
    }

    /// Takes the line of a slow poll that a library spawned; `before` as in [`SiteLines::add`].
    pub(super) fn slow_poll_line(&mut self, poll: &SlowPoll, line: StackLine, before: Option<StackLine>) {
        self.lines.add(poll, line, before);
        self.reduce_new();
    }

    /// Few polls are looked at, so that what was seen would soon be lost among the newest.
    fn seen_poll(&mut self, poll: &SlowPoll) {
        if !poll.was_seen() || poll.in_place {
            return;
        }
        let is_old = |known: &SlowPoll| known.start_ns.saturating_add(SEEN_NS) < poll.start_ns;
        if let Some(known) = self.seen.iter_mut().find(|known| known.is_same(poll)) {
            known.clone_from(poll);
        } else if self.seen.len() < SLOW_POLLS {
            self.seen.push(poll.clone());
        } else if let Some(least) =
            self.seen.iter_mut().min_by_key(|known| (!is_old(known), known.judged_ns()))
            && (is_old(least) || least.judged_ns() < poll.judged_ns())
        {
            *least = poll.clone();
        }
    }

    fn allowed_poll(&mut self, poll: &SlowPoll) {
        let why = |poll: &SlowPoll| (poll.allowed_for, poll.allowed_at);
        let has_room = self.allowed.len() < SLOW_POLLS;
        match self.allowed.iter_mut().find(|known| why(known) == why(poll)) {
            Some(known) if known.allowed_ns < poll.allowed_ns => known.clone_from(poll),
            None if has_room => self.allowed.push(poll.clone()),
            Some(_) | None => {}
        }
    }

    /// The clock was set back: history starts anew, totals stay.
    pub(super) fn forget_history(&mut self) {
        self.seconds.clear();
        self.tens.clear();
        self.polls.clear();
        self.decades.clear();
    }

    pub(super) fn slow_polls(&self) -> impl Iterator<Item = &SlowPoll> {
        let only_seen = move |poll: &&SlowPoll| !self.kept.iter().any(|known| known.is_same(poll));
        self.seen.iter().filter(only_seen).chain(self.kept.iter())
    }
}

/// The decade of a heat map's column: below 1 µs, 10 µs, … 1 s, and above.
fn decade_of(ns: u64) -> usize {
    let mut edge = MICROSECOND;
    for decade in 0..7 {
        if ns < edge {
            return decade;
        }
        edge *= 10;
    }
    7
}

/// All that happened at a site in a stretch of time that ends now.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct WindowView {
    /// Counters and histograms of the stretch.
    pub delta: SiteDelta,
    /// How much time the reports in the stretch cover: less than asked for while history is young,
    /// more when a report was folded from several. Rates divide by this.
    pub covered_ns: u64,
}

impl WindowView {
    /// A count of the stretch as events per second; `None` when it covers no time.
    pub(crate) fn per_second(&self, count: u64) -> Option<f64> {
        (self.covered_ns > 0).then(|| count as f64 * SECOND as f64 / self.covered_ns as f64)
    }
}

/// Rates of one site; `None` where no time is covered.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[expect(clippy::struct_field_names, reason = "the unit belongs to each name")]
pub(crate) struct SiteRates {
    /// Tasks spawned.
    pub spawned_per_s: Option<f64>,
    /// Tasks ended, in whatever way.
    pub ended_per_s: Option<f64>,
    /// Polls.
    pub polls_per_s: Option<f64>,
    /// Nanoseconds spent in polls.
    pub busy_ns_per_s: Option<f64>,
}

/// One site of one process, to read.
#[derive(Clone, Copy, Debug)]
pub struct SiteView<'a> {
    pub(super) process: &'a Process,
    pub(super) state: &'a SiteState,
}

impl<'a> SiteView<'a> {
    /// The site's index in the process's dictionary.
    pub fn id(&self) -> SiteId {
        self.state.totals.site
    }

    /// The site as it prints: `src/cart.rs:88:9`.
    pub fn text(&self) -> Arc<str> {
        self.process.dictionary().site_text(self.id())
    }

    /// Everything since the process started.
    pub fn totals(&self) -> &'a SiteDelta {
        &self.state.totals
    }

    /// Tasks alive.
    pub fn alive(&self) -> u64 {
        let totals = &self.state.totals;
        totals.spawned.saturating_sub(totals.all_ended())
    }

    /// The last `ns` nanoseconds, up to 10 s at a grain of one second, up to 2 min at a grain of ten.
    ///
    /// Cost: merges at most twelve small histograms of each sort.
    pub(crate) fn window(&self, ns: u64) -> WindowView {
        let now = self.process.now_ns();
        let mut delta = SiteDelta { site: self.id(), ..SiteDelta::default() };
        if ns <= 10 * SECOND {
            let slots = ns.div_ceil(SECOND) as u32;
            self.state.seconds.latest(now, slots).for_each(|(_, part)| delta.merge(part));
        } else {
            let slots = ns.div_ceil(10 * SECOND).min(12) as u32;
            self.state.tens.latest(now, slots).for_each(|(_, part)| delta.merge(part));
        }
        WindowView { delta, covered_ns: self.process.covered_ns(ns) }
    }

    /// Rates over the last `ns` nanoseconds, up to 2 min. Cost: twelve additions.
    pub(crate) fn rates(&self, ns: u64) -> SiteRates {
        let now = self.process.now_ns();
        let slots = ns.div_ceil(10 * SECOND).clamp(1, 12) as u32;
        let (mut spawned, mut ended, mut polls, mut busy_ns) = (0.0, 0.0, 0.0, 0.0);
        for (_, part) in self.state.tens.latest(now, slots) {
            spawned += part.spawned as f64;
            ended += part.all_ended() as f64;
            polls += part.poll.count() as f64;
            busy_ns += part.poll.sum() as f64;
        }
        let covered_s = self.process.covered_tens(slots) as f64 / SECOND as f64;
        let rate = |count: f64| (covered_s > 0.0).then(|| count / covered_s);
        SiteRates {
            spawned_per_s: rate(spawned),
            ended_per_s: rate(ended),
            polls_per_s: rate(polls),
            busy_ns_per_s: rate(busy_ns),
        }
    }

    /// Polls per second over the last 60 s, oldest first; `None` where no report covers the second.
    pub(crate) fn polls_series(&self) -> Vec<Option<f32>> {
        self.state.polls.series(self.process.now_ns(), 60, |slot, polls| {
            polls.copied().or_else(|| self.process.covers_second(slot).then_some(0.0))
        })
    }

    /// Poll times over the last 15 minutes, 10 s a column, oldest first.
    pub fn heat(&self) -> Vec<HeatColumn> {
        self.state.decades.series(self.process.now_ns(), 90, |_, decades| HeatColumn {
            decades: decades.map_or([0; 8], |decades| decades.map(u64::from)),
        })
    }

    /// The slow polls that are still remembered: those that were looked at, the longest and the newest.
    pub fn slow_polls(&self) -> impl Iterator<Item = &'a SlowPoll> + use<'a> {
        self.state.slow_polls()
    }

    /// Poll times since the process started, each slow poll with the time that the code is answerable for
    /// ([`SlowPoll::judged_ns`]), none if it held no worker; a poll that was not told, or not split, with its
    /// wall time.
    ///
    /// Costs a copy of the histogram. The time in bucket edges, not the maximum, is what to read of it.
    pub(crate) fn own_poll_times(&self) -> Hist {
        let mut own = self.state.totals.poll.since(&self.state.told);
        own.merge(&self.state.own);
        own
    }

    /// The same by the clock on the wall: time without a CPU counts, what is allowed does not.
    pub(crate) fn held_poll_times(&self) -> Hist {
        let mut held = self.state.totals.poll.since(&self.state.told);
        held.merge(&self.state.held);
        held
    }

    /// Of each reason that the code gives for blocking, up to so many as slow polls are kept, the poll that
    /// made most use of it.
    pub(crate) fn allowed_polls(&self) -> impl Iterator<Item = &'a SlowPoll> + use<'a> {
        self.state.allowed.iter()
    }

    /// Polls longer than the limit by the clock on the wall that nothing is known of but their length, give
    /// or take those that are just as long.
    pub(crate) fn unlisted_over(&self, limit_ns: u64) -> u64 {
        let all = self.state.totals.poll.count_over(limit_ns);
        all.saturating_sub(self.state.told.count_over(limit_ns))
    }

    /// Schedule delays since the process started, or `None` where they are not measured.
    pub fn sched(&self) -> Option<&'a Hist> {
        self.process
            .measures_for_some(crate::measured::Metric::ScheduleDelay)
            .then_some(&self.state.totals.sched)
    }
}
