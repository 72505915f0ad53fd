//! One changed recording: made, opened, read, folded, judged and asked.

use std::io::Cursor;

use mcap::MAGIC;
use mcap::records::op;
use pollscope_model::dict::{Frame, Stack};
use pollscope_model::entity::edge::{WakeEdge, Waker};
use pollscope_model::entity::event::{Event, EventBlock};
use pollscope_model::entity::runtime::{RuntimeRecord, WorkerDelta};
use pollscope_model::entity::task::TaskState;
use pollscope_model::hello::Hello;
use pollscope_model::id::{RuntimeId, TaskId, WorkerId};
use pollscope_model::monitor::Monitor;
use pollscope_model::query::ask::Ask;
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::Query;
use pollscope_model::report::Report;
use pollscope_model::testkit::Script;
use pollscope_model::time::{MILLISECOND, SECOND};
use pollscope_model::world::WorldLimits;
use pollscope_proto::recording::{Recording, Writer};

use crate::books::Books;
use crate::chance::Chance;
use crate::{mutate, protobuf};

/// The sound files that are changed: what is declared and never read is left out of most of them, so that a
/// change rarely hits it.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let stored = include_bytes!("../../tests/frames/v1.0-recording.bin");
    let (short, long) = (report_file(2, 1), report_file(6, 3));
    let mut chance = Chance::of(0);
    let mut lean = |file: &[u8]| {
        rebuilt(file, &mut chance, |records| records.retain(|(opcode, _)| *opcode != op::SCHEMA))
    };
    vec![lean(&short), lean(&long), lean(stored), long]
}

/// A process that has something of everything to tell.
fn report_file(seconds: u64, parts: u32) -> Vec<u8> {
    let mut process = Script::new("checkout");
    let hello = process.hello();
    let (cart, audit) = (process.site("src/cart.rs:88:9"), process.site("src/audit.rs:12:5"));
    let mut reports = process.snapshot(parts);
    let stuck = process.spawn_named(audit, "settle", "http");
    process.open_poll(stuck, 1);
    let frame = |function: &str, users| Frame { function: function.into(), file: None, line: 7, users };
    let stack = process.stack(Stack {
        frames: vec![frame("clock_nanosleep", false), frame("cart::render", true)],
        ..Stack::default()
    });
    let word = process.name("futex_wait");
    for second in 0..seconds {
        let task = process.spawn_named(cart, "render_cart", "http");
        process.wake(task, 3, 20_000);
        process.self_wake(task, 1);
        process.poll(task, 3, 2 * MILLISECOND);
        process.slow_poll(task, 150 * MILLISECOND, MILLISECOND, 0);
        process.edit_slow_poll(|poll| {
            (poll.stack, poll.waiting_in) = (Some(stack), Some(word));
            (poll.waiters, poll.waited_ns, poll.max_waited_ns) = (Some(2), Some(9_000), Some(8_000));
        });
        process.edge(WakeEdge { from: Waker::Site(audit), to: cart, count: 4 });
        process.edge(WakeEdge { from: Waker::Runtime, to: audit, count: second });
        process.runtime(RuntimeRecord { id: RuntimeId(0), workers: 2, ..RuntimeRecord::default() });
        for index in 0..2 {
            process.worker(&WorkerDelta {
                id: WorkerId { runtime: RuntimeId(0), index },
                busy_ns: SECOND / 3,
                interval_ns: SECOND,
                cpu_ns: Some(SECOND / 3),
                ..WorkerDelta::default()
            });
        }
        if second % 2 == 1 {
            process.end(task, TaskState::Panicked);
        }
        let mut report = process.second();
        report.events = vec![events(task, &process, second)];
        reports.push(report);
    }
    write(&hello, &reports)
}

fn events(task: TaskId, process: &Script, second: u64) -> EventBlock {
    let to_ns = process.now_ns();
    let from_ns = to_ns.saturating_sub(SECOND);
    let site = process.task(task).map(|task| task.site).unwrap_or_default();
    let poll = |n: u64| Event::Poll {
        task,
        site,
        start_ns: from_ns + n * 90 * MILLISECOND,
        wall_ns: 3 * MILLISECOND,
        worker: Some(WorkerId { runtime: RuntimeId(0), index: n as u32 % 2 }),
    };
    EventBlock { thread: 1, first: second * 10, from_ns, to_ns, events: (0..10).map(poll).collect() }
}

fn write(hello: &Hello, reports: &[Report]) -> Vec<u8> {
    let written = || {
        let mut writer = Writer::new(Vec::new(), hello)?;
        for report in reports {
            writer.report(report)?;
        }
        writer.goodbye("the service stopped pollscope")?;
        writer.finish()
    };
    written().expect("memory takes what is written")
}

/// The file with the records of each of its chunks changed.
fn rebuilt(file: &[u8], chance: &mut Chance, mut change: impl FnMut(&mut Vec<mutate::Record>)) -> Vec<u8> {
    let mut records = mutate::split(file.get(MAGIC.len()..).unwrap_or_default());
    for (_, body) in records.iter_mut().filter(|(opcode, _)| *opcode == op::CHUNK) {
        let Some(mut chunk) = mutate::Chunk::of(body) else { continue };
        let mut inner = mutate::split(&chunk.contents);
        change(&mut inner);
        chunk.contents = mutate::join(&inner, false, chance);
        *body = chunk.body(false, chance);
    }
    let mut file = MAGIC.to_vec();
    file.extend(mutate::join(&records, false, chance));
    file
}

/// A file that no writer wrote.
fn changed(seeds: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut file = chance.of_these(seeds).clone();
    match chance.below(5) {
        0 => mutate::bytes(&mut file, chance),
        1 => {
            let mut records = mutate::split(&file[MAGIC.len()..]);
            mutate::shuffle(&mut records, chance);
            let lie = chance.one_in(3);
            file.truncate(MAGIC.len());
            file.extend(mutate::join(&records, lie, chance));
        }
        depth => {
            let mut records = mutate::split(&file[MAGIC.len()..]);
            let chunks: Vec<usize> = (0..records.len()).filter(|at| records[*at].0 == op::CHUNK).collect();
            for _ in 0..=chance.below(3) {
                let at = *chance.of_these(&chunks);
                if let Some(chunk) = changed_chunk(&records[at].1, depth, chance) {
                    records[at].1 = chunk;
                }
            }
            file.truncate(MAGIC.len());
            file.extend(mutate::join(&records, false, chance));
        }
    }
    file
}

/// A chunk with changed bytes (2), records or head (3), or messages (4).
fn changed_chunk(body: &[u8], depth: usize, chance: &mut Chance) -> Option<Vec<u8>> {
    let mut chunk = mutate::Chunk::of(body)?;
    let mut lie = false;
    if depth == 2 {
        mutate::bytes(&mut chunk.contents, chance);
    } else {
        let mut records = mutate::split(&chunk.contents);
        let messages: Vec<usize> = (0..records.len()).filter(|at| records[*at].0 == op::MESSAGE).collect();
        if depth == 3 || messages.is_empty() {
            lie = chance.one_in(2);
            mutate::shuffle(&mut records, chance);
        } else {
            for _ in 0..=chance.below(4) {
                let record = &mut records[*chance.of_these(&messages)].1;
                let mut message = record.split_off(MESSAGE_HEAD.min(record.len()));
                protobuf::message(&mut message, chance);
                record.extend(message);
            }
        }
        let lie = lie && chance.one_in(2);
        chunk.contents = mutate::join(&records, lie, chance);
    }
    Some(chunk.body(lie, chance))
}

/// Channel, number and two times.
const MESSAGE_HEAD: usize = 22;

/// See the module.
pub(crate) fn one(seeds: &[Vec<u8>], chance: &mut Chance) -> Books {
    let file = changed(seeds, chance);
    let mut books = Books { recordings: 1, ..Books::default() };
    let Ok(mut recording) = Recording::of(Cursor::new(file)) else { return books };
    books.opened = 1;
    let mut monitor = Monitor::new(WorldLimits::default());
    let mut now = 0;
    for entry in recording.messages() {
        books.messages += 1;
        now = entry.unix_ns;
        // What it makes of hostile messages is not asked here, only that it takes them.
        let _ = monitor.receive(entry.message, now);
        monitor.tick(now);
    }
    for kind in Kind::ALL {
        monitor.answer(&Ask::Page(Query::all(kind, 100)), now);
    }
    books.damaged = u64::from(recording.damaged() > 0);
    books
}
