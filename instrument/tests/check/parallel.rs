//! Two sessions at once in one process: what one's tasks were in is nothing to the other.

use std::sync::Barrier;
use std::thread::sleep;
use std::time::{Duration, Instant};

use pollscope::check::{Flavor, Judged, Session};

const MS: Duration = Duration::from_millis(1);
/// Not every poll on a busy machine is looked at in time, and names take theirs at first.
const PATIENCE: Duration = Duration::from_secs(300);

#[inline(never)]
fn reads_the_catalogue() {
    sleep(400 * MS);
}

#[inline(never)]
fn locks_the_ledger() {
    sleep(400 * MS);
}

const BLOCKS: [(&str, fn()); 2] =
    [("reads_the_catalogue", reads_the_catalogue), ("locks_the_ledger", locks_the_ledger)];

/// Both at the same time, each on a thread of its own.
fn both(session: impl Fn(&'static str) -> Session + Sync) -> [Judged<()>; 2] {
    let barrier = &Barrier::new(2);
    let session = &session;
    std::thread::scope(|scope| {
        let run = |(name, blocks): (&'static str, fn())| {
            scope.spawn(move || {
                barrier.wait();
                session(name).run(async move {
                    pollscope::task(name).spawn(async move { blocks() }).await.expect("returns");
                })
            })
        };
        BLOCKS.map(run).map(|thread| thread.join().expect("no panic"))
    })
}

#[test]
fn stacks_are_told_to_their_own_session_alone() {
    let mut seen = [false; 2];
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let judged =
            both(|name| Session::new(name).max_poll(10 * MS).flavor(Flavor::MultiThread).worker_threads(1));
        for (at, judged) in judged.iter().enumerate() {
            let (own, other) = (BLOCKS[at].0, BLOCKS[1 - at].0);
            let text = judged.text();
            assert!(!text.contains(other), "{other} is not of {own}:\n{text}");
            let failing: Vec<_> = judged.verdict().failing().collect();
            assert!(failing.iter().any(|finding| &*finding.task_name == own), "{text}");
            // No frame of ours, and nothing of what lies beyond the task.
            let mut frames = failing.iter().flat_map(|finding| &finding.stack);
            assert!(
                !frames.any(|frame| frame.starts_with("pollscope::") || frame.contains("tokio::runtime")),
                "{text}"
            );
            seen[at] |=
                failing.iter().any(|finding| finding.stack.first().is_some_and(|top| top.contains(own)));
        }
        if seen == [true; 2] {
            return;
        }
    }
    panic!("no stack in {PATIENCE:?}: {seen:?}");
}

#[test]
fn stalls_are_told_to_their_own_session_alone() {
    let mut seen = [false; 2];
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let judged =
            both(|name| Session::new(name).timeout(250 * MS).flavor(Flavor::MultiThread).worker_threads(1));
        for (at, judged) in judged.iter().enumerate() {
            let (own, other) = (BLOCKS[at].0, BLOCKS[1 - at].0);
            let Some(roll) = judged.timed_out() else { continue };
            assert!(!roll.contains(other), "{other} is not of {own}:\n{roll}");
            seen[at] |= roll.contains(&format!("::{own}"));
        }
        if seen == [true; 2] {
            return;
        }
    }
    panic!("no stack in {PATIENCE:?}: {seen:?}");
}
