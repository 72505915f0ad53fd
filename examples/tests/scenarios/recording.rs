//! Services that record themselves, and what is left of it however they end.

use std::path::{Path, PathBuf};

use pollscope_model::monitor::Monitor;
use pollscope_model::query::ask::{Answer, Ask};
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::Query;
use pollscope_model::world::Limits;
use pollscope_proto::feed::Message;
use pollscope_proto::recording::{Ending, Recording};

use crate::http;
use crate::service::Service;

/// How many findings a recording leads to, and how it ends.
fn judged(path: &Path) -> Option<(u64, Ending)> {
    let mut recording = Recording::open(path).ok()?;
    let mut monitor = Monitor::new(Limits::default());
    let mut now = 0;
    for entry in recording.messages() {
        now = entry.unix_ns;
        match entry.message {
            Message::Hello(hello) => {
                monitor.greet(*hello, now).ok()?;
            }
            Message::Report(report) => {
                monitor.apply(*report, now);
                monitor.tick(now);
            }
            Message::Goodbye { .. } => {}
        }
    }
    let query = Query { filter: "detector=blocking-poll".to_owned(), ..Query::all(Kind::Findings, 10) };
    match monitor.answer(&Ask::Page(query), now) {
        Answer::Page(page) => Some((page.matched, recording.ending())),
        _ => None,
    }
}

#[test]
fn a_killed_service_leaves_a_recording_that_tells_its_fault() {
    let mut path = PathBuf::new();
    let mut service = Service::start_with(env!("CARGO_BIN_EXE_blocking"), |command, folder| {
        path = folder.join("run.mcap");
        command.env("POLLSCOPE_RECORD", &path).env("POLLSCOPE_LISTEN", "off");
    });
    let found = || judged(&path).filter(|(findings, _)| *findings > 0);
    let (before, _) = service.wait_for("finding in the recording", found);
    service.kill();
    let (after, ending) = judged(&path).expect("it can still be read");
    assert!(after >= before, "{after} findings where {before} were read before");
    assert!(matches!(ending, Ending::Cut { .. }), "{ending:?}");
}

#[test]
fn a_limit_on_file_sizes_ends_the_recording_and_not_the_service() {
    let mut path = PathBuf::new();
    // Blocks of 512 bytes or of 1,024, as the shell pleases.
    let service = Service::start_with("sh", |command, folder| {
        path = folder.join("run.mcap");
        command.args(["-c", "ulimit -f 12; exec \"$0\"", env!("CARGO_BIN_EXE_axum_service")]);
        command.env("POLLSCOPE_RECORD", &path);
    });
    let address = service.says("serving on http://");
    let authority = address.split('/').next().expect("an address");
    let rest = service.says(&format!("pollscope: recording to {} stopped: ", path.display()));
    assert!(rest.ends_with("; the service goes on"), "{rest}");
    for cart in 0..20 {
        assert_eq!(http::get(authority, &format!("/cart/{cart}")), format!("cart {cart}\n"));
    }
    let complaints = service.said().iter().filter(|line| line.starts_with("pollscope: ")).count();
    assert_eq!(complaints, 1, "{:?}", service.said());
}
