//! Dumps into files: by a call, by a signal, and where they cannot be had.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pollscope::{AbortHandle, Builder, DumpSignal, Flight, InitError, Listen, LogLevel, Status};
use pollscope_proto::recording::Ending;

use crate::flight::{seen, yields};
use crate::record::fold;
use crate::rig::{alone, block_on, until};

const MINUTE: Duration = Duration::from_secs(60);

fn dumping_to(folder: &Path) -> Builder {
    pollscope::builder()
        .listen(Listen::Off)
        .interval(Duration::from_millis(20))
        .name("dumped")
        .log(LogLevel::Off)
        .flight(Flight::Always)
        .dump_to(folder)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "mcap")).collect()
}

/// A task of that name that lives on after so many wakes of its own.
async fn lives(name: &str, wakes: usize) -> AbortHandle {
    let (done, wait) = tokio::sync::oneshot::channel();
    let work = async move {
        for _ in 0..wakes {
            tokio::task::yield_now().await;
        }
        done.send(()).unwrap();
        std::future::pending::<()>().await;
    };
    let task = pollscope::task(name).spawn(work).abort_handle();
    wait.await.unwrap();
    task
}

/// The polls and wakes of that task in the file.
fn told(file: &Path, name: &str) -> (usize, usize) {
    let (world, applied, _, recording, _) = fold(file);
    assert_eq!((recording.ending(), recording.damaged()), (Ending::Finished, 0));
    assert!(applied.iter().all(|applied| !applied.wants_snapshot()), "{applied:?}");
    seen(world.processes().next().unwrap(), name)
}

#[test]
fn a_call_without_the_guard_writes_the_moments_before_into_a_file() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("deep/er");
    assert_eq!(pollscope::dump(MINUTE), None, "nothing is recorded");
    let guard = dumping_to(&folder).try_init().unwrap();
    block_on(async {
        let task = lives("before-the-dump", 300).await;
        let events = tokio::task::spawn_blocking(|| pollscope::dump(MINUTE)).await.unwrap();
        assert!(events.is_some_and(|events| events >= 600), "{events:?}");
        yields("after-the-dump", 300).await;
        until("the dump is a file", || !files(&folder).is_empty()).await;
        task.abort();
    });
    let [file] = &files(&folder)[..] else { panic!("{:?}", files(&folder)) };
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.starts_with(&format!("dumped-{}-", std::process::id())), "{name}");
    let (polls, wakes) = told(file, "before-the-dump");
    assert!(polls >= 300 && wakes == 300, "{polls} {wakes}");
    drop(guard);
    assert_eq!(pollscope::dump(MINUTE), None, "nothing is recorded any more");
}

#[test]
fn a_dump_that_was_asked_for_is_written_before_the_guard_is_gone() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    // Without single events there is still the state.
    let guard = dumping_to(folder.path()).flight(Flight::Off).try_init().unwrap();
    block_on(yields("ended", 3));
    assert_eq!((guard.dump(MINUTE), guard.status()), (0, Status::Recording));
    drop(guard);
    let [file] = &files(folder.path())[..] else { panic!("{:?}", files(folder.path())) };
    assert_eq!(told(file, "ended"), (0, 0));
}

#[cfg(unix)]
#[test]
fn a_signal_asks_for_a_dump() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    for run in 0..2 {
        let folder = folder.path().join(run.to_string());
        let _guard = dumping_to(&folder).dump_on(DumpSignal::Usr1).try_init().unwrap();
        block_on(async {
            let task = lives("before-the-signal", 100).await;
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::USR1).unwrap();
            until("the dump is a file", || !files(&folder).is_empty()).await;
            task.abort();
        });
        assert_eq!(told(&files(&folder)[0], "before-the-signal").1, 100);
    }
}

#[cfg(unix)]
#[test]
fn a_signal_that_the_service_handles_itself_is_left_to_it() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let kind = tokio::signal::unix::SignalKind::user_defined2();
        let mut own = tokio::signal::unix::signal(kind).unwrap();
        let error = dumping_to(folder.path()).dump_on(DumpSignal::Usr2).try_init().unwrap_err();
        assert!(matches!(error, InitError::Dump(_)), "{error:?}");
        assert!(error.to_string().starts_with("cannot dump on usr2: the process has a handler"), "{error}");
        let guard = dumping_to(folder.path()).dump_on(DumpSignal::Usr2).init();
        assert_eq!(guard.status(), Status::Recording);
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::USR2).unwrap();
        own.recv().await.unwrap();
    });
}

#[test]
fn a_folder_that_cannot_be_had_is_said_and_harms_nothing() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let error = dumping_to(&folder.path().join("file")).try_init().unwrap_err();
    assert!(matches!(error, InitError::Dump(_)), "{error:?}");
    assert!(error.to_string().starts_with("cannot dump to "), "{error}");
    let guard = dumping_to(&folder.path().join("file")).init();
    assert_eq!(guard.status(), Status::Recording);
    block_on(yields("dumped-nowhere", 10));
    assert!(guard.dump(MINUTE) >= 19);
}
