//! Slow polls by where their thread was: what the formats of profilers are made of.
//!
//! Only what was measured: a poll that was not looked at has no frames of its own, and says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use pollscope_model::dict::Frame;
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::id::StackId;

use super::index::ExportIndex;

/// The frame of a slow poll that was not looked at.
pub(super) const UNSEEN: &str = "(no stack was taken)";

/// What a number of slow polls took together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Weights {
    pub(super) count: u64,
    pub(super) wall_ns: u64,
    pub(super) busy_ns: u64,
    pub(super) blocked_ns: u64,
    pub(super) preempted_ns: u64,
    /// Polls whose time was not split; they are in `count` and `wall_ns` only.
    pub(super) unsplit: u64,
}

impl Weights {
    fn add(&mut self, poll: &SlowPoll) {
        let sum = |total: &mut u64, ns: u64| *total = total.saturating_add(ns).min(i64::MAX as u64);
        sum(&mut self.count, 1);
        sum(&mut self.wall_ns, poll.wall_ns);
        match (poll.busy_ns, poll.blocked_ns(), poll.preempted_ns) {
            (Some(busy), Some(blocked), Some(preempted)) => {
                sum(&mut self.busy_ns, busy);
                sum(&mut self.blocked_ns, blocked);
                sum(&mut self.preempted_ns, preempted);
            }
            _ => sum(&mut self.unsplit, 1),
        }
    }
}

/// What slow polls have in common.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key {
    /// Where the task was spawned, `src/cart.rs:88:9`.
    pub(super) site: Arc<str>,
    /// The task's name; empty if it has none.
    pub(super) task: Arc<str>,
    /// `busy`, `blocked`, `preempted`, or empty where that was not measured.
    pub(super) kind: &'static str,
    /// Where the thread was.
    pub(super) stack: Option<StackId>,
}

/// Every slow poll, added up.
pub(super) fn sum(index: &ExportIndex) -> BTreeMap<Key, Weights> {
    let mut sums: BTreeMap<Key, Weights> = BTreeMap::new();
    for poll in &index.slow {
        let task = index.tasks.get(&poll.task);
        let key = Key {
            site: index.dictionary.site_text(poll.site),
            task: task.map_or_else(Arc::default, |task| index.dictionary.name(task.name)),
            kind: poll.kind().map_or("", pollscope_model::entity::slow_poll::PollKind::as_str),
            stack: poll.stack.filter(|_| index.stack_of(poll).is_some()),
        };
        sums.entry(key).or_default().add(poll);
    }
    sums
}

/// The frames of a key, innermost first; see [`pollscope_model::dict::Stack::inside`].
pub(super) fn frames<'a>(index: &'a ExportIndex, key: &Key) -> Vec<&'a Frame> {
    let stack = key.stack.and_then(|stack| index.dictionary.stack(stack));
    stack.map_or_else(Vec::new, |stack| stack.inside().collect())
}
