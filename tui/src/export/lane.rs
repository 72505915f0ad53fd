//! Lanes: where polls are drawn, so that no two of one lane overlap unless one runs inside of the other.
//!
//! A lane is a recording thread as a worker, or without being one. Where only slow polls are known it is
//! the worker that they held, and for those that held none a lane of its own for each that overlaps.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use pollscope_model::dict::Dictionary;
use pollscope_model::entity::runtime::{RuntimeRecord, WorkerDelta};
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::id::{NameId, RuntimeId, TaskId, WorkerId};

/// Lanes at most: the recorder has no more rings, and no machine that many workers.
const MAX_LANES: usize = 1_024;
/// Lanes for slow polls that held no worker.
const MAX_LOOSE: u32 = 32;

/// What a lane stands for; the order in which they are drawn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Lane {
    /// A worker. A worker whose thread blocks for long goes on in another one, beside it.
    Worker(WorkerId, Option<u32>),
    /// A recording thread that is no worker.
    Thread(u32),
    /// Slow polls of which no thread is known.
    Loose(u32),
}

impl Lane {
    /// The lane of an event.
    pub(super) fn of(thread: u32, worker: Option<WorkerId>) -> Self {
        worker.map_or(Self::Thread(thread), |worker| Self::Worker(worker, Some(thread)))
    }
}

/// What is shown of a lane.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Shown {
    /// `worker 0`, with its runtime's name if there are several.
    pub(super) name: String,
    /// The operating system's name of the thread; empty if not known.
    pub(super) thread: Arc<str>,
    /// Its number, if known.
    pub(super) tid: Option<u32>,
}

#[derive(Clone, Default)]
struct Worker {
    thread: NameId,
    tid: Option<u32>,
}

/// Every lane of a process.
#[derive(Default)]
pub(super) struct Lanes {
    shown: BTreeMap<Lane, Shown>,
    workers: BTreeMap<WorkerId, Worker>,
    /// The lane of each slow poll, by task and start.
    slow: HashMap<(TaskId, u64), Lane>,
    /// When each loose lane is free again.
    loose: Vec<u64>,
}

impl Lanes {
    pub(super) fn meet_worker(&mut self, delta: &WorkerDelta) {
        if self.workers.len() >= MAX_LANES && !self.workers.contains_key(&delta.id) {
            return;
        }
        let worker = self.workers.entry(delta.id).or_default();
        worker.tid = delta.tid.or(worker.tid);
        if delta.thread != NameId::NONE {
            worker.thread = delta.thread;
        }
    }

    pub(super) fn meet(&mut self, lane: Lane) {
        if self.shown.len() < MAX_LANES {
            self.shown.entry(lane).or_default();
        }
    }

    /// Finds a lane for a slow poll, in case that it is not among the single polls. They come by start.
    pub(super) fn meet_slow(&mut self, poll: &SlowPoll, worker: Option<WorkerId>) {
        let main = worker.map(|worker| self.main_lane(worker));
        let lane = main.unwrap_or_else(|| self.loose_lane(poll));
        self.slow.insert((poll.task, poll.start_ns), lane);
    }

    fn loose_lane(&mut self, poll: &SlowPoll) -> Lane {
        let free = self.loose.iter().position(|until| *until <= poll.start_ns);
        let at = free.unwrap_or(self.loose.len()).min(MAX_LOOSE as usize - 1);
        self.loose.resize(self.loose.len().max(at + 1), 0);
        self.loose[at] = poll.start_ns.saturating_add(poll.wall_ns);
        Lane::Loose(at as u32)
    }

    /// The lane of a worker: that of the first thread that recorded as it.
    fn main_lane(&self, worker: WorkerId) -> Lane {
        let range = Lane::Worker(worker, None)..=Lane::Worker(worker, Some(u32::MAX));
        self.shown.range(range).next().map_or(Lane::Worker(worker, None), |(lane, _)| *lane)
    }

    /// The lane of a slow poll that is not among the single polls.
    pub(super) fn of_slow(&self, poll: &SlowPoll) -> Option<Lane> {
        self.slow.get(&(poll.task, poll.start_ns)).copied()
    }

    /// The lane that shows an event.
    pub(super) fn shows(&self, lane: Lane) -> bool {
        self.shown.contains_key(&lane)
    }

    /// Every lane in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Lane, &Shown)> + '_ {
        self.shown.iter().map(|(lane, shown)| (*lane, shown))
    }

    /// The place of a lane in that order.
    pub(super) fn numbers(&self) -> BTreeMap<Lane, u32> {
        self.shown.keys().copied().zip(0..).collect()
    }

    /// What people call a worker.
    pub(super) fn worker_name(worker: WorkerId, runtimes: &[(RuntimeId, Arc<str>)]) -> String {
        match runtimes.iter().find(|(id, _)| *id == worker.runtime) {
            Some((_, name)) if runtimes.len() > 1 => format!("worker {} of {name}", worker.index),
            None if !runtimes.is_empty() => {
                format!("worker {} of runtime {}", worker.index, worker.runtime.0)
            }
            _ => format!("worker {}", worker.index),
        }
    }

    /// Gives every lane its name, once all are known. A worker without a poll has one too: an empty
    /// lane shows that it had none.
    pub(super) fn name(&mut self, dictionary: &Dictionary, runtimes: &BTreeMap<RuntimeId, RuntimeRecord>) {
        let bare: Vec<Lane> = self.workers.keys().map(|worker| self.main_lane(*worker)).collect();
        let slow: Vec<Lane> = self.slow.values().copied().collect();
        bare.into_iter().chain(slow).for_each(|lane| self.meet(lane));
        let names = runtime_names(dictionary, runtimes);
        let mut last = None;
        for (lane, shown) in &mut self.shown {
            *shown = match *lane {
                Lane::Worker(id, thread) => {
                    let worker = self.workers.get(&id).cloned().unwrap_or_default();
                    let name = Self::worker_name(id, &names);
                    let again = last == Some(id);
                    last = Some(id);
                    match thread.filter(|_| again) {
                        Some(thread) => {
                            Shown { name: format!("{name} (thread {thread})"), ..Shown::default() }
                        }
                        None => Shown { name, thread: dictionary.name(worker.thread), tid: worker.tid },
                    }
                }
                Lane::Thread(thread) => Shown { name: format!("thread {thread}"), ..Shown::default() },
                Lane::Loose(0) => Shown { name: "other threads".to_owned(), ..Shown::default() },
                Lane::Loose(n) => Shown { name: format!("other threads {}", n + 1), ..Shown::default() },
            };
        }
    }
}

/// What people call the runtimes.
pub(super) fn runtime_names(
    dictionary: &Dictionary,
    runtimes: &BTreeMap<RuntimeId, RuntimeRecord>,
) -> Vec<(RuntimeId, Arc<str>)> {
    let name = |record: &RuntimeRecord| match &*dictionary.name(record.name) {
        "" => format!("runtime {}", record.id.0).into(),
        name => Arc::from(name),
    };
    runtimes.values().map(|record| (record.id, name(record))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(task: u64, start_ns: u64, wall_ns: u64) -> SlowPoll {
        SlowPoll { task: TaskId(task), start_ns, wall_ns, ..SlowPoll::default() }
    }

    #[test]
    fn slow_polls_without_a_worker_never_overlap_on_a_lane() {
        let mut lanes = Lanes::default();
        let polls = [poll(1, 10, 50), poll(2, 20, 5), poll(3, 26, 100), poll(4, 60, 1)];
        for poll in &polls {
            lanes.meet_slow(poll, None);
        }
        let of: Vec<_> = polls.iter().map(|poll| lanes.of_slow(poll)).collect();
        assert_eq!(of, [0, 1, 1, 0].map(|n| Some(Lane::Loose(n))));
    }

    #[test]
    fn a_worker_that_goes_on_in_another_thread_has_a_lane_beside_it() {
        let mut lanes = Lanes::default();
        let worker = WorkerId { runtime: RuntimeId(0), index: 1 };
        lanes.meet_worker(&WorkerDelta { id: worker, tid: Some(77), ..WorkerDelta::default() });
        lanes.meet(Lane::of(4, Some(worker)));
        lanes.meet(Lane::of(9, Some(worker)));
        lanes.meet(Lane::of(5, None));
        lanes.meet_slow(&poll(1, 0, 1), Some(worker));
        lanes.name(&Dictionary::default(), &BTreeMap::new());
        let names: Vec<_> = lanes.iter().map(|(_, shown)| (&*shown.name, shown.tid)).collect();
        assert_eq!(names, [("worker 1", Some(77)), ("worker 1 (thread 9)", None), ("thread 5", None)]);
    }
}
