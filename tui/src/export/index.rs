//! Everything that a recording knows at its end: its tasks, lanes and slow polls, their names, and what was found.
//!
//! The first of two readings. A slow poll may come again with more known of it, a stack may get its names later, and a
//! task its name after its first poll; so the index is complete before the second reading ([`trace`](super::trace)).
//! Bounded: what finds no room is counted, and the command says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use pollscope_model::dict::{Dictionary, Stack};
use pollscope_model::entity::event::Event;
use pollscope_model::entity::runtime::RuntimeRecord;
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::task::TaskRecord;
use pollscope_model::finding::Finding;
use pollscope_model::hello::Hello;
use pollscope_model::id::{NameId, RuntimeId, SiteId, TaskId, WorkerId};
use pollscope_model::measured::{Coverage, Metric};
use pollscope_model::monitor::{Message, Monitor};
use pollscope_model::query::flag::FindingSource as _;
use pollscope_model::report::Report;
use pollscope_proto::recording::Recording;

use super::lane::{Lane, Lanes};

/// Tasks that are known by name; of further ones only the polls are drawn.
const MAX_TASKS: usize = 1 << 18;
/// Tasks that have a track of their own.
pub(super) const MAX_TRACKS: usize = 5_000;
/// Slow polls that are kept; the longest stay.
const MAX_SLOW: usize = 1 << 16;
/// Findings that are kept.
const MAX_FINDINGS: usize = 10_000;
/// The latest moment that is drawn: what is later is no time of a service's, and would be negative to
/// readers that count in 63 bits.
pub(super) const MAX_NS: u64 = 1 << 60;

/// See the module.
pub(super) struct ExportIndex {
    /// The process, as it last greeted.
    pub(super) hello: Hello,
    /// First and last moment on the process's clock.
    pub(super) span: (u64, u64),
    /// Every task that was reported.
    pub(super) tasks: BTreeMap<TaskId, TaskRecord>,
    /// Where the tasks were spawned of which single polls were recorded.
    pub(super) polled: BTreeMap<TaskId, SiteId>,
    /// The tasks that have a track of their own.
    pub(super) tracks: BTreeSet<TaskId>,
    /// Where polls are drawn.
    pub(super) lanes: Lanes,
    /// The runtimes, as last reported.
    pub(super) runtimes: BTreeMap<RuntimeId, RuntimeRecord>,
    /// Slow polls by their start.
    pub(super) slow: Vec<SlowPoll>,
    /// What was found, in the order in which it was.
    pub(super) findings: Vec<Finding>,
    /// The names of all of it.
    pub(super) dictionary: Dictionary,
    /// What the recording holds, and what it lacks.
    pub(super) holds: Holds,
}

/// What a recording holds, and what found no room here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Holds {
    /// Reports of the process.
    pub(super) reports: u64,
    /// Messages of another process in the same file.
    pub(super) strangers: u64,
    /// Single polls.
    pub(super) polls: u64,
    /// Single wakes.
    pub(super) wakes: u64,
    /// Tasks beyond [`MAX_TASKS`].
    pub(super) tasks_left_out: u64,
    /// Slow polls beyond [`MAX_SLOW`].
    pub(super) slow_left_out: u64,
    /// Findings beyond [`MAX_FINDINGS`].
    pub(super) findings_left_out: u64,
    /// Damaged chunks.
    pub(super) damaged: usize,
}

impl ExportIndex {
    /// Reads the whole recording once.
    pub(super) fn read(recording: &mut Recording) -> Self {
        let hello = recording.hello().clone();
        let boot = hello.boot;
        let mut builder = IndexBuilder::new(hello);
        for entry in recording.messages() {
            builder.take(entry.message, entry.unix_ns);
        }
        // The last reports are judged too, as they are for every other reader of a recording.
        builder.monitor.finish(recording.span().1);
        builder.keep_findings();
        builder.holds.damaged = recording.damaged();
        let dictionary = match builder.monitor.world().process(boot) {
            Some(process) => process.dictionary().clone(),
            None => Dictionary::default(),
        };
        builder.finish(dictionary)
    }

    /// The service's name.
    pub(super) fn name(&self) -> &str {
        &self.hello.process.name
    }

    /// What people call a task: its name, or where it was spawned, without a number.
    pub(super) fn task_name(&self, task: TaskId, site: SiteId) -> Arc<str> {
        match self.tasks.get(&task) {
            Some(record) if record.name != NameId::NONE => self.dictionary.name(record.name),
            Some(record) => self.dictionary.site(record.site).short().into(),
            None => self.dictionary.site(site).short().into(),
        }
    }

    /// The same with the number that tells it from others of that name.
    pub(super) fn task_label(&self, task: TaskId) -> String {
        match self.site_of(task) {
            Some(site) => format!("{} #{task}", self.task_name(task, site)),
            None => format!("task #{task}"),
        }
    }

    /// Where a task was spawned, if that was reported.
    pub(super) fn site_of(&self, task: TaskId) -> Option<SiteId> {
        self.tasks.get(&task).map(|record| record.site).or_else(|| self.polled.get(&task).copied())
    }

    /// The stack that was seen in a slow poll.
    pub(super) fn stack_of(&self, poll: &SlowPoll) -> Option<&Arc<Stack>> {
        self.dictionary.stack(poll.stack?).filter(|stack| !stack.frames.is_empty())
    }

    /// What the thread did in a slow poll, by the kernel; empty if the kernel was not asked.
    pub(super) fn waiting_in(&self, poll: &SlowPoll) -> Arc<str> {
        poll.waiting_in.map_or_else(Arc::default, |name| self.dictionary.name(name))
    }

    /// Wall clock of a moment.
    pub(super) fn unix_ns(&self, ns: u64) -> u64 {
        self.hello.anchor.to_unix_ns(ns)
    }

    /// A moment of the wall clock on the process's own, inside of the recording.
    pub(super) fn mono_ns(&self, unix_ns: u64) -> u64 {
        self.hello.anchor.to_mono_ns(unix_ns).clamp(self.span.0, self.span.1)
    }

    /// Whether the metric is measured for any task, and why not.
    pub(super) fn measures(&self, metric: Metric) -> Result<(), &str> {
        match self.hello.capabilities.iter().find(|capability| capability.metric == metric) {
            Some(said) if said.coverage != Coverage::NoTask => Ok(()),
            Some(said) => Err(&said.reason),
            None => Err("its pollscope is older than that"),
        }
    }
}

/// The first reading.
struct IndexBuilder {
    hello: Hello,
    monitor: Monitor,
    holds: Holds,
    span: Option<(u64, u64)>,
    tasks: BTreeMap<TaskId, TaskRecord>,
    lanes: Lanes,
    runtimes: BTreeMap<RuntimeId, RuntimeRecord>,
    slow: HashMap<(TaskId, u64, u64), SlowPoll>,
    findings: BTreeMap<u64, Finding>,
    polled: BTreeMap<TaskId, SiteId>,
}

impl IndexBuilder {
    fn new(hello: Hello) -> Self {
        Self {
            hello,
            monitor: Monitor::default(),
            holds: Holds::default(),
            span: None,
            tasks: BTreeMap::new(),
            lanes: Lanes::default(),
            runtimes: BTreeMap::new(),
            slow: HashMap::new(),
            findings: BTreeMap::new(),
            polled: BTreeMap::new(),
        }
    }

    fn take(&mut self, message: Message, unix_ns: u64) {
        match &message {
            Message::Hello(hello) if hello.boot == self.hello.boot => self.hello = Hello::clone(hello),
            Message::Report(report) if report.boot == self.hello.boot => self.look_at(report),
            Message::Goodbye { .. } => return,
            Message::Hello(_) | Message::Report(_) => {
                self.holds.strangers += 1;
                return;
            }
        }
        // One process fits into any monitor.
        let _ = self.monitor.receive_and_tick(message, unix_ns);
        self.keep_findings();
    }

    fn look_at(&mut self, report: &Report) {
        self.holds.reports += 1;
        let (start, end) = (report.start_ns.min(MAX_NS), report.end_ns.min(MAX_NS));
        let (from, to) = self.span.unwrap_or((start.min(end), end));
        self.span = Some((from.min(start), to.max(end)));
        for worker in &report.workers {
            self.lanes.meet_worker(worker);
        }
        for runtime in &report.runtimes {
            self.runtimes.insert(runtime.id, runtime.clone());
        }
        for task in &report.tasks {
            if self.tasks.len() < MAX_TASKS || self.tasks.contains_key(&task.id) {
                self.tasks.insert(task.id, task.clone());
            } else {
                self.holds.tasks_left_out += 1;
            }
        }
        for poll in &report.slow_polls {
            self.slow.insert((poll.task, poll.nth, poll.start_ns), poll.clone());
        }
        if self.slow.len() > 2 * MAX_SLOW {
            self.drop_short_slow_polls();
        }
        for block in &report.events {
            for event in &block.events {
                let Event::Poll { task, site, worker, .. } = *event else {
                    self.holds.wakes += 1;
                    continue;
                };
                self.holds.polls += 1;
                self.lanes.meet(Lane::of(block.thread, worker));
                if self.polled.len() < MAX_TASKS {
                    self.polled.insert(task, site);
                }
            }
        }
    }

    fn drop_short_slow_polls(&mut self) {
        let mut walls: Vec<u64> = self.slow.values().map(|poll| poll.wall_ns).collect();
        let before = walls.len();
        if before <= MAX_SLOW {
            return;
        }
        let (_, limit, _) = walls.select_nth_unstable(before - MAX_SLOW);
        let (limit, mut room) = (*limit, MAX_SLOW);
        self.slow.retain(|_, poll| {
            let stays = poll.wall_ns >= limit && room > 0;
            room -= usize::from(stays);
            stays
        });
        self.holds.slow_left_out += (before - self.slow.len()) as u64;
    }

    fn keep_findings(&mut self) {
        for finding in self.monitor.engine().findings(self.hello.boot) {
            let known = self.findings.get(&finding.number);
            let fits = known.is_some() || self.findings.len() < MAX_FINDINGS;
            if fits && known != Some(finding) {
                self.findings.insert(finding.number, finding.clone());
            }
        }
    }

    fn finish(mut self, dictionary: Dictionary) -> ExportIndex {
        self.drop_short_slow_polls();
        let found = self.monitor.engine().findings_opened();
        self.holds.findings_left_out = found.saturating_sub(self.findings.len() as u64);
        let mut slow: Vec<SlowPoll> = self.slow.into_values().collect();
        slow.sort_by_key(|poll| (poll.start_ns, poll.task, poll.nth));
        let runtime_of = |poll: &SlowPoll| {
            let known = self.tasks.get(&poll.task).and_then(|task| task.runtime);
            known.or_else(|| self.runtimes.keys().next().copied().filter(|_| self.runtimes.len() == 1))
        };
        for poll in &slow {
            let worker = poll.worker.zip(runtime_of(poll));
            let worker = worker.map(|(index, runtime)| WorkerId { runtime, index });
            self.lanes.meet_slow(poll, worker);
        }
        let mut index = ExportIndex {
            hello: self.hello,
            span: self.span.unwrap_or_default(),
            tasks: self.tasks,
            polled: self.polled,
            tracks: BTreeSet::new(),
            lanes: self.lanes,
            runtimes: self.runtimes,
            slow,
            findings: self.findings.into_values().collect(),
            dictionary,
            holds: self.holds,
        };
        index.lanes.name(&index.dictionary, &index.runtimes);
        index.tracks = choose_tracks(&index);
        index
    }
}

/// The tasks that get a track of their own: first those with findings, then those with slow polls, then the busiest.
fn choose_tracks(index: &ExportIndex) -> BTreeSet<TaskId> {
    let found = index.findings.iter().filter_map(|finding| finding.task);
    let slow = index.slow.iter().map(|poll| poll.task);
    let mut tracks = BTreeSet::new();
    for task in found.chain(slow) {
        if tracks.len() < MAX_TRACKS && index.site_of(task).is_some() {
            tracks.insert(task);
        }
    }
    let busy = |task: &TaskId| index.tasks.get(task).map_or(0, |record| record.busy_ns);
    let mut others: Vec<TaskId> = index
        .tasks
        .keys()
        .chain(index.polled.keys())
        .filter(|task| !tracks.contains(task))
        .copied()
        .collect();
    others.sort_by_key(|task| (std::cmp::Reverse(busy(task)), *task));
    others.dedup();
    let room = MAX_TRACKS - tracks.len();
    tracks.extend(others.into_iter().take(room));
    tracks
}
