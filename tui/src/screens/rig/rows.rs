//! Pages of rows that look like a service's.

use std::sync::Arc;

use pollscope_model::id::{BootId, RuntimeId, TaskId, WorkerId};
use pollscope_model::level::Level;
use pollscope_model::query::column::{Column, Kind, Unit, columns};
use pollscope_model::query::page::{Page, Query, Row, RowId};
use pollscope_model::time::{MILLISECOND, SECOND};
use pollscope_model::value::{LineTally, Value};

use super::details::wave;
use super::{Amount, BOOT, NOW, meta};

pub(super) fn page(query: &Query, amount: Amount) -> Page {
    let total = match query.kind {
        Kind::Processes => amount.processes,
        Kind::Tasks => amount.tasks,
        Kind::Sites => amount.sites,
        Kind::Workers => amount.workers,
        _ => amount.findings,
    };
    let matched = if query.filter.is_empty() { total } else { total.min(43) };
    let end = matched.min(query.offset.saturating_add(query.limit));
    // Any order but the list's own turns the rows round.
    let place = |at: u64| if query.sort.is_empty() { at } else { matched - 1 - at };
    let rows = (query.offset.min(end)..end).map(|at| row(query.kind, place(at))).collect();
    Page { kind: query.kind, meta: meta(amount), total, matched, offset: query.offset, rows }
}

pub(super) const SITES: [&str; 6] = [
    "src/cart.rs:88:9",
    "src/fanout.rs:31:5",
    "src/serve.rs:40:13",
    "src/obs.rs:61:5",
    "src/pool.rs:140:20",
    "src/bin/jobs/mail.rs:77:9",
];
pub(super) const NAMES: [&str; 6] =
    ["render_cart", "pool_reaper", "conn{:51022}", "", "audit\x1b[31m_write", "日本語の名前"];
pub(super) const DETECTORS: [&str; 3] = ["blocking-poll", "task-leak", "self-wake-storm"];
pub(super) const LEVELS: [Level; 3] = [Level::Deny, Level::Deny, Level::Warn];

fn site_of(at: u64) -> &'static str {
    SITES[at as usize % SITES.len()]
}

pub(super) fn row(kind: Kind, at: u64) -> Row {
    let level = LEVELS.get(at as usize).copied();
    let id = match kind {
        Kind::Processes => RowId::Process(BootId(BOOT.0 + u128::from(at))),
        Kind::Tasks => RowId::Task(BOOT, TaskId(100 + at)),
        Kind::Sites if at < 6 => RowId::Site(Arc::from(site_of(at))),
        Kind::Sites => RowId::Site(Arc::from(format!("src/more.rs:{at}:1"))),
        Kind::Workers => RowId::Worker(BOOT, WorkerId { runtime: RuntimeId(0), index: at as u32 }),
        _ => RowId::Finding(at + 1),
    };
    let cells = columns(kind).into_iter().map(|column| cell(kind, column, at, level, &id)).collect();
    Row { id, level, cells }
}

/// Only the first site has some.
fn lines(at: u64) -> Vec<LineTally> {
    let line = |line: &str, polls, ms| LineTally {
        line: Arc::from(line),
        polls,
        total_ns: ms * MILLISECOND,
        max_ns: 60 * MILLISECOND,
    };
    match at {
        0 => vec![
            line("src/login.rs:15", 2_100, 126_000),
            line("src/catalog.rs:31", 900, 18_000),
            line("", 7, 90),
        ],
        _ => Vec::new(),
    }
}

#[allow(clippy::match_same_arms, reason = "one arm per column reads as the table that it is")]
fn cell(kind: Kind, column: &Column, at: u64, level: Option<Level>, id: &RowId) -> Value {
    let text = |text: &str| Value::text(text);
    match (column.key, id) {
        ("flag", _) => text(match level {
            Some(Level::Deny) => "!B",
            Some(_) => "~S",
            None => ".",
        }),
        ("id", _) => Value::Count(100 + at),
        ("site", RowId::Site(site)) => Value::Text(site.clone()),
        ("site", _) => text(site_of(at)),
        ("lines", _) => Value::Lines(lines(at)),
        ("line", _) if at == 1 => text("src/login.rs:15"),
        ("line", _) => Value::Null,
        ("name", RowId::Process(_)) | ("process", _) => text(&format!("checkout#{}", at / 3 + 1)),
        ("name" | "task_name", _) => text(NAMES[at as usize % NAMES.len()]),
        ("group", _) => text("http"),
        ("host", _) => text("web-03"),
        ("mode", _) => text("hooks"),
        ("level", _) => text(level.map_or("", Level::as_str)),
        ("detector", _) => text(DETECTORS[at as usize % 3]),
        ("headline", _) => text("one poll took 412ms (limit 10ms)"),
        ("state", _) => text(match (kind, at) {
            (Kind::Processes, _) => "live",
            (Kind::Findings, _) => "open",
            (Kind::Workers, 1) => "stuck",
            (Kind::Workers, 3) => "parked",
            (Kind::Workers, _) => "polling",
            (_, 0) => "running",
            (_, 7) => "completed",
            _ => "idle",
        }),
        ("health", _) => text(if level == Some(Level::Deny) { "!!" } else { "ok" }),
        ("polling", _) if at == 3 => Value::Null,
        ("polling", _) => text(&format!("{} {}", 100 + at, NAMES[at as usize % NAMES.len()])),
        ("waiting_in", _) if at == 1 => text("futex_wait"),
        ("stuck_at", _) if at == 1 => text("cart::load src/cart.rs:70"),
        ("waiting_in" | "stuck_at", _) => Value::Null,
        ("runtime", _) => text("main"),
        ("thread", _) => text("pollscope-worker"),
        ("findings", _) if column.unit == Unit::Count => Value::Count(u64::from(level.is_some())),
        ("findings", _) if level.is_some() => Value::List(vec![Arc::from(DETECTORS[at as usize % 3])]),
        ("findings", _) => Value::List(Vec::new()),
        ("parent", _) => Value::Count(207),
        ("worker", _) if kind == Kind::Workers => Value::Count(at),
        ("polling_task", _) if at == 3 => Value::Null,
        ("task" | "polling_task", _) => Value::Count(100 + at),
        ("wakes" | "self_wakes" | "woken_by" | "handle" | "future_bytes" | "wakers", _) => Value::Null,
        _ => match column.unit {
            Unit::Count => Value::Count((at + 1) * 37 % 10_000),
            Unit::Nanos => Value::Nanos(412 * MILLISECOND / (at + 1)),
            Unit::Time => Value::Time(NOW - at * 60 * SECOND),
            Unit::Bytes => Value::Bytes(1_843 * (at + 1)),
            Unit::Ratio => Value::Ratio(0.97 / (at + 1) as f64),
            Unit::Rate => Value::Rate(91_200.0 / (at + 1) as f64),
            Unit::Text => text("text"),
            Unit::List => Value::List(vec![Arc::from("one")]),
            Unit::Series => Value::Series(wave(12, 0.9)),
            _ => Value::Null,
        },
    }
}
