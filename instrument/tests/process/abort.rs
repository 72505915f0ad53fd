//! A panic in a build with `panic = "abort"`: the process ends with it, after the panic hook. No task ends in a panic
//! there, and what was not written by then is lost; what a hook flushes is not.

use std::os::unix::process::ExitStatusExt;
use std::sync::OnceLock;
use std::time::Duration;

use pollscope::Guard;
use pollscope_model::entity::task::TaskState;
use pollscope_proto::feed::Message;
use pollscope_proto::recording::Recording;

use crate::rig::viewer::Viewer;
use crate::rig::{Child, runtime, say, wait_for_test};

static GUARD: OnceLock<Guard> = OnceLock::new();

/// Panics in a task. The test's own build unwinds, so that the hook does at its end what comes after it in the other.
#[expect(clippy::disallowed_methods, reason = "what a panic does in such a build")]
pub(crate) fn aborts() {
    let guard =
        GUARD.get_or_init(|| pollscope::builder().interval(Duration::from_millis(10)).try_init().unwrap());
    std::panic::set_hook(Box::new(|_| {
        if let Some(guard) = GUARD.get() {
            guard.flush();
        }
        std::process::abort();
    }));
    say(&guard.local_addr().unwrap().to_string());
    wait_for_test();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let panics = async { assert!(GUARD.get().is_none(), "a test") };
    let _ = runtime.block_on(async { pollscope::task("panics").spawn(panics).await });
}

#[test]
fn a_panic_that_aborts_is_no_tasks_outcome_and_what_a_hook_flushes_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.mcap");
    let mut child = Child::start("aborts", &[("POLLSCOPE_RECORD", file.to_str().unwrap())]);
    let address = child.line();
    let runtime = runtime();
    runtime.block_on(async {
        let mut viewer = Viewer::attach(&address).await.unwrap();
        viewer.next_report().await;
        child.go_on();
        while let Some(message) = viewer.next().await {
            assert!(matches!(message, Message::Report(_)), "it goes without a word: {message:?}");
        }
    });
    assert_eq!(child.wait().signal(), Some(libc::SIGABRT));

    let mut states = Vec::new();
    for entry in Recording::open(&file).unwrap().messages() {
        match entry.message {
            Message::Hello(_) => {}
            Message::Report(report) => states.extend(report.tasks.iter().map(|task| task.state)),
            Message::Goodbye { reason } => panic!("it said goodbye: {reason}"),
        }
    }
    assert_eq!(
        states.last(),
        Some(&TaskState::Running),
        "the poll that panicked is the last that is known: {states:?}"
    );
}
