//! A recording as the screens and the commands see it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::io::Cursor;
use std::time::{Duration, Instant};

use pollscope_model::entity::task::{HandleState, TaskState};
use pollscope_model::query::ask::{Answer, Ask};
use pollscope_model::query::column::Kind;
use pollscope_model::query::flag::FindingSource as _;
use pollscope_model::query::page::Query;
use pollscope_model::testkit::Script;
use pollscope_model::time::{MILLISECOND, SECOND};
use pollscope_proto::recording::{Recording, Writer};

use super::*;
use crate::sources::inbox::Inbox;
use crate::sources::{QuestionId, Source, SourceEvent, Status};

/// Longer than anything takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// A recording of so many seconds, one task more in each.
fn recorded(seconds: u64) -> Vec<u8> {
    let mut process = Script::new("checkout");
    let site = process.site("src/cart.rs:88:9");
    let mut writer = Writer::new(Vec::new(), &process.hello()).unwrap();
    for _ in 0..seconds {
        let task = process.spawn(site);
        process.poll(task, 3, 2 * MILLISECOND);
        writer.report(&process.second()).unwrap();
    }
    writer.goodbye("the service stopped pollscope").unwrap();
    writer.finish().unwrap()
}

struct Shown {
    source: ReplaySource,
    inbox: Inbox,
    playbacks: std::sync::mpsc::Receiver<Playback>,
}

fn open(file: Vec<u8>) -> Shown {
    let inbox = Inbox::default();
    let mut sink = inbox.sink();
    let (tell, playbacks) = std::sync::mpsc::channel();
    let events = Box::new(move |event: SourceEvent| {
        if let SourceEvent::Playback(playback) = &event {
            let _ = tell.send(Playback::clone(playback));
        }
        sink(event)
    });
    let recording = Recording::of(Cursor::new(file)).unwrap();
    let mut source = ReplaySource::open("dir/run.mcap".into(), recording, events).unwrap();
    source.ask(vec![(QuestionId(1), Ask::Page(Query::all(Kind::Tasks, 1_000)))]);
    Shown { source, inbox, playbacks }
}

impl Shown {
    /// Waits until time stands so many seconds after the oldest moment, and so many tasks are listed.
    #[track_caller]
    fn until(&self, seconds: u64, tasks: usize) -> Playback {
        let deadline = Instant::now() + PATIENCE;
        let mut at = None;
        loop {
            let seen = self.inbox.count();
            at = self.playbacks.try_iter().last().or(at);
            if let Some(Answer::Page(page)) = self.inbox.take(QuestionId(1))
                && page.rows.len() == tasks
                && let Some(playback) = &at
                && playback.at_unix_ns - playback.from_unix_ns == seconds * SECOND
            {
                return playback.clone();
            }
            assert!(Instant::now() < deadline, "time stands at {at:?}");
            self.inbox.wait(seen, Instant::now() + Duration::from_millis(50));
        }
    }
}

#[test]
fn it_opens_at_its_end_and_goes_where_it_is_told() {
    let mut shown = open(recorded(10));
    let end = shown.until(9, 10);
    assert_eq!((end.run, &*end.note, end.kept), (Run::Paused, "", true));
    assert_eq!(shown.inbox.status(), Some(Status::Connected { label: "run.mcap".into() }));
    shown.source.control(Control::Oldest);
    shown.until(0, 1);
    shown.source.control(Control::Step(3));
    shown.until(3, 4);
    shown.source.control(Control::Newest);
    shown.until(9, 10);
}

#[test]
fn playing_from_the_end_begins_anew_and_stops_at_the_end() {
    let mut shown = open(recorded(3));
    shown.until(2, 3);
    (0..4).for_each(|_| shown.source.control(Control::Faster));
    shown.source.control(Control::Toggle);
    let deadline = Instant::now() + PATIENCE;
    let mut runs = Vec::new();
    while !(runs.contains(&(Run::Playing, 0)) && runs.last() == Some(&(Run::Paused, 2))) {
        assert!(Instant::now() < deadline, "{runs:?}");
        if let Ok(at) = shown.playbacks.recv_timeout(Duration::from_millis(50)) {
            runs.push((at.run, (at.at_unix_ns - at.from_unix_ns) / SECOND));
        }
    }
}

/// A recording whose last report, right after the one before, holds the only fault.
fn recorded_with_a_fault_at_its_end() -> Vec<u8> {
    let mut process = Script::new("checkout");
    let site = process.site("src/cart.rs:88:9");
    let task = process.spawn(site);
    let mut writer = Writer::new(Vec::new(), &process.hello()).unwrap();
    for end in [false, true] {
        process.pass(SECOND / 10);
        if end {
            process.edit(task, |task| task.handle = HandleState::Dropped);
            process.end(task, TaskState::Panicked);
        }
        writer.report(&process.report()).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn what_was_said_last_is_judged_as_a_check_judges_it() {
    let mut whole = whole::Whole::new(None);
    whole.fold(&mut Recording::of(Cursor::new(recorded_with_a_fault_at_its_end())).unwrap());
    whole.settle();
    let process = whole.monitor().world().processes().next().unwrap();
    let mut judged: Vec<String> = whole
        .monitor()
        .engine()
        .findings(process.boot())
        .iter()
        .map(|found| found.detector.to_string())
        .collect();
    judged.sort();
    assert!(!judged.is_empty());

    let mut shown = open(recorded_with_a_fault_at_its_end());
    shown.source.ask(vec![(QuestionId(2), Ask::Page(Query::all(Kind::Findings, 100)))]);
    let findings = || {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = shown.inbox.count();
            if let Some(Answer::Page(page)) = shown.inbox.take(QuestionId(2)) {
                break page.rows.len();
            }
            assert!(Instant::now() < deadline);
            shown.inbox.wait(seen, Instant::now() + Duration::from_millis(50));
        }
    };
    assert_eq!(findings(), judged.len());
}

#[test]
fn a_cut_recording_says_so() {
    let mut file = recorded(10);
    file.truncate(file.len() * 2 / 3);
    let shown = open(file);
    let deadline = Instant::now() + PATIENCE;
    while shown.inbox.note().is_none() {
        assert!(Instant::now() < deadline);
        shown.inbox.wait(shown.inbox.count(), Instant::now() + Duration::from_millis(50));
    }
    let note = shown.inbox.note().unwrap();
    assert!(note.starts_with("it was not finished: its last "), "{note}");
}
