//! A source made of fixtures, and a user who presses keys: what the tests of the screens stand on.
//!
//! Everything is a function of the question: the same screen for everybody, always.

use std::sync::Arc;
use std::time::Duration;

use pollscope_model::hello::{Hello, ProcessInfo, ProtocolVersion};
use pollscope_model::hist::Hist;
use pollscope_model::id::{BootId, RuntimeId, TaskId, WorkerId};
use pollscope_model::measured::{Capability, Coverage, Metric, Mode};
use pollscope_model::query::ask::{Answer, Ask, FlightOf, FlightQuery};
use pollscope_model::query::column::{Column, Kind, Unit, columns};
use pollscope_model::query::detail::{
    Finding, HeatColumn, Overview, RuntimeNow, SeenPoll, SiteDetail, TaskDetail, TaskLink, WorkerHeat,
};
use pollscope_model::query::flight::{Flight, Lane, LaneCell, Lanes, LongPoll, Picture, TimeCell, Timeline};
use pollscope_model::query::page::{Level, Meta, Page, Presence, Query, Row, RowId, Scope};
use pollscope_model::query::value::Value;
use pollscope_model::time::{ClockAnchor, MILLISECOND, SECOND};

use crate::event::{Event, Input, Mouse};
use crate::glyph::Glyphs;
use crate::keymap::key::Key;
use crate::source::{SourceEvent, Status};
use crate::state::{Look, State, Tab};
use crate::theme::{Depth, Palette, Theme};
use crate::update::{self, Effect};
use crate::view;

/// The process of all fixtures.
pub(crate) const BOOT: BootId = BootId(0x00c0_ffee);
/// 12:04:31 on some day.
const NOW: u64 = 1_900_000_000 * SECOND - 1_900_000_000 * SECOND % (86_400 * SECOND) + 43_471 * SECOND;

/// How much of everything there is.
#[derive(Clone, Copy)]
pub(crate) struct Amount {
    pub(crate) processes: u64,
    pub(crate) tasks: u64,
    pub(crate) sites: u64,
    pub(crate) workers: u64,
    pub(crate) findings: u64,
    pub(crate) mode: Mode,
}

pub(crate) const SOME: Amount =
    Amount { processes: 6, tasks: 1_204, sites: 57, workers: 4, findings: 3, mode: Mode::Hooks };
pub(crate) const NOTHING: Amount =
    Amount { processes: 0, tasks: 0, sites: 0, workers: 0, findings: 0, mode: Mode::Sample };

/// A state with a source and a user.
pub(crate) struct Rig {
    pub(crate) state: State,
    pub(crate) amount: Amount,
    pub(crate) effects: Vec<Effect>,
}

impl Rig {
    /// The screens on six processes, not connected yet.
    pub(crate) fn new(tab: Tab) -> Self {
        let look =
            Look { theme: Theme { palette: Palette::Dark, depth: Depth::Indexed }, glyphs: Glyphs::Block };
        let mut state = State::new(Arc::from("10.0.0.5:7700"), Scope::All, tab, look, (100, 30));
        state.explain = |id| (id == "blocking-poll").then(|| "What it is.\n\nWhat to do.".to_owned());
        let effects = update::start(&mut state);
        Self { state, amount: SOME, effects }
    }

    /// The same, connected and answered.
    pub(crate) fn connected(tab: Tab, amount: Amount) -> Self {
        let mut rig = Self::new(tab);
        rig.amount = amount;
        rig.tell(Status::Connected { label: Arc::from("collector 10.0.0.5:7700") });
        rig.draw(100, 30);
        rig.settle();
        rig
    }

    pub(crate) fn event(&mut self, event: Event) {
        let effects = update::update(&mut self.state, event);
        self.effects.extend(effects);
    }

    pub(crate) fn tell(&mut self, status: Status) {
        self.event(Event::Source(SourceEvent::Status(status)));
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        let now = self.state.now + Duration::from_secs(seconds);
        self.event(Event::Tick(now));
    }

    pub(crate) fn key(&mut self, key: Key) {
        self.event(Event::Input(Input::Key(key)));
    }

    /// Types the characters and lets the source answer.
    pub(crate) fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.key(if key == '\n' { Key::ENTER } else { Key::char(key) });
        }
        self.settle();
    }

    pub(crate) fn click(&mut self, x: u16, y: u16) {
        self.event(Event::Input(Input::Mouse(Mouse::Press, x, y)));
        self.settle();
    }

    /// Answers every standing question until no new one comes up.
    pub(crate) fn settle(&mut self) {
        for _ in 0..8 {
            let open: Vec<_> = self
                .state
                .answers
                .standing
                .iter()
                .filter(|standing| !standing.answered)
                .map(|standing| (standing.id, answer(&standing.ask, self.amount)))
                .collect();
            if open.is_empty() {
                return;
            }
            for (id, answer) in open {
                self.event(Event::Source(SourceEvent::Answer(id, Box::new(answer))));
            }
        }
    }

    /// New data for every question.
    pub(crate) fn refresh(&mut self) {
        for (id, ask) in self.state.answers.questions() {
            let answer = Box::new(answer(&ask, self.amount));
            self.event(Event::Source(SourceEvent::Answer(id, answer)));
        }
    }

    /// Draws and returns the screen as text, without blanks at the ends of lines.
    pub(crate) fn draw(&mut self, columns: u16, rows: u16) -> String {
        self.event(Event::Input(Input::Resize(columns, rows)));
        let (text, hits) = view::text::screen(&self.state, columns, rows);
        let effects = update::drawn(&mut self.state, hits);
        self.effects.extend(effects);
        text
    }
}

fn answer(ask: &Ask, amount: Amount) -> Answer {
    match ask {
        Ask::Page(query) if query.filter.ends_with('>') => {
            Answer::No(Arc::from("a value is missing after `>` at column 5 of the filter"))
        }
        Ask::Page(query) => Answer::Page(page(query, amount)),
        Ask::Task(_, task) => Answer::Task(Box::new(task_detail(*task, amount))),
        Ask::Site(_, site) => Answer::Site(Box::new(site_detail(site, amount))),
        Ask::Finding(number) => Answer::Finding(Box::new(finding(*number))),
        Ask::Overview(_) => Answer::Overview(Box::new(overview(amount))),
        Ask::Flight(query) => Answer::Flight(Box::new(flight(query, amount))),
    }
}

fn meta(amount: Amount) -> Meta {
    Meta {
        now_unix_ns: NOW,
        source: Arc::from(format!("{} processes", amount.processes)),
        presence: Presence::Live,
        mode: amount.mode,
        lost: 0,
        processes: amount.processes,
    }
}

pub(crate) fn page(query: &Query, amount: Amount) -> Page {
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

const SITES: [&str; 6] = [
    "src/cart.rs:88:9",
    "src/fanout.rs:31:5",
    "src/serve.rs:40:13",
    "src/obs.rs:61:5",
    "src/pool.rs:140:20",
    "src/bin/jobs/mail.rs:77:9",
];
const NAMES: [&str; 6] =
    ["render_cart", "pool_reaper", "conn{:51022}", "", "audit\x1b[31m_write", "日本語の名前"];
const DETECTORS: [&str; 3] = ["blocking-poll", "task-leak", "self-wake-storm"];
const LEVELS: [Level; 3] = [Level::Deny, Level::Deny, Level::Warn];

fn site_of(at: u64) -> &'static str {
    SITES[at as usize % SITES.len()]
}

pub(crate) fn row(kind: Kind, at: u64) -> Row {
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

fn wave(points: u32, largest: f32) -> Vec<Option<f32>> {
    (0..points)
        .map(|at| (at % 29 != 28).then(|| largest * (0.2 + 0.8 * ((at * 7 % 13) as f32 / 13.0))))
        .collect()
}

fn bimodal() -> Hist {
    let mut hist = Hist::new();
    (0..9_000).for_each(|i| hist.record(700_000 + i * 50));
    (0..40).for_each(|i| hist.record(380_000_000 + i * 1_000_000));
    hist
}

fn delays() -> Hist {
    let mut hist = Hist::new();
    (0..5_000).for_each(|i| hist.record(20_000 + i * i % 900_000));
    hist
}

fn finding(number: u64) -> Finding {
    let at = (number.max(1) - 1) as usize % 3;
    Finding {
        number,
        detector: Arc::from(DETECTORS[at]),
        level: LEVELS[at],
        fingerprint: Arc::from("blocking-poll|cart::render"),
        site: Arc::from(SITES[at]),
        task: Some(TaskId(100 + at as u64)),
        task_name: Arc::from(NAMES[at]),
        process: Arc::from("checkout#1"),
        value: Value::Nanos(412 * MILLISECOND),
        limit: Value::Nanos(10 * MILLISECOND),
        count: 311,
        first_ns: NOW - 141 * SECOND,
        last_ns: NOW - SECOND,
        open: true,
        kind: Some(pollscope_model::entity::slow_poll::PollKind::Blocked),
        waiting_in: Arc::from("futex_wait"),
        waiters: Some(37),
        waited_ns: Some(81 * MILLISECOND),
        max_waited_ns: Some(12 * MILLISECOND),
        stack: vec![Arc::from("cart::load (src/cart.rs:70)"), Arc::from("cart::render (src/cart.rs:91)")],
        headline: Arc::from(
            "412ms in one poll, blocked (limit 10ms): it slept in futex_wait at cart::load src/cart.rs:70",
        ),
        why: Arc::from("37 tasks waited 81ms behind it, the longest 12ms."),
        fix: Arc::from("spawn_blocking for the parse, or split it and yield every 256 items."),
    }
}

fn task_detail(task: TaskId, amount: Amount) -> TaskDetail {
    let slow = |nth: u64| SeenPoll {
        poll: pollscope_model::entity::slow_poll::SlowPoll {
            task,
            nth,
            worker: Some(1),
            wall_ns: 412 * MILLISECOND,
            busy_ns: Some(4 * MILLISECOND),
            preempted_ns: Some(MILLISECOND),
            waiters: (nth > 5).then_some(37),
            waited_ns: (nth > 5).then_some(81 * MILLISECOND),
            ..Default::default()
        },
        waiting_in: Arc::from(if nth == 7 { "futex_wait" } else { "" }),
        stack: if nth == 7 { finding(1).stack } else { Vec::new() },
    };
    let fact = |label: &str, text: &str| (Arc::from(label), Arc::from(text));
    TaskDetail {
        meta: meta(amount),
        row: row(Kind::Tasks, task.0.saturating_sub(100)),
        facts: vec![
            fact("runtime", "main"),
            fact("woken by", "the runtime 0.4s ago"),
            fact("wakes", "12 by tasks, 30 by the runtime, 0 by threads, 2 by itself"),
            fact("handle", "held"),
        ],
        ancestors: vec![
            TaskLink { id: TaskId(207), label: Arc::from("conn{:51028}") },
            TaskLink { id: TaskId(12), label: Arc::from("accept_loop") },
        ],
        children: vec![TaskLink { id: TaskId(400), label: Arc::from("load_items") }],
        children_total: 3,
        slow_polls: (1..=8).map(slow).collect(),
        poll: bimodal(),
        sched: delays(),
        life: Hist::new(),
        poll_limit_ns: 10 * MILLISECOND,
        findings: vec![finding(1)],
    }
}

/// Four workers of which one is blocked at the end, or a task that is polled ever so often.
fn flight(query: &FlightQuery, amount: Amount) -> Flight {
    let columns = u32::from(query.columns);
    let column_ns = query.span_ns / u64::from(columns);
    let until = query.until_unix_ns.unwrap_or(NOW);
    let start = columns * 7 / 10;
    let lane = |worker: u32| {
        let cell = |at: u32| match (worker, at % (4 + worker * 3)) {
            _ if at < 6 => LaneCell::Unknown,
            (1, _) if at >= start => LaneCell::Poll { site: 0, same: at > start },
            (3, n) if n > 0 => LaneCell::Blank,
            (_, 2) => LaneCell::Blank,
            (_, n) => LaneCell::Poll { site: ((at / 4 + worker) % 4) as u8, same: n == 1 },
        };
        Lane { label: Arc::from(format!("w{worker}")), cells: (0..columns).map(cell).collect() }
    };
    let time = |at: u32| TimeCell {
        known: at >= 6,
        running: if at >= start { 1_000 } else { [40, 0, 0, 0, 300, 0, 0][at as usize % 7] },
        sched: if at % 7 == 3 && at < start { 200 } else { 0 },
        idle: if at.is_multiple_of(7) || at >= start { 0 } else { 900 },
        polls: u32::from(at.is_multiple_of(7) && at <= start),
        wakes: if at < start { [0, 0, 0, 1, 0, 0, 3][at as usize % 7] } else { 0 },
    };
    let picture = match query.of {
        FlightOf::Task(_) => Picture::Timeline(Timeline {
            cells: (0..columns).map(time).collect(),
            wakes_seen: amount.mode != Mode::Hooks,
        }),
        FlightOf::Workers { .. } => Picture::Lanes(Lanes {
            lanes: (0..amount.workers as u32).map(lane).collect(),
            more: 0,
            sites: SITES[..4].iter().map(|site| Arc::from(*site)).collect(),
        }),
    };
    let sample = amount.mode == Mode::Sample;
    Flight {
        meta: meta(amount),
        from_unix_ns: until - query.span_ns,
        column_ns,
        why_not: if sample { "limited to sample mode, which sees no single task".into() } else { "".into() },
        begun: !sample && amount.tasks > 0,
        missed: if amount.findings > 3 { 4_096 } else { 0 },
        polls: amount.tasks,
        longest: Some(LongPoll {
            task: TaskId(101),
            site: Arc::from(SITES[0]),
            worker: Some(WorkerId { runtime: RuntimeId(0), index: 1 }),
            start_unix_ns: until - query.span_ns * 3 / 10,
            wall_ns: 412 * MILLISECOND,
            open: true,
        }),
        picture,
    }
}

fn site_detail(site: &Arc<str>, amount: Amount) -> SiteDetail {
    let at = SITES.iter().position(|known| **known == **site).unwrap_or(0) as u64;
    let heat = (0..90).map(|x| HeatColumn { decades: [0, 0, 3 * x, 200, 90, 2, x / 40 * 9, 0] }).collect();
    SiteDetail {
        meta: meta(amount),
        row: Row { id: RowId::Site(site.clone()), ..row(Kind::Sites, at) },
        poll: bimodal(),
        sched: delays(),
        life: delays(),
        heat,
        tasks: vec![TaskLink { id: TaskId(311), label: Arc::from("render_cart") }],
        names: vec![(Arc::from("render_cart"), 41)],
        woken_by: Some(vec![(Arc::from("the runtime"), 9_000), (Arc::from("src/serve.rs:40:13"), 120)]),
        findings: vec![finding(1)],
    }
}

fn hello(mode: Mode) -> Hello {
    let coverage = if mode == Mode::Sample { Coverage::Nobody } else { Coverage::All };
    let reason = if mode == Mode::Sample {
        "built without tokio_unstable, and nothing is spawned through pollscope"
    } else {
        ""
    };
    Hello {
        protocol: ProtocolVersion { major: 1, minor: 0 },
        version: "0.1.0".into(),
        boot: BOOT,
        process: ProcessInfo {
            name: "checkout".into(),
            pid: 412,
            host: "web-03".into(),
            exe: String::new(),
            cpus: 2,
            build: String::new(),
        },
        mode,
        capabilities: Metric::ALL
            .into_iter()
            .map(|metric| Capability { metric, coverage, reason: reason.into() })
            .collect(),
        anchor: ClockAnchor::default(),
        interval_ns: SECOND,
        hist_scale: 4,
        policy: String::new(),
        slow_poll_ns: Some(MILLISECOND),
    }
}

fn overview(amount: Amount) -> Overview {
    let runtime = RuntimeNow {
        process: Arc::from("checkout#1"),
        name: Arc::from("main"),
        flavor: Arc::from("multi_thread"),
        workers: 4,
        alive_tasks: Some(1_204),
        seen_tasks: Some(1_204),
        global_queue: Some(812),
        blocking_threads: None,
        blocking_queue: None,
        global_queue_series: wave(90, 812.0),
        blocking_series: Vec::new(),
    };
    let worker = |at| WorkerHeat {
        label: Arc::from(format!("checkout#1 w{at}")),
        busy: wave(60, 1.0 / (at + 1) as f32),
    };
    Overview {
        meta: meta(amount),
        lag_ns: 400 * MILLISECOND,
        presence: [amount.processes, 0, 0],
        tasks: amount.tasks,
        findings: [amount.findings.min(2), amount.findings.saturating_sub(2)],
        ribbon: if amount.tasks > 0 { wave(90, 412e6) } else { Vec::new() },
        marks: if amount.findings > 0 { vec![17, 84] } else { Vec::new() },
        workers: (0..amount.workers).map(worker).collect(),
        runtimes: if amount.workers > 0 { vec![runtime] } else { Vec::new() },
        hellos: if amount.processes == 0 && amount.tasks == 0 {
            vec![hello(amount.mode)]
        } else {
            vec![hello(amount.mode); 2]
        },
        notes: vec![Arc::from("Blocking pool: not measured, built without tokio_unstable.")],
        undecided: vec![(Arc::from("task-leak"), Arc::from("needs 5m of history, has 12s"))],
    }
}
