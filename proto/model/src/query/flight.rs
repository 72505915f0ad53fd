//! Single polls over time, reduced to the columns of a screen: the lanes of a process's workers, and
//! the timeline of one task. However many events there are, an answer is as large as the screen.
//!
//! A column without a complete recording says so; it never looks like one in which nothing happened.

mod lanes;
mod timeline;

use std::sync::Arc;

use super::ask::{Answer, FlightOf, FlightQuery};
use super::page::Meta;
use crate::entity::event::Event;
use crate::id::{TaskId, WorkerId};
use crate::measured::{Coverage, Metric};
use crate::world::{EventTrack, Process};

/// The most columns of an answer.
pub(crate) const MAX_COLUMNS: u16 = 1_024;
/// The most lanes of an answer.
pub const MAX_LANES: u32 = 64;
/// Sites that have a digit of their own.
pub const DIGITS: usize = 9;

/// What was recorded in a stretch of time.
#[derive(Clone, PartialEq, Debug)]
pub struct Flight {
    /// About the source.
    pub meta: Meta,
    /// Wall-clock time at which the first column begins, nanoseconds since the Unix epoch.
    pub from_unix_ns: u64,
    /// Nanoseconds of one column.
    pub column_ns: u64,
    /// Why nothing is recorded, and what to change; empty if something is.
    pub why_not: Arc<str>,
    /// Whether any event came yet.
    pub begun: bool,
    /// Events that were overwritten before they were read, since the process was met.
    pub missed: u64,
    /// Polls that ended in the stretch, or are open at its end.
    pub polls: u64,
    /// The longest of them.
    pub longest: Option<LongPoll>,
    /// The picture.
    pub picture: Picture,
}

/// What the question was about.
#[derive(Clone, PartialEq, Debug)]
pub enum Picture {
    /// Workers.
    Lanes(Lanes),
    /// One task.
    Timeline(Timeline),
}

/// A poll to point at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LongPoll {
    /// The task.
    pub task: TaskId,
    /// Its site, as it prints; empty if not known.
    pub site: Arc<str>,
    /// The worker that ran it.
    pub worker: Option<WorkerId>,
    /// When it began, nanoseconds since the Unix epoch.
    pub start_unix_ns: u64,
    /// How long it took, or has taken so far.
    pub wall_ns: u64,
    /// Whether it still runs.
    pub open: bool,
}

/// The lanes of some workers.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Lanes {
    /// The lanes, by runtime and worker; threads that are no workers last.
    pub lanes: Vec<Lane>,
    /// How many more there are.
    pub more: u64,
    /// The sites that the digits 1 to 9 stand for.
    pub sites: Vec<Arc<str>>,
}

/// What one worker polled, column by column.
#[derive(Clone, PartialEq, Debug)]
pub struct Lane {
    /// `w0`, with its runtime's name if there are several.
    pub label: Arc<str>,
    /// Its columns.
    pub cells: Vec<LaneCell>,
}

/// One column of a lane.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum LaneCell {
    /// Not, or not completely, recorded.
    #[default]
    Unknown,
    /// Nothing was polled.
    Blank,
    /// Of what was polled here, this took longest.
    Poll {
        /// Index in [`Lanes::sites`]; [`DIGITS`] for a site that has no digit.
        site: u8,
        /// It is the same poll as in the column before.
        same: bool,
    },
}

/// What one task did, column by column.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Timeline {
    /// Its columns.
    pub cells: Vec<TimeCell>,
    /// Whether its wakes are seen, so that waiting to be polled differs from being idle.
    pub wakes_seen: bool,
}

/// One column of a timeline: shares in thousandths of the column, at least 1 for whatever is there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct TimeCell {
    /// Everything that ended in the column was recorded.
    pub known: bool,
    /// Being polled.
    pub running: u16,
    /// Woken, and not polled yet.
    pub sched: u16,
    /// Neither, while it lived.
    pub idle: u16,
    /// Polls that began.
    pub polls: u32,
    /// Wakes.
    pub wakes: u32,
}

/// The stretch of time that an answer is about, on the process's clock.
#[derive(Clone, Copy, Debug)]
struct Window {
    from_ns: u64,
    to_ns: u64,
    column_ns: u64,
    columns: usize,
}

impl Window {
    /// Columns lie on a grid of their own width, so that a live picture moves by whole columns.
    fn of(process: &Process, query: &FlightQuery) -> Self {
        let columns = u64::from(query.columns.clamp(1, MAX_COLUMNS));
        let column_ns = (query.span_ns / columns).max(1);
        let newest = process.tracks().map(EventTrack::until_ns).max().unwrap_or(0);
        let newest = if newest > 0 { newest } else { process.now_ns() };
        let until = query.until_unix_ns.map_or(newest, |unix_ns| process.hello().anchor.to_mono_ns(unix_ns));
        let to_ns = until.div_ceil(column_ns).saturating_mul(column_ns);
        let from_ns = to_ns.saturating_sub(columns.saturating_mul(column_ns));
        Self { from_ns, to_ns, column_ns, columns: columns as usize }
    }

    /// The columns that a stretch touches, with the share of it that lies in each.
    fn columns_of(self, start_ns: u64, end_ns: u64) -> impl Iterator<Item = (usize, u64)> {
        let (start, end) = (start_ns.max(self.from_ns), end_ns.min(self.to_ns));
        let touches = start_ns < self.to_ns && end_ns >= self.from_ns && start <= end;
        let first = (start - self.from_ns) / self.column_ns;
        // A stretch that ends where a column begins does not reach into it; one without length is
        // where it is.
        let last = (end.saturating_sub(u64::from(end > start)).saturating_sub(self.from_ns)) / self.column_ns;
        let last = last.min(self.columns as u64 - 1);
        let range = if touches { first..last + 1 } else { 0..0 };
        range.map(move |column| {
            let from = self.from_ns.saturating_add(column.saturating_mul(self.column_ns));
            let ns = end.min(from.saturating_add(self.column_ns)).saturating_sub(start.max(from));
            (column as usize, ns)
        })
    }

    /// The column in which a moment lies.
    fn column_at(self, ns: u64) -> Option<usize> {
        (ns >= self.from_ns && ns < self.to_ns).then(|| ((ns - self.from_ns) / self.column_ns) as usize)
    }

    /// For each column whether every thread's recording covers all of it that lies before `until_ns`.
    fn known(self, process: &Process) -> Vec<bool> {
        let mut known = vec![process.tracks().next().is_some(); self.columns];
        let newest = process.tracks().map(EventTrack::until_ns).max().unwrap_or(0);
        for track in process.tracks() {
            let mut at = self.from_ns;
            // What lies between two stretches of coverage is not known; the newest moment is the end.
            for (from, to) in track.spans().chain([(newest, newest)]) {
                if from > at {
                    self.columns_of(at, from).for_each(|(column, ns)| known[column] &= ns == 0);
                }
                at = at.max(to);
            }
        }
        if let Some(after) = self.column_at(newest) {
            known.iter_mut().skip(after + 1).for_each(|known| *known = false);
        } else if newest <= self.from_ns {
            known.fill(false);
        }
        known
    }
}

/// The polls that are open now: task, start, worker.
fn open_polls(process: &Process) -> impl Iterator<Item = (TaskId, u64, WorkerId)> + '_ {
    process.workers().filter_map(|worker| {
        let (task, since) = worker.record().polling?;
        Some((task, since, worker.id()))
    })
}

/// Collects the longest poll and their number.
struct Tally {
    polls: u64,
    longest: Option<LongPoll>,
}

impl Tally {
    fn see(&mut self, process: &Process, event: &Event, open: bool) {
        let Event::Poll { task, site, start_ns, wall_ns, worker } = *event else { return };
        self.polls += 1;
        if self.longest.as_ref().is_none_or(|longest| wall_ns > longest.wall_ns) {
            self.longest = Some(LongPoll {
                task,
                site: process.dictionary().site_text(site),
                worker,
                start_unix_ns: process.hello().anchor.to_unix_ns(start_ns),
                wall_ns,
                open,
            });
        }
    }
}

/// The answer about a process that is known.
///
/// Cost: one look at each event of the stretch.
pub(super) fn build(process: &Process, query: &FlightQuery) -> Answer {
    let window = Window::of(process, query);
    let mut tally = Tally { polls: 0, longest: None };
    let picture = match query.of {
        FlightOf::Workers { first, most } => {
            Picture::Lanes(lanes::build(process, window, first as usize, most.min(MAX_LANES), &mut tally))
        }
        FlightOf::Task(task) => Picture::Timeline(timeline::build(process, window, task, &mut tally)),
    };
    let capability =
        process.hello().capabilities.iter().find(|capability| capability.metric == Metric::FlightEvents);
    let why_not = match capability {
        Some(said) if said.coverage == Coverage::NoTask => said.reason.as_str().into(),
        None => "its pollscope is older than the flight recorder: upgrade the service's `pollscope`".into(),
        Some(_) => Arc::default(),
    };
    Answer::Flight(Box::new(Flight {
        meta: super::answer::meta(&[process]),
        from_unix_ns: process.hello().anchor.to_unix_ns(window.from_ns),
        column_ns: window.column_ns,
        why_not,
        begun: process.tracks().next().is_some(),
        missed: process.missed_events(),
        polls: tally.polls,
        longest: tally.longest,
        picture,
    }))
}

#[cfg(test)]
mod tests;
