//! The Firefox Profiler's processed profile, by the crate that samply writes it with.
//!
//! A thread for each lane. Its markers are the polls; its samples are the slow ones with the stack that
//! was seen, once for each part of their time that was measured, weighted in whole milliseconds and in a
//! category of its own: blocked, busy, preempted. The format is one JSON object, so that all of it is in
//! memory before it is written: polls beyond [`MAX_MARKERS`] are left out and counted.

use std::collections::BTreeMap;
use std::io::{self, Write};

use fxprof_processed_profile::{
    CategoryColor, CategoryHandle, CpuDelta, Frame, FrameFlags, FrameInfo, MarkerTiming, ProcessHandle,
    Profile, ReferenceTimestamp, SamplingInterval, StackHandle, ThreadHandle, Timestamp, WeightType,
};
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::time::MILLISECOND;

use super::index::ExportIndex;
use super::lane::Lane;
use super::stacks::UNSEEN;
use super::trace::{Poll, TraceEvent};

mod marker;
use marker::{Found, Polled, SlowPolled};

/// Polls that become markers: some hundred megabytes.
const MAX_MARKERS: u64 = 1_000_000;

/// See the module.
pub(super) struct Firefox<'a> {
    index: &'a ExportIndex,
    profile: Profile,
    threads: BTreeMap<Lane, ThreadHandle>,
    kinds: Kinds,
    markers: u64,
    left_out: u64,
}

/// The categories.
#[derive(Clone, Copy)]
struct Kinds {
    blocked: CategoryHandle,
    busy: CategoryHandle,
    preempted: CategoryHandle,
    unsplit: CategoryHandle,
    poll: CategoryHandle,
}

impl<'a> Firefox<'a> {
    pub(super) fn begin(index: &'a ExportIndex) -> Self {
        let zero_ms = index.unix_ns(0) as f64 / MILLISECOND as f64;
        let reference = ReferenceTimestamp::from_millis_since_unix_epoch(zero_ms);
        let mut profile = Profile::new(index.name(), reference, SamplingInterval::from_millis(1));
        profile.set_symbolicated(true);
        let kinds = Kinds {
            blocked: profile.add_category("blocked", CategoryColor::Red),
            busy: profile.add_category("busy", CategoryColor::Yellow),
            preempted: profile.add_category("preempted", CategoryColor::Purple),
            unsplit: profile.add_category("slow, not split", CategoryColor::DarkGray),
            poll: profile.add_category("poll", CategoryColor::Blue),
        };
        let process = profile.add_process(index.name(), index.hello.process.pid, at(index.span.0));
        profile.set_process_end_time(process, at(index.span.1));
        let mut writer = Self { index, profile, threads: BTreeMap::new(), kinds, markers: 0, left_out: 0 };
        writer.findings(process);
        for (at, (lane, shown)) in (0..).zip(index.lanes.iter()) {
            let thread = writer.thread(process, shown.tid.unwrap_or(at), &shown.name);
            writer.threads.insert(lane, thread);
        }
        writer
    }

    fn thread(&mut self, process: ProcessHandle, tid: u32, name: &str) -> ThreadHandle {
        let thread = self.profile.add_thread(process, tid, at(self.index.span.0), false);
        self.profile.set_thread_name(thread, name);
        self.profile.set_thread_end_time(thread, at(self.index.span.1));
        self.profile.set_thread_samples_weight_type(thread, WeightType::TracingMs);
        self.profile.set_thread_show_markers_in_timeline(thread, true);
        self.profile.add_initial_visible_thread(thread);
        thread
    }

    /// What was found stands on the process's main thread.
    fn findings(&mut self, process: ProcessHandle) {
        if self.index.findings.is_empty() {
            return;
        }
        let pid = self.index.hello.process.pid;
        let thread = self.profile.add_thread(process, pid, at(self.index.span.0), true);
        self.profile.set_thread_name(thread, "findings");
        self.profile.set_thread_end_time(thread, at(self.index.span.1));
        self.profile.add_initial_visible_thread(thread);
        for finding in &self.index.findings {
            let when = at(self.index.mono_ns(finding.first_ns));
            let marker = Found::new(&mut self.profile, finding);
            self.profile.add_marker(thread, MarkerTiming::Instant(when), marker);
        }
    }

    pub(super) fn add(&mut self, event: &TraceEvent<'_>) {
        if let TraceEvent::Poll(poll) = event
            && let Some(thread) = self.threads.get(&poll.lane).copied()
        {
            self.poll(thread, poll);
        }
    }

    fn poll(&mut self, thread: ThreadHandle, poll: &Poll<'_>) {
        // Slow polls are bounded by themselves.
        if self.markers >= MAX_MARKERS && poll.slow.is_none() {
            self.left_out += 1;
            return;
        }
        self.markers += 1;
        let when = MarkerTiming::Interval(at(poll.start_ns), at(poll.end_ns));
        let whose = Polled::new(&mut self.profile, self.index, poll, self.kinds.poll);
        match poll.slow {
            None => {
                self.profile.add_marker(thread, when, whose);
            }
            Some(slow) => {
                let marker = SlowPolled::new(&mut self.profile, whose, self.index, slow);
                let marker = self.profile.add_marker(thread, when, marker);
                let stack = self.stack(thread, slow, self.kinds.poll);
                self.profile.set_marker_stack(thread, marker, stack);
                self.samples(thread, poll, slow);
            }
        }
    }

    fn samples(&mut self, thread: ThreadHandle, poll: &Poll<'_>, slow: &SlowPoll) {
        let parts = match (slow.blocked_ns(), slow.busy_ns, slow.preempted_ns) {
            (Some(blocked), Some(busy), Some(preempted)) => vec![
                (self.kinds.busy, busy),
                (self.kinds.blocked, blocked),
                (self.kinds.preempted, preempted),
            ],
            _ => vec![(self.kinds.unsplit, slow.wall_ns)],
        };
        for (kind, ns) in parts {
            let ms = ns.saturating_add(MILLISECOND / 2) / MILLISECOND;
            if ms == 0 {
                continue;
            }
            let stack = self.stack(thread, slow, kind);
            let cpu = if kind == self.kinds.busy { CpuDelta::from_nanos(ns) } else { CpuDelta::ZERO };
            // All parts of a poll stand at its end: in which order they were is not known.
            let weight = i32::try_from(ms).unwrap_or(i32::MAX);
            self.profile.add_sample(thread, at(poll.end_ns), stack, cpu, weight);
        }
    }

    fn stack(&mut self, thread: ThreadHandle, slow: &SlowPoll, kind: CategoryHandle) -> Option<StackHandle> {
        let index = self.index;
        let mut names = vec![format!("tasks of {}", index.dictionary.site_text(slow.site))];
        match index.stack_of(slow) {
            Some(stack) => names.extend(stack.inside().rev().map(ToString::to_string)),
            None => names.push(UNSEEN.to_owned()),
        }
        let frames: Vec<FrameInfo> = names
            .iter()
            .map(|name| FrameInfo {
                frame: Frame::Label(self.profile.intern_string(name)),
                category_pair: kind.into(),
                flags: FrameFlags::empty(),
            })
            .collect();
        self.profile.intern_stack_frames(thread, frames.into_iter())
    }

    /// Writes the profile; how many polls found no room.
    pub(super) fn end(self, mut out: impl Write) -> io::Result<u64> {
        crate::output::json::write(&mut out, &self.profile)?;
        out.flush()?;
        Ok(self.left_out)
    }
}

fn at(ns: u64) -> Timestamp {
    Timestamp::from_nanos_since_reference(ns)
}
