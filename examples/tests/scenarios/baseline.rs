//! A release that made one handler slower, against the one before: `diff` and `baseline` by files, as in
//! CI.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use pollscope_model::baseline::{Baseline, Change, Comparison, Figure, Run};
use pollscope_tui::commands;
use pollscope_tui::commands::cli::Cli;

use crate::faults::MACHINE;
use crate::recording::replay;
use crate::service::Service;
use crate::site::spawns_at;
use crate::wait;

/// Runs the service for so many seconds, in its own recording.
fn record(path: &Path, seconds: &str, word: &str) {
    let mut service = Service::start_with(env!("CARGO_BIN_EXE_pricing"), |command, _| {
        command.args([seconds, word]).env("POLLSCOPE_RECORD", path).env("POLLSCOPE_LISTEN", "off");
    });
    service.wait_to_end();
}

fn run_of(path: &Path) -> Run {
    let (monitor, ..) = replay(path).expect("a recording");
    Run::of([monitor.world()])
}

/// The command's exit code.
fn pollscope(arguments: &[&str]) -> u8 {
    let cli = Cli::try_parse_from([&["pollscope"], arguments].concat()).expect("a command line");
    commands::run(cli).map_or_else(|failure| failure.exit_code(), |()| 0)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

fn slower(comparison: &Comparison) -> Vec<(String, Figure)> {
    comparison.regressed().map(|told| (told.site.to_string(), told.figure)).collect()
}

/// Three runs of the usual release.
fn usual(folder: &Path) -> [PathBuf; 3] {
    [1, 2, 3].map(|run| {
        let path = folder.join(format!("run{run}.mcap"));
        record(&path, "5", "usual");
        path
    })
}

#[test]
fn a_p99_that_doubled_at_one_site_is_named_and_nothing_else_is() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let runs = usual(folder.path());
    let file = folder.path().join("baseline.toml");
    assert_eq!(pollscope(&["baseline", "save", text(&runs[0]), "-o", text(&file)]), 0);
    for run in &runs[1..] {
        assert_eq!(pollscope(&["baseline", "accept", text(run), "-o", text(&file)]), 0);
    }
    let head = folder.path().join("slow.mcap");
    // On a machine with much other work a recording may be too short to be sure; it is never wrong.
    let place = wait(
        "recording that is sure of the slower price",
        || {
            record(&head, "6", "slow");
            let comparison = compared(&file, &head);
            let named = slower(&comparison);
            let (site, figure) = named.first()?;
            assert_eq!((named.len(), *figure), (1, Figure::Poll), "{:#?}", comparison.figures);
            site.strip_suffix(" price").map(str::to_owned)
        },
        || format!("{:#?}", compared(&file, &head)),
    );
    assert!(place.contains("bin/pricing.rs") && spawns_at(&place), "nothing is spawned at {place}");
    assert_eq!(pollscope(&["diff", text(&file), text(&head)]), 3);
    assert_eq!(pollscope(&["baseline", "accept", text(&head), "-o", text(&file)]), 0);
    assert_eq!(pollscope(&["diff", text(&file), text(&head)]), 0, "it was accepted");
}

fn compared(file: &Path, head: &Path) -> Comparison {
    let text = std::fs::read_to_string(file).expect("a file");
    Baseline::parse(&text).expect("a baseline").compare(&run_of(head))
}

#[test]
fn equal_code_beside_busy_threads_and_with_more_requests_is_not_worse() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let base = folder.path().join("base.mcap");
    record(&base, "5", "usual");
    let loaded = folder.path().join("loaded.mcap");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        record(&loaded, "5", "busy");
        stop.store(true, Ordering::Relaxed);
    });
    let baseline = Baseline { runs: vec![run_of(&base)], ..Baseline::default() };
    let comparison = baseline.compare(&run_of(&loaded));
    assert_eq!(slower(&comparison), [], "{:#?}", comparison.figures);
}

#[test]
fn what_is_too_short_is_no_pass() {
    let folder = tempfile::tempdir().expect("a folder");
    let (base, head) = (folder.path().join("base.mcap"), folder.path().join("head.mcap"));
    record(&base, "1", "usual");
    record(&head, "1", "slow");
    let baseline = Baseline { runs: vec![run_of(&base)], ..Baseline::default() };
    let comparison = baseline.compare(&run_of(&head));
    let polls = comparison.figures.iter().filter(|told| told.figure == Figure::Poll);
    let reasons: Vec<_> = polls.map(|told| (told.change, told.reason.to_string())).collect();
    assert!(!reasons.is_empty());
    for (change, reason) in reasons {
        assert_eq!(change, Change::Insufficient, "{reason}");
        assert!(reason.ends_with("200 are needed"), "{reason}");
    }
    assert_eq!(pollscope(&["diff", text(&base), text(&head)]), 4);
}
