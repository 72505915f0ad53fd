//! The second reading: what happened, one event after the other, for the format that writes it down.
//!
//! A pure function of the recording and its index. It holds one report at a time; what it remembers
//! between two is bounded: how each task stands ([`states`](super::states)), the wakes of polls that are still
//! open, and the stretches for which single events are missing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use pollscope_model::entity::event::Event;
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::task::WokenBy;
use pollscope_model::id::{SiteId, TaskId};
use pollscope_model::report::Report;
use pollscope_model::world::{World, WorldLimits};
use pollscope_proto::feed::Message;
use pollscope_proto::recording::Recording;

use super::index::{ExportIndex, MAX_NS};
use super::lane::Lane;
use super::meter::{self, Reading};
use super::states::{StateSpan, TaskStates};

/// Wakes of one thread that wait for the end of the poll that they happened in.
const MAX_OPEN_WAKES: usize = 4_096;
/// Single events of one report that are emitted; further ones count as missing.
const MAX_EVENTS: usize = 262_144;
/// Stretches without events that are told apart; further ones join the last.
const MAX_HOLES: usize = 4_096;
/// Recording threads that are told apart.
const MAX_THREADS: usize = 1_024;

/// One thing that happened.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum TraceEvent<'a> {
    /// A poll: of one report they come lane by lane, an outer poll before those inside of it.
    Poll(Poll<'a>),
    /// A task that has a track of its own stayed in one state.
    State(StateSpan),
    /// A meter was read.
    Reading(Reading),
    /// Single events are missing between two moments. Comes last, in order.
    Gap(u64, u64),
}

/// One poll.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Poll<'a> {
    /// Where it is drawn.
    pub(super) lane: Lane,
    /// The task.
    pub(super) task: TaskId,
    /// Its spawn site.
    pub(super) site: SiteId,
    /// When it began and ended.
    pub(super) start_ns: u64,
    /// See `start_ns`.
    pub(super) end_ns: u64,
    /// What is known of it beyond that, if it was slow.
    pub(super) slow: Option<&'a SlowPoll>,
    /// The wakes that led to it.
    pub(super) woken: Vec<u64>,
    /// The wakes that it did: number and moment.
    pub(super) wakes: Vec<(u64, u64)>,
}

/// What the trace lacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Missing {
    /// Single events that were missing or found no room.
    pub(super) missed: u64,
    /// Stretches of time without single events.
    pub(super) holes: u64,
}

/// How far a recording thread is read.
#[derive(Default)]
struct Thread {
    begun: bool,
    next: u64,
    until_ns: u64,
    open_wakes: Vec<(u64, u64)>,
}

struct Emitter<'a, F> {
    index: &'a ExportIndex,
    emit: F,
    slow: HashMap<(TaskId, u64), &'a SlowPoll>,
    drawn: HashSet<(TaskId, u64)>,
    world: World,
    threads: BTreeMap<u32, Thread>,
    states: TaskStates,
    flows: u64,
    holes: Vec<(u64, u64)>,
    /// The end of the latest of them.
    hole_ns: u64,
    missing: Missing,
}

/// Reads the whole recording again, and hands every event of it on.
pub(super) fn emit<'a>(
    recording: &mut Recording,
    index: &'a ExportIndex,
    emit: impl FnMut(TraceEvent<'a>) -> io::Result<()>,
) -> io::Result<Missing> {
    let mut emitter = Emitter {
        index,
        emit,
        slow: index.slow.iter().map(|poll| ((poll.task, poll.start_ns), poll)).collect(),
        drawn: HashSet::new(),
        world: World::new(WorldLimits::default()),
        threads: BTreeMap::new(),
        states: TaskStates::default(),
        flows: 0,
        holes: Vec::new(),
        hole_ns: 0,
        missing: Missing::default(),
    };
    for entry in recording.messages() {
        match entry.message {
            Message::Hello(hello) if hello.boot == index.hello.boot => {
                // One process fits into any world.
                let _ = emitter.world.connect(*hello, entry.unix_ns);
            }
            Message::Report(report) if report.boot == index.hello.boot => {
                emitter.report(*report, entry.unix_ns)?;
            }
            _ => {}
        }
    }
    emitter.finish()
}

impl<'a, F: FnMut(TraceEvent<'a>) -> io::Result<()>> Emitter<'a, F> {
    fn report(&mut self, mut report: Report, unix_ns: u64) -> io::Result<()> {
        let mut polls = self.events(&mut report)?;
        polls.sort_by_key(|poll| (poll.lane, poll.start_ns, std::cmp::Reverse(poll.end_ns)));
        nest(&mut polls);
        for poll in polls {
            (self.emit)(TraceEvent::Poll(poll))?;
        }
        let readings = meter::of_report(&report);
        self.world.apply(report, unix_ns);
        let after = self.world.process(self.index.hello.boot).map(meter::of_process).unwrap_or_default();
        let measured = |metric| self.index.measures(metric).is_ok();
        for reading in readings.into_iter().chain(after) {
            if reading.at_ns <= MAX_NS && meter::is_measured(reading.meter, measured) {
                (self.emit)(TraceEvent::Reading(reading))?;
            }
        }
        Ok(())
    }

    /// The polls of a report; emits the states of tasks on the way.
    fn events(&mut self, report: &mut Report) -> io::Result<Vec<Poll<'a>>> {
        let mut events: Vec<(u64, u32, Event)> = Vec::new();
        let first = self.threads.is_empty();
        for block in std::mem::take(&mut report.events) {
            if self.threads.len() >= MAX_THREADS && !self.threads.contains_key(&block.thread) {
                self.miss(block.events.len() as u64);
                continue;
            }
            let thread = self.threads.entry(block.thread).or_default();
            let known = if thread.begun { thread.next.saturating_sub(block.first) } else { 0 };
            let missed = if thread.begun { block.first.saturating_sub(thread.next) } else { 0 };
            let (from, to) = (block.from_ns.min(MAX_NS), block.to_ns.min(MAX_NS));
            self.missing.missed = self.missing.missed.saturating_add(missed);
            // A thread that is new was not there before, but for those that begin the recording.
            let since = if thread.begun { Some(thread.until_ns) } else { first.then_some(self.index.span.0) };
            // The recorder itself begins a moment after its clock.
            let grace_ns = if thread.begun { 0 } else { self.index.hello.interval_ns };
            let hole = since.filter(|since| from > since.saturating_add(grace_ns)).map(|since| (since, from));
            let end = block.first.saturating_add(block.events.len() as u64);
            (thread.next, thread.begun) = (if thread.begun { thread.next.max(end) } else { end }, true);
            thread.until_ns = thread.until_ns.max(to);
            let fresh = block.events.into_iter().skip(usize::try_from(known).unwrap_or(usize::MAX));
            for event in fresh {
                if events.len() < MAX_EVENTS && event.end_ns() <= MAX_NS {
                    events.push((event.end_ns(), block.thread, event));
                } else {
                    self.missing.missed = self.missing.missed.saturating_add(1);
                }
            }
            if let Some(hole) = hole {
                self.hole(hole);
            }
        }
        events.sort_by_key(|(end_ns, ..)| *end_ns);
        let mut polls = Vec::with_capacity(events.len());
        for (_, thread, event) in events {
            match event {
                Event::Wake { task, at_ns, by } => self.wake(thread, task, at_ns, by),
                Event::Poll { task, site, start_ns, wall_ns, worker } => {
                    let lane = Lane::of(thread, worker);
                    let end_ns = start_ns.saturating_add(wall_ns);
                    let woken = self.live(task, start_ns, end_ns)?;
                    let wakes = self.wakes_in(thread, start_ns, end_ns);
                    if !self.index.lanes.shows(lane) {
                        self.miss(1);
                        continue;
                    }
                    let slow = self.slow.get(&(task, start_ns)).copied();
                    if slow.is_some() {
                        self.drawn.insert((task, start_ns));
                    }
                    polls.push(Poll { lane, task, site, start_ns, end_ns, slow, woken, wakes });
                }
            }
        }
        Ok(polls)
    }

    fn wake(&mut self, thread: u32, task: TaskId, at_ns: u64, by: WokenBy) {
        let flow = matches!(by, WokenBy::Task(_) | WokenBy::Itself).then(|| {
            self.flows += 1;
            self.flows
        });
        if let (Some(flow), Some(thread)) = (flow, self.threads.get_mut(&thread)) {
            if thread.open_wakes.len() >= MAX_OPEN_WAKES {
                thread.open_wakes.remove(0);
            }
            thread.open_wakes.push((flow, at_ns));
        }
        self.states.wake(task, at_ns, by, flow);
    }

    /// A poll of a task has ended: what it was before, and the wakes that led to it.
    fn live(&mut self, task: TaskId, start_ns: u64, end_ns: u64) -> io::Result<Vec<u64>> {
        let record = self.index.tasks.get(&task);
        let poll_states = self.states.poll(task, (start_ns, end_ns), record, self.hole_ns);
        if self.index.tracks.contains(&task) {
            for span in poll_states.spans.into_iter().flatten() {
                (self.emit)(TraceEvent::State(span))?;
            }
        }
        Ok(poll_states.flows)
    }

    /// The wakes that happened on the thread during a poll and during none inside of it.
    fn wakes_in(&mut self, thread: u32, start_ns: u64, end_ns: u64) -> Vec<(u64, u64)> {
        let Some(thread) = self.threads.get_mut(&thread) else { return Vec::new() };
        let inside = |at_ns: u64| start_ns <= at_ns && at_ns <= end_ns;
        let wakes = thread.open_wakes.iter().copied().filter(|(_, at_ns)| inside(*at_ns)).collect();
        thread.open_wakes.retain(|(_, at_ns)| !inside(*at_ns));
        wakes
    }

    fn miss(&mut self, events: u64) {
        self.missing.missed = self.missing.missed.saturating_add(events);
    }

    fn hole(&mut self, (from, to): (u64, u64)) {
        self.hole_ns = self.hole_ns.max(to);
        if self.holes.len() >= MAX_HOLES
            && let Some(last) = self.holes.last_mut()
        {
            *last = (last.0.min(from), last.1.max(to));
            return;
        }
        self.holes.push((from, to));
    }

    /// What is emitted only once all events are read: slow polls that are in none, tasks that are still in
    /// their last state, and where events are missing.
    fn finish(mut self) -> io::Result<Missing> {
        for slow in &self.index.slow {
            let end_ns = slow.start_ns.saturating_add(slow.wall_ns);
            let Some(lane) = self.index.lanes.of_slow(slow).filter(|lane| self.index.lanes.shows(*lane))
            else {
                continue;
            };
            if end_ns > MAX_NS || self.drawn.contains(&(slow.task, slow.start_ns)) {
                continue;
            }
            (self.emit)(TraceEvent::Poll(Poll {
                lane,
                task: slow.task,
                site: slow.site,
                start_ns: slow.start_ns,
                end_ns,
                slow: Some(slow),
                woken: Vec::new(),
                wakes: Vec::new(),
            }))?;
        }
        let until_ns = self.threads.values().map(|thread| thread.until_ns).max().unwrap_or(0);
        for span in self.states.rest(&self.index.tasks, until_ns) {
            if self.index.tracks.contains(&span.task) {
                (self.emit)(TraceEvent::State(span))?;
            }
        }
        self.holes.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (from, to) in self.holes {
            match merged.last_mut() {
                Some((_, last)) if from <= *last => *last = to.max(*last),
                _ => merged.push((from, to)),
            }
        }
        self.missing.holes = merged.len() as u64;
        for (from, to) in merged {
            (self.emit)(TraceEvent::Gap(from, to))?;
        }
        Ok(self.missing)
    }
}

/// Polls of one thread lie beside or inside each other, but for the last nanoseconds of a clock: those
/// are cut off, since readers of slices take an overlap for something else.
fn nest(polls: &mut [Poll<'_>]) {
    let mut open: Vec<(Lane, u64)> = Vec::new();
    for poll in polls {
        while open.last().is_some_and(|(lane, end_ns)| *lane != poll.lane || *end_ns <= poll.start_ns) {
            open.pop();
        }
        if let Some((_, end_ns)) = open.last() {
            poll.end_ns = poll.end_ns.min(*end_ns);
        }
        open.push((poll.lane, poll.end_ns));
    }
}
