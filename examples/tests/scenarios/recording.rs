//! Services that record themselves, and what is left of it however they end.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use pollscope_model::monitor::Monitor;
use pollscope_model::query::ask::{Answer, Ask, FlightQuery};
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::Query;
use pollscope_model::report::Report;
use pollscope_model::time::{MILLISECOND, SECOND};
use pollscope_model::world::WorldLimits;
use pollscope_proto::feed::Message;
use pollscope_proto::recording::{Ending, Recording};

use crate::flight::{LANES, longest_run};
use crate::http;
use crate::service::Service;

/// What a viewer sees at the end of a recording, when that was, and how it ends.
pub(crate) fn replay(path: &Path) -> Option<(Monitor, u64, Ending)> {
    let mut recording = Recording::open(path).ok()?;
    let mut monitor = Monitor::new(WorldLimits::default());
    let mut now = 0;
    for entry in recording.messages() {
        now = entry.unix_ns;
        monitor.receive_and_tick(entry.message, now).ok()?;
    }
    Some((monitor, now, recording.ending()))
}

/// How many findings a recording leads to, and how it ends.
fn judged(path: &Path) -> Option<(u64, Ending)> {
    let (monitor, now, ending) = replay(path)?;
    let query = Query { filter: "detector=blocking-poll".to_owned(), ..Query::all(Kind::Findings, 10) };
    match monitor.answer(&Ask::Page(query), now) {
        Answer::Page(page) => Some((page.matched, ending)),
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

/// Whether the file can be read up to a grave poll, and what its last report tells then.
fn grave(file: &[u8]) -> Option<Report> {
    let mut recording = Recording::of(Cursor::new(file.to_vec())).ok()?;
    let reports = recording.messages().filter_map(|entry| match entry.message {
        Message::Report(report) => Some(*report),
        _ => None,
    });
    let reports: Vec<_> = reports.collect();
    reports.iter().any(has_long_poll).then_some(reports)?.pop()
}

fn has_long_poll(report: &Report) -> bool {
    report.slow_polls.iter().any(|poll| poll.wall_ns >= 100 * MILLISECOND)
}

#[test]
fn a_service_that_is_killed_right_after_a_long_poll_leaves_it_in_a_whole_chunk() {
    let mut path = PathBuf::new();
    let mut service = Service::start_with(env!("CARGO_BIN_EXE_blocking"), |command, folder| {
        path = folder.join("run.mcap");
        command.env("POLLSCOPE_RECORD", &path).env("POLLSCOPE_LISTEN", "off");
    });
    service.wait_for("long poll in the recording", || grave(&std::fs::read(&path).ok()?));
    service.kill();
    let file = std::fs::read(&path).expect("it can still be read");
    // The shortest beginning of the file that tells of it: its last chunk ends right behind that report.
    let (mut short, mut enough) = (0, file.len());
    while enough - short > 1 {
        let length = usize::midpoint(short, enough);
        if grave(&file[..length]).is_some() { enough = length } else { short = length }
    }
    let last = grave(&file[..enough]).expect("it was enough");
    assert!(has_long_poll(&last), "{last:?}");
}

/// Columns of the longest poll in a dump's lanes, at 10 ms each, and its site.
fn longest_poll(dump: &Path) -> Option<(usize, String)> {
    let (monitor, now, _) = replay(dump)?;
    let boot = monitor.world().processes().next()?.boot();
    let query = FlightQuery { boot, of: LANES, until_unix_ns: None, span_ns: 10 * SECOND, columns: 1_000 };
    match monitor.answer(&Ask::Flight(query), now) {
        Answer::Flight(flight) => longest_run(&flight),
        _ => None,
    }
}

#[test]
fn single_polls_that_are_always_recorded_are_in_the_recording() {
    let mut path = PathBuf::new();
    let service = Service::start_with(env!("CARGO_BIN_EXE_blocking"), |command, folder| {
        path = folder.join("run.mcap");
        command.env("POLLSCOPE_RECORD", &path).env("POLLSCOPE_FLIGHT", "always");
    });
    service.wait_for("long poll in the recording", || {
        let (columns, site) = longest_poll(&path)?;
        (columns >= 14 && site.contains("bin/blocking.rs")).then_some(())
    });
}

#[test]
fn a_signal_makes_a_service_tell_what_its_workers_did_before() {
    let mut dumps = PathBuf::new();
    let service = Service::start_with(env!("CARGO_BIN_EXE_blocking"), |command, folder| {
        dumps = folder.join("dumps");
        command.env("POLLSCOPE_DUMP", &dumps).env("POLLSCOPE_DUMP_SIGNAL", "usr2");
        command.env("POLLSCOPE_FLIGHT", "always").env("POLLSCOPE_LOG", "info");
    });
    // It is not killed by the signal any more.
    service.wait_for_line("pollscope: listening on ");
    service.wait_for("long poll in a dump", || {
        service.signal();
        let mut files = std::fs::read_dir(&dumps).ok()?.flatten().map(|entry| entry.path());
        files.find_map(|file| {
            let (columns, site) = longest_poll(&file)?;
            (columns >= 14 && site.contains("bin/blocking.rs")).then_some(())
        })
    });
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
    let address = service.wait_for_line("serving on http://");
    let authority = address.split('/').next().expect("an address");
    let rest = service.wait_for_line(&format!("pollscope: recording to {} stopped: ", path.display()));
    assert!(rest.ends_with("; the service goes on"), "{rest}");
    for cart in 0..20 {
        assert_eq!(http::get(authority, &format!("/cart/{cart}")), format!("cart {cart}\n"));
    }
    let complaints = service.lines().iter().filter(|line| line.starts_with("pollscope: ")).count();
    assert_eq!(complaints, 1, "{:?}", service.lines());
}
