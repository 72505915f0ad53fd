//! How many task updates per second one core takes in: converted from the wire's columns, and folded
//! with the detectors running. Protobuf's own parsing and the sockets are not in it.
//!
//! `cargo run --release -p pollscope-collector --example fold_rate`

use std::io::Write as _;
use std::time::{Duration, Instant};

use pollscope_model::monitor::Monitor;
use pollscope_model::report::Report;
use pollscope_model::testkit::Script;
use pollscope_model::time::MICROSECOND;
use pollscope_model::world::{Applied, WorldLimits};
use pollscope_proto::ingest::{self, IngestDecoder, Message, PushMessage};

const TASKS: usize = 10_000;
const SITES: usize = 100;
const REPORTS: usize = 60;

fn main() -> std::io::Result<()> {
    let mut script = Script::new("checkout");
    let sites: Vec<_> = (0..SITES).map(|line| script.site(&format!("src/cart.rs:{}:9", line + 1))).collect();
    let tasks: Vec<_> = (0..TASKS).map(|task| script.spawn(sites[task % SITES])).collect();
    let messages: Vec<Vec<PushMessage>> = (0..REPORTS)
        .map(|_| {
            for (number, task) in tasks.iter().enumerate() {
                script.wake(*task, 2, (7 + number as u64 % 90) * MICROSECOND);
                script.poll(*task, 2, (1 + number as u64 % 50) * MICROSECOND);
            }
            ingest::report(&script.second())
        })
        .collect();

    let began = Instant::now();
    let reports = convert(messages);
    let converting = began.elapsed();

    let mut monitor = Monitor::new(WorldLimits::default());
    let began = Instant::now();
    let welcomed = monitor.connect(script.hello(), script.now_unix_ns()).is_ok();
    let folded = reports.into_iter().filter_map(|report| {
        let now_ns = script.hello().anchor.to_unix_ns(report.end_ns);
        let new = monitor.apply(report, now_ns) == Applied::New;
        monitor.tick(now_ns);
        new.then_some(())
    });
    let all = welcomed && folded.count() == REPORTS;
    let folding = began.elapsed();

    let mut out = std::io::stdout();
    writeln!(out, "{REPORTS} reports of {TASKS} changed tasks at {SITES} sites, one core")?;
    writeln!(out, "convert  {}", rate(converting))?;
    writeln!(out, "fold     {}", rate(folding))?;
    writeln!(out, "both     {}", rate(converting + folding))?;
    writeln!(out, "{}", if all { "every report was folded" } else { "REPORTS WERE LOST" })
}

fn convert(messages: Vec<Vec<PushMessage>>) -> Vec<Report> {
    let mut reader = IngestDecoder::default();
    let pushes = messages.into_iter().flatten().filter_map(|message| reader.decode(message).ok().flatten());
    let report = |push| match push {
        Message::Report(report) => Some(*report),
        Message::Hello(_) | Message::Goodbye { .. } => None,
    };
    pushes.filter_map(report).collect()
}

fn rate(took: Duration) -> String {
    let per_second = (TASKS * REPORTS) as f64 / took.as_secs_f64();
    format!("{:>6.2} M task updates per second", per_second / 1e6)
}
