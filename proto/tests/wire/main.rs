//! The wire as its users see it: everything comes back as it was, nothing hostile does harm, old
//! frames stay readable, and a task costs few bytes.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

mod hostile;
mod round_trip;
mod size;
mod stored;
mod strategies;

use pollscope_model::report::Report;
use pollscope_proto::feed::{self, FeedDecoder, FeedMessage, Message};
use proptest::test_runner::Config;
use prost::Message as _;

/// That many cases, or as many as `PROPTEST_CASES` asks for: `Config::with_cases` would not listen.
#[expect(clippy::disallowed_methods, reason = "proptest's own variable")]
fn cases(usual: u32) -> Config {
    let asked = std::env::var_os("PROPTEST_CASES").map(|_| Config::default().cases);
    Config { cases: asked.unwrap_or(usual), ..Config::default() }
}

/// Sends the report through real bytes, as however many messages it takes.
fn through_bytes(report: &Report) -> (Vec<Vec<u8>>, Report) {
    let encoded: Vec<Vec<u8>> = feed::report(report).iter().map(FeedMessage::encode_to_vec).collect();
    let mut reader = FeedDecoder::default();
    let mut whole = None;
    for bytes in &encoded {
        assert!(whole.is_none(), "messages after the report was whole");
        whole = reader.decode(FeedMessage::decode(bytes.as_slice()).unwrap()).unwrap();
    }
    match whole {
        Some(Message::Report(report)) => (encoded, *report),
        other => panic!("expected a report, got {other:?}"),
    }
}
