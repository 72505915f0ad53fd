//! Perfetto's own format: a stream of `TracePacket`s, as `perfetto/trace/trace.proto` has them.
//!
//! Tracks under the process: its workers with their polls, the tasks with their states, counters,
//! findings. A wake by a task is a flow from the poll that did it to the poll that it led to. Times are on
//! the process's clock, which a clock snapshot ties to the wall's.

mod packet;

use std::collections::BTreeMap;
use std::io::{self, Write};

use pollscope_model::entity::task::WokenBy;
use pollscope_model::id::{SiteId, TaskId};

use super::args::{self, Arg};
use super::index::ExportIndex;
use super::lane::Lane;
use super::meter::{Meter, Reading, Unit};
use super::states::StateSpan;
use super::trace::{Poll, TraceEvent};
use packet::{Packets, Track};

/// `TrackEvent.type`.
const BEGIN: u64 = 1;
const END: u64 = 2;
const INSTANT: u64 = 3;
const COUNTER: u64 = 4;

/// Numbers of the tracks that there is one of. Others count up from [`FREE`].
const PROCESS: u64 = 1;
const WORKERS: u64 = 2;
const TASKS: u64 = 3;
const FINDINGS: u64 = 4;
const HOLES: u64 = 5;
const FREE: u64 = 1_000;
/// Tracks of tasks: their id above this.
const TASK_TRACKS: u64 = 1 << 62;

/// See the module.
pub(super) struct Perfetto<'a, W> {
    index: &'a ExportIndex,
    packets: Packets<W>,
    lanes: BTreeMap<Lane, u64>,
    sites: BTreeMap<SiteId, u64>,
    meters: BTreeMap<Meter, u64>,
    next: u64,
    holes: bool,
    /// When each task left its last state.
    lasts: BTreeMap<TaskId, u64>,
}

impl<'a, W: Write> Perfetto<'a, W> {
    /// Writes the process, the workers and the tasks as tracks.
    pub(super) fn begin(index: &'a ExportIndex, out: W) -> io::Result<Self> {
        let mut packets = Packets::new(out);
        packets.clock(index.hello.anchor)?;
        packets.process(PROCESS, index.hello.process.pid, index.name())?;
        let mut writer = Self {
            index,
            packets,
            lanes: BTreeMap::new(),
            sites: BTreeMap::new(),
            meters: BTreeMap::new(),
            next: FREE,
            holes: false,
            lasts: BTreeMap::new(),
        };
        writer.tracks()?;
        writer.tasks()?;
        writer.findings()?;
        Ok(writer)
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn tracks(&mut self) -> io::Result<()> {
        if !self.index.findings.is_empty() {
            let about = "What the detectors found, when it was first seen.";
            self.packets.track(&Track { about, rank: 0, ..Track::new(FINDINGS, PROCESS, "findings") })?;
        }
        let about = "One lane for each thread that polled tasks. What is not there was not recorded.";
        self.packets.track(&Track {
            about,
            rank: 1,
            ordered: true,
            ..Track::new(WORKERS, PROCESS, "workers")
        })?;
        let index = self.index;
        for (rank, (lane, shown)) in (0..).zip(index.lanes.iter()) {
            let id = self.fresh();
            self.lanes.insert(lane, id);
            let about = match (&*shown.thread, shown.tid) {
                ("", None) => String::new(),
                (thread, None) => format!("thread {thread}"),
                (thread, Some(tid)) => format!("thread {thread}, tid {tid}"),
            };
            self.packets.track(&Track { about: &about, rank, ..Track::new(id, WORKERS, &shown.name) })?;
        }
        if !index.tracks.is_empty() {
            let about = "By spawn site: each task from its spawn to its end, and its states inside of it.";
            self.packets.track(&Track { about, rank: 2, ..Track::new(TASKS, PROCESS, "tasks") })?;
        }
        Ok(())
    }

    fn site_track(&mut self, site: SiteId) -> io::Result<u64> {
        if let Some(id) = self.sites.get(&site) {
            return Ok(*id);
        }
        let id = self.fresh();
        let name = self.index.dictionary.site_text(site);
        self.packets.track(&Track { by_time: true, ..Track::new(id, TASKS, &name) })?;
        self.sites.insert(site, id);
        Ok(id)
    }

    /// The tasks that have a track, each as a slice of its history.
    fn tasks(&mut self) -> io::Result<()> {
        let index = self.index;
        for task in &index.tracks {
            let Some(site) = index.site_of(*task) else { continue };
            let parent = self.site_track(site)?;
            self.packets.track(&Track::new(task_track(*task), parent, &index.task_label(*task)))?;
            let Some(record) = index.tasks.get(task) else { continue };
            let event = self.packets.event(BEGIN, task_track(*task), &index.task_name(*task, record.site));
            let event = self.packets.args(event, &args::of_task(index, record));
            self.packets.write(record.spawned_ns, &event)?;
        }
        Ok(())
    }

    fn findings(&mut self) -> io::Result<()> {
        for finding in &self.index.findings {
            let event = self.packets.event(INSTANT, FINDINGS, &finding.headline);
            let event = self.packets.args(event, &args::of_finding(finding));
            self.packets.write(self.index.mono_ns(finding.first_ns), &event)?;
        }
        Ok(())
    }

    /// Writes what happened.
    pub(super) fn add(&mut self, event: &TraceEvent<'_>) -> io::Result<()> {
        match event {
            TraceEvent::Poll(poll) => self.poll(poll),
            TraceEvent::State(span) => self.span(span),
            TraceEvent::Reading(reading) => self.reading(reading),
            TraceEvent::Gap(from, to) => self.hole(*from, *to),
        }
    }

    fn poll(&mut self, poll: &Poll<'_>) -> io::Result<()> {
        let Some(track) = self.lanes.get(&poll.lane).copied() else { return Ok(()) };
        let name = self.index.task_name(poll.task, poll.site);
        let mut event = self.packets.event(BEGIN, track, &name);
        for flow in poll.wakes.iter().map(|(flow, _)| *flow).chain(poll.woken.iter().copied()) {
            event = event.fixed64(packet::FLOW_IDS, flow);
        }
        let event = self.packets.args(event, &args::of_poll(self.index, poll));
        self.packets.write(poll.start_ns, &event)?;
        self.packets.write(poll.end_ns, &packet::bare(END, track))
    }

    fn span(&mut self, span: &StateSpan) -> io::Result<()> {
        let track = task_track(span.task);
        let last = self.lasts.entry(span.task).or_default();
        *last = span.end_ns.max(*last);
        let event = self.packets.event(BEGIN, track, span.doing.as_str());
        let by: Vec<(&str, Arg)> = match span.woken_by {
            WokenBy::Unknown => Vec::new(),
            by => vec![("woken by", Arg::Text(args::woken_by(self.index, by)))],
        };
        let event = self.packets.args(event, &by);
        self.packets.write(span.start_ns, &event)?;
        self.packets.write(span.end_ns, &packet::bare(END, track))
    }

    fn reading(&mut self, reading: &Reading) -> io::Result<()> {
        let track = self.meter_track(reading.meter)?;
        let event = packet::bare(COUNTER, track);
        let event = match reading.meter.unit() {
            Unit::PerSecond | Unit::Percent => event.double(packet::DOUBLE_VALUE, reading.value),
            Unit::Count | Unit::Nanos => {
                event.uint(packet::INT_VALUE, (reading.value as u64).min(i64::MAX as u64))
            }
        };
        self.packets.write(reading.at_ns, &event)
    }

    fn meter_track(&mut self, meter: Meter) -> io::Result<u64> {
        if let Some(track) = self.meters.get(&meter) {
            return Ok(*track);
        }
        let track = self.fresh();
        self.packets.counter(track, PROCESS, &args::meter_name(self.index, meter), meter)?;
        self.meters.insert(meter, track);
        Ok(track)
    }

    fn hole(&mut self, from: u64, to: u64) -> io::Result<()> {
        if !self.holes {
            self.holes = true;
            let about = "For these stretches single polls and wakes are missing; an empty lane says nothing.";
            self.packets.track(&Track { about, rank: 3, ..Track::new(HOLES, PROCESS, "not recorded") })?;
        }
        let event = self.packets.event(BEGIN, HOLES, "single polls not recorded");
        self.packets.write(from, &event)?;
        self.packets.write(to, &packet::bare(END, HOLES))
    }

    /// Ends the tasks that have ended, now that what happened inside of their states is written: readers
    /// keep the order of what was at the same time.
    pub(super) fn end(mut self) -> io::Result<()> {
        for task in &self.index.tracks {
            if let Some(record) = self.index.tasks.get(task).filter(|record| record.ended_ns > 0) {
                let last_ns = self.lasts.get(task).copied().unwrap_or(0);
                let end_ns = record.ended_ns.max(last_ns).max(record.spawned_ns);
                self.packets.write(end_ns, &packet::bare(END, task_track(*task)))?;
            }
        }
        self.packets.finish()
    }
}

fn task_track(task: TaskId) -> u64 {
    TASK_TRACKS | (task.0 & (TASK_TRACKS - 1))
}
