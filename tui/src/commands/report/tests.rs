//! The writers against pages of a made-up process: the keys are a contract.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use pollscope_model::level::Level;
use pollscope_model::monitor::Monitor;
use pollscope_model::query::ask::{Answer, Ask};
use pollscope_model::query::page::{Meta, Page, Row, RowId};
use pollscope_model::testkit::Script;
use pollscope_model::time::MILLISECOND;
use pollscope_model::value::Value;
use pollscope_model::verdict::Undecided;
use pollscope_model::world::WorldLimits;
use serde_json::Value as Json;

use super::*;

/// A process with one hostile task.
fn sheet(kind: Kind) -> Sheet {
    let mut script = Script::new("checkout");
    let site = script.site("src/cart.rs:88:9");
    let task = script.spawn_named(site, "render\u{1b}[2J, \"cart\"", "http");
    script.poll(task, 3, 2 * MILLISECOND);
    let mut monitor = Monitor::new(WorldLimits::default());
    monitor.connect(script.hello(), script.now_unix_ns()).unwrap();
    for report in script.snapshot(1) {
        monitor.apply(report, script.now_unix_ns());
    }
    let report = script.second();
    monitor.apply(report, script.now_unix_ns());
    match monitor.answer(&Ask::Page(Query::all(kind, 100)), script.now_unix_ns()) {
        Answer::Page(page) => Sheet { page, undecided: None, from: "unix:/run/1.sock".to_owned() },
        other => panic!("no page: {other:?}"),
    }
}

/// A page of one finding, whose measured value is no duration.
fn findings() -> Sheet {
    let cells = columns(Kind::Findings).into_iter().map(|column| match column.key {
        "level" => Value::Text("warn".into()),
        "detector" => Value::Text("task-leak".into()),
        "headline" => Value::Text("tasks only grow".into()),
        "site" => Value::Text("src/fanout.rs:31:5".into()),
        "value" => Value::Count(412),
        "limit" => Value::Count(100),
        "stack" => Value::List(vec!["fanout (src/fanout.rs:31)".into()]),
        "first_ns" => Value::Time(1_000_000_000),
        "last_ns" => Value::Time(4_000_000_000),
        _ => Value::Null,
    });
    let row = Row { id: RowId::Finding(1), level: Some(Level::Warn), cells: cells.collect() };
    let meta =
        Meta { now_unix_ns: 6_000_000_000, source: "checkout".into(), processes: 1, ..Meta::default() };
    let page = Page { kind: Kind::Findings, meta, total: 3, matched: 2, offset: 0, rows: vec![row] };
    let one = |rule: &str, reason: &str, over_limit| Undecided {
        rule: rule.into(),
        reason: reason.into(),
        over_limit,
    };
    let undecided = Some(vec![
        one("blocking-poll", "9 of 30 polls at cart.rs:88 took over 10ms", true),
        one("sched-delay", "needs 10s of history, has 3s", false),
    ]);
    Sheet { page, undecided, from: "checkout".to_owned() }
}

/// Every page of a process that means harm.
pub(crate) fn hostile(format: Format) -> String {
    let (script, reports) = pollscope_model::testkit::hostile();
    let monitor = crate::screens::rig::fold(&script, reports);
    let mut out = Vec::new();
    for kind in Kind::ALL {
        let Answer::Page(page) = monitor.answer(&Ask::Page(Query::all(kind, 100)), script.now_unix_ns())
        else {
            panic!("no page of {kind:?}");
        };
        assert!(page.matched > 0, "no row of {kind:?}");
        let said: std::sync::Arc<str> = pollscope_model::testkit::HOSTILE.into();
        let undecided = Undecided { rule: said.clone(), reason: said.clone(), over_limit: true };
        let sheet = Sheet { page, undecided: Some(vec![undecided]), from: said.to_string() };
        write(format, &mut out, &sheet, true, None).unwrap();
    }
    String::from_utf8(out).unwrap()
}

fn json_of(sheet: &Sheet) -> Json {
    let mut out = Vec::new();
    json::write(&mut out, sheet).unwrap();
    assert_eq!(std::str::from_utf8(&out).unwrap().lines().count(), 1, "one object on one line");
    serde_json::from_slice(&out).unwrap()
}

fn table_of(sheet: &Sheet, columns: Option<usize>) -> String {
    let mut out = Vec::new();
    table::write(&mut out, sheet, columns).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn json_has_the_keys_of_the_contract() {
    let contract: [(Kind, &[&str]); 4] = [
        (
            Kind::Processes,
            &[
                "name",
                "pid",
                "host",
                "state",
                "mode",
                "uptime_ns",
                "tasks",
                "polls_per_s",
                "busy",
                "p99_poll_ns",
                "p99_sched_ns",
                "lost",
                "findings",
            ],
        ),
        (
            Kind::Tasks,
            &[
                "id",
                "name",
                "group",
                "site",
                "state",
                "parent",
                "age_ns",
                "busy_ns",
                "scheduled_ns",
                "idle_ns",
                "polls",
                "wakes",
                "self_wakes",
                "max_poll_ns",
                "current_poll_ns",
                "future_bytes",
                "findings",
            ],
        ),
        (
            Kind::Sites,
            &[
                "site",
                "spawned",
                "alive",
                "completed",
                "cancelled",
                "panicked",
                "polls",
                "busy_ns",
                "p50_poll_ns",
                "p99_poll_ns",
                "p999_poll_ns",
                "max_poll_ns",
                "p99_sched_ns",
                "max_sched_ns",
                "self_wakes",
                "lines",
            ],
        ),
        (
            Kind::Findings,
            &[
                "detector",
                "level",
                "fingerprint",
                "site",
                "line",
                "task",
                "process",
                "value_ns",
                "value",
                "limit_ns",
                "limit",
                "count",
                "first_ns",
                "last_ns",
                "kind",
                "stack",
                "headline",
                "why",
                "fix",
            ],
        ),
    ];
    for (kind, keys) in contract {
        let sheet = if kind == Kind::Findings { findings() } else { sheet(kind) };
        let document = json_of(&sheet);
        assert_eq!(document["schema"], "pollscope/1");
        assert_eq!(document["kind"], kind.as_str());
        assert!(document["source"].is_object() && document["mode"].is_string() && document["lost"].is_u64());
        let row = document["rows"][0].as_object().unwrap();
        let missing: Vec<_> = keys.iter().filter(|key| !row.contains_key(**key)).collect();
        assert!(missing.is_empty(), "{kind:?} lacks {missing:?}");
    }
}

#[test]
fn json_keeps_numbers_exact_and_absence_null() {
    let tasks = json_of(&sheet(Kind::Tasks));
    let row = &tasks["rows"][0];
    assert_eq!(row["busy_ns"], 6 * MILLISECOND);
    assert_eq!(row["polls"], 3);
    assert_eq!(row["site"], "src/cart.rs:88:9");
    assert_eq!(row["name"], "render\u{1b}[2J, \"cart\"");
    assert_eq!(row["current_poll_ns"], Json::Null);

    let found = json_of(&findings());
    let row = &found["rows"][0];
    assert_eq!((&row["value"], &row["value_ns"]), (&Json::from(412), &Json::Null));
    assert_eq!(row["stack"][0], "fanout (src/fanout.rs:31)");
    assert_eq!(found["undecided"][0]["detector"], "blocking-poll");
    assert_eq!(found["undecided"][0]["over_limit"], true);
    assert_eq!(found["undecided"][1]["detector"], "sched-delay");
    assert_eq!(found["undecided"][1]["reason"], "needs 10s of history, has 3s");
    assert_eq!(found["undecided"][1]["over_limit"], false);
}

#[test]
fn csv_is_quoted_and_has_nothing_that_moves_a_cursor() {
    let mut out = Vec::new();
    csv::write(&mut out, &sheet(Kind::Tasks), true).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let row = reader.records().next().unwrap().unwrap();
    let get = |key: &str| &row[headers.iter().position(|header| header == key).unwrap()];
    assert_eq!(get("busy_ns"), "6000000");
    assert_eq!(get("current_poll_ns"), "");
    assert!(get("name").ends_with(", \"cart\""), "{}", get("name"));
}

#[test]
fn a_table_is_aligned_and_leaves_out_columns_where_it_is_narrow() {
    let wide = table_of(&sheet(Kind::Tasks), None);
    let [header, row] = wide.lines().collect::<Vec<_>>()[..] else { panic!("{wide}") };
    let (name, group) = (header.find("NAME").unwrap(), header.find("GROUP").unwrap());
    assert!(row[name..].starts_with("render"), "{wide}");
    assert!(row[group..].starts_with("http"), "{wide}");
    assert!(!wide.contains('\u{1b}'), "{wide:?}");

    let narrow = table_of(&sheet(Kind::Tasks), Some(60));
    assert!(narrow.lines().all(|line| crate::output::fmt::width(line) <= 60), "{narrow}");
    assert!(narrow.contains("NAME") && !narrow.contains("GROUP"), "{narrow}");
}

#[test]
fn findings_are_told_in_paragraphs_and_what_is_left_out_is_said() {
    let text = table_of(&findings(), None);
    assert_eq!(
        text,
        "warn  task-leak: tasks only grow\n      \
         at src/fanout.rs:31:5\n      \
         last 2s ago\n        \
         fanout (src/fanout.rs:31)\n\
         … and 1 more; --limit 2 shows them all\n\
         undecided blocking-poll, over its limit\n      \
         9 of 30 polls at cart.rs:88 took over 10ms\n"
    );
}

#[test]
fn an_unknown_column_is_an_error_that_lists_the_known_ones() {
    let key = |column: &str| SortArg { column: column.to_owned(), descending: None };
    assert!(sort_key(Kind::Tasks, &key("busy")).unwrap().descending);
    assert!(!sort_key(Kind::Tasks, &key("name")).unwrap().descending);
    let error = sort_key(Kind::Tasks, &key("sadness")).unwrap_err();
    assert!(
        error.to_string().contains("tasks have no column `sadness` to sort by; expected one of"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 2);
}
