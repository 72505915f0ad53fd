//! Futures and closures of some hundred KiB, which tokio can spawn on a thread of 2 MiB: every way to spawn through
//! pollscope can, too, in a build without optimisation, recording or not. An overflow ends the process, so each way
//! has one of its own.
#![allow(clippy::large_stack_arrays, clippy::large_futures, reason = "they are what is tested")]

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::process::{Command, ExitStatus};

use pollscope::{JoinHandle, JoinSet, Traced, task};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::LocalSet;

const STACK: usize = 2 << 20;
const FUTURE: usize = 640 << 10;
/// A closure is built from what it captures, which is one more copy on the caller's stack.
const JOB: usize = 450 << 10;
/// An iterator hands each future on by value, which costs more copies.
const ITEM: usize = 400 << 10;
/// Set in the process of one way, to its name.
const WAY: &str = "POLLSCOPE_TEST_WAY";

async fn holds<const BYTES: usize>() -> usize {
    let held = [1_u8; BYTES];
    tokio::task::yield_now().await;
    black_box(&held).len()
}

fn large() -> impl Future<Output = usize> + Send + 'static {
    holds::<FUTURE>()
}

fn item() -> impl Future<Output = usize> + Send + 'static {
    holds::<ITEM>()
}

fn large_job() -> impl FnOnce() -> usize + Send + 'static {
    let held = [1_u8; JOB];
    move || black_box(&held).len()
}

/// What a way to spawn leaves to wait for.
type Spawned = Pin<Box<dyn Future<Output = usize>>>;

fn joined(handle: JoinHandle<usize>) -> Spawned {
    Box::pin(async { handle.await.expect("the task returns") })
}

fn in_set(spawn: impl FnOnce(&mut JoinSet<usize>)) -> Spawned {
    let mut set = JoinSet::new();
    spawn(&mut set);
    Box::pin(async move { set.join_next().await.expect("one task").expect("it returns") })
}

/// A way to spawn on a local set, which is driven meanwhile.
fn on_local(spawn: impl FnOnce(&LocalSet) -> Spawned) -> Spawned {
    let local = LocalSet::new();
    let spawned = spawn(&local);
    Box::pin(async move { local.run_until(spawned).await })
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

/// Every way is a function of its own: what one of them holds on the stack is not the others'.
type Way = fn() -> Spawned;

const WAYS: &[(&str, Way)] = &[
    ("tokio", || {
        let handle = tokio::spawn(large());
        Box::pin(async { handle.await.expect("the task returns") })
    }),
    ("spawn", || joined(pollscope::spawn(large()))),
    ("spawn_on", || joined(pollscope::spawn_on(large(), &Handle::current()))),
    ("spawn_local", || joined(pollscope::spawn_local(large()))),
    ("spawn_blocking", || joined(pollscope::spawn_blocking(large_job()))),
    ("task", || joined(task("large").spawn(large()))),
    ("task_on", || joined(task("large").spawn_on(large(), &Handle::current()))),
    ("task_local", || joined(task("large").spawn_local(large()))),
    ("task_local_on", || on_local(|local| joined(task("large").spawn_local_on(large(), local)))),
    ("task_blocking", || joined(task("large").spawn_blocking(large_job()))),
    ("task_blocking_on", || joined(task("large").spawn_blocking_on(large_job(), &Handle::current()))),
    ("set", || in_set(|set| _ = set.spawn(large()))),
    ("set_on", || in_set(|set| _ = set.spawn_on(large(), &Handle::current()))),
    ("set_local", || in_set(|set| _ = set.spawn_local(large()))),
    ("set_local_on", || on_local(|local| in_set(|set| _ = set.spawn_local_on(large(), local)))),
    ("set_blocking", || in_set(|set| _ = set.spawn_blocking(large_job()))),
    ("set_blocking_on", || in_set(|set| _ = set.spawn_blocking_on(large_job(), &Handle::current()))),
    ("set_extend", || in_set(|set| set.extend(std::iter::once_with(item)))),
    ("set_collect", || {
        let mut set: JoinSet<_> = std::iter::once_with(item).collect();
        Box::pin(async move { set.join_next().await.expect("one task").expect("it returns") })
    }),
    ("traced", || Box::pin(large().traced("large"))),
    ("scope", || Box::pin(pollscope::scope("large", large()))),
];

type Body = fn() -> usize;

/// Those that build their own runtime.
const BODIES: &[(&str, Body)] = &[
    #[cfg(feature = "macros")]
    ("main", main_body),
    #[cfg(feature = "check")]
    ("session", || pollscope::check::Session::new("large").run(large()).assert_clean()),
    #[cfg(feature = "check")]
    ("local_session", || pollscope::check::Session::new("large").run_local(large()).assert_clean()),
];

#[cfg(feature = "macros")]
#[pollscope::main(flavor = "current_thread")]
async fn main_body() -> usize {
    let held = [1_u8; FUTURE];
    tokio::task::yield_now().await;
    black_box(&held).len()
}

/// Goes that way on this thread.
fn go(name: &str) {
    if let Some((_, body)) = BODIES.iter().find(|(known, _)| *known == name) {
        assert_eq!(body(), FUTURE);
        return;
    }
    let (_, way) = WAYS.iter().find(|(known, _)| *known == name).expect("a way");
    let guard = pollscope::builder().listen(pollscope::Listen::Off).init();
    let runtime = one_thread();
    let size = LocalSet::new().block_on(&runtime, async { way().await });
    assert!([FUTURE, JOB, ITEM].contains(&size), "{size}");
    drop(runtime);
    drop(guard);
}

fn in_process_of_its_own(name: &str, setting: &str) -> ExitStatus {
    let program = std::env::current_exe().expect("this test's own path");
    Command::new(program)
        .args(["--exact", "no_way_to_spawn_overflows_where_tokio_does_not", "--nocapture"])
        .env(WAY, name)
        .env("POLLSCOPE", setting)
        .output()
        .expect("it starts")
        .status
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how the child knows what it is")]
fn no_way_to_spawn_overflows_where_tokio_does_not() {
    if let Ok(name) = std::env::var(WAY) {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || go(&name));
        return thread.expect("a thread").join().expect("it returns");
    }
    let names = WAYS.iter().map(|(name, _)| *name).chain(BODIES.iter().map(|(name, _)| *name));
    let mut died = Vec::new();
    for name in names {
        // A session refuses to judge while pollscope is switched off.
        let settings: &[&str] = if name.ends_with("session") { &["on"] } else { &["on", "off"] };
        for setting in settings {
            let status = in_process_of_its_own(name, setting);
            if !status.success() {
                died.push(format!("{name} ({setting}): {status}"));
            }
        }
    }
    assert!(died.is_empty(), "{died:#?}");
}
