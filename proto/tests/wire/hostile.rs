//! Bytes that no well-behaved peer sends.

use pollscope_model::dict::{DictEntry, Frame, Stack};
use pollscope_model::id::StackId;
use pollscope_model::query::ask::Ask;
use pollscope_model::report::Report;
use pollscope_proto::feed::{self, AttachRequest, FeedMessage};
use pollscope_proto::fleet::{self, AnswerPart, AskRequest, StandingQuery, WatchRequest};
use pollscope_proto::ingest::{self, Control, PushControl, PushMessage};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use super::strategies::query::answer;
use super::strategies::report;
use super::through_bytes;

/// Reads the bytes as each of the messages; whatever comes of it, it comes as a value.
fn read_as_everything(bytes: &[u8]) {
    if let Ok(message) = FeedMessage::decode(bytes) {
        let _ = feed::FeedDecoder::default().decode(message);
    }
    if let Ok(message) = PushMessage::decode(bytes) {
        let _ = ingest::IngestDecoder::default().decode(message);
    }
    if let Ok(message) = AttachRequest::decode(bytes) {
        let _ = feed::Request::try_from(message);
    }
    if let Ok(message) = PushControl::decode(bytes) {
        let _ = Control::try_from(message);
    }
    if let Ok(message) = AskRequest::decode(bytes) {
        let _ = Ask::try_from(message);
    }
    if let Ok(message) = WatchRequest::decode(bytes) {
        let _ = Vec::<StandingQuery>::try_from(message);
    }
    let _ = fleet::AnswerDecoder::default().decode(AnswerPart { id: 0, last: true, piece: bytes.to_vec() });
}

fn damage(mut bytes: Vec<u8>, blows: &[(usize, u8)]) -> Vec<u8> {
    for (place, value) in blows {
        if bytes.is_empty() {
            break;
        }
        let place = place % bytes.len();
        match value % 3 {
            0 => bytes[place] = *value,
            1 => bytes.truncate(place),
            _ => bytes.insert(place, *value),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(super::cases(512))]

    #[test]
    fn damaged_reports_do_no_harm(report in report(), blows in vec(any::<(usize, u8)>(), 1..6)) {
        for message in feed::report(&report) {
            read_as_everything(&damage(message.encode_to_vec(), &blows));
        }
    }

    #[test]
    fn damaged_answers_do_no_harm(answer in answer(), blows in vec(any::<(usize, u8)>(), 1..6)) {
        for part in fleet::answer(1, &answer) {
            read_as_everything(&damage(part.piece, &blows));
        }
    }

    #[test]
    fn noise_does_no_harm(bytes in vec(any::<u8>(), 0..200)) {
        read_as_everything(&bytes);
    }
}

#[test]
fn a_stack_longer_than_any_is_refused_and_an_honest_sender_cuts_it() {
    let frame = Frame { function: "f".repeat(5_000).into(), file: None, line: 1, users: true };
    let stack = Stack { frames: vec![frame; 5_000], ..Stack::default() };
    let report = Report { dict: vec![DictEntry::Stack(StackId(1), stack)], ..Report::default() };
    let (messages, back) = through_bytes(&report);
    assert_eq!(messages.len(), 1);
    let DictEntry::Stack(_, stack) = &back.dict[0] else { panic!("a stack was sent") };
    assert_eq!((stack.frames.len(), stack.frames[0].function.len(), stack.truncated), (64, 512, true));

    // Field 10 (dict) of the report in field 2: a stack of 65 empty frames.
    let entry = [&[0x1a, 130][..], &[1], &[0x12, 0].repeat(65)].concat();
    let dict = [&[0x52, 133, 1][..], &entry].concat();
    let report = [&[0x0a, 16][..], &[7; 16], &dict].concat();
    let message = [&[0x12, report.len() as u8 | 0x80, 1][..], &report].concat();
    let message = FeedMessage::decode(message.as_slice()).unwrap();
    let error = feed::FeedDecoder::default().decode(message).expect_err("too long").to_string();
    assert_eq!(error, "unreadable message: report.dict.frames: 65 are more than the limit of 64");
}

#[test]
fn an_empty_message_says_what_is_missing() {
    let error = feed::FeedDecoder::default().decode(FeedMessage::default()).expect_err("nothing to read");
    assert_eq!(error.to_string(), "unreadable message: feed.message: missing");
    let error = Control::try_from(PushControl::default()).expect_err("nothing to read");
    assert_eq!(error.to_string(), "unreadable message: push.control: missing");
}
