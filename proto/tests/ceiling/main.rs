//! What little wire can make a reader hold, measured as the kernel sees it: a program of its own, so that no
//! other test's memory counts.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

use pollscope_model::entity::site::SiteDelta;
use pollscope_model::hist::{BUCKETS, Hist};
use pollscope_model::id::SiteId;
use pollscope_model::monitor::Monitor;
use pollscope_model::query::ask::Ask;
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::Query;
use pollscope_model::report::Report;
use pollscope_model::testkit::hello;
use pollscope_model::time::SECOND;
use pollscope_model::world::WorldLimits;
use pollscope_proto::ingest::{self, IngestDecoder, PushMessage};
use prost::Message as _;

/// Sites of one message: more would not be read, by the limit on histograms.
const SITES: u32 = 340;
const REPORTS: u32 = 64;
const MIB: usize = 1 << 20;

/// The most memory that this process had at once, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
}

/// Sites of which each names the lowest and the highest bucket of each histogram.
fn report(seq: u32, messages: u32) -> Report {
    let mut hist = Hist::new();
    hist.add_bucket(0, 1);
    hist.add_bucket(BUCKETS - 1, 1);
    let site = |id| SiteDelta {
        site: SiteId(id),
        poll: hist.clone(),
        sched: hist.clone(),
        life: hist.clone(),
        ..SiteDelta::default()
    };
    let seq = u64::from(seq);
    Report {
        boot: hello("hostile", 1).boot,
        first_seq: seq,
        seq,
        start_ns: (seq - 1) * SECOND / 10,
        end_ns: seq * SECOND / 10,
        sites: (0..SITES * messages).map(|id| site(seq as u32 * SITES + id)).collect(),
        ..Report::default()
    }
}

fn bytes(report: &Report) -> Vec<Vec<u8>> {
    ingest::report(report).iter().map(PushMessage::encode_to_vec).collect()
}

#[test]
fn half_a_megabyte_of_wire_does_not_become_gigabytes() {
    let mut reader = IngestDecoder::default();
    let mut sent = 0;
    let mut monitor = Monitor::new(WorldLimits::default());
    monitor.connect(hello("hostile", 1), 0).unwrap();
    for seq in 1..=REPORTS {
        for message in bytes(&report(seq, 1)) {
            sent += message.len();
            match reader.decode(PushMessage::decode(message.as_slice()).unwrap()).unwrap() {
                Some(ingest::Message::Report(report)) => drop(monitor.apply(*report, 0)),
                other => panic!("expected a report, got {other:?}"),
            }
        }
    }
    monitor.tick(0);
    monitor.answer(&Ask::Page(Query::all(Kind::Sites, 100)), 0);
    let (peak, held) = (peak(), monitor.world().held_bytes());
    assert!(sent < MIB, "{sent} bytes of wire");
    assert!(peak < 200 * MIB, "{} MiB for {sent} bytes of wire", peak / MIB);
    assert!(held < 64 * MIB, "{held} bytes are counted");

    // A report that waits for its last frame.
    let mut reader = IngestDecoder::default();
    let mut messages = bytes(&report(1, 100));
    assert!(messages.len() > 64, "{} frames", messages.len());
    messages.pop();
    for message in messages {
        assert_eq!(reader.decode(PushMessage::decode(message.as_slice()).unwrap()).unwrap(), None);
    }
    assert!(reader.held_bytes() < 64 * MIB, "{} bytes wait", reader.held_bytes());
    assert!(self::peak() < 300 * MIB, "{} MiB", self::peak() / MIB);
}
