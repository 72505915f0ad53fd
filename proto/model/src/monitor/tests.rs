//! The whole door: reports in, findings and pages out.

use super::*;
use crate::entity::presence::Presence;
use crate::entity::task::{HandleState, TaskState};
use crate::level::Level;
use crate::query::column::Kind;
use crate::query::page::{Page, Query, RowId, Scope};
use crate::testkit::{self, Script};
use crate::time::{MILLISECOND, SECOND};
use crate::value::Value;

fn page(monitor: &Monitor, script: &Script, kind: Kind) -> Page {
    match monitor.answer(&Ask::Page(Query::all(kind, 100)), script.now_unix_ns()) {
        Answer::Page(page) => page,
        other => panic!("no page of {kind:?}: {other:?}"),
    }
}

/// A handler that blocks its worker for 50 ms each second, among quiet tasks.
fn blocking(seconds: u64) -> (Script, Monitor) {
    let mut script = Script::new("checkout");
    let mut monitor = Monitor::new(WorldLimits::default());
    let welcome = monitor.connect(script.hello(), script.now_unix_ns()).expect("there is room");
    assert_eq!((welcome.label.as_ref(), welcome.last_seq), ("checkout#1", None));
    let (cart, serve) = (script.site("src/cart.rs:88:9"), script.site("src/serve.rs:40:5"));
    let slow = script.spawn_named(cart, "render_cart", "http");
    for _ in 0..20 {
        let conn = script.spawn(serve);
        script.poll(conn, 10, 5_000);
    }
    for _ in 0..seconds {
        script.slow_poll(slow, 50 * MILLISECOND, MILLISECOND, 0);
        let report = script.second();
        assert_eq!(monitor.apply(report, script.now_unix_ns()), Applied::New);
        monitor.tick(script.now_unix_ns());
    }
    (script, monitor)
}

#[test]
fn a_blocking_handler_is_found_and_is_the_top_row_everywhere() {
    let (script, monitor) = blocking(5);
    let findings = page(&monitor, &script, Kind::Findings);
    let cell = |page: &Page, key: &str| page.rows[0].cell(key).unwrap_or_else(|| panic!("{key}")).clone();
    assert_eq!(cell(&findings, "detector"), Value::text("blocking-poll"));
    assert_eq!(cell(&findings, "site"), Value::text("src/cart.rs:88:9"));
    assert_eq!(cell(&findings, "kind"), Value::text("blocked"));
    let tasks = page(&monitor, &script, Kind::Tasks);
    assert_eq!(cell(&tasks, "name"), Value::text("render_cart"));
    assert!(tasks.rows[0].level >= Some(Level::Warn) && tasks.rows[1].level.is_none());
    let sites = page(&monitor, &script, Kind::Sites);
    assert_eq!(sites.rows[0].id, RowId::Site("src/cart.rs:88:9".into()));
    assert!(sites.rows[0].level >= Some(Level::Warn) && sites.rows[1].level.is_none());
    let processes = page(&monitor, &script, Kind::Processes);
    assert!(processes.rows[0].level >= Some(Level::Warn));
    let RowId::Task(boot, task) = tasks.rows[0].id.clone() else { panic!("no task") };
    let Answer::Task(detail) = monitor.answer(&Ask::Task(boot, task), 0) else { panic!("no detail") };
    assert_eq!((detail.findings.len(), detail.poll_limit_ns), (1, 10 * MILLISECOND));
    let Answer::Overview(overview) = monitor.answer(&Ask::Overview(Scope::All), 0) else { panic!("none") };
    assert_eq!(overview.findings.iter().sum::<u64>(), 1);
    assert_eq!(overview.marks.len(), 1);
}

#[test]
fn a_flagged_task_that_ends_stays_longer_than_a_plain_one() {
    let (mut script, mut monitor) = blocking(5);
    let ids: Vec<_> = page(&monitor, &script, Kind::Tasks).rows.into_iter().map(|row| row.id).collect();
    for id in &ids {
        if let RowId::Task(_, task) = id {
            script.end(*task, TaskState::Completed);
        }
    }
    for _ in 0..20 {
        let report = script.second();
        monitor.apply(report, script.now_unix_ns());
        monitor.tick(script.now_unix_ns());
    }
    let left: Vec<_> = page(&monitor, &script, Kind::Tasks).rows.into_iter().map(|row| row.id).collect();
    assert_eq!(left, ids[..1]);
}

#[test]
fn a_process_that_comes_back_goes_on_where_it_was() {
    let (mut script, mut monitor) = blocking(3);
    monitor.disconnect(script.boot(), "connection reset", script.now_unix_ns());
    let welcome = monitor.connect(script.hello(), script.now_unix_ns()).expect("there is room");
    assert_eq!((welcome.label.as_ref(), welcome.last_seq), ("checkout#1", Some(3)));
    assert_eq!(monitor.apply(script.second(), script.now_unix_ns()), Applied::New);
    let stranger = Script::new("other").second();
    assert_eq!(monitor.apply(stranger, script.now_unix_ns()), Applied::UnknownProcess);
}

#[test]
fn what_is_found_at_deny_is_an_alarm_once() {
    let (mut script, mut monitor) = (Script::new("checkout"), Monitor::new(WorldLimits::default()));
    monitor.connect(script.hello(), script.now_unix_ns()).expect("there is room");
    let site = script.site("src/cart.rs:88:9");
    let slow = script.spawn(site);
    let mut alarms = Vec::new();
    for _ in 0..8 {
        script.slow_poll(slow, 400 * MILLISECOND, MILLISECOND, 0);
        monitor.apply(script.second(), script.now_unix_ns());
        monitor.tick(script.now_unix_ns());
        alarms.extend(monitor.take_alarms());
    }
    let findings = monitor.engine().findings(script.boot());
    assert!(findings.iter().any(|finding| finding.level == Level::Deny), "{findings:?}");
    assert_eq!(alarms, [script.boot()]);
}

#[test]
fn what_was_said_last_is_looked_at_before_the_verdict() {
    let mut script = Script::new("checkout");
    let site = script.site("src/cart.rs:88:9");
    let task = script.spawn(site);
    let mut monitor = Monitor::default();
    monitor.connect(script.hello(), script.now_unix_ns()).expect("there is room");
    for end in [false, true] {
        script.pass(SECOND / 10);
        if end {
            script.edit(task, |task| task.handle = HandleState::Dropped);
            script.end(task, TaskState::Panicked);
        }
        let report = script.report();
        monitor.apply(report, script.now_unix_ns());
        monitor.tick(script.now_unix_ns());
    }
    let found = |monitor: &Monitor| monitor.engine().findings(script.boot()).len();
    let before = found(&monitor);
    monitor.finish(script.now_unix_ns());
    assert!(before == 0 && found(&monitor) > 0, "{before} before, {} after", found(&monitor));
}

#[test]
fn what_is_told_only_in_part_says_so_and_is_not_judged() {
    let (mut script, _) = blocking(5);
    let site = script.site("src/serve.rs:40:5");
    script.count(site, |site| site.swallowed_panics += 7);
    script.second();
    let mut monitor = Monitor::new(WorldLimits::default());
    monitor.connect(script.hello(), script.now_unix_ns()).expect("there is room");
    let overview = |monitor: &Monitor| match monitor.answer(&Ask::Overview(Scope::All), 0) {
        Answer::Overview(overview) => overview,
        other => panic!("no overview: {other:?}"),
    };
    assert_eq!(overview(&monitor).meta.loading, Some(0));
    let parts = script.snapshot(3);
    for (part, percent) in parts.into_iter().zip([Some(33), Some(66), None]) {
        monitor.apply(part, script.now_unix_ns());
        monitor.tick(script.now_unix_ns());
        let (overview, tasks) = (overview(&monitor), page(&monitor, &script, Kind::Tasks));
        assert_eq!((overview.meta.loading, tasks.meta.loading, overview.tasks), (percent, percent, 21));
        assert_eq!(tasks.total == 21, percent.is_none());
        let told = overview.notes.iter().any(|note| note.contains("parts of its state so far"));
        assert_eq!(told, percent.is_some(), "{:?}", overview.notes);
        let process = &page(&monitor, &script, Kind::Processes).rows[0];
        assert_eq!(process.cell("findings") == Some(&Value::Null), percent.is_some());
        let found = monitor.engine().findings(script.boot());
        let panicked = found.iter().any(|finding| &*finding.detector == "swallowed-panic");
        assert_eq!(panicked, percent.is_none(), "judged when all is in");
    }
}

#[test]
fn a_goodbye_ends_the_process_that_greeted_last_and_a_lost_stream_the_one_it_names() {
    let (first, second) = (Script::new("checkout"), Script::of(testkit::hello("stock", 2)));
    let mut monitor = Monitor::new(WorldLimits::default());
    let now = first.now_unix_ns();
    for script in [&first, &second] {
        let receipt = monitor.receive(Message::Hello(Box::new(script.hello())), now);
        assert!(matches!(receipt, Ok(Receipt::Welcome(_))), "{receipt:?}");
    }
    let gone = |monitor: &Monitor, script: &Script| {
        monitor.world().process(script.boot()).map(|process| process.presence() == Presence::Gone)
    };
    assert_eq!(monitor.receive(Message::Goodbye { reason: "done".to_owned() }, now), Ok(Receipt::Parted));
    assert_eq!((gone(&monitor, &first), gone(&monitor, &second)), (Some(false), Some(true)));
    let lost = Received::Lost { boot: first.boot(), reason: "broken".to_owned() };
    assert_eq!(monitor.receive(lost, now), Ok(Receipt::Parted));
    assert_eq!(gone(&monitor, &first), Some(true));
}
