//! The JSON keys are a contract with scripts: none may leave, none may change its unit.

use super::super::column::Unit;
use super::*;

/// What the command line promises for each kind.
const PROMISED: [(Kind, &str); 4] = [
    (
        Kind::Processes,
        "name pid host state mode uptime_ns tasks polls_per_s busy p99_poll_ns p99_sched_ns lost findings",
    ),
    (
        Kind::Tasks,
        "id name group site state parent age_ns busy_ns scheduled_ns idle_ns polls wakes self_wakes \
         max_poll_ns current_poll_ns future_bytes findings",
    ),
    (
        Kind::Sites,
        "site spawned alive completed cancelled panicked polls busy_ns p50_poll_ns p99_poll_ns \
         p999_poll_ns max_poll_ns p99_sched_ns max_sched_ns self_wakes lines",
    ),
    (
        Kind::Findings,
        "detector level fingerprint site task process value_ns value limit_ns limit count first_ns \
         last_ns kind stack headline why fix line",
    ),
];

#[test]
fn every_promised_key_is_there_and_in_json() {
    for (kind, keys) in PROMISED {
        for key in keys.split_whitespace() {
            let column = columns(kind).into_iter().find(|column| column.key == key);
            assert!(column.is_some_and(|column| column.in_json), "{kind:?} lost the JSON key {key}");
        }
    }
}

#[test]
fn keys_say_their_unit_and_names_are_never_ambiguous() {
    for kind in Kind::ALL {
        let columns = columns(kind);
        for column in &columns {
            let key = column.key;
            assert!(key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{key}");
            let in_ns = matches!(column.unit, Unit::Nanos | Unit::Time);
            assert_eq!(in_ns, key.ends_with("_ns"), "{kind:?} {key}");
            assert_eq!(column.unit == Unit::Bytes, key.ends_with("_bytes"), "{kind:?} {key}");
            assert!(column.unit != Unit::Series || !column.in_json, "{kind:?} {key}");
            assert!(column.help.ends_with('.'), "{kind:?} {key}: {}", column.help);
            let namesakes = |name: &str| columns.iter().filter(|other| other.is_named(name)).count();
            assert_eq!((namesakes(key), namesakes(column.alias)), (1, 1), "{kind:?} {key}");
        }
        assert!(columns.iter().any(|column| column.priority == 0 && column.shown), "{kind:?}");
    }
}

#[test]
fn every_cell_is_of_its_columns_unit_or_null() {
    let shop = shop();
    for kind in Kind::ALL {
        for row in shop.page(Query::all(kind, 1_000)).rows {
            assert_eq!(row.cells.len(), columns(kind).len());
            for (column, cell) in columns(kind).iter().zip(&row.cells) {
                let fits = match (column.unit, cell) {
                    (_, Value::Null)
                    | (Unit::Nanos, Value::Nanos(_))
                    | (Unit::Time, Value::Time(_))
                    | (Unit::Bytes, Value::Bytes(_))
                    | (Unit::Ratio, Value::Ratio(_))
                    | (Unit::Rate, Value::Rate(_))
                    | (Unit::Text, Value::Text(_))
                    | (Unit::List, Value::List(_) | Value::Lines(_))
                    | (Unit::Series, Value::Series(_))
                    | (Unit::Count | Unit::Id, Value::Count(_)) => true,
                    // What a rule measures may be a count, a share, a size or a rate.
                    _ => matches!(column.key, "value" | "limit"),
                };
                assert!(fits, "{kind:?} {}: {cell:?}", column.key);
            }
        }
    }
}

#[test]
fn what_hooks_cannot_see_is_null_and_what_they_see_is_not() {
    let mut script = Script::new("checkout").mode(Mode::Hooks);
    let site = script.site("src/a.rs:1:1");
    let task = script.spawn(site);
    script.poll(task, 4, MILLISECOND);
    let mut world = World::new(WorldLimits::default());
    world.connect(script.hello(), 0).unwrap();
    world.apply(script.second(), 0);
    let page = |kind| match answer(&world, &(), &Ask::Page(Query::all(kind, 10)), 0) {
        Answer::Page(page) => page.rows[0].cells.clone(),
        other => panic!("{other:?}"),
    };
    let nulls = |kind, keys: &str| {
        keys.split_whitespace()
            .for_each(|key| assert_eq!(cell(kind, &page(kind), key), Value::Null, "{key}"));
    };
    nulls(Kind::Tasks, "wakes self_wakes scheduled_ns future_bytes handle wakers current_poll_ns parent");
    nulls(Kind::Sites, "completed cancelled panicked p99_sched_ns max_sched_ns self_wakes max_future_bytes");
    nulls(Kind::Processes, "p99_sched_ns");
    assert_eq!(cell(Kind::Tasks, &page(Kind::Tasks), "polls"), Value::Count(4));
    assert_eq!(cell(Kind::Sites, &page(Kind::Sites), "polls"), Value::Count(4));
    assert_eq!(cell(Kind::Sites, &page(Kind::Sites), "ended"), Value::Count(0));
}

#[test]
fn delays_that_tokio_tracks_of_hooked_tasks_are_shown_beside_others_that_are_null() {
    let mut script = Script::new("checkout").mode(Mode::Hooks);
    let [tracked, _] = ["src/a.rs:1:1", "src/b.rs:1:1"].map(|site| {
        let site = script.site(site);
        let task = script.spawn(site);
        script.poll(task, 4, MILLISECOND);
        (site, task)
    });
    script.count(tracked.0, |site| site.sched.record_n(2 * MILLISECOND, 4));
    script
        .edit(tracked.1, |task| (task.scheduled_ns, task.max_sched_ns) = (8 * MILLISECOND, 2 * MILLISECOND));
    let mut hello = script.hello();
    for capability in &mut hello.capabilities {
        capability.coverage = crate::measured::Coverage::Wrapped;
    }
    let mut world = World::new(WorldLimits::default());
    world.connect(hello, 0).unwrap();
    world.apply(script.second(), 0);
    let cells = |kind, key: &str, is_row: &dyn Fn(&[Value]) -> bool| match answer(
        &world,
        &(),
        &Ask::Page(Query::all(kind, 10)),
        0,
    ) {
        Answer::Page(page) => {
            let row = page.rows.iter().find(|row| is_row(&row.cells)).expect("a row");
            cell(kind, &row.cells, key)
        }
        other => panic!("{other:?}"),
    };
    for (file, told) in [("src/a.rs", true), ("src/b.rs", false)] {
        let of = |kind, key| {
            let is_at = |cells: &[Value]| cell(kind, cells, "site").to_string().contains(file);
            cells(kind, key, &is_at)
        };
        for key in ["scheduled_ns", "max_sched_ns"] {
            assert_eq!(of(Kind::Tasks, key) != Value::Null, told, "{file} {key}");
        }
        for key in ["p99_sched_ns", "max_sched_ns"] {
            assert_eq!(of(Kind::Sites, key) != Value::Null, told, "{file} {key}");
        }
    }
}

#[test]
fn a_site_that_only_hooks_see_has_nulls_beside_wrapped_ones() {
    let mut script = Script::new("checkout").mode(Mode::Wrap);
    let site = script.site("src/a.rs:1:1");
    script.spawn(site);
    let mut hello = script.hello();
    for capability in &mut hello.capabilities {
        capability.coverage = crate::measured::Coverage::Wrapped;
    }
    let mut report = script.second();
    report.sites[0].max_future_bytes = 0;
    let mut world = World::new(WorldLimits::default());
    world.connect(hello, 0).unwrap();
    world.apply(report, 0);
    let row = match answer(&world, &(), &Ask::Page(Query::all(Kind::Sites, 10)), 0) {
        Answer::Page(page) => page.rows[0].cells.clone(),
        other => panic!("{other:?}"),
    };
    for key in ["completed", "wakes", "self_wakes", "max_future_bytes", "p99_sched_ns"] {
        assert_eq!(cell(Kind::Sites, &row, key), Value::Null, "{key}");
    }
}
