//! Each stage alone, on one core, from made-up reports: wire, fold, detectors, questions, frame. Times are CPU
//! time, but for the frames by the clock, in which it shows when other work of the machine came first.

use std::sync::Arc;
use std::time::Instant;

use pollscope_model::dict::{DictEntry, Site};
use pollscope_model::entity::site::SiteDelta;
use pollscope_model::entity::task::{TaskRecord, TaskState, WokenBy};
use pollscope_model::id::{NameId, RuntimeId, SiteId, TaskId};
use pollscope_model::measured::Mode;
use pollscope_model::monitor::Monitor;
use pollscope_model::query::ask::{Answer, Ask};
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::{Query, Scope, Sort};
use pollscope_model::report::{Report, ReportKind};
use pollscope_model::testkit;
use pollscope_model::time::SECOND;
use pollscope_model::world::WorldLimits;
use pollscope_proto::feed::{self, FeedDecoder, Message as Told};
use pollscope_tui::screens::event::Event;
use pollscope_tui::screens::glyph::Glyphs;
use pollscope_tui::screens::state::{Look, State, Tab};
use pollscope_tui::screens::theme::{Depth, Palette, Theme};
use pollscope_tui::screens::{update, view};
use pollscope_tui::sources::{SourceEvent, Status};

use crate::{CHANGED, Row};

const SITES: u64 = 100;
/// Rows of one part of a snapshot, as the recorder sends it.
const PART: usize = 16_384;
const ROUNDS: u32 = 20;
/// Frames that are drawn, each with new answers.
const FRAMES: usize = 400;
/// The terminal's size.
const SIZE: (u16, u16) = (160, 50);

/// A service that is made up.
struct Service {
    tasks: Vec<u32>,
    seed: u64,
    seq: u64,
    now_ns: u64,
}

impl Service {
    fn row(&self, index: usize) -> TaskRecord {
        let (n, polls) = (index as u64, u64::from(self.tasks[index]));
        TaskRecord {
            id: TaskId(n + 1),
            site: SiteId((n % SITES) as u32),
            name: NameId(1 + (n % 3) as u32),
            parent: (n > 1_000).then_some(TaskId(n % 1_000 + 1)),
            runtime: Some(RuntimeId(0)),
            mode: Mode::Wrap,
            state: TaskState::Idle,
            spawned_ns: 1 + n * 100,
            last_poll_end_ns: self.now_ns - n % 1_000_000,
            polls,
            busy_ns: polls * (1_000 + n * 7_919 % 5_000),
            max_poll_ns: 9_000 + n % 50_000,
            scheduled_ns: polls * 700,
            max_sched_ns: 40_000 + n % 9_000,
            wakes: polls,
            wakers: 1,
            waker_clones: polls,
            waker_drops: polls - 1,
            woken_by: WokenBy::Runtime,
            future_bytes: 512,
            ..TaskRecord::default()
        }
    }

    fn report(&mut self, kind: ReportKind, tasks: Vec<TaskRecord>) -> Report {
        let site = |id: u64| {
            let mut delta = SiteDelta { site: SiteId(id as u32), ..SiteDelta::default() };
            delta.spawned =
                if matches!(kind, ReportKind::Delta) { 0 } else { self.tasks.len() as u64 / SITES };
            (0..50).for_each(|n| delta.poll.record(1_000 + n * 97));
            delta
        };
        let first = matches!(kind, ReportKind::Delta | ReportKind::Snapshot { part: 0, .. });
        Report {
            boot: testkit::hello("crowd", 1).boot,
            kind,
            first_seq: self.seq,
            seq: self.seq,
            start_ns: self.now_ns - SECOND / 4,
            end_ns: self.now_ns,
            sites: if first { (0..SITES).map(site).collect() } else { Vec::new() },
            tasks,
            ..Report::default()
        }
    }

    fn snapshot(&mut self) -> Vec<Report> {
        let parts = self.tasks.len().div_ceil(PART);
        let part = |part: usize| {
            let rows =
                (part * PART..self.tasks.len().min((part + 1) * PART)).map(|at| self.row(at)).collect();
            let kind = ReportKind::Snapshot { part: part as u32, parts: parts as u32 };
            (kind, rows)
        };
        let parts: Vec<_> = (0..parts).map(part).collect();
        let mut parts: Vec<Report> = parts.into_iter().map(|(kind, rows)| self.report(kind, rows)).collect();
        parts[0].dict = dictionary();
        parts
    }

    /// A quarter of a second in which some change.
    fn tick(&mut self) -> Report {
        self.seq += 1;
        self.now_ns += SECOND / 4;
        let mut rows = Vec::new();
        for n in 0..self.tasks.len().min(CHANGED) {
            self.seed =
                self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let all = self.tasks.len();
            let index = if all <= CHANGED { n } else { (self.seed >> 33) as usize % all };
            self.tasks[index] += 1;
            rows.push(self.row(index));
        }
        self.report(ReportKind::Delta, rows)
    }
}

fn dictionary() -> Vec<DictEntry> {
    let site = |id: u64| {
        let file = format!("src/handlers/{}.rs", id / 5).into();
        DictEntry::Site(SiteId(id as u32), Site { file, line: 10 + id as u32, column: 9 })
    };
    let names = ["connection", "session", "heartbeat"];
    let name = |(at, name): (usize, &&str)| DictEntry::Name(NameId(1 + at as u32), Arc::from(*name));
    (0..SITES).map(site).chain(names.iter().enumerate().map(name)).collect()
}

/// Milliseconds of CPU that it takes, on average over so many times: what else the machine does is not in it.
fn ms(times: u32, mut what: impl FnMut()) -> f64 {
    let began = cpu_ms();
    (0..times).for_each(|_| what());
    (cpu_ms() - began) / f64::from(times)
}

fn tasks(filter: &str, sort: Option<&str>, offset: u64) -> Ask {
    let sort = sort.map(|column| Sort { column: column.to_owned(), descending: true });
    Ask::Page(Query {
        filter: filter.to_owned(),
        sort: sort.into_iter().collect(),
        offset,
        ..Query::all(Kind::Tasks, 128)
    })
}

fn encode(report: &Report) -> Vec<Vec<u8>> {
    feed::report(report).iter().map(feed::to_bytes).collect()
}

fn decode(bytes: &[Vec<u8>]) -> Vec<Report> {
    let mut reader = FeedDecoder::default();
    let told = bytes.iter().filter_map(|bytes| reader.decode(feed::from_bytes(bytes).ok()?).ok()?);
    let report = |told| if let Told::Report(report) = told { Some(*report) } else { None };
    told.filter_map(report).collect()
}

/// All stages with so many tasks.
pub(crate) fn measure(live: usize) -> Row {
    let mut service = Service { tasks: vec![1; live], seed: 7, seq: 1, now_ns: 60 * SECOND };
    let mut monitor = Monitor::new(WorldLimits::default());
    let hello = testkit::hello("crowd", 1);
    let unix_ns = |now_ns| testkit::START_UNIX_NS + now_ns;
    let welcomed = monitor.connect(hello, unix_ns(service.now_ns)).is_ok();

    let (mut parts, mut all) = (Vec::new(), Vec::new());
    let snapshot = service.snapshot();
    let encode_all = ms(1, || parts = snapshot.iter().map(encode).collect());
    let decode_all = ms(1, || all = parts.iter().flat_map(|part| decode(part)).collect::<Vec<_>>());
    let now_ns = unix_ns(service.now_ns);
    let fold_all = ms(1, || {
        for part in std::mem::take(&mut all) {
            monitor.apply(part, now_ns);
        }
    });
    let look_all = ms(1, || monitor.tick(now_ns));
    drop((snapshot, parts));

    let mut found = true;
    let mut answer = |monitor: &Monitor, now_ns, ask: &Ask, times| {
        ms(times, || found &= !matches!(monitor.answer(ask, now_ns), Answer::No(_)))
    };
    let page = tasks("", None, 0);
    let first_page = answer(&monitor, now_ns, &page, 1);
    let (mut encoding, mut bytes, mut decoding, mut folding, mut looking) = (0.0, 0, 0.0, 0.0, 0.0);
    let mut paging = 0.0;
    for _ in 0..ROUNDS {
        let report = service.tick();
        let now_ns = unix_ns(service.now_ns);
        let (mut wire, mut back) = (Vec::new(), Vec::new());
        encoding += ms(1, || wire = encode(&report));
        bytes += wire.iter().map(Vec::len).sum::<usize>();
        decoding += ms(1, || back = decode(&wire));
        folding += ms(1, || {
            for report in std::mem::take(&mut back) {
                monitor.apply(report, now_ns);
            }
        });
        looking += ms(1, || monitor.tick(now_ns));
        paging += answer(&monitor, now_ns, &page, 1);
    }
    let rounds = f64::from(ROUNDS);
    let changed = live.min(CHANGED);

    let now_ns = unix_ns(service.now_ns);
    let mut answer = |ask: &Ask| answer(&monitor, now_ns, ask, 5);
    let by_name = answer(&tasks("", Some("name"), 0));
    let filtered = answer(&tasks("session busy>5us", Some("polls"), 0));
    let last = answer(&tasks("", None, live.saturating_sub(128) as u64));
    let overview = answer(&Ask::Overview(Scope::All));

    let mut state = screen();
    let (mut frames, mut by_clock) = (Vec::new(), Vec::new());
    for _ in 0..FRAMES {
        let asked = state.answers.questions();
        let answer = |(id, ask): &(_, Ask)| SourceEvent::Answer(*id, Box::new(monitor.answer(ask, now_ns)));
        let mut answers: Vec<_> = asked.iter().map(answer).collect();
        let began = Instant::now();
        frames.push(ms(1, || {
            for answer in answers.drain(..) {
                update::update(&mut state, Event::Source(answer));
            }
            drop(view::off_screen(&state, SIZE.0, SIZE.1));
        }));
        by_clock.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let [frames, by_clock] = [frames, by_clock].map(|mut all| {
        all.sort_by(f64::total_cmp);
        all
    });
    let at = |all: &[f64], percent: usize| all[(all.len() * percent / 100).min(all.len() - 1)];
    assert!(welcomed && found, "the made-up service was understood");
    vec![
        ("tasks", live as f64),
        ("encode ms", encoding / rounds),
        ("bytes/changed", bytes as f64 / rounds / changed as f64),
        ("decode ms", decoding / rounds),
        ("fold ms", folding / rounds),
        ("detect ms", looking / rounds),
        ("first page ms", first_page),
        ("page ms", paging / rounds),
        ("by name ms", by_name),
        ("filtered ms", filtered),
        ("last page ms", last),
        ("overview ms", overview),
        ("frame p50 ms", at(&frames, 50)),
        ("p99 ms", at(&frames, 99)),
        ("p99 by the clock", at(&by_clock, 99)),
        ("snapshot encode ms", encode_all),
        ("decode ms", decode_all),
        ("fold ms", fold_all),
        ("first look ms", look_all),
    ]
}

/// CPU time of this thread so far, milliseconds.
fn cpu_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn screen() -> State {
    let look = Look { theme: Theme { palette: Palette::Dark, depth: Depth::Indexed }, glyphs: Glyphs::Block };
    let mut state = State::new("crowd".into(), Scope::All, Tab::Tasks, look, SIZE);
    update::start(&mut state);
    let up = Status::Connected { label: "crowd".into() };
    update::update(&mut state, Event::Source(SourceEvent::Status(up)));
    state
}
