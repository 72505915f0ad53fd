//! Slow readers.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

use pollscope_model::entity::site::SiteDelta;
use pollscope_model::entity::task::{TaskRecord, TaskState};
use pollscope_model::id::{SiteId, TaskId};

use super::*;

fn part(part: u32, parts: u32, seq: u64) -> Report {
    Report { kind: ReportKind::Snapshot { part, parts }, seq, first_seq: seq, ..Report::default() }
}

fn snapshot(seq: u64) -> Report {
    part(0, 1, seq)
}

/// A delta that spawned one task, whose row says that it has ended.
fn delta(seq: u64) -> Arc<Report> {
    let task = TaskRecord { id: TaskId(seq), state: TaskState::Completed, ..TaskRecord::default() };
    let site = SiteDelta { site: SiteId(0), spawned: 1, ..SiteDelta::default() };
    Arc::new(Report { first_seq: seq, seq, sites: vec![site], tasks: vec![task], ..Report::default() })
}

fn drain(backlog: &Backlog) -> Vec<Arc<Report>> {
    std::iter::from_fn(|| match backlog.try_next() {
        Some(Next::Report(report)) => Some(report),
        _ => None,
    })
    .collect()
}

#[test]
fn before_the_snapshot_nothing_is_kept() {
    let backlog = Backlog::default();
    backlog.push(&delta(1));
    backlog.restart(snapshot(1));
    backlog.push(&delta(2));
    let seqs: Vec<u64> = drain(&backlog).iter().map(|report| report.seq).collect();
    assert_eq!(seqs, [1, 2]);
}

#[test]
fn a_slow_reader_gets_folded_deltas_without_a_gap_and_with_exact_totals() {
    let backlog = Backlog::default();
    backlog.restart(snapshot(0));
    for seq in 1..=1_000 {
        backlog.push(&delta(seq));
    }
    let reports = drain(&backlog);
    assert!(reports.len() <= MAX_REPORTS + 1);
    let mut last = 0;
    for report in &reports[1..] {
        assert_eq!(report.first_seq, last + 1);
        last = report.seq;
    }
    assert_eq!(last, 1_000);
    let spawned: u64 = reports.iter().flat_map(|report| &report.sites).map(|site| site.spawned).sum();
    assert_eq!(spawned, 1_000);
    let folded = reports.last().unwrap().losses.reports_folded;
    assert_eq!(folded, 1_000 - (reports.len() as u64 - 1));
}

#[test]
fn a_reader_that_is_away_costs_bounded_memory_and_starts_again_with_the_loss_counted() {
    let backlog = Backlog::default();
    backlog.restart(snapshot(0));
    let many = |seq: u64| {
        let task = |n| TaskRecord {
            id: TaskId(seq << 32 | n),
            state: TaskState::Completed,
            ..TaskRecord::default()
        };
        Arc::new(Report { first_seq: seq, seq, tasks: (0..100_000).map(task).collect(), ..Report::default() })
    };
    for seq in 1..=4 {
        backlog.push(&many(seq));
        assert!(backlog.lock().rows <= 2 * MAX_ROWS);
    }
    assert!(matches!(backlog.try_next(), Some(Next::Overrun)));
    assert!(backlog.try_next().is_none());
    backlog.restart(snapshot(4));
    let losses = drain(&backlog)[0].losses;
    assert!(losses.ended_rows >= 300_000, "{losses:?}");
}

#[test]
fn a_stalled_reader_holds_no_row_for_every_living_task() {
    let many = |seq: u64| {
        let task = |n| TaskRecord { id: TaskId(n), state: TaskState::Idle, ..TaskRecord::default() };
        Arc::new(Report { first_seq: seq, seq, tasks: (0..50_000).map(task).collect(), ..Report::default() })
    };
    let backlog = Backlog::default();
    backlog.restart(snapshot(0));
    backlog.push(&many(1));
    let ago = |time| Instant::now().checked_sub(time);
    // It takes something now and then: the rows stay, however many there are.
    backlog.lock().waiting_since = ago(STALLED / 2);
    backlog.push(&many(2));
    assert!(backlog.lock().rows > 0);
    assert!(matches!(backlog.try_next(), Some(Next::Report(_))));
    backlog.push(&many(3));
    assert!(backlog.lock().rows > 0, "it has just taken something");

    backlog.lock().waiting_since = ago(STALLED);
    backlog.push(&many(4));
    assert_eq!(backlog.lock().rows, 0);
    assert!(matches!(backlog.try_next(), Some(Next::Overrun)));
    backlog.restart(snapshot(4));
    assert_eq!(drain(&backlog)[0].losses.reports_folded, 4);

    // Little may wait for long: a collector that comes back continues where it was.
    backlog.push(&delta(5));
    backlog.lock().waiting_since = ago(STALLED * 100);
    backlog.push(&delta(6));
    assert!(backlog.continues_after(4));
}

#[test]
fn the_gap_of_a_reader_that_starts_again_is_counted() {
    let backlog = Backlog::default();
    backlog.push(&delta(1));
    backlog.restart(snapshot(1));
    assert_eq!(drain(&backlog)[0].losses.reports_folded, 0, "it missed nothing before it came");
    for seq in 2..=40 {
        backlog.push(&delta(seq));
    }
    backlog.clear();
    backlog.push(&delta(41));
    backlog.restart(snapshot(41));
    assert_eq!(drain(&backlog)[0].losses.reports_folded, 40, "2 to 41 are in the snapshot only");
}

#[test]
fn it_knows_what_it_can_continue() {
    let backlog = Backlog::default();
    assert!(!backlog.continues_after(0));
    backlog.restart(snapshot(5));
    assert!(!backlog.continues_after(5), "a snapshot waits");
    drain(&backlog);
    assert!(backlog.continues_after(5), "nothing waits and nothing is missing");
    backlog.push(&delta(6));
    assert!(backlog.continues_after(5));
    assert!(!backlog.continues_after(4));
    assert!(!backlog.continues_after(6));
    backlog.clear();
    assert!(!backlog.continues_after(6));
}

#[test]
fn a_snapshot_comes_part_by_part_as_there_is_room_and_before_the_deltas_that_follow_it() {
    let backlog = Backlog::default();
    backlog.restart(snapshot(0));
    backlog.push(&delta(1));
    assert_eq!(backlog.wants_part(), Wants::Nothing, "it was whole");
    backlog.restart(part(0, 4, 1));
    backlog.push(&delta(2));
    let mut told = Vec::new();
    for next in 1..4 {
        assert_eq!(backlog.wants_part(), if next == 1 { Wants::Wait } else { Wants::More });
        told.extend(drain(&backlog));
        assert!(!backlog.continues_after(1), "it is not whole");
        backlog.part(part(next, 4, 1));
    }
    assert_eq!(backlog.wants_part(), Wants::Nothing);
    told.extend(drain(&backlog));
    let part = |report: &Arc<Report>| match report.kind {
        ReportKind::Snapshot { part, parts } => Some((part, parts)),
        ReportKind::Delta => None,
    };
    let told: Vec<_> = told.iter().map(|report| (report.seq, part(report))).collect();
    let parts = (0..4).map(|part| (1, Some((part, 4))));
    let expected: Vec<_> =
        [(0, Some((0, 1))), (1, None)].into_iter().chain(parts).chain([(2, None)]).collect();
    assert_eq!(told, expected);

    backlog.restart(self::part(0, 2, 2));
    backlog.clear();
    assert_eq!(backlog.wants_part(), Wants::Nothing, "the reader begins again");
}
