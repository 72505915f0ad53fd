//! Services that want more of pollscope than its defaults, want nothing of it, or end in other ways.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pollscope::Status;
use tokio::runtime::{Builder, Runtime};

use super::state::State;
use super::{DONE, enter_own_folder, figure, files};
use crate::rig::{say, until};

/// Tasks that live at once.
pub(super) const TASKS: usize = 20_000;
/// What a service exits with.
pub(super) const EXIT_CODE: i32 = 7;

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    pollscope::attach(builder.worker_threads(1).enable_all());
    builder.build().unwrap()
}

/// File locks that this process holds.
fn locks() -> usize {
    let pid = std::process::id().to_string();
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    locks.lines().filter(|line| line.split_whitespace().any(|word| word == pid)).count()
}

/// All that has a thread or a file: a recording, dumps, a collector whose name is looked up, a task that blocks.
pub(crate) fn has_everything() {
    let folder = enter_own_folder();
    let runtime = runtime();
    let before = State::now();
    let builder = pollscope::builder().stall(Duration::from_millis(20)).endpoint("http://localhost:1");
    let guard = builder.record(folder.join("record")).dump_to(folder.join("dumps")).try_init().unwrap();
    let mut seen = BTreeSet::new();
    let wanted = ["dns", "drain", "dump", "file", "io", "watch"].map(|name| format!("pollscope-{name}"));
    until("all threads of pollscope run", || {
        let blocks = || std::thread::sleep(Duration::from_millis(60));
        runtime.block_on(async { pollscope::spawn(async move { blocks() }).await }).unwrap();
        seen.extend(State::now().threads().into_iter().map(str::to_owned));
        let names = seen.contains("pollscope-names") || !super::takes_stacks();
        names && wanted.iter().all(|name| seen.contains(name))
    });
    figure("threads with everything", seen.len());
    guard.flush();
    let now = State::now();
    figure("descriptors of a recording", now.descriptors_to(".mcap"));
    figure("locks of a recording", locks());
    figure(
        "files of a recording",
        files(&folder)
            .iter()
            .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "mcap"))
            .count(),
    );
    assert_eq!(now.settings, before.settings);
    drop(guard);
    // A stack that gets its names for the first time may take longer than the end waits.
    until("the threads are gone", || State::now().threads().is_empty());
    assert_eq!((State::now().descriptors_to(".mcap"), locks()), (0, 0));
    say(DONE);
}

/// Uses all that pollscope has while it is switched off.
pub(crate) fn is_off() {
    let folder = enter_own_folder();
    // Of the process and not of a runtime: tokio's sockets for signals.
    drop(Builder::new_current_thread().enable_all().build().unwrap());
    let before = State::now();
    let guard = pollscope::builder().record(folder.join("record")).dump_to(folder.join("dumps")).init();
    assert_eq!(guard.status(), Status::Off);
    let runtime = runtime();
    pollscope::observe(runtime.handle(), "service");
    runtime.block_on(async {
        pollscope::spawn(async { std::thread::sleep(Duration::from_millis(3)) }).await.unwrap();
        pollscope::spawn_blocking(|| std::thread::sleep(Duration::from_millis(3))).await.unwrap();
    });
    let threads = State::now().threads().len();
    drop(runtime);
    let after = State::now();
    figure("threads while off", threads);
    figure("descriptors while off", after.descriptors_since(&before).len());
    figure("files while off", files(&folder).len());
    assert_eq!((after.signals(), &after.settings), (before.signals(), &before.settings));
    drop(guard);
    say(DONE);
}

/// What many tasks take that do nothing.
pub(crate) fn holds_tasks() {
    let runtime = runtime();
    let _guard = pollscope::init();
    let begun = Arc::new(AtomicUsize::new(0));
    let spawn = |begun: Arc<AtomicUsize>| async move {
        begun.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<()>().await;
    };
    let hold = |count: usize| -> Vec<_> {
        let before = begun.load(Ordering::Relaxed);
        let _inside = runtime.enter();
        let tasks = (0..count).map(|_| pollscope::spawn(spawn(begun.clone()))).collect();
        until("all have begun", || begun.load(Ordering::Relaxed) == before + count);
        tasks
    };
    let few = hold(100);
    let before = State::now().anonymous_bytes;
    let many = hold(TASKS);
    figure("bytes", State::now().anonymous_bytes.saturating_sub(before));
    drop((few, many));
    say(DONE);
}

/// Starts and ends pollscope many times in one process.
pub(crate) fn ends_again_and_again() {
    enter_own_folder();
    let runtime = runtime();
    let once = || {
        let _guard = pollscope::init();
        runtime.block_on(async { pollscope::spawn(async {}).await }).unwrap();
    };
    (0..10).for_each(|_| once());
    let before = State::now();
    (0..100).for_each(|_| once());
    let last = pollscope::init();
    until("the last guard sees the runtime, too", || {
        runtime.block_on(async { tokio::spawn(async {}).await }).unwrap();
        last.flush();
        let report = last.report().expect("it records");
        report.runtimes.iter().any(|runtime| !runtime.gone && runtime.workers == 1)
    });
    drop(last);
    let after = State::now();
    figure("threads after 100 guards", after.threads().len());
    figure("descriptors after 100 guards", after.descriptors_since(&before).len());
    figure("memory after 100 guards", after.anonymous_bytes.saturating_sub(before.anonymous_bytes));
    figure("mappings after 100 guards", after.mappings.saturating_sub(before.mappings));
    say(DONE);
}

/// Exits while its guard is alive.
#[expect(clippy::disallowed_methods, reason = "the service's own way to end")]
pub(crate) fn exits() {
    let runtime = runtime();
    let _guard = pollscope::init();
    runtime.block_on(async { pollscope::spawn(async {}).await }).unwrap();
    std::process::exit(EXIT_CODE);
}
