//! Every count is exact, from the recorder through the wire into the JSON: ten thousand tasks of known
//! polls and wakes on both kinds of runtime, wrapped and seen by tokio's hooks.

#[path = "rig/demo.rs"]
#[allow(dead_code, reason = "the demo's half is for the other tests")]
mod demo;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use pollscope_model::measured::Mode;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

const TASKS: u64 = 10_000;

/// Wakes itself in each of its first `left` polls, and is ready in the one after.
struct Known {
    left: u64,
}

impl Future for Known {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.left == 0 {
            return Poll::Ready(());
        }
        self.left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Task `n` wakes itself so often.
fn wakes_of(n: u64) -> u64 {
    n % 7
}

/// One of the four ways to run: how tasks are spawned there, and the line that does it.
struct Way {
    label: &'static str,
    runtime: Runtime,
    spawn: fn(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// The `file:line` prefix of its site.
    line: u32,
    wrapped: bool,
}

fn spawn_wrapped_many(future: Pin<Box<dyn Future<Output = ()> + Send>>) {
    drop(pollscope::spawn(future));
}
const WRAPPED_MANY: u32 = line!() - 2;

fn spawn_wrapped_one(future: Pin<Box<dyn Future<Output = ()> + Send>>) {
    drop(pollscope::spawn(future));
}
const WRAPPED_ONE: u32 = line!() - 2;

fn spawn_hooked_many(future: Pin<Box<dyn Future<Output = ()> + Send>>) {
    drop(tokio::spawn(future));
}
const HOOKED_MANY: u32 = line!() - 2;

fn spawn_hooked_one(future: Pin<Box<dyn Future<Output = ()> + Send>>) {
    drop(tokio::spawn(future));
}
const HOOKED_ONE: u32 = line!() - 2;

fn many() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(4);
    builder
}

fn hooked(mut builder: Builder) -> Runtime {
    pollscope::attach(&mut builder);
    builder.build().expect("a runtime")
}

fn ways() -> [Way; 4] {
    let plain = |mut builder: Builder| builder.build().expect("a runtime");
    [
        Way {
            label: "wrap, multi_thread",
            runtime: plain(many()),
            spawn: spawn_wrapped_many,
            line: WRAPPED_MANY,
            wrapped: true,
        },
        Way {
            label: "wrap, current_thread",
            runtime: plain(Builder::new_current_thread()),
            spawn: spawn_wrapped_one,
            line: WRAPPED_ONE,
            wrapped: true,
        },
        Way {
            label: "hooks, multi_thread",
            runtime: hooked(many()),
            spawn: spawn_hooked_many,
            line: HOOKED_MANY,
            wrapped: false,
        },
        Way {
            label: "hooks, current_thread",
            runtime: hooked(Builder::new_current_thread()),
            spawn: spawn_hooked_one,
            line: HOOKED_ONE,
            wrapped: false,
        },
    ]
}

impl Way {
    /// Runs the tasks until each has done all that it will do; odd ones then stay alive and idle.
    fn run(&self, gate: &Arc<Notify>) {
        let settled = Arc::new(AtomicU64::new(0));
        self.runtime.block_on(async {
            for n in 0..TASKS {
                let (gate, settled) = (gate.clone(), settled.clone());
                (self.spawn)(Box::pin(async move {
                    Known { left: wakes_of(n) }.await;
                    settled.fetch_add(1, Ordering::SeqCst);
                    if n % 2 == 1 {
                        gate.notified().await;
                    }
                }));
            }
            while settled.load(Ordering::SeqCst) < TASKS {
                tokio::task::yield_now().await;
            }
        });
    }
}

/// The page as a script gets it.
fn rows(kind: &str, target: &str, filter: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let output = demo::run(folder.path(), &[kind, "--from", target, "--format", "json", "--filter", filter]);
    assert!(output.status.success(), "{}", demo::words(&output));
    let page: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(page["lost"], 0, "{}", page["source"]);
    page["rows"].as_array().expect("rows").clone()
}

/// Asks until the newest counts have arrived; what they are then has to be right.
fn settled_site(target: &str, filter: &str, polls: u64) -> Value {
    for _ in 0..100 {
        let mut rows = rows("sites", target, filter);
        assert!(rows.len() <= 1, "{rows:?}");
        if let Some(row) = rows.pop()
            && row["polls"].as_u64().is_some_and(|n| n >= polls)
        {
            return row;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{filter}: {polls} polls never arrived: {:?}", rows("sites", target, filter));
}

#[test]
fn every_number_is_equal_from_the_recorder_to_the_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("exact.sock");
    let guard = pollscope::builder().listen(pollscope::Listen::Unix(socket.clone())).init();
    let target = format!("unix:{}", socket.display());
    let gate = Arc::new(Notify::new());
    let ways = ways();
    for way in ways.iter().filter(|way| way.wrapped || guard.mode() == Mode::Hooks) {
        way.run(&gate);
        let wakes: u64 = (0..TASKS).map(wakes_of).sum();
        let filter = format!("site~exact.rs:{}", way.line);

        let site = settled_site(&target, &filter, wakes + TASKS);
        assert_eq!(site["polls"], wakes + TASKS, "{}: {site}", way.label);
        assert_eq!(site["spawned"], TASKS, "{}: {site}", way.label);
        assert_eq!(site["alive"], TASKS / 2, "{}: {site}", way.label);
        if way.wrapped {
            assert_eq!(site["wakes"], wakes, "{}: {site}", way.label);
            assert_eq!(site["self_wakes"], wakes, "{}: {site}", way.label);
            assert_eq!(site["completed"], TASKS / 2, "{}: {site}", way.label);
        }

        let alive = rows("tasks", &target, &format!("{filter} state=idle"));
        assert_eq!(alive.len() as u64, TASKS / 2, "{}", way.label);
        let mut by_wakes = [0u64; 7];
        for task in &alive {
            let polls = task["polls"].as_u64().expect("polls are measured");
            by_wakes[usize::try_from(polls - 1).expect("few polls")] += 1;
            if way.wrapped {
                assert_eq!(task["wakes"], polls - 1, "{}: {task}", way.label);
                assert_eq!(task["self_wakes"], polls - 1, "{}: {task}", way.label);
            } else {
                assert_eq!(task["wakes"], Value::Null, "absent is never zero: {task}");
            }
        }
        let mut expected = [0u64; 7];
        for n in (1..TASKS).step_by(2) {
            expected[wakes_of(n) as usize] += 1;
        }
        assert_eq!(by_wakes, expected, "{}", way.label);
    }
}
