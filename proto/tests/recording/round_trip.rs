//! What is written is what is read.

use std::io::Cursor;

use pollscope_model::entity::task::TaskRecord;
use pollscope_model::id::TaskId;
use pollscope_model::report::Report;
use pollscope_model::testkit::START_UNIX_NS;
use pollscope_model::time::SECOND;
use pollscope_proto::feed::Message;
use pollscope_proto::recording::{self, Ending, PackedMessage, Recording, Writer};

use super::{messages, open, record, said};

#[test]
fn everything_comes_back_in_order_with_its_time() {
    let (_, told) = said(5);
    let mut recording = open(&record(&told)).unwrap();
    assert_eq!(recording.ending(), Ending::Finished);
    assert_eq!(recording.hello().process.name, "checkout");
    assert_eq!(messages(&mut recording), told);
    let times: Vec<u64> = recording.messages().map(|entry| entry.unix_ns).collect();
    let second = |n: u64| START_UNIX_NS + n * SECOND;
    assert_eq!(times, [second(0), second(1), second(2), second(3), second(4), second(5), second(5)]);
    assert_eq!(recording.span(), (second(0), second(5)));
}

#[test]
fn a_chunk_is_closed_once_a_second_and_when_asked() {
    let (mut process, told) = said(4);
    assert_eq!(open(&record(&told)).unwrap().chunks(), 5);
    let mut writer = Writer::new(Vec::new(), &process.hello()).unwrap();
    writer.flush().unwrap();
    let before = writer.bytes();
    writer.report(&process.second()).unwrap();
    assert_eq!(writer.bytes(), before, "the open chunk is not written yet");
    writer.flush().unwrap();
    assert!(writer.bytes() > before);
    assert_eq!(open(&writer.finish().unwrap()).unwrap().chunks(), 2);
}

#[test]
fn a_report_of_many_frames_is_one_report_and_chunks_stay_small() {
    let (process, _) = said(0);
    let task =
        |id: u64| TaskRecord { id: TaskId(id * 7_919), busy_ns: id * 104_729, ..TaskRecord::default() };
    let big = Report {
        boot: process.boot(),
        first_seq: 1,
        seq: 1,
        tasks: (1..=100_000).map(task).collect(),
        ..Report::default()
    };
    let told = [Message::Hello(Box::new(process.hello())), Message::Report(Box::new(big))];
    let mut recording = open(&record(&told)).unwrap();
    assert!(messages(&mut recording) == told, "a different report came back");
}

#[test]
fn reading_can_begin_at_any_chunk() {
    let (_, told) = said(6);
    let mut recording = open(&record(&told)).unwrap();
    for chunk in 0..recording.chunks() {
        let mut cursor = recording::Cursor::at_chunk(chunk);
        assert_eq!(cursor.chunk_edge(), Some(chunk));
        let mut rest = Vec::new();
        while let Some(entry) = cursor.next(&mut recording) {
            rest.push(entry.message);
        }
        assert_eq!(rest, told[told.len() - rest.len()..]);
        assert!(!rest.is_empty());
    }
}

#[test]
fn what_is_not_finished_is_readable_up_to_the_last_flush() {
    let (mut process, _) = said(0);
    let shared = super::Shared::default();
    let mut writer = Writer::new(shared.clone(), &process.hello()).unwrap();
    writer.report(&process.second()).unwrap();
    writer.flush().unwrap();
    writer.report(&process.second()).unwrap();
    let mut recording = Recording::of(Cursor::new(shared.bytes())).unwrap();
    assert!(matches!(recording.ending(), Ending::Cut { lost_bytes: 0, .. }));
    assert_eq!(messages(&mut recording).len(), 2);
    drop(writer);
    assert_eq!(open(&shared.bytes()).unwrap().ending(), Ending::Finished, "a dropped writer finishes");
}

#[test]
fn a_packed_message_is_small_and_comes_back() {
    for message in said(3).1 {
        let packed = PackedMessage::new(&message);
        assert!(packed.bytes() < 4_096, "{} bytes", packed.bytes());
        assert_eq!(packed.unpack().unwrap(), message);
    }
}
