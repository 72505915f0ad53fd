//! Frames that earlier versions wrote still decode, and to what was written.
//!
//! `tests/frames/` only grows: a file that exists is never written again. After adding a sample:
//! `POLLSCOPE_BLESS=1 cargo test -p pollscope-proto --test wire stored`.

use std::path::Path;
use std::sync::Arc;

use pollscope_model::dict::{DictEntry, Site};
use pollscope_model::entity::event::{Event, EventBlock};
use pollscope_model::entity::runtime::{RuntimeRecord, WorkerDelta};
use pollscope_model::entity::site::SiteDelta;
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::task::{HandleState, TaskKind, TaskRecord, TaskState, WokenBy};
use pollscope_model::entity::usage::ProcessUsage;
use pollscope_model::hello::{Hello, ProcessInfo, ProtocolVersion};
use pollscope_model::id::{BootId, NameId, RuntimeId, SiteId, TaskId, WorkerId};
use pollscope_model::level::Level;
use pollscope_model::measured::{Capability, Coverage, Metric, Mode};
use pollscope_model::query::ask::Answer;
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::{Meta, Page, Row, RowId};
use pollscope_model::report::{Detail, Losses, Report, ReportKind};
use pollscope_model::time::ClockAnchor;
use pollscope_model::value::Value;
use pollscope_proto::feed::{self, FeedMessage};
use pollscope_proto::fleet::{self, AnswerPart};
use pollscope_proto::ingest::{Control, PushControl, Welcome};
use prost::Message;

#[expect(clippy::disallowed_methods, reason = "asked for by hand, to renew what is stored")]
fn stored(name: &str, fresh: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frames").join(name);
    if !path.exists() && std::env::var_os("POLLSCOPE_BLESS").is_some() {
        std::fs::write(&path, fresh()).unwrap();
    }
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn hello() -> Hello {
    Hello {
        protocol: ProtocolVersion { major: 1, minor: 0 },
        version: "0.1.0".into(),
        boot: BootId(0x0123_4567_89ab_cdef_0011_2233_4455_6677),
        process: ProcessInfo {
            name: "checkout".into(),
            pid: 4_711,
            host: "build7".into(),
            exe: "/usr/bin/checkout".into(),
            cpus: 0,
            build: String::new(),
        },
        mode: Mode::Hooks,
        capabilities: vec![Capability {
            metric: Metric::Wakes,
            coverage: Coverage::Wrapped,
            reason: "hooks see no wakes".into(),
        }],
        anchor: ClockAnchor { unix_ns: 1_700_000_000_000_000_000, mono_ns: 12 },
        interval_ns: 250_000_000,
        hist_scale: 4,
        policy: "[detector.sched-delay]\n".into(),
        slow_poll_ns: None,
    }
}

fn report() -> Report {
    let mut site =
        SiteDelta { site: SiteId(3), spawned: 2, wakes: 9, max_future_bytes: 640, ..SiteDelta::default() };
    for ns in [1_200, 88_000, 412_000_000] {
        site.poll.record(ns);
    }
    site.sched.record(5_000);
    let task = TaskRecord {
        id: TaskId(17),
        site: SiteId(3),
        name: NameId(1),
        parent: Some(TaskId(2)),
        runtime: Some(RuntimeId(0)),
        mode: Mode::Wrap,
        kind: TaskKind::Local,
        state: TaskState::Running,
        long_lived: true,
        spawned_ns: 100,
        last_poll_end_ns: 900_000,
        poll_start_ns: 950_000,
        worker: Some(1),
        polls: 8,
        busy_ns: 44_000,
        max_poll_ns: 9_000,
        scheduled_ns: 7_000,
        max_sched_ns: 4_000,
        wakes: 9,
        self_wakes: 1,
        forced_yields: 1,
        wakers: 2,
        waker_clones: 5,
        waker_drops: 3,
        woken_by: WokenBy::Task(TaskId(2)),
        handle: HandleState::Dropped,
        future_bytes: 640,
        ..TaskRecord::default()
    };
    let ended = TaskRecord {
        id: TaskId(18),
        site: SiteId(3),
        kind: TaskKind::Blocking,
        state: TaskState::Panicked,
        ended_ns: 999_999,
        polls: 1,
        busy_ns: 5,
        max_poll_ns: 5,
        handle: HandleState::Joined,
        ..TaskRecord::default()
    };
    Report {
        boot: hello().boot,
        kind: ReportKind::Snapshot { part: 1, parts: 3 },
        first_seq: 5,
        seq: 6,
        start_ns: 750_000,
        end_ns: 1_000_000,
        detail: Detail::Top,
        dict: vec![
            DictEntry::Site(SiteId(3), Site { file: "src/cart.rs".into(), line: 88, column: 9 }),
            DictEntry::Name(NameId(1), "pool_reaper".into()),
        ],
        runtimes: vec![RuntimeRecord { workers: 4, alive_tasks: Some(20), ..RuntimeRecord::default() }],
        workers: vec![WorkerDelta {
            id: WorkerId { runtime: RuntimeId(0), index: 1 },
            busy_ns: 200_000,
            interval_ns: 250_000,
            polls: Some(0),
            polling: Some((TaskId(17), 950_000)),
            ..WorkerDelta::default()
        }],
        sites: vec![site],
        tasks: vec![task, ended],
        slow_polls: vec![SlowPoll {
            task: TaskId(17),
            site: SiteId(3),
            nth: 3,
            worker: Some(0),
            start_ns: 400_000,
            wall_ns: 412_000,
            busy_ns: Some(2_000),
            preempted_ns: None,
            ..SlowPoll::default()
        }],
        stalls: Vec::new(),
        stops: Vec::new(),
        edges: Vec::new(),
        events: Vec::new(),
        losses: Losses { ended_rows: 4, reports_folded: 1, ..Losses::default() },
        usage: ProcessUsage::default(),
    }
}

fn answer() -> Answer {
    let text = |text: &str| -> Arc<str> { text.into() };
    Answer::Page(Page {
        kind: Kind::Sites,
        meta: Meta { now_unix_ns: 5, source: text("checkout"), processes: 1, ..Meta::default() },
        total: 3,
        matched: 1,
        offset: 0,
        rows: vec![Row {
            id: RowId::Site(text("src/cart.rs:88:9")),
            level: Some(Level::Deny),
            cells: vec![
                Value::Null,
                Value::Count(0),
                Value::Nanos(412_000_000),
                Value::Ratio(0.5),
                Value::List(vec![text("blocking-poll")]),
                Value::Series(vec![Some(1.0), None]),
            ],
        }],
    })
}

#[test]
fn stored_hello_decodes() {
    let bytes = stored("v1.0-feed-hello.bin", || feed::hello(&hello()).encode_to_vec());
    let message =
        feed::FeedDecoder::default().decode(FeedMessage::decode(bytes.as_slice()).unwrap()).unwrap();
    assert_eq!(message, Some(feed::Message::Hello(Box::new(hello()))));
}

#[test]
fn stored_report_decodes() {
    let bytes = stored("v1.0-feed-report.bin", || feed::report(&report())[0].encode_to_vec());
    let message =
        feed::FeedDecoder::default().decode(FeedMessage::decode(bytes.as_slice()).unwrap()).unwrap();
    assert_eq!(message, Some(feed::Message::Report(Box::new(report()))));
}

#[test]
fn stored_events_decode() {
    let worker = Some(WorkerId { runtime: RuntimeId(0), index: 1 });
    let events = vec![
        Event::Wake { task: TaskId(17), at_ns: 90, by: WokenBy::Task(TaskId(3)) },
        Event::Poll { task: TaskId(17), site: SiteId(3), start_ns: 100, wall_ns: 412_000_000, worker },
        Event::Wake { task: TaskId(17), at_ns: 412_000_200, by: WokenBy::OtherThread },
    ];
    let block = EventBlock { thread: 2, first: 40, from_ns: 80, to_ns: 500_000_000, events };
    let report = Report { seq: 8, first_seq: 8, events: vec![block], ..Report::default() };
    let bytes = stored("v1.0-feed-events.bin", || feed::report(&report)[0].encode_to_vec());
    let message =
        feed::FeedDecoder::default().decode(FeedMessage::decode(bytes.as_slice()).unwrap()).unwrap();
    assert_eq!(message, Some(feed::Message::Report(Box::new(report))));
}

#[test]
fn stored_welcome_decodes() {
    let welcome = Control::Welcome(Welcome {
        protocol: ProtocolVersion { major: 1, minor: 0 },
        last_seq: Some(0),
        detail: Detail::Top,
    });
    let bytes = stored("v1.0-ingest-welcome.bin", || PushControl::from(&welcome).encode_to_vec());
    assert_eq!(Control::try_from(PushControl::decode(bytes.as_slice()).unwrap()), Ok(welcome));
}

#[test]
fn stored_answer_decodes() {
    let bytes = stored("v1.0-fleet-answer.bin", || fleet::answer(9, &answer())[0].encode_to_vec());
    let part = AnswerPart::decode(bytes.as_slice()).unwrap();
    assert_eq!(fleet::AnswerDecoder::default().decode(part), Ok(Some((9, answer()))));
}
