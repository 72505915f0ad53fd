//! The output of a task whose handle is gone: its drop holds the worker like a poll, and is one where tokio's hooks run.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use pollscope::check::{Flavor, Judged, Session};
use tokio::sync::Notify;

use crate::decided;

const MS: Duration = Duration::from_millis(1);

/// An output that takes long to be dropped.
struct ClosesSlowly(Arc<Notify>);

impl Drop for ClosesSlowly {
    fn drop(&mut self) {
        sleep(300 * MS);
        self.0.notify_one();
    }
}

fn run(flavor: Flavor, keeps_handle: bool) -> Judged<()> {
    Session::new("outputs").flavor(flavor).max_poll(100 * MS).run(async move {
        let closed = Arc::new(Notify::new());
        let output = ClosesSlowly(Arc::clone(&closed));
        let (gone, wait) = std::sync::mpsc::channel::<()>();
        let handle = pollscope::spawn(async move {
            // In one poll, which ends after the handle is gone.
            assert!(wait.recv().is_err());
            output
        });
        if keeps_handle {
            drop(gone);
            let output = handle.await.expect("returns");
            let close = tokio::task::spawn_blocking(move || drop(output));
            close.await.expect("returns");
        } else {
            drop(handle);
            drop(gone);
        }
        closed.notified().await;
    })
}

#[test]
fn a_slow_drop_of_an_output_that_no_handle_takes_is_blocking_at_the_spawn() {
    let line = line!() - 20;
    for flavor in [Flavor::CurrentThread, Flavor::MultiThread] {
        let judged = decided(|| run(flavor, false));
        let findings: Vec<_> = judged.verdict().failing().collect();
        let [finding] = findings[..] else { panic!("one finding: {}", judged.text()) };
        assert_eq!(&*finding.detector, "blocking-poll");
        assert!(finding.site.contains(&format!("outputs.rs:{line}:")), "{} and {line}", finding.site);
        assert!(judged.text().contains("ClosesSlowly"), "its stack: {}", judged.text());
    }
}

#[test]
fn one_that_a_handle_takes_is_not_the_tasks() {
    let judged = decided(|| run(Flavor::MultiThread, true));
    assert!(judged.is_clean(), "{}", judged.text());
}
