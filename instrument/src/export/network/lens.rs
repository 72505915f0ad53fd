//! How much of the tasks one reader gets: every row that changed, or only those that stand out.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pollscope_model::entity::task::{TaskKind, TaskRecord, TaskState};
use pollscope_model::id::TaskId;
use pollscope_model::measured::Mode;
use pollscope_model::report::{Detail, Report, ReportKind};
use pollscope_proto::DetailRequest;

/// Rows that a report keeps because their tasks are the busiest, and again as many because a rule
/// may judge their state.
const TOP: usize = 50;
/// Tasks that the reader was told of and whose end it is told too.
const MAX_TOLD: usize = 10_000;
/// The longest that a request for detail holds without being renewed.
const MAX_TTL: Duration = Duration::from_secs(600);

/// One reader's choice, which lapses.
#[derive(Debug)]
pub(super) struct Lens {
    usual: Detail,
    asked: Option<(Detail, Instant)>,
    current: Detail,
    told: HashSet<TaskId>,
}

impl Lens {
    /// `usual` holds whenever nothing else is asked for.
    pub(super) fn new(usual: Detail) -> Self {
        Self { usual, asked: None, current: usual, told: HashSet::new() }
    }

    /// The reader asks.
    pub(super) fn ask(&mut self, request: DetailRequest, now: Instant) {
        let ttl = Duration::from_nanos(request.ttl_ns).min(MAX_TTL);
        self.asked = Some((request.detail, now + ttl));
    }

    /// Brings the choice up to date. `true` when it has just grown to every task: the reader needs a
    /// snapshot, because rows that it was not given may never change again.
    pub(super) fn turn(&mut self, now: Instant) -> bool {
        let wanted = match self.asked {
            Some((detail, until)) if now < until => detail,
            _ => self.usual,
        };
        let before = std::mem::replace(&mut self.current, wanted);
        before == Detail::Top && wanted == Detail::Full
    }

    /// Leaves in the report what the reader is to see.
    pub(super) fn show(&mut self, report: &mut Arc<Report>) {
        if matches!(report.kind, ReportKind::Snapshot { part: 0, .. }) {
            self.told.clear();
        }
        if self.current == Detail::Full {
            return;
        }
        let report = Arc::make_mut(report);
        report.detail = Detail::Top;
        let now_ns = report.end_ns;
        let (mut judged, mut rest) = (Vec::new(), Vec::new());
        for task in std::mem::take(&mut report.tasks) {
            if task.state.is_ended() && self.told.remove(&task.id) {
                report.tasks.push(task);
            } else if may_be_judged(&task, now_ns) {
                judged.push(task);
            } else {
                rest.push(task);
            }
        }
        judged.sort_by_key(|task| Reverse(trouble_ns(task, now_ns)));
        let surplus = judged.split_off(judged.len().min(TOP));
        rest.extend(surplus);
        rest.sort_by_key(|task| Reverse(task.busy_ns));
        rest.truncate(TOP);
        report.tasks.extend(judged.into_iter().chain(rest));
        report.tasks.sort_by_key(|task| task.id);
        for task in report.tasks.iter().filter(|task| !task.state.is_ended()) {
            if self.told.len() < MAX_TOLD {
                self.told.insert(task.id);
            }
        }
    }
}

/// Whether some detector may have a word on the task as it is now.
fn may_be_judged(task: &TaskRecord, now_ns: u64) -> bool {
    let unwakeable = task.state == TaskState::Idle
        && task.mode == Mode::Wrap
        && task.kind == TaskKind::Async
        && task.wakers == 0
        && task.polls > 0;
    unwakeable || task.polls == 0 || task.state == TaskState::Panicked || trouble_ns(task, now_ns) > 0
}

/// How long it has been polled or waited to be, right now.
fn trouble_ns(task: &TaskRecord, now_ns: u64) -> u64 {
    let since = |ns: u64| if ns > 0 { now_ns.saturating_sub(ns) } else { 0 };
    since(task.poll_start_ns).max(since(task.scheduled_since_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: u64) -> TaskRecord {
        TaskRecord { id: TaskId(id), polls: 1, busy_ns: id, wakers: 1, ..TaskRecord::default() }
    }

    fn shown(lens: &mut Lens, tasks: Vec<TaskRecord>) -> Vec<u64> {
        let mut report = Arc::new(Report { end_ns: 1_000, tasks, ..Report::default() });
        lens.show(&mut report);
        report.tasks.iter().map(|task| task.id.0).collect()
    }

    #[test]
    fn full_detail_passes_everything_and_copies_nothing() {
        let mut report = Arc::new(Report { tasks: (0..500).map(task).collect(), ..Report::default() });
        let before = Arc::as_ptr(&report);
        let _second = report.clone();
        Lens::new(Detail::Full).show(&mut report);
        assert_eq!(Arc::as_ptr(&report), before);
    }

    #[test]
    fn top_shows_the_busiest_the_stuck_and_the_end_of_what_it_showed() {
        let mut lens = Lens::new(Detail::Top);
        let stuck = TaskRecord { poll_start_ns: 1, busy_ns: 0, ..task(3) };
        let mut tasks: Vec<_> = (0..500).map(task).collect();
        tasks[3] = stuck;
        let ids = shown(&mut lens, tasks);
        assert_eq!(ids.len(), TOP + 1);
        assert!(ids.contains(&3) && ids.contains(&499) && !ids.contains(&4));

        let ended = |id| TaskRecord { state: TaskState::Completed, busy_ns: 0, ..task(id) };
        let mut later: Vec<_> = (1_000..1_100).map(task).collect();
        later.extend([ended(4), ended(499)]);
        let ids = shown(&mut lens, later);
        assert!(ids.contains(&499), "its end is told");
        assert!(!ids.contains(&4), "it was never told of");
    }

    #[test]
    fn a_request_lapses_and_growing_asks_for_a_snapshot() {
        let now = Instant::now();
        let mut lens = Lens::new(Detail::Top);
        assert!(!lens.turn(now));
        lens.ask(DetailRequest { detail: Detail::Full, ttl_ns: 1_000_000_000 }, now);
        assert!(lens.turn(now), "it grew");
        assert!(!lens.turn(now), "once");
        assert!(!lens.turn(now + Duration::from_secs(2)), "it lapsed");
        assert_eq!(lens.current, Detail::Top);
    }
}
