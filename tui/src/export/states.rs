//! The states of tasks over time, out of single wakes and polls: running, scheduled, idle.
//!
//! A state is known only if both of its ends were seen and nothing is missing in between. Of a task whose
//! wakes are not recorded it is known when it runs, and not whether it waits or is idle meanwhile.

use std::collections::{BTreeMap, HashMap};

use pollscope_model::entity::task::{TaskRecord, WokenBy};
use pollscope_model::id::TaskId;
use pollscope_model::measured::Metric;

/// Tasks whose state is remembered.
const MAX_TASKS: usize = 1 << 18;
/// Wakes between two polls that are remembered.
const MAX_WAKES: usize = 64;

/// What a task does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Doing {
    /// It is being polled.
    Running,
    /// It was woken, or just spawned, and waits to be polled.
    Scheduled,
    /// It waits to be woken.
    Idle,
}

impl Doing {
    /// The name of the state.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Scheduled => "scheduled",
            Self::Idle => "idle",
        }
    }
}

/// A stretch of time in one state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct StateSpan {
    /// The task.
    pub(super) task: TaskId,
    /// The state.
    pub(super) doing: Doing,
    /// From when.
    pub(super) start_ns: u64,
    /// Until when.
    pub(super) end_ns: u64,
    /// For scheduled: what woke it; unknown if it was just spawned.
    pub(super) woken_by: WokenBy,
}

/// What a poll says of the time before it.
#[derive(Debug, Default)]
pub(super) struct PollStates {
    /// Up to three states in order, the poll itself last.
    pub(super) spans: [Option<StateSpan>; 3],
    /// Numbers of the wakes that led to the poll.
    pub(super) flows: Vec<u64>,
}

#[derive(Clone, Copy)]
struct Wake {
    at_ns: u64,
    by: WokenBy,
    flow: Option<u64>,
}

#[derive(Default)]
struct TaskHistory {
    /// End of its last poll; 0 if none was seen.
    last_ns: u64,
    wakes: Vec<Wake>,
    /// Whether any wake was ever recorded.
    wakes_seen: bool,
}

/// How every task stands.
#[derive(Default)]
pub(super) struct TaskStates(HashMap<TaskId, TaskHistory>);

impl TaskStates {
    fn get(&mut self, task: TaskId) -> Option<&mut TaskHistory> {
        if self.0.len() >= MAX_TASKS && !self.0.contains_key(&task) {
            return None;
        }
        Some(self.0.entry(task).or_default())
    }

    pub(super) fn wake(&mut self, task: TaskId, at_ns: u64, by: WokenBy, flow: Option<u64>) {
        let Some(history) = self.get(task) else { return };
        history.wakes_seen = true;
        if history.wakes.len() < MAX_WAKES {
            history.wakes.push(Wake { at_ns, by, flow });
        }
    }

    /// A poll has ended. Nothing is known of what was before `hole_ns`.
    pub(super) fn poll(
        &mut self,
        task: TaskId,
        (start_ns, end_ns): (u64, u64),
        record: Option<&TaskRecord>,
        hole_ns: u64,
    ) -> PollStates {
        let span = |doing, start_ns, end_ns, woken_by| StateSpan { task, doing, start_ns, end_ns, woken_by };
        let running = span(Doing::Running, start_ns, end_ns, WokenBy::Unknown);
        let Some(history) = self.get(task) else {
            return PollStates { spans: [None, None, Some(running)], flows: Vec::new() };
        };
        let (before, after): (Vec<Wake>, Vec<Wake>) =
            history.wakes.iter().partition(|wake| wake.at_ns <= start_ns);
        history.wakes = after;
        let flows = before.iter().filter_map(|wake| wake.flow).collect();
        let before_it = std::mem::replace(&mut history.last_ns, end_ns);
        let last_ns = Some(before_it).filter(|last| *last > 0 && *last >= hole_ns && *last <= start_ns);
        let first = before.iter().min_by_key(|wake| wake.at_ns).filter(|wake| wake.at_ns >= hole_ns);
        let spawned_ns = record.map_or(0, |record| record.spawned_ns);
        let (idle, scheduled) = match (last_ns, first) {
            (last_ns, Some(wake)) => {
                // A wake during a poll counts from that poll's end.
                let since = wake.at_ns.max(last_ns.unwrap_or(0)).min(start_ns);
                let idle = last_ns.map(|last| span(Doing::Idle, last, since, WokenBy::Unknown));
                (idle, Some(span(Doing::Scheduled, since, start_ns, wake.by)))
            }
            (None, None) if before_it == 0 && spawned_ns > hole_ns && spawned_ns <= start_ns => {
                (None, Some(span(Doing::Scheduled, spawned_ns, start_ns, WokenBy::Unknown)))
            }
            _ => (None, None),
        };
        let idle = idle.filter(|idle| idle.end_ns > idle.start_ns);
        if record.is_some_and(|record| record.ended_ns > 0 && record.ended_ns <= end_ns) {
            self.0.remove(&task);
        }
        PollStates { spans: [idle, scheduled, Some(running)], flows }
    }

    /// The states that last until the end of what was recorded.
    pub(super) fn rest(self, tasks: &BTreeMap<TaskId, TaskRecord>, until_ns: u64) -> Vec<StateSpan> {
        let mut rest: Vec<StateSpan> = self
            .0
            .into_iter()
            .filter_map(|(task, history)| {
                let record = tasks.get(&task)?;
                let open = record.poll_start_ns > 0 || record.state.is_ended();
                let sees = history.wakes_seen || record.measures(Metric::Wakes);
                if open || !sees || history.last_ns == 0 || history.last_ns >= until_ns {
                    return None;
                }
                let woken = history.wakes.first();
                let doing = if woken.is_some() { Doing::Scheduled } else { Doing::Idle };
                let woken_by = woken.map_or(WokenBy::Unknown, |wake| wake.by);
                Some(StateSpan { task, doing, start_ns: history.last_ns, end_ns: until_ns, woken_by })
            })
            .collect();
        rest.sort_by_key(|span| span.task);
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId(7);

    fn spans(poll_states: &PollStates) -> Vec<(Doing, u64, u64)> {
        poll_states.spans.iter().flatten().map(|span| (span.doing, span.start_ns, span.end_ns)).collect()
    }

    #[test]
    fn a_task_is_idle_until_it_is_woken_and_scheduled_until_it_is_polled() {
        let mut states = TaskStates::default();
        let record = TaskRecord { id: TASK, spawned_ns: 5, ..TaskRecord::default() };
        let first = states.poll(TASK, (10, 20), Some(&record), 0);
        assert_eq!(spans(&first), [(Doing::Scheduled, 5, 10), (Doing::Running, 10, 20)]);
        states.wake(TASK, 50, WokenBy::Runtime, Some(1));
        states.wake(TASK, 55, WokenBy::Itself, Some(2));
        // During the poll that ends next: it counts from that poll's end.
        states.wake(TASK, 65, WokenBy::Itself, Some(3));
        let second = states.poll(TASK, (60, 70), Some(&record), 0);
        assert_eq!(
            spans(&second),
            [(Doing::Idle, 20, 50), (Doing::Scheduled, 50, 60), (Doing::Running, 60, 70)]
        );
        assert_eq!(second.flows, [1, 2]);
        let third = states.poll(TASK, (80, 90), Some(&record), 0);
        assert_eq!(spans(&third), [(Doing::Scheduled, 70, 80), (Doing::Running, 80, 90)]);
    }

    #[test]
    fn nothing_is_said_of_what_was_not_recorded() {
        let mut states = TaskStates::default();
        states.poll(TASK, (10, 20), None, 0);
        let without_wake = states.poll(TASK, (30, 40), None, 0);
        assert_eq!(spans(&without_wake), [(Doing::Running, 30, 40)]);
        states.wake(TASK, 80, WokenBy::Runtime, None);
        let over_a_hole = states.poll(TASK, (90, 95), None, 60);
        assert_eq!(spans(&over_a_hole), [(Doing::Scheduled, 80, 90), (Doing::Running, 90, 95)]);
    }
}
