//! Exports of a made-up recording, and of damaged and hostile ones.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::io::{Cursor, Read};

use clap::ValueEnum;
use pollscope_model::dict::{Frame, Stack};
use pollscope_model::entity::event::{Event, EventBlock};
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::task::{TaskRecord, TaskState, WokenBy};
use pollscope_model::id::{NameId, RuntimeId, SiteId, StackId, TaskId, WorkerId};
use pollscope_model::report::Report;
use pollscope_model::testkit::Script;
use pollscope_model::time::{MILLISECOND, SECOND};
use pollscope_proto::recording::Writer;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

/// A name that breaks whatever is not escaped.
const AWKWARD: &str = "render \"cart\"; \u{1b}[31m\n\\ 12 </script>";

fn worker(index: u32) -> WorkerId {
    WorkerId { runtime: RuntimeId(0), index }
}

fn poll(task: TaskId, site: SiteId, start_ns: u64, wall_ns: u64, index: u32) -> Event {
    Event::Poll { task, site, start_ns, wall_ns, worker: Some(worker(index)) }
}

fn block(thread: u32, first: u64, (from_ns, to_ns): (u64, u64), events: Vec<Event>) -> EventBlock {
    EventBlock { thread, first, from_ns, to_ns, events }
}

/// A dispatcher on worker 0 that wakes an awkward task, whose poll blocks worker 1 for 150 ms.
fn recorded(with_events: bool) -> Vec<u8> {
    let mut process = Script::new("checkout");
    let (main, cart) = (process.site("src/main.rs:5:1"), process.site("src/cart.rs:88:9"));
    let dispatcher = process.spawn(main);
    let task = process.spawn_named(cart, AWKWARD, "http");
    let mut writer = Writer::new(Vec::new(), &process.hello()).unwrap();
    let frame = |function: &str, users: bool| Frame {
        function: function.into(),
        file: users.then(|| "src/cart.rs".into()),
        line: 90,
        users,
    };
    let frames = ["nanosleep", "cart::load;<F as \"G\">", "tokio::run"];
    let frames = frames.into_iter().zip([false, true, false]).map(|(name, users)| frame(name, users));
    let stack = process.stack(Stack { frames: frames.collect(), ..Stack::default() });
    process.pass(300 * MILLISECOND);
    process.poll(dispatcher, 1, MILLISECOND);
    process.slow_poll(task, 150 * MILLISECOND, MILLISECOND, 2 * MILLISECOND);
    process.edit_slow_poll(|poll| {
        (poll.start_ns, poll.worker, poll.stack) = (120 * MILLISECOND, Some(1), Some(stack));
    });
    process.edit(task, |task| task.runtime = Some(RuntimeId(0)));
    let mut report = process.second();
    if with_events {
        let ms = |n: u64| n * MILLISECOND;
        let wake = Event::Wake { task, at_ns: ms(100), by: WokenBy::Task(dispatcher) };
        let span = (0, report.end_ns);
        report.events = vec![
            block(1, 0, span, vec![wake, poll(dispatcher, main, ms(99), ms(2), 0)]),
            block(
                2,
                0,
                span,
                vec![poll(task, cart, ms(10), ms(20), 1), poll(task, cart, ms(120), ms(150), 1)],
            ),
        ];
    }
    writer.report(&report).unwrap();
    let mut second = process.second();
    if with_events {
        // A second of which nothing is known.
        let span = (second.end_ns, second.end_ns + SECOND);
        second.events = vec![block(1, 7, span, vec![])];
    }
    writer.report(&second).unwrap();
    writer.finish().unwrap()
}

fn exported(file: &[u8], format: ExportFormat, weight: Weight) -> Option<(Vec<u8>, ExportIndex, Written)> {
    let mut recording = Recording::of(Cursor::new(file.to_vec())).ok()?;
    let index = ExportIndex::read(&mut recording);
    let mut out = Vec::new();
    let written = write(format, weight, &mut recording, &index, &mut out).unwrap();
    let said = notes(format, &recording, &index, &written);
    assert!(said.iter().all(|line| !line.contains('\n')), "{said:?}");
    Some((out, index, written))
}

/// The recording of a process that means harm, with single polls, as a file of that format; of bytes what is text.
pub(crate) fn of_hostile(format: ExportFormat) -> String {
    let (script, reports) = pollscope_model::testkit::hostile();
    let mut writer = Writer::new(Vec::new(), &script.hello()).unwrap();
    for mut report in reports {
        let (task, at_ns) = (report.tasks[0].id, report.end_ns - MILLISECOND);
        let wake = Event::Wake { task, at_ns, by: WokenBy::Itself };
        report.events = vec![block(
            1,
            0,
            (report.start_ns, report.end_ns),
            vec![wake, poll(task, SiteId(0), at_ns, 100, 0)],
        )];
        writer.report(&report).unwrap();
    }
    let (mut out, ..) = exported(&writer.finish().unwrap(), format, Weight::Wall).unwrap();
    if format == ExportFormat::Pprof {
        let gzip = std::mem::take(&mut out);
        flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut out).unwrap();
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn chrome(with_events: bool) -> Vec<Json> {
    let (out, ..) = exported(&recorded(with_events), ExportFormat::Chrome, Weight::Wall).unwrap();
    let whole: Json = serde_json::from_slice(&out).unwrap();
    whole["traceEvents"].as_array().unwrap().clone()
}

fn with<'a>(events: &'a [Json], phase: &str) -> Vec<&'a Json> {
    events.iter().filter(|event| event["ph"] == phase).collect()
}

#[test]
fn a_blocked_poll_is_drawn_where_and_when_it_was_with_all_that_is_known_of_it() {
    let events = chrome(true);
    let polls = with(&events, "X");
    let slow = polls.iter().find(|poll| poll["args"]["slow"] == "blocked").unwrap();
    assert_eq!((slow["name"].as_str(), slow["ts"].as_f64()), (Some(AWKWARD), Some(120_000.0)));
    assert_eq!(
        (slow["dur"].as_f64(), slow["args"]["blocked_ns"].as_u64()),
        (Some(150_000.0), Some(147_000_000))
    );
    assert_eq!(slow["args"]["stack"][0], "cart::load;<F as \"G\"> (src/cart.rs:90)");
    let lane = with(&events, "M").into_iter().find(|meta| meta["tid"] == slow["tid"]).unwrap();
    assert_eq!(lane["args"]["name"], "worker 1");
    // Drawn once, though it is told as a slow poll and as an event.
    assert_eq!(polls.iter().filter(|poll| poll["name"] == AWKWARD).count(), 2);
}

#[test]
fn a_wake_is_an_arrow_and_what_is_missing_is_marked() {
    let events = chrome(true);
    let (from, to) = (with(&events, "s"), with(&events, "f"));
    assert_eq!((from.len(), to.len()), (1, 1));
    assert_eq!((from[0]["ts"].as_f64(), to[0]["ts"].as_f64()), (Some(100_000.0), Some(120_000.0)));
    let states: Vec<_> = with(&events, "b").iter().filter_map(|event| event["name"].as_str()).collect();
    assert!(["idle", "scheduled", "running"].iter().all(|state| states.contains(state)), "{states:?}");
    let holes: Vec<_> =
        with(&events, "X").into_iter().filter(|slice| slice["name"] == "single polls not recorded").collect();
    assert_eq!((holes.len(), holes[0]["dur"].as_f64()), (1, Some(1_000_000.0)));
}

#[test]
fn what_was_not_measured_is_not_drawn() {
    let events = chrome(false);
    assert!(with(&events, "s").is_empty() && with(&events, "f").is_empty());
    assert_eq!(with(&events, "X").len(), 1, "the slow poll is there");
    assert_eq!(with(&events, "b").len(), 2, "two lives and no states");
    let file = recorded(false);
    let mut recording = Recording::of(Cursor::new(file)).unwrap();
    let index = ExportIndex::read(&mut recording);
    let said = notes(ExportFormat::Perfetto, &recording, &index, &Written::default());
    assert!(
        said[0].starts_with("the recording holds no single polls and wakes, only totals and 1 slow"),
        "{said:?}"
    );
}

#[test]
fn folded_stacks_become_a_flame_graph() {
    let (out, ..) = exported(&recorded(false), ExportFormat::Folded, Weight::Blocked).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text, "checkout;src/cart.rs:88:9;cart::load:<F as \"G\">;nanosleep 147000\n");
    let mut svg = Vec::new();
    let mut options = inferno::flamegraph::Options::default();
    inferno::flamegraph::from_lines(&mut options, text.lines(), &mut svg).unwrap();
    let svg = String::from_utf8(svg).unwrap();
    assert!(svg.contains("nanosleep (147,000 samples, 100.00%)"), "{svg}");
    let (out, ..) = exported(&recorded(false), ExportFormat::Folded, Weight::Busy).unwrap();
    assert!(out.ends_with(b"nanosleep 1000\n"));
}

#[test]
fn a_pprof_profile_is_gzip_and_names_its_kinds_of_time() {
    let (out, ..) = exported(&recorded(false), ExportFormat::Pprof, Weight::Wall).unwrap();
    let mut profile = Vec::new();
    flate2::read::GzDecoder::new(&out[..]).read_to_end(&mut profile).unwrap();
    let has = |text: &str| profile.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    for text in ["wall", "busy", "blocked", "preempted", "nanosleep", "tasks of src/cart.rs:88:9"] {
        assert!(has(text), "{text} is not in it");
    }
}

#[test]
fn a_firefox_profile_has_a_sample_for_each_part_of_a_slow_poll() {
    let (out, ..) = exported(&recorded(true), ExportFormat::Firefox, Weight::Wall).unwrap();
    let profile: Json = serde_json::from_slice(&out).unwrap();
    let threads = profile["threads"].as_array().unwrap();
    let worker = threads.iter().find(|thread| thread["name"] == "worker 1").unwrap();
    assert_eq!(worker["samples"]["weight"], serde_json::json!([1, 147, 2]));
    assert_eq!(worker["samples"]["weightType"], "tracing-ms");
    assert_eq!(worker["markers"]["length"], 2);
}

#[test]
fn a_cut_recording_is_exported_up_to_where_it_can_be_read() {
    let file = recorded(true);
    for length in (0..file.len()).step_by(101) {
        for format in [ExportFormat::Perfetto, ExportFormat::Firefox, ExportFormat::Pprof] {
            exported(&file[..length], format, Weight::Wall);
        }
    }
}

fn moment() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0..3 * SECOND, 1 => Just(0), 1 => Just(u64::MAX), 1 => any::<u64>()]
}

prop_compose! {
    fn event()(
        (task, site, thread) in (0..6u64, 0..4u32, 0..4u32),
        (at, wall) in (moment(), moment()),
        kind in 0..8u8,
        index in prop_oneof![0..3u32, any::<u32>()],
    ) -> (u32, Event) {
        let by = [WokenBy::Unknown, WokenBy::Itself, WokenBy::Runtime, WokenBy::Task(TaskId(task / 2))];
        let task = TaskId(if kind == 7 { u64::MAX - task } else { task });
        (thread, match kind {
            0..4 => Event::Wake { task, at_ns: at, by: by[usize::from(kind)] },
            4 => Event::Poll { task, site: SiteId(u32::MAX - site), start_ns: at, wall_ns: wall, worker: None },
            _ => poll(task, SiteId(site), at, wall, index),
        })
    }
}

prop_compose! {
    fn hostile()(
        (start_ns, end_ns, from, to) in (moment(), moment(), moment(), moment()),
        events in prop::collection::vec(event(), 0..40),
        first in prop_oneof![0..50u64, any::<u64>()],
        slow in prop::collection::vec((0..6u64, moment(), moment(), moment(), prop::option::of(any::<u64>())), 0..10),
        tasks in prop::collection::vec((0..6u64, moment(), moment(), moment(), ".{0,12}"), 0..6),
    ) -> (Report, Vec<String>) {
        let mut report = Report { start_ns, end_ns, ..Report::default() };
        for thread in 0..4 {
            let of = events.iter().filter(|(by, _)| *by == thread).map(|(_, event)| *event).collect();
            report.events.push(block(thread, first, (from, to), of));
        }
        report.slow_polls = slow.into_iter().map(|(task, start_ns, wall_ns, busy, preempted_ns)| SlowPoll {
            task: TaskId(task), site: SiteId(0), nth: 1, start_ns, wall_ns,
            busy_ns: preempted_ns.map(|_| busy), preempted_ns,
            worker: (task > 2).then_some(task as u32), stack: Some(StackId(0)),
            waiting_in: Some(NameId(1)), ..SlowPoll::default()
        }).collect();
        let mut names = Vec::new();
        for (id, spawned_ns, ended_ns, last_poll_end_ns, name) in tasks {
            names.push(name);
            report.tasks.push(TaskRecord {
                id: TaskId(id), spawned_ns, ended_ns, last_poll_end_ns, name: NameId(names.len() as u32),
                state: TaskState::Completed, ..TaskRecord::default()
            });
        }
        (report, names)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_a_recording_says_exports_are_well_formed_and_bounded(
        reports in prop::collection::vec(hostile(), 1..4),
    ) {
        let mut process = Script::new(AWKWARD);
        let mut writer = Writer::new(Vec::new(), &process.hello()).unwrap();
        for (hostile, names) in reports {
            for name in &names {
                process.name(name);
            }
            let regular = process.second();
            let report = Report { seq: regular.seq, first_seq: regular.first_seq, boot: regular.boot, dict: regular.dict, ..hostile };
            writer.report(&report).unwrap();
        }
        let file = writer.finish().unwrap();
        for format in ExportFormat::value_variants() {
            let (out, ..) = exported(&file, *format, Weight::Wall).unwrap();
            prop_assert!(out.len() < 1 << 20, "{} bytes", out.len());
            match format {
                ExportFormat::Chrome | ExportFormat::Firefox => {
                    prop_assert!(serde_json::from_slice::<Json>(&out).is_ok());
                }
                ExportFormat::Folded => {
                    let text = String::from_utf8(out).unwrap();
                    for line in text.lines() {
                        let (stack, weight) = line.rsplit_once(' ').unwrap();
                        prop_assert!(stack.split(';').count() >= 3 && weight.parse::<u64>().is_ok(), "{line:?}");
                    }
                }
                ExportFormat::Perfetto | ExportFormat::Pprof => {}
            }
        }
    }

    #[test]
    fn damaged_bytes_are_left_out_and_never_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut file = recorded(true);
        for (at, byte) in damage {
            let at = at.index(file.len());
            file[at] = byte;
        }
        for format in ExportFormat::value_variants() {
            exported(&file, *format, Weight::Wall);
        }
    }
}
