//! Recordings, as the disk finds them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pollscope::{Builder, InitError, Listen, LogLevel, Status};
use pollscope_model::report::{Report, ReportKind};
use pollscope_model::world::{Applied, World, WorldLimits};
use pollscope_proto::feed::Message;
use pollscope_proto::recording::{Ending, Recording};

use crate::rig::{alone, block_on, until};

fn recording_to(path: &Path) -> Builder {
    pollscope::builder()
        .listen(Listen::Off)
        .interval(Duration::from_millis(20))
        .name("recorded")
        .log(LogLevel::Off)
        .record(path)
}

/// A world folded from a file, with what became of each report.
pub(crate) fn fold(path: &Path) -> (World, Vec<Applied>, Vec<Report>, Recording, bool) {
    let mut recording = Recording::open(path).unwrap();
    let mut world = World::new(WorldLimits::default());
    let (mut applied, mut reports, mut goodbye) = (Vec::new(), Vec::new(), false);
    for entry in recording.messages() {
        match entry.message {
            Message::Hello(hello) => {
                world.connect(*hello, entry.unix_ns).unwrap();
            }
            Message::Report(report) => {
                reports.push(Report::clone(&report));
                applied.push(world.apply(*report, entry.unix_ns));
            }
            Message::Goodbye { .. } => goodbye = true,
        }
    }
    (world, applied, reports, recording, goodbye)
}

async fn work(tasks: usize) {
    let mut set = pollscope::JoinSet::new();
    for _ in 0..tasks {
        set.spawn(tokio::task::yield_now());
    }
    while set.join_next().await.is_some() {}
}

#[test]
fn a_recording_holds_what_the_guard_counted() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    let guard = recording_to(&path).try_init().unwrap();
    assert_eq!((guard.status(), guard.record_path()), (Status::Recording, Some(path.as_path())));
    block_on(work(500));
    let counted = guard.report().unwrap();
    guard.flush();
    let (world, ..) = fold(&path);
    let spawned = |world: &World| {
        let process = world.processes().next().unwrap();
        process.sites().map(|site| site.totals().spawned).sum::<u64>()
    };
    assert_eq!(spawned(&world), counted.sites.iter().map(|site| site.spawned).sum::<u64>(), "flushed");

    block_on(work(100));
    let counted = guard.report().unwrap();
    drop(guard);
    let (world, applied, _, recording, goodbye) = fold(&path);
    assert_eq!(spawned(&world), counted.sites.iter().map(|site| site.spawned).sum::<u64>());
    assert_eq!((recording.ending(), recording.damaged(), goodbye), (Ending::Finished, 0, true));
    assert_eq!(recording.hello().process.name, "recorded");
    assert!(applied.iter().all(|applied| *applied == Applied::New), "{applied:?}");
}

#[test]
fn a_full_file_gives_way_to_the_next_and_no_report_is_lost_between() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    let older = folder.path().join("run.1.mcap");
    let guard =
        recording_to(&path).record_limit(1 << 20).interval(Duration::from_millis(10)).try_init().unwrap();
    block_on(async {
        // Rows of ended tasks fill a file fastest.
        let busy = async {
            loop {
                work(3_000).await;
            }
        };
        tokio::select! {
            () = busy => {}
            () = until("a file is full", || older.exists()) => {}
        }
        work(10).await;
    });
    drop(guard);
    let (_, first, old, ended, _) = fold(&older);
    let (_, second, new, ..) = fold(&path);
    assert_eq!(ended.ending(), Ending::Finished);
    assert!(first.iter().chain(&second).all(|applied| *applied == Applied::New), "{first:?} {second:?}");
    assert!(matches!(new[0].kind, ReportKind::Snapshot { part: 0, .. }));
    assert!(old.last().unwrap().seq <= new[0].seq, "the new file begins where the old one ends");
    assert_eq!(old.last().unwrap().seq, new[0].seq, "nothing is missing between them");
}

#[test]
fn a_folder_gets_one_file_for_the_process_and_a_restart_keeps_the_old_file() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let guard = recording_to(&folder.path().join("deep/er")).try_init().unwrap();
    let path: PathBuf = guard.record_path().unwrap().to_owned();
    assert!(path.starts_with(folder.path().join("deep/er")), "{path:?}");
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.starts_with(&format!("recorded-{}-", std::process::id())), "{name}");
    drop(guard);
    drop(recording_to(&path).try_init().unwrap());
    let kept = path.with_file_name(name.replace(".mcap", ".1.mcap"));
    assert_eq!(fold(&kept).3.ending(), Ending::Finished);
}

#[test]
fn a_path_that_cannot_be_written_is_said_and_harms_nothing() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let path = folder.path().join("file/run.mcap");
    let error = recording_to(&path).try_init().unwrap_err();
    assert!(matches!(error, InitError::Record(_)), "{error:?}");
    assert!(error.to_string().starts_with("cannot record to "), "{error}");
    let guard = recording_to(&path).init();
    assert_eq!((guard.status(), guard.record_path()), (Status::Recording, None));
    block_on(work(10));
}
